"""Ghosts of a race: which finished races are taken, and what is said of them."""

import dataclasses
import math
from pathlib import Path

import pytest
from helpers.sweeps import record, write

from speedrun.models import loader
from speedrun.records import files
from speedrun.training.request import RunRequest, resolve
from speedrun.ui import ghost
from speedrun.ui.ghost import Ghost, Rivals

RUN = resolve(loader.architecture("transformer"), RunRequest(budget_s=60.0), 4096)
CURVE = [(n / 100, 5.0 - 3.0 * n / 100) for n in range(1, 101)]


@pytest.fixture
def nothing_on_the_board(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "OWN_RECORDS", tmp_path / "board")


def found(out: Path, hardware_class: str = "elsewhere") -> list[Ghost]:
    wanted = record(250_000, 1.0, 0)
    fingerprint = wanted.data.train_fingerprint
    return list(ghost.find(RUN, fingerprint, hardware_class, out).ghosts)


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
    monkeypatch.setattr(files, "OWN_RECORDS", board)
    assert found(tmp_path / "runs") == []
    (one,) = found(tmp_path / "runs", made.hardware.hardware_class)
    assert one.name == "the best on the board"


def test_a_lead_is_that_of_the_losses_at_the_same_share():
    other = Ghost("it", 0.8, CURVE)
    faster = [(at, 0.9 * loss) for at, loss in CURVE]
    for share in (0.06, 0.5, 1.0):
        lead = other.lead_of(share, [point for point in faster if point[0] <= share])
        assert lead == pytest.approx(-math.log(0.9))
    assert other.lead_of(0.01, faster) is None and other.lead_of(0.5, []) is None
    assert other.lead_of(0.5, [(0.5, None), (0.49, float("nan"))]) is None


def finished(num: int, noise: float) -> list[Ghost]:
    """Races whose scores are a tenth of their last losses, but for the noise."""
    signs = [(-1) ** n for n in range(num)]
    return [Ghost("", 0.2 * (1 + noise * sign), CURVE) for sign in signs]


def test_a_projection_and_its_error_are_those_of_the_finished_curves():
    for noise in (0.01, 0.03):
        found = Rivals((), finished(8, noise)).projection(0.5, CURVE)
        assert found is not None and found.num_curves == 8
        assert found.bits_per_byte == pytest.approx(0.2, rel=1e-2)
        spread = noise * math.sqrt(8 / 7) * math.sqrt(9 / 8)
        assert found.error == pytest.approx(0.2 * spread, rel=0.02)
        assert found.chance_below(0.25) > 0.99 and found.chance_below(0.15) < 0.01
    better = [(at, 0.9 * loss) for at, loss in CURVE]
    found = Rivals((), finished(8, 0.01)).projection(0.5, better)
    assert found is not None and found.bits_per_byte == pytest.approx(0.18, rel=1e-2)
    assert Rivals((), finished(8, 0.01)).projection(0.01, CURVE) is None


def test_with_few_curves_a_projection_is_assumed_and_grows_surer_towards_the_end():
    other = Ghost("it", 0.8, CURVE)
    found = Rivals([other], finished(3, 0.01)).projection(0.5, CURVE)
    assert found is not None and found.num_curves == 0 and found.bits_per_byte == 0.8
    assert Rivals((), finished(3, 0.01)).projection(0.5, CURVE) is None
    early, late = (other.projection(share, 0.1) for share in (0.1, 1.0))
    assert late.bits_per_byte == pytest.approx(0.8 * math.exp(-0.1))
    assert late.bits_per_byte < early.bits_per_byte < 0.8 and late.error < early.error


def test_curves_of_the_nearest_kind_are_taken(tmp_path, nothing_on_the_board):
    one = record(250_000, 1.0, 0)
    for seed in range(4):
        write(tmp_path, record(250_000, 1.0, seed))
    write(tmp_path, record(1_000_000, 1.0, 0, config__model={"width": 1}))
    same = dataclasses.replace(RUN, arch=one.arch)

    def of(settings: dict) -> int:
        run = dataclasses.replace(same)
        object.__setattr__(run, "as_dict", lambda: settings)
        fingerprint = one.data.train_fingerprint
        return len(ghost.find(run, fingerprint, "elsewhere", tmp_path).finished)

    assert of(one.config) == 4, "those of these settings"
    assert of({"model": {}, "recipe": {}}) == 5, "all of the architecture"
    other = dataclasses.replace(RUN, arch="lstm")
    assert not ghost.find(other, one.data.train_fingerprint, "", tmp_path).finished


def test_projections_of_the_board_hold_for_the_races_they_do_not_know():
    """Four fifths of the scores lie within 1.5 errors of what the others' curves project."""
    records = [r for r in files.board_records() if r.arch == "transformer" and r.score]
    kind = [
        r
        for r in records
        if (r.num_params, r.hardware.hardware_class) == (1_997_830, "cpu-x86_64-2c-avx2")
    ]
    assert len(kind) >= 8
    ghosts = [Ghost(r.id, r.score.bits_per_byte, r.train.loss_curve) for r in kind if r.score]
    for share in (0.3, 0.6, 0.9):
        errors = []
        for n, one in enumerate(ghosts):
            found = Rivals((), ghosts[:n] + ghosts[n + 1 :]).projection(share, one.curve)
            assert found is not None and found.error < 0.02
            errors.append(abs(one.bits_per_byte - found.bits_per_byte) / found.error)
        assert sum(error < 1.5 for error in errors) >= 0.8 * len(errors)
