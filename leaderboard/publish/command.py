"""The command `publish`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from leaderboard.attestations import one_line
from leaderboard.publish import contents, data, folder, hub
from leaderboard.publish.contents import RESULTS, Wanted
from leaderboard.publish.data import UNKNOWN
from speedrun.data.hub import repos
from speedrun.records.sanitize import brief, sanitize

Flag = Annotated[bool, Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PublishOptions:
    """Options of `publish`.

    Parameters
    ----------
    to
        hf://user/name, a model of the Hugging Face hub, which is made; or a folder.
    private
        Make the repository private; of the hub only.
    license_
        Licence of the weights for the card, such as apache-2.0. Default: not stated.
    data_license
        Licence of the training data, where the project does not know it.
    with_paths
        Publish a record that holds paths of this machine.
    json_
        Print the result as JSON.
    """

    to: str
    private: Flag = False
    license_: Annotated[str | None, Parameter(name="--license")] = None
    data_license: str | None = None
    with_paths: Flag = False
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False


def publish(
    run: Annotated[Path, Parameter(help="Folder of the run.")], /, options: PublishOptions
) -> None:
    """Publish a finished run with its weights and a model card: see `speedrun.cli.app`."""
    done, licence, size = published(run, options)
    if options.json_:
        print(json.dumps(done), flush=True)
    console = Console(stderr=options.json_)
    for line in _report(done, licence, size):
        console.print(Text(sanitize(line)), soft_wrap=True)


def published(run: Path, options: PublishOptions) -> tuple[dict[str, Any], str, int]:
    """Publish a run; what `--json` prints, the licence of its data, and the bytes of its files.

    Raises ValueError where it cannot be published.
    """
    from speedrun.ui.live import waiting

    for name, text in (("license", options.license_), ("data-license", options.data_license)):
        _check_line(name, text)
    if repos.is_address(options.to):
        repo, address = repos.parse(options.to), options.to
    else:
        repo, address = None, f"path/to/{_folder(options).resolve().name}"
    wanted = Wanted(
        address=address,
        licence=options.license_,
        data_licence=options.data_license,
        with_paths=options.with_paths,
    )
    with waiting("writing the model card"):
        record, files = contents.build(run, wanted)
    done: dict[str, Any] = {"record": record.id, "to": options.to, "page": None, "commit": None}
    if repo is None:
        folder.publish(Path(options.to), run, record.id, files)
    else:
        assert record.score is not None
        message = f"Run {record.id[:12]}: {record.score.bits_per_byte:.4f} bits per byte"
        with waiting(f"publishing to {repo}"):
            hub.check(repo)
            found = hub.publish(repo, record.id, files, private=options.private, message=message)
        done |= {"page": found.page, "commit": found.commit}
    licence = data.facts(record, options.data_license).licence
    return done | {"files": sorted(files)}, licence, sum(map(len, files.values()))


def _folder(options: PublishOptions) -> Path:
    """The folder to publish to; ValueError for what is none."""
    if "://" in options.to or not options.to.strip():
        raise ValueError(f"--to {brief(options.to)}: give hf://user/name or a folder")
    if options.private:
        raise ValueError("--private: only a repository of the hub can be private, see --to")
    return Path(options.to)


def _check_line(name: str, text: str | None) -> None:
    try:
        one_line(text or "none")
    except ValueError as error:
        raise ValueError(f"--{name} {brief(text or '')}: {error}") from None


def _report(done: dict[str, Any], licence: str, num_bytes: int) -> list[str]:
    size, to, files = num_bytes / 1e6, done["to"], done["files"]
    lines = [f"published {done['record'][:12]} to {to}: {len(files)} files, {size:.1f} MB"]
    if done["page"]:
        lines.append(f"{done['page']} (commit {done['commit'][:8]})")
    elif repos.looks_like(to):
        lines.append(f"{to} is a folder here; --to hf://{to} is a model of the hub.")
    if licence == UNKNOWN:
        lines.append("The licence of the data is unknown: state it with --data-license.")
    if RESULTS not in files:
        lines.append("No file of evaluation results: the data are none of the hub's.")
    return [*lines, f"try it: python run.py sample {to}"]
