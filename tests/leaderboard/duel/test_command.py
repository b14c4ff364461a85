"""The command `duel` from its words to its files: sides, bad input, result and exit codes."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from helpers.command_line import command, done_well, refused
from helpers.duels import FIT, FakeRaces
from helpers.made_records import add, made, write_run

from leaderboard.duel import command as commands
from leaderboard.store import open_store
from speedrun.duel.process import Ended
from speedrun.models import loader
from speedrun.models.code import code_digest
from speedrun.records.duel import DUEL, parse_duel
from speedrun.records.schema import Record, load
from speedrun.system.git import code_version

ARCH = ["--arch", "ngram", "--params", "300K"]
B = ["--set-b", "model.order=2"]
SETTINGS = {"recipe_name": "default", "seed": 0, "model": {}, "recipe": {}, "data": {}}


class Races(FakeRaces):
    """Races of the sides that a command asks for."""

    def __call__(self, command, folder, hear) -> Ended:
        self.words = list(command)
        start = next(n for n, word in enumerate(command) if word.startswith("--"))
        options = dict(zip(command[start::2], command[start + 1 :: 2], strict=False))
        argv = [w for n, w in enumerate(command[start:-1]) if not self._is_of(command, start + n)]
        side = "b" if "model.order=2" in command else "a"
        seed, number = int(options["--seed"]), len(self.raced)
        self.raced.append((side, seed))
        digest = code_digest(loader.architecture(options["--arch"]))
        changes = {
            "source.digest": digest,
            "argv": [*argv, "--seed", str(seed)],
            "host": FIT,
            **self.changes(side, number),
        }
        record = made(self.scores(side, number) + number / 1e5, seed, changes)
        write_run(Path(options["--out"]) / f"run-{number}", record)
        return Ended(exit_code=0, error="", host=FIT)

    @staticmethod
    def _is_of(command, at: int) -> bool:
        """Whether a word belongs to an option that is no part of an argv."""
        ours = ("--seed", "--out", "--data", "--text-field", "--json")
        return command[at] in ours or command[at - 1] in ours


@pytest.fixture
def races(monkeypatch, tmp_path) -> Races:
    """No race is run in earnest, and none leaves the test's folder."""
    made_up = Races()
    monkeypatch.setattr(commands, "Contest", functools.partial(commands.Contest, race=made_up))
    monkeypatch.chdir(tmp_path)
    return made_up


def folder(out: Path = Path("runs")) -> Path:
    (found,) = (out / "duels").iterdir()
    return found


def test_a_duel_ends_with_a_verdict_a_result_and_a_summary(races):
    shown = done_well("duel", *ARCH, *B, "--pairs", 5)
    assert "B is better: p = " in shown and "submit runs/duels/ngram" in shown
    assert "reached A's final training loss" in shown
    result = json.loads((folder() / "result.json").read_text())
    assert result["decision"] == "b" and result["num_pairs"] == 5
    assert result["verdict"]["p_value"] < 0.01 < result["verdict"]["p_value_a"]
    assert result["a"]["bits_per_byte"] > result["b"]["bits_per_byte"]
    summary = (folder() / "summary.md").read_text()
    assert "B is better with probability" in summary and summary.count("| -1.") == 5
    duel = parse_duel((folder() / DUEL).read_bytes(), "it")
    assert duel.b.argv == [*duel.a.argv, "--set", "model.order=2"]
    assert duel.a.argv[duel.a.argv.index("--backend") + 1] == "numpy"


def test_a_finished_duel_races_nothing_again_and_other_options_are_another_duel(races):
    said = done_well("duel", *ARCH, *B, "--pairs", 3)
    again = command("duel", *ARCH, *B, "--pairs", 3, "--json")
    assert len(races.raced) == 6 and json.loads(again.out)["num_pairs"] == 3
    assert "it is finished" in again.err and "resumed" not in said
    done_well("duel", *ARCH, *B, "--pairs", 4)
    assert len(races.raced) == 14 and len(list(Path("runs/duels").iterdir())) == 2


def test_sides_of_other_sizes_are_raced_at_them(races):
    done_well("duel", *ARCH, "--params-b", "400K", *B, "--pairs", 3)
    duel = parse_duel((folder() / DUEL).read_bytes(), "it")
    sizes = [side.argv[side.argv.index("--params") + 1] for side in (duel.a, duel.b)]
    assert sizes == ["300K", "400K"] and "ngram, 400K" in duel.b.label
    for words, says in (
        (["--tables-b", "8M"], "B: --tables 8000000: 'ngram' has no tables"),
        (["--params-b", "auto"], "B: a duel races a stated size"),
    ):
        assert says in refused("duel", *ARCH, *words)


def test_an_undecided_duel_says_so_with_exit_code_1(races):
    races.changes = lambda side, number: {"host": FIT | {"others_share": 0.9}}
    done = command("duel", *ARCH, *B, "--pairs", 3)
    assert done.code == 1 and "Undecided after 0 pairs of 3, and 3 pairs" in done.out


def test_paths_reach_a_race_whole_and_its_record_without(races, stories, tmp_path):
    done_well("duel", *ARCH, *B, "--pairs", 3, "--data", stories, "--text-field", "text")
    words = races.words
    assert words[words.index("--data") + 1] == str(stories.resolve())
    assert words[words.index("--text-field") + 1] == "text"
    assert Path(words[words.index("--out") + 1]) == folder().resolve()  # of any working directory


def run_of(path: Path, changes: Mapping[str, object] | None = None) -> Path:
    """A finished run of this code in a folder."""
    argv = ["--minutes", "5", "--arch", "ngram", "--params", "300K", "--backend", "numpy"]
    argv += ["--recipe", "default", "--seed", "4", "--vocab", "4096", "--eval-docs", "2000"]
    values = {"arch": "ngram", "argv": [*argv, "--tune", "off"]}
    values["source.digest"] = code_digest(loader.architecture("ngram"))
    return write_run(path, made(0.75, 4, {**values, **(changes or {})}))


def test_a_run_and_an_entry_are_sides_with_their_own_command_lines(races, tmp_path, monkeypatch):
    run = run_of(tmp_path / "a-run")
    store = tmp_path / "store"
    entry = run_of(tmp_path / "other", {"config.x": 1})
    record = json.loads((entry / "record.json").read_text())
    add(store, _load(entry), name="mine")
    opened = open_store(str(store))
    monkeypatch.setattr(commands, "open_store", lambda url: opened)
    races.changes = lambda side, number: {"config": record["config"], "arch": "ngram"}
    duel_of = ["--a", record["id"][:10], "--b", run, *B, "--pairs", 3]
    assert "better" in done_well("duel", *duel_of)
    duel = parse_duel((folder() / DUEL).read_bytes(), "it")
    assert duel.a.argv[-2:] == ["--tune", "off"] and duel.b.argv[-2:] == ["--set", "model.order=2"]
    assert duel.a.commit is duel.b.commit is None and "--seed" not in duel.a.argv
    races.changes = lambda side, number: {}
    other = refused("duel", *duel_of, "--stop", "early")
    assert "its settings are not those of the entry" in other


def _load(run: Path) -> Record:
    return load(run / "record.json")


BAD = {
    "equal sides": ([], "A and B are the same: nothing to decide"),
    "equal by value": (["--set-b", "model.order=6"], "the same: nothing to decide"),
    "two pairs": ([*B, "--pairs", 2], "--pairs 2: allowed are 3 to 100"),
    "no commit": ([*B, "--at-a", "nowhere"], "--at-a nowhere: no such commit"),
    "no recipe": (["--b", "no_recipe"], "B: unknown recipe 'no_recipe'"),
    "no run": (["--a", "./nowhere"], "--a: './nowhere' is neither a folder nor an id"),
    "no entry": (["--b", "ffff0000ffff"], "no record and no entry begins with ffff0000ffff"),
    "no setting": (["--set-b", "recipe.lrr=1"], "B: unknown --set key 'recipe.lrr'"),
    "no architecture": (["--arch-a", "nothing"], "A: unknown architecture 'nothing'"),
    "no folder": (["--arch-b", "./nothing"], "B: "),
    "no budget": ([*B, "--minutes", "0"], "--minutes 0: give a number above 0"),
    "one document": ([*B, "--eval-docs", "1"], "--eval-docs 1: at least 2"),
    "auto": ([*B, "--arch-b", "auto"], "B: a duel races a stated size"),
    "no device": ([*B, "--device", "abacus"], "abacus"),
    "no rule": ([*B, "--stop", "late"], "late"),
    "no vocabulary": ([*B, "--vocab", "3"], "--vocab 3: allowed are 257"),
    "standing and a": ([*B, "--standing", "--a", "default"], "--standing takes the record holder"),
    "no such word": ([*B, "--sides", "3"], "--sides"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_before_anything_is_raced(races, name):
    words, line = BAD[name]
    assert line in refused("duel", *ARCH, *words)
    assert not races.raced and not list(Path().glob("runs/duels/*/*"))


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("--minutes", "1", "different tracks: A 5 and B 1 minutes; --minutes M sets both"),
        ("--eval-docs", "20", "different tracks: A 2000 and B 20 held-out documents"),
    ],
)
def test_runs_of_two_tracks_are_refused_unless_an_option_sets_both(
    races, tmp_path, option, value, line
):
    a, b = run_of(tmp_path / "a"), run_of(tmp_path / "b")
    argv = _load(b).argv
    argv[argv.index(option) + 1] = value
    b = run_of(tmp_path / "c", {"argv": argv})
    assert line in refused("duel", "--a", a, "--b", b, *B)
    done_well("duel", "--a", a, "--b", b, *B, option, value, "--pairs", 3)


@pytest.mark.parametrize(
    ("changes", "words", "line"),
    [
        ({"source.digest": "9" * 64}, [], "no such commit"),
        ({"source.digest": "9" * 64, "code.dirty": True}, [], "with code that no commit has"),
        ({"source.digest": "9" * 64, "code.commit": None}, [], "with code that no commit has"),
        ({"argv": []}, [], "it has no command line"),
        ({"argv": ["--minutes", "5", "--arch", "ngram"]}, [], "lacks --params"),
        ({}, ["--arch-a", "./x"], "--arch-a ./x: it is a run of ngram"),
        ({"argv": ["--arch", "./mine"]}, [], "the folder ./mine: give it with --arch-a"),
    ],
)
def test_a_run_that_cannot_be_raced_again_says_why(races, tmp_path, changes, words, line):
    run = run_of(tmp_path / "run", changes)
    assert line in refused("duel", "--a", run, *words, "--pairs", 3)
    both = refused("duel", "--a", run_of(tmp_path / "a"), "--b", run, "--params", "1M")
    assert "--params 1M: both sides are runs" in both


def test_a_track_without_a_record_holder_is_one_line(races, stories):
    shown = refused("duel", "--standing", *ARCH, *B, "--data", stories)
    assert "no entry of" in shown and "holds the record of this track" in shown


def test_the_same_commit_twice_is_nothing_to_decide(races):
    head = code_version()
    if head.commit is None:
        pytest.skip("not a checkout")
    shown = refused("duel", *ARCH, "--at-a", "HEAD", "--at-b", head.commit)
    assert "A and B are the same: nothing to decide" in shown


@pytest.mark.slow
def test_a_real_duel_of_counted_models(stories, tmp_path, monkeypatch):
    for judge in ("unfit_because", "unranked_because"):  # tests run beside others
        monkeypatch.setattr(f"speedrun.records.duel.{judge}", lambda record: None)
    words = [*ARCH, "--set-b", "model.order=2", "--minutes", 0.02, "--eval-docs", 20]
    words += ["--vocab", 300, "--tune", "off", "--data", stories, "--out", tmp_path, "--pairs", 3]
    result = json.loads(done_well("duel", *words, "--json"))
    assert abs(result["verdict"]["mean"]) > 0.001 and result["num_pairs"] == 3
    duel = parse_duel((folder(tmp_path) / DUEL).read_bytes(), "it")
    assert all(
        (r := _load(p.parent)).seed in {pair.seed for pair in duel.pairs} and r.id in duel.records
        for p in folder(tmp_path).glob("*/record.json")
    )
