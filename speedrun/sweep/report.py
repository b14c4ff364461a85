"""The report of a sweep: Markdown, figures, `laws.json`; from whatever lies in its folder."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from speedrun.records.files import RECORD
from speedrun.records.summary import Summary, summarize
from speedrun.scaling_laws.laws_file import LAWS, MANIFEST, cached_laws, load, read_manifest
from speedrun.sweep import results as sweep_laws
from speedrun.sweep import sweep_dir as sweep_folder
from speedrun.sweep.document import document
from speedrun.sweep.results import ArchSweep, Folder
from speedrun.system.files import write_atomic

REPORT = "report.md"


def report(
    folder: Path,
    check: Sequence[Path],
    held_out_minutes: Sequence[float],
    *,
    keep: bool = False,
    console: Console | None = None,
) -> None:
    """Write the report of a folder and print it; `keep` leaves the laws where a race finds them."""
    console = console or Console()
    found = sweep_laws.read(folder, held_out_minutes)
    checked = _checked(found, check)
    lines = list(document(found, checked))
    try:
        figures = _write(folder, found, keep=keep)
        lines += ["", "## Figures", "", *(f"![{name}]({name}.svg)" for name in figures)]
        text = "\n".join(lines) + "\n"
        write_atomic(folder / REPORT, text)
    except OSError as error:
        raise ValueError(f"{folder}: cannot write there ({error.strerror})") from None
    console.print(Markdown(text) if console.is_terminal else text, soft_wrap=True, markup=False)
    console.print(f"written to {folder / REPORT}", soft_wrap=True, markup=False, highlight=False)


def _write(folder: Path, found: Folder, *, keep: bool) -> list[str]:
    from speedrun.sweep import figures as sweep_figures

    names = []
    fitted = [swept for swept in found.archs if swept.laws is not None]
    for swept in fitted:
        text = sweep_laws.laws_of(swept).to_json()
        files = [f"laws-{swept.arch}.json"] if len(fitted) > 1 else []
        if swept is fitted[0]:
            files.append(LAWS)
        for file in files:
            write_atomic(folder / file, text)
        names += sweep_figures.draw(folder, swept)
        if keep:
            _keep(folder, swept, text)
    return names


def _keep(folder: Path, swept: ArchSweep, text: str) -> None:
    """One copy per machine class, architecture and settings; laws of more runs stay."""
    settings = json.dumps(read_manifest(folder / MANIFEST)["shared"], sort_keys=True)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:12]
    place = cached_laws() / f"{swept.rows[0].hardware_class}-{swept.arch}-{digest}"
    path = place / LAWS
    try:
        if path.is_file() and load(path).num_runs > len(swept.rows):
            return
    except ValueError:
        pass  # not worth keeping
    write_atomic(path, text)
    manifest = (folder / MANIFEST).read_text(encoding="utf-8")
    write_atomic(place / MANIFEST, manifest)


def _checked(found: Folder, paths: Sequence[Path]) -> list[Summary]:
    """Runs to compare with the prediction: folders of runs, or of folders of runs."""
    rows = []
    for path in paths:
        records, problems = sweep_folder.records(path.parent if _is_run(path) else path)
        if _is_run(path):
            own = sweep_folder.load(path / RECORD)
            records = [record for record in records if record.id == own.id]
        if not records:
            extra = f" ({problems[0]})" if problems else ""
            raise ValueError(f"--check {path}: no finished run there{extra}")
        rows += [
            summarize(record) for record in records if summarize(record).unranked_because is None
        ]
    sweep_laws.one_track([found.first, *rows], "--check")
    return rows


def _is_run(path: Path) -> bool:
    return (path / RECORD).is_file()
