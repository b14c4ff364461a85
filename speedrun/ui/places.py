"""Place of a finished race among earlier ones and on the board, and the next thing to do."""

from dataclasses import dataclass
from pathlib import Path

from speedrun.records import host
from speedrun.records.files import CHECKPOINT, board_records, read_runs
from speedrun.records.schema import Record
from speedrun.records.summary import Summary, summarize, unranked_because
from speedrun.records.track import Standing, standing
from speedrun.text import format_size


@dataclass(frozen=True, kw_only=True)
class Places:
    """Standings of a ranked run in its track: among the runs beside it, and on the board."""

    own: Standing | None = None
    board: Standing | None = None


def find(record: Record, runs: Path) -> Places:
    """The places of a run among those below a folder and among the project's own records."""
    run = summarize(record)
    return Places(
        own=standing(run, (summarize(other) for _, other in read_runs(runs))),
        board=standing(run, map(summarize, board_records())),
    )


def lines(record: Record, places: Places, folder: Path) -> list[str]:
    """The places of a run, or the reason for which it has none, in a sentence each."""
    if (why := unranked_because(record)) is not None:
        return [f"Not ranked: {why}."]
    assert record.score is not None, "it ranks"
    out, score = [], record.score.bits_per_byte
    if places.board is not None and (best := places.board.best) is not None:
        gap = f"{_gap(score, best)} than the best there ({_named(best)})"
        out.append(f"On the board it would be number {places.board.place}: {gap}.")
    if places.own is None or (best := places.own.best) is None:
        return [*out, f"First run of this track in {folder.parent}."]
    gap = f"{_gap(score, best)} than the best other run ({_named(best)}, seed {best.seed})"
    return [*out, f"Place {places.own.place} of {places.own.num_runs} in this track here: {gap}."]


def next_step(record: Record, places: Places, folder: Path) -> str:
    """The command or change that comes next."""
    if record.status == "trained":
        return f"score {folder}"
    if record.status == "diverged":
        return "lower the learning rates (--set recipe.lr=…) and race again"
    if _can_resume(record, folder):
        return f"resume {folder} goes on with what is left of the budget"
    if unranked_because(record) is not None:
        return "race again; only a whole run ranks"
    if host.unfit_because(record) is not None:
        return "race again on an idle machine: this run cannot hold a record"
    if places.board is not None and places.board.best is not None and places.board.place == 1:
        return f"submit {folder}; a duel with the standing record decides whether it is one"
    if places.own is None or places.own.best is None:
        return f"sample {folder}, or race 3 seeds (--seeds 3)"
    if places.own.place == 1:
        return f"sample {folder}, submit it, or race 3 seeds (--seeds 3)"
    return "change one thing (--set recipe.lr=…), or settle it with a duel: duel --help"


def ended(record: Record, folder: Path) -> str:
    """The end of a race in a few words, with the command that goes on where there is one."""
    said = f"recorded as {record.status} in {folder}"
    return f"{said}: python run.py resume {folder} goes on" if _can_resume(record, folder) else said


def _can_resume(record: Record, folder: Path) -> bool:
    return record.status == "interrupted" and (folder / CHECKPOINT).is_file()


def _gap(score: float, other: Summary) -> str:
    gap = score - other.bits_per_byte
    return f"{abs(gap):.4f} bits per byte {'better' if gap < 0 else 'worse'}"


def _named(run: Summary) -> str:
    return f"{run.bits_per_byte:.4f}, {run.arch} {format_size(run.num_params)}, {run.recipe_name}"
