"""README and the guides hold: commands, links, files, packaging of the first steps."""

import json
import pkgutil
import re
import runpy
import shlex
import tomllib
from pathlib import Path

import cyclopts
import pytest

from speedrun.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
GUIDES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "architectures/**/*.md", "leaderboard/*.md")
    for path in ROOT.glob(pattern)
)
RECORDS = ROOT / "leaderboard" / "records"
PICTURED = "e70e9fac92a9f3580bb7a47a4947a197a03c13f287d2e67eca1ab2c49d1c2c5f"
HISTORY = ("docs/log.md", "CHANGELOG.md")  # commands and files of their time
CURRENT = [name for name in GUIDES if name not in HISTORY]
COMMAND = re.compile(
    r"(?:^|`|-- |per-node 2 )(?:\$ )?(?:\S*python |)(run\.py\b(?!  )[^`\n]*)", re.M
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(guide: str) -> list[str]:
    """Command lines in a text, without comments and prose."""
    found = COMMAND.findall(text(guide))
    return [line for line in found if not re.search(r"COMMAND|…$|\.\.\.", line.split("#")[0])]


def anchors(name: str) -> set[str]:
    """Anchors of the headings of a Markdown file, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text(name), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings}


@pytest.mark.parametrize("guide", CURRENT)
def test_every_command_is_one_that_the_command_line_takes(guide):
    for line in commands(guide):
        plain = re.sub(r"[\[\]…]", "", line).replace("\\|", "-").replace("--seed S", "--seed 0")
        words = shlex.split(plain, comments=True)[1:]
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except cyclopts.CycloptsError as error:
            pytest.fail(f"{guide}: {line}: {error}")


def test_commands_are_found():
    assert "run.py doctor" in commands("README.md")
    assert "\nrun.py sweep --on ray" in "\n".join(["", *commands("docs/many-machines.md")])
    assert sum(len(commands(guide)) for guide in GUIDES) > 40


@pytest.mark.parametrize("guide", GUIDES)
def test_every_link_leads_somewhere(guide):
    for target, anchor in LINK.findall(text(guide)):
        name = guide if not target else (Path(guide).parent / target).as_posix()
        assert (ROOT / name).exists(), f"{guide}: {target}"
        if anchor and name.endswith(".md"):
            assert anchor[1:] in anchors(name), f"{guide}: {target}{anchor}"


@pytest.mark.parametrize("guide", CURRENT)
def test_every_file_that_is_named_is_there(guide):
    folders = r"speedrun|leaderboard|tests|docs|\.ci|\.github"
    for name in re.findall(rf"`((?:{folders})/[\w./*-]+)`", text(guide)):
        assert list(ROOT.glob(name.rstrip("/"))), f"{guide}: {name}"
    for dotted in re.findall(r"`((?:speedrun|leaderboard)(?:\.\w+){2,})`", text(guide)):
        assert pkgutil.resolve_name(dotted), f"{guide}: {dotted}"


def test_what_a_folder_may_define_is_what_the_program_reads():
    """Names in the tables of architectures/README.md."""
    told = text("architectures/README.md").split("## What a folder holds")[1]
    names = set(re.findall(r"^\| `(\w+)", told, re.M)) | set(re.findall(r"`(\w+)\([^`]*\)", told))
    read = "".join(
        path.read_text(encoding="utf-8")
        for part in ("protocols.py", "models/*.py", "backends/**/*.py")
        for path in (ROOT / "speedrun").glob(part)
    )
    assert len(names) > 15 and {name for name in names if name not in read} == set()


def test_the_readme_is_short_and_its_first_commands_are_those_of_ci():
    readme = text("README.md")
    assert len(readme.splitlines()) <= 150
    told = re.findall(r"^grep -qF '(.*)' README.md$", text(".ci/run"), re.M)
    assert len(told) == 2 and all(line in readme for line in told)


def test_the_picture_is_made_of_a_record_and_loads_nothing(tmp_path):
    record = json.loads((RECORDS / f"{PICTURED}.json").read_text())
    script = runpy.run_path(str(ROOT / "docs" / "picture.py"))
    script["main"](RECORDS / f"{PICTURED}.json", tmp_path / "race.svg")
    for picture in (tmp_path / "race.svg", ROOT / "docs" / "race.svg"):
        drawn = picture.read_text(encoding="utf-8")
        assert f"{record['score']['bits_per_byte']:.4f}" in drawn
        assert set(re.findall(r"https?://[^\s\"')]+", drawn)) == {"http://www.w3.org/2000/svg"}


def test_every_pinned_dependency_allows_the_version_that_ci_installs():
    from packaging.requirements import Requirement

    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", text("constraints.txt"), re.M))
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    project = tomllib.loads(text("pyproject.toml"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [Requirement(line) for group in groups for line in group]
    found = [one for one in wanted if one.name.lower().replace("_", "-") in pins]
    assert len(found) > 20
    for one in found:
        assert one.specifier.contains(pins[one.name.lower().replace("_", "-")]), one
    assert "+" not in text("constraints.txt") and "/" not in text("constraints.txt")
