"""Ideas of a file: which are kept, what is built on them, the ledger, and wrong lines."""

import dataclasses
import io
import json
import types
from pathlib import Path
from typing import Any

import pytest
from helpers.command_line import command, refused
from rich.console import Console

from leaderboard.duel import batch
from leaderboard.duel.options import DuelOptions

QUIET = Console(quiet=True)


class Decider:
    """Takes the place of duels: an idea with these settings on side B wins."""

    is_disturbed = False

    def __init__(self, *good: str) -> None:
        self.good, self.asked = set(good), []

    def __call__(self, options: DuelOptions, console: Console):
        self.asked.append(options)
        a, b = (side.settings for side in options.sides())
        if b == ("recipe.lrr=1",):
            raise LookupError("B: unknown --set key 'recipe.lrr'")
        won = bool(set(b[len(a) :]) & self.good)
        lost = "open" if self.is_disturbed else "none"
        result = {
            "decision": "b" if won else lost,
            "verdict": {"mean": -0.01 if won else 0.0, "low": -0.02, "high": 0.0, "p_value": 0.1},
            "sentence": "B is better" if won else "No difference shown",
            "num_pairs": 5,
            "a": {"bits_per_byte": 1.0 - len(a) / 100},
            "b": {"bits_per_byte": 1.0 - len(a) / 100 - won / 100},
        }
        return types.SimpleNamespace(result=result, folder=types.SimpleNamespace(path=Path("d")))


def written(folder: Path, *ideas: object) -> Path:
    file = folder / "ideas.jsonl"
    lines = (idea if isinstance(idea, str) else json.dumps(idea) for idea in ideas)
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


RATE = {"name": "rate", "set": {"recipe.lr": 0.02}, "why": "faster"}
DEEP = {"name": "deep", "set": {"model.depth": 4}}
PLAIN = {"name": "plain", "set": {"recipe.compile": False}, "tables": "8M"}


def test_kept_ideas_are_part_of_both_sides_from_then_on(tmp_path):
    options, decide = DuelOptions(out=tmp_path), Decider("recipe.lr=0.02")
    file = written(tmp_path, RATE, DEEP, "", PLAIN)
    ledger, is_whole = batch.run(file, options, QUIET, decide)
    assert is_whole
    sides = [tuple(side.settings for side in one.sides()) for one in decide.asked]
    rate, deep, plain = "recipe.lr=0.02", "model.depth=4", "recipe.compile=false"
    assert sides == [((), (rate,)), ((rate,), (rate, deep)), ((rate,), (rate, plain))]
    assert [one.tables_b for one in decide.asked] == [None, None, "8M"]
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [row["kept"] for row in rows] == [True, False, False]
    assert rows[0]["idea"]["why"] == "faster" and rows[0]["interval"] == [-0.02, 0.0]
    assert ledger.with_suffix(".svg").read_text().lstrip().startswith("<?xml")


def test_what_the_ledger_has_is_not_raced_again(tmp_path):
    options, file = DuelOptions(out=tmp_path), written(tmp_path, RATE)
    batch.run(file, options, QUIET, Decider("recipe.lr=0.02"))
    again = Decider()
    batch.run(written(tmp_path, RATE, DEEP), options, QUIET, again)
    ((a, _),) = [tuple(side.settings for side in one.sides()) for one in again.asked]
    assert a == ("recipe.lr=0.02",), "what was kept is built on"


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"minutes": "5"}, "--minutes"), ({"params": "8M", "set_": ("model.depth=2",)}, "--set")],
)
def test_a_ledger_of_other_options_is_not_mixed_with(tmp_path, changes, named):
    file = written(tmp_path, RATE)
    options = DuelOptions(out=tmp_path, minutes="1", params="2M", data=str(tmp_path))
    batch.run(file, options, QUIET, Decider())
    with pytest.raises(ValueError, match=f"decided with other options .*{named}.*another --out"):
        batch.run(file, dataclasses.replace(options, **changes), QUIET, Decider())
    batch.run(file, dataclasses.replace(options, json_=True), QUIET, again := Decider())
    assert not again.asked


def test_one_that_found_no_quiet_machine_is_left_for_later(tmp_path):
    options, decide = DuelOptions(out=tmp_path), Decider()
    decide.is_disturbed = True
    ledger, is_whole = batch.run(written(tmp_path, RATE), options, QUIET, decide)
    assert not ledger.exists() and not is_whole
    batch.run(written(tmp_path, RATE), options, QUIET, again := Decider())
    assert len(again.asked) == 1 and len(ledger.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 2: "),
        ('{"set": {}}', "line 2: name"),
        ('{"name": "x", "sets": {}}', "line 2: sets"),
        ('{"name": "x", "set": {"recipe.lrr": 1}}', "line 2: B: unknown --set key 'recipe.lrr'"),
    ],
)
def test_a_wrong_line_is_named_and_the_rest_goes_on(tmp_path, line, why):
    options, decide = DuelOptions(out=tmp_path), Decider()
    shown = Console(record=True, width=200, quiet=False, file=io.StringIO())
    with pytest.raises(ValueError, match=r"ideas\.jsonl: 1 line left out"):
        batch.run(written(tmp_path, RATE, line, DEEP), options, shown, decide)
    said = shown.export_text()
    assert said.count(why) == 1
    if "lrr" not in line:  # known before the first duel
        assert said.index(why) < said.index("idea 1")
    ledger = tmp_path / "duels" / "ideas.jsonl"
    assert len(ledger.read_text().splitlines()) == 2


def test_a_ledger_that_is_none_and_a_side_of_its_own_are_refused(tmp_path):
    file = written(tmp_path, RATE)
    changes: Any
    for changes in ({"set_b": ("model.depth=2",)}, {"params_b": "1M"}, {"b": "goedecke"}):
        with pytest.raises(ValueError, match="its ideas make B"):
            batch.run(file, DuelOptions(out=tmp_path, **changes), QUIET, Decider())
    (tmp_path / "duels").mkdir()
    (tmp_path / "duels" / "ideas.jsonl").write_text("{")
    with pytest.raises(ValueError, match=r"ideas\.jsonl: not the ledger of a batch"):
        batch.run(file, DuelOptions(out=tmp_path), QUIET, Decider())


def test_files_without_ideas_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "cannot be read" in refused("duel", "--batch", "nowhere.jsonl")
    assert "no idea in it" in refused("duel", "--batch", written(tmp_path, ""))
    assert command("duel", "--batch", written(tmp_path, "[]")).code == 2
