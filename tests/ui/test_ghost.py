"""Ghosts of a race: which finished races are taken, and what is said of them."""

import math
from pathlib import Path

import pytest
from helpers.sweeps import record, write

from speedrun.models import loader
from speedrun.records import files
from speedrun.training.request import RunRequest, resolve
from speedrun.ui import ghost
from speedrun.ui.ghost import Ghost

RUN = resolve(loader.architecture("transformer"), RunRequest(budget_s=60.0), 4096)
CURVE = [(n / 100, 5.0 - 3.0 * n / 100) for n in range(1, 101)]


@pytest.fixture
def nothing_on_the_board(monkeypatch, tmp_path):
    monkeypatch.setattr(ghost, "OWN_RECORDS", tmp_path / "board")


def found(out: Path, hardware_class: str = "elsewhere") -> list[Ghost]:
    wanted = record(250_000, 1.0, 0)
    return ghost.find(RUN, wanted.data.train_fingerprint, hardware_class, out)


def test_the_best_run_of_the_same_kind_is_taken(tmp_path, nothing_on_the_board):
    assert found(tmp_path / "nowhere") == []
    scores = []
    for size in (250_000, 1_000_000):
        made = record(size, 1.0, 0)
        write(tmp_path, made)
        assert made.score is not None
        scores.append(made.score.bits_per_byte)
    better = {"score__bits_per_byte": 0.1}
    write(tmp_path, record(2_000_000, 2.0, 0, **better))  # another budget
    write(tmp_path, record(2_000_000, 1.0, 1, data__train_fingerprint="0" * 64, **better))
    write(tmp_path, record(2_000_000, 1.0, 2, status="interrupted", **better))
    (one,) = found(tmp_path)
    assert (one.name, one.bits_per_byte) == ("your best run", min(scores))


def test_a_race_of_the_board_counts_on_its_hardware_alone(tmp_path, monkeypatch):
    board = tmp_path / "board"
    board.mkdir()
    made = record(250_000, 1.0, 0)
    (board / f"{made.id}.json").write_text(made.to_json(), encoding="utf-8")
    (board / f"{made.id}.submission.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(ghost, "OWN_RECORDS", board)
    assert found(tmp_path / "runs") == []
    (one,) = found(tmp_path / "runs", made.hardware.hardware_class)
    assert one.name == "the best on the board"
    assert board != files.OWN_RECORDS


def test_a_lead_is_that_of_the_losses_at_the_same_share():
    other = Ghost("it", 0.8, CURVE)
    faster = [(at, 0.9 * loss) for at, loss in CURVE]
    for share in (0.06, 0.5, 1.0):
        lead = other.lead_of(share, [point for point in faster if point[0] <= share])
        assert lead == pytest.approx(-math.log(0.9))
    assert other.lead_of(0.01, faster) is None and other.lead_of(0.5, []) is None
    assert other.lead_of(0.5, [(0.5, None), (0.49, float("nan"))]) is None


def test_a_projection_grows_surer_towards_the_end():
    other = Ghost("it", 0.8, CURVE)
    (early, unsure), (late, sure) = (other.projected(share, 0.1) for share in (0.1, 1.0))
    assert late == pytest.approx(0.8 * math.exp(-0.1)) and late < early < 0.8
    assert sure < unsure and other.projected(1.0, 0.0)[0] == 0.8
