"""Place of a finished race, and the next thing to do."""

from pathlib import Path

import pytest
from helpers.made_records import made, write_run

from speedrun.records import files
from speedrun.records.files import CHECKPOINT
from speedrun.records.summary import summarize
from speedrun.records.track import Standing
from speedrun.ui import places
from speedrun.ui.places import Places

FOLDER = Path("runs") / "RUN"


def against(change: float, place: int) -> Standing:
    """A standing whose best other run is worse by so much than a record of 0.75."""
    best = summarize(made(seed=1))._replace(bits_per_byte=0.75 + change)
    return Standing(place=place, num_runs=3, best=best)


@pytest.mark.parametrize(("change", "word"), [(0.01, "better"), (-0.02, "worse")])
def test_a_run_is_told_its_place_here_and_on_the_board(change, word):
    both = Places(own=against(change, 2), board=against(2 * change, 5))
    board, own = places.lines(made(), both, FOLDER)
    assert own.startswith(
        f"Place 2 of 3 in this track here: {abs(change):.4f} bits per byte {word}"
    )
    assert board.startswith("On the board it would be number 5: ")
    assert f"{abs(2 * change):.4f} bits per byte {word} than the best there" in board


def test_places_are_found_among_runs_and_records(tmp_path, monkeypatch):
    board = tmp_path / "board"
    board.mkdir()
    monkeypatch.setattr(files, "OWN_RECORDS", board)
    standing, mine = made(0.74, seed=5), made(0.75)
    (board / f"{standing.id}.json").write_text(standing.to_json(), encoding="utf-8")
    write_run(tmp_path / "runs" / "a", made(0.76, seed=1))
    write_run(tmp_path / "runs" / "b", mine)
    found = places.find(mine, tmp_path / "runs")
    assert found.own is not None and (found.own.place, found.own.num_runs) == (1, 2)
    assert found.board is not None and found.board.place == 2
    other = made(0.75, changes={"hardware.class": "gpu"})
    assert places.find(other, tmp_path / "runs").board == Standing(1, 1, None), "another track"


@pytest.mark.parametrize(
    ("changes", "found", "says"),
    [
        ({}, Places(), "sample runs"),
        ({}, Places(board=against(0.01, 1)), "submit runs"),
        ({}, Places(own=against(0.01, 1), board=against(-0.01, 2)), "submit it"),
        ({}, Places(own=against(-0.01, 2), board=against(-0.01, 2)), "duel"),
        ({"host.others_share": 0.5}, Places(board=against(0.01, 1)), "idle machine"),
        ({"status": "interrupted"}, Places(), "race again"),
        ({"status": "diverged", "score": None, "sample": None}, Places(), "lower the learning"),
        ({"status": "trained", "score": None, "sample": None}, Places(), "score runs"),
    ],
)
def test_the_next_step_follows_from_the_result(changes, found, says):
    assert says in places.next_step(made(changes=changes), found, FOLDER)
    lines = places.lines(made(changes=changes), found, FOLDER)
    assert ("Not ranked" in lines[0]) is ("status" in changes)


def test_a_stopped_race_with_a_checkpoint_is_resumed(tmp_path):
    stopped = made(changes={"status": "interrupted"})
    assert places.ended(stopped, tmp_path) == f"recorded as interrupted in {tmp_path}"
    (tmp_path / CHECKPOINT).touch()
    assert places.next_step(stopped, Places(), tmp_path).startswith(f"resume {tmp_path}")
    assert places.ended(stopped, tmp_path).endswith(f": python run.py resume {tmp_path} goes on")
    assert places.ended(made(), tmp_path) == f"recorded as complete in {tmp_path}"
