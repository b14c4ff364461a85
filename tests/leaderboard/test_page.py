"""The page as files: what it says, what it must not do, and what happens to what was there."""

import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers import page_store
from helpers.made_records import add

from leaderboard import index as catalogue
from leaderboard import rank
from leaderboard.render.html import curves, facts, plots
from leaderboard.render.html.page import write_page
from leaderboard.store import Store
from speedrun.records.schema import seal

ROOT = Path(__file__).resolve().parent.parent.parent
VOID = {"meta", "link", "input", "br", "img", "hr"}
LINKS = ("src", "href", "action", "data", "xlink:href", "poster", "srcset", "formaction")


class Page(HTMLParser):
    """Every element with its attributes, checked to close; and all text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.open = path, []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open, f"{path.name}: {self.open} stay open"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        if tag in ("li", "p", "option") and self.open[-1] != tag:
            return
        assert self.open and self.open[-1] == tag, f"{self.path.name}: </{tag}> in {self.open[-4:]}"
        self.open.pop()

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def build(store: Path, to: Path) -> Path:
    opened = Store(str(store))
    found = catalogue.read(opened, None)
    assert not found.problems
    return write_page(to, rank.boards(found.runs, found.submissions, found.verifications), opened)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """The folder of a page about entries whose names try everything."""
    folder = tmp_path_factory.mktemp("hostile")
    page_store.fill(folder / "store", 26)
    build(folder / "store", folder / "page")
    return folder / "page"


@pytest.fixture(scope="module")
def found(hostile) -> list[Page]:
    return [Page(path) for path in sorted(hostile.rglob("*.html"))]


def test_nothing_comes_from_outside_and_every_link_leads_somewhere(found):
    assert len(found) == 27
    for page in found:
        for tag, attributes in page.elements:
            for name in LINKS:
                target = attributes.get(name)
                if target is None or target in ("data:,",) or target.startswith("#"):
                    continue
                assert not re.match(r"[a-z][a-z0-9+.-]*:|//|/", target, re.I), (tag, target)
                assert (page.path.parent / target.partition("#")[0]).is_file(), (tag, target)
    for name in ("style.css", "page.js"):
        text = (found[0].path.parent.parent / name).read_text(encoding="utf-8")
        assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(", text)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_names_of_strangers_are_text_and_nothing_else(found):
    for page in found:
        assert not page.of("img") and all("class" in i for i in page.of("i"))
        allowed = {"curves.js", "page.js"}
        assert {s.get("src") for s in page.of("script")} <= allowed
        for _, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on")], attributes
    index = next(page for page in found if page.path.name == "index.html")
    for name in page_store.HOSTILE:
        assert name in index.text, name


def test_acting_characters_are_shown_as_escapes(tmp_path):
    made = page_store.content(arch="a\u202eb\x1b[31m", seed=3)
    made["sample"]["text"] = "one\ntwo\u200b\u202e<b>"
    add(tmp_path / "store", seal(made))
    build(tmp_path / "store", tmp_path / "page")
    for path in (tmp_path / "page").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search("[\u202e\u200b\x1b]", text)
        assert "a\\u202eb\\x1b[31m" in text
    entry = next((tmp_path / "page" / "entries").iterdir()).read_text(encoding="utf-8")
    assert "one\ntwo\\u200b\\u202e&lt;b&gt;" in entry


def test_ids_are_unique_in_each_page(found):
    for page in found:
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids)), page.path.name
        drawn = page.path.read_text(encoding="utf-8")
        assert set(re.findall(r"url\(#([^)]+)\)", drawn)) <= set(ids)


def test_the_same_records_make_the_same_bytes(hostile, tmp_path):
    build(hostile.parent / "store", tmp_path / "again")
    for path in hostile.rglob("*.*"):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(hostile)
            assert path.read_bytes() == again.read_bytes(), path.name


def test_a_second_build_leaves_no_stale_page_and_nobody_else_s_file_is_touched(tmp_path):
    store, to = tmp_path / "store", tmp_path / "page"
    page_store.fill(store, 4)
    build(store, to)
    (to / "CNAME").write_text("mine", encoding="utf-8")
    (to / "entries" / "mine.html").write_text("mine", encoding="utf-8")
    before = {path.name for path in (to / "entries").iterdir()}
    listed = catalogue.read(Store(str(store)), None)
    for row in listed.runs:
        if row.arch == "lstm":
            for path in store.glob(f"{row.id}*"):
                path.unlink()
    opened = Store(str(store))
    left = catalogue.read(opened, None)
    write_page(to, rank.boards(left.runs, left.submissions, left.verifications), opened)
    after = {path.name for path in (to / "entries").iterdir()}
    linked = set(re.findall(r"entries/([0-9a-f]{12}\.html)", (to / "index.html").read_text()))
    assert after == linked | {"mine.html"} and after < before
    assert (to / "CNAME").read_text() == (to / "entries" / "mine.html").read_text() == "mine"


def test_an_index_that_somebody_else_wrote_stays(tmp_path):
    page_store.fill(tmp_path / "store", 2)
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="was not written by this command"):
        build(tmp_path / "store", tmp_path / "page")
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["index.html"]
    assert (tmp_path / "page" / "index.html").read_text() == "mine"


def test_a_list_of_files_cannot_lead_out_of_the_folder(tmp_path):
    page_store.fill(tmp_path / "store", 2)
    (tmp_path / "precious").write_text("mine", encoding="utf-8")
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / ".leaderboard-files.json").write_text('["../precious", 3]')
    build(tmp_path / "store", tmp_path / "page")
    assert (tmp_path / "precious").exists()


def test_a_build_that_fails_leaves_the_old_page_whole(tmp_path, monkeypatch):
    store, to = tmp_path / "store", tmp_path / "page"
    page_store.fill(store, 4)
    build(store, to)
    before = {path: path.read_bytes() for path in to.rglob("*") if path.is_file()}
    monkeypatch.setattr(curves, "script", lambda found: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(store, to)
    assert {path: path.read_bytes() for path in to.rglob("*") if path.is_file()} == before


def test_a_place_that_cannot_be_written_is_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    command = [sys.executable, "run.py", "leaderboard", "--format", "html"]
    command += ["--to", str(tmp_path / "file")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "cannot write there" in done.stderr


def test_the_page_needs_no_framework():
    code = "import sys, leaderboard.render.html.page; print({'torch', 'mlx'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_an_odd_config_is_printed(tmp_path):
    deep = {"a": {"b": {"c": {"d": {"e": {"f": [1, {"g": None}]}}}}}}
    config = page_store.content()["config"]
    config |= {"recipe": 3, "extra": deep, "long": "x" * 5000, "": ""}
    add(tmp_path / "store", seal(page_store.content(config=config)))
    build(tmp_path / "store", tmp_path / "page")
    entry = Page(next((tmp_path / "page" / "entries").iterdir()))
    assert "No command can be given" in entry.text and '{"f": [1, {"g": null}]}' in entry.text
    assert "x" * 300 + "…" in entry.text


def test_a_record_that_is_gone_by_now_costs_its_own_page_only(tmp_path):
    page_store.fill(tmp_path / "store", 4)
    opened = Store(str(tmp_path / "store"))
    listed = catalogue.read(opened, None)
    boards = rank.boards(listed.runs, listed.submissions, listed.verifications)
    gone = boards[0].entries[-1]
    (tmp_path / "store" / f"{gone.first.id}.json").unlink()
    index = Page(write_page(tmp_path / "page", boards, opened))
    targets = {a.get("href") for a in index.of("a")}
    assert f"entries/{gone.id}.html" not in targets
    assert f"entries/{boards[0].entries[0].id}.html" in targets
    assert "without a page of their own" in index.text


def test_no_records_make_a_page_that_says_so(tmp_path):
    assert "no records yet" in Page(write_page(tmp_path / "page", [], Store(str(tmp_path)))).text


def test_curves_are_thinned_and_cannot_leave_their_script():
    curve = [(k / 1000, 5.0 - k / 500 if k != 500 else None) for k in range(1000)]
    thin = curves.thinned([curve, curve])
    assert len(thin) == curves.MAX_POINTS
    assert [nats for _, nats in thin].count(None) == 1
    assert thin[0] == [0.008, 4.984]
    vast = curves.thinned([[(0.1, 1e308), (0.1, 1e308)]])
    assert json.loads(json.dumps(vast, allow_nan=False)) == vast
    assert "</" not in curves.script({"</script>": []})


@pytest.mark.parametrize(
    ("fewer", "expected"), [(True, [(1.0, 3.0), (2.0, 1.0)]), (False, [(2.0, 1.0), (4.0, 2.0)])]
)
def test_the_frontier_holds_what_nothing_beats(fewer, expected):
    points = [(1.0, 3.0), (2.0, 1.0), (2.0, 2.5), (4.0, 2.0), (3.0, 3.0)]
    assert plots.frontier(points, fewer=fewer) == expected


def test_what_changed_leaves_the_seed_out():
    before = {"seed": 0, "model": {"width": 1, "gone": True}}
    after = {"seed": 1, "model": {"width": 2, "new": None}}
    assert facts.changes(before, after) == [
        ("model.width", "1", "2"),
        ("model.new", None, "null"),
        ("model.gone", "true", None),
    ]


def test_a_bar_s_parts_follow_each_other_to_one_scale(make_record):
    first, second = make_record(), make_record({"clock.evaluate_s": 600.0})
    found = facts.clocks([first, second])
    for clock in found:
        for parts in (clock["on"], clock["off"]):
            for (*_, start, width), (*_, after, _) in itertools.pairwise(parts):
                assert start + width == pytest.approx(after)
    assert sum(part[-1] for part in found[1]["off"]) == pytest.approx(100)
    assert sum(part[-1] for part in found[0]["on"]) == pytest.approx(100 * 300 / found[1]["off_s"])


def test_points_tell_their_names(hostile):
    page = (hostile / "index.html").read_text(encoding="utf-8")
    for name in ("&lt;script&gt;alert(1)&lt;/script&gt;", "$\\frac{1}{0$ \\mathbf{x}"):
        assert re.search(rf"<title>{re.escape(name)}: ", page)
