"""The report of whole, partial and mixed folders; figures; laws that others read."""

import io
import json
from pathlib import Path

import pytest
from helpers.sweeps import LOSS, SIZES, SPEED, fill, record, write
from rich.console import Console

from speedrun.scaling_laws import fit, law, laws_file
from speedrun.sweep import figures as sweep_figures
from speedrun.sweep import report as sweep_report
from speedrun.sweep import results as sweep_laws
from speedrun.sweep import sweep_dir as sweep_folder

MINIMUM, _ = law.minimum(LOSS, SPEED, 60, 1e5, 1e8)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(fit, "NUM_RESAMPLES", 8)


@pytest.fixture
def no_figures(monkeypatch):
    monkeypatch.setattr(sweep_figures, "draw", lambda folder, swept: [])


def reported(folder: Path, check=(), held_out=(), **options) -> str:
    shown = io.StringIO()
    sweep_report.report(folder, check, held_out, console=Console(file=shown), **options)
    text = (folder / sweep_report.REPORT).read_text(encoding="utf-8")
    assert text.splitlines()[0] in shown.getvalue()
    return text


def test_a_whole_sweep_has_tables_laws_and_figures(tmp_path):
    text = reported(fill(tmp_path))
    assert "| 1M | 3 | " in text and "**Time-optimal size at 1 min: " in text
    for words in ("L(N, D) =", "L(N) =", "L(C)", "20 tokens a parameter", "| 30 | predicted |"):
        assert words in text
    for kind in ("size", "loss", "speed", "residuals"):
        for ending in ("svg", "png"):
            assert (tmp_path / f"transformer-{kind}.{ending}").stat().st_size > 5000
    laws = json.loads((tmp_path / "laws.json").read_text())
    assert laws.keys() == {
        "schema",
        "hardware_class",
        "track",
        "arch",
        "recipe",
        "unit",
        "laws",
        "num_runs",
        "created_from",
    }
    assert laws["laws"]["loss"].keys() == {"E", "A", "B", "alpha", "beta"}
    assert laws["num_runs"] == len(laws["created_from"]) == 18
    assert [one["minutes"] for one in laws["laws"]["optimum"]] == [1, 2, 5, 10, 30]
    for one in laws["laws"]["optimum"]:
        assert one["low"] <= one["params"] <= one["high"] and isinstance(one["is_edge"], bool)
    assert laws["laws"]["optimum"][0]["params"] == pytest.approx(MINIMUM, rel=0.3)
    known = laws_file.load(tmp_path / "laws.json")
    assert (known.arch, known.recipe, known.num_runs) == ("transformer", "default", 18)


def test_the_same_records_give_the_same_files(tmp_path):
    files = ("report.md", "laws.json", "transformer-size.svg", "transformer-size.png")
    reported(fill(tmp_path))
    before = [(tmp_path / name).read_bytes() for name in files]
    reported(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in files] == before


@pytest.mark.parametrize("num_sizes", [1, 2, 3])
def test_few_sizes_have_a_table_and_no_fit(tmp_path, num_sizes, no_figures):
    text = reported(fill(tmp_path, sizes=SIZES[:num_sizes]))
    assert f"{num_sizes} size(s) scored at this budget, and a fit needs at least 4" in text
    assert "| 250K | 3 |" in text and not (tmp_path / "laws.json").exists()


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([n * 16 for n in SIZES], "smallest size swept (4M): go smaller"),
        ([n // 64 for n in SIZES], "largest size swept (125K): go larger"),
    ],
)
def test_a_minimum_at_the_edge_is_said_to_be_there(tmp_path, sizes, words, no_figures):
    text = reported(fill(tmp_path, sizes=sizes))
    assert words in text and "**Time-optimal size" not in text
    optimum = json.loads((tmp_path / "laws.json").read_text())["laws"]["optimum"]
    assert optimum[0]["is_edge"] is True


def test_a_partial_sweep_says_what_is_missing(tmp_path, no_figures):
    fill(tmp_path, seeds=1)
    write(tmp_path, record(1_000_000, 1.0, 1, status="interrupted"))
    sweep_folder.note_failure(
        tmp_path,
        sweep_folder.Failure(
            arch="transformer", params=8_000_000, minutes=1.0, seed=2, exit_code=-9, error="killed"
        ),
    )
    (broken := tmp_path / "broken").mkdir()
    (broken / "record.json").write_text("{")
    changed = write(tmp_path, record(1_000_000, 1.0, 2)) / "record.json"
    changed.write_text(changed.read_text().replace('"seed": 2', '"seed": 3'))
    text = reported(tmp_path)
    assert "2 corrupt record(s) skipped" in text and "broken/record.json: not a record" in text
    assert "its id does not match" in text and "the run is interrupted" in text
    assert "failed: transformer 8M, 1 min, seed 2, exit code -9: killed" in text
    assert "6 runs on " in text


@pytest.mark.parametrize(
    "changes",
    [
        {"hardware__class": "cuda-h200"},
        {"data__train_fingerprint": "0" * 64},
        {"data__heldout_fingerprint": "0" * 64},
        {"score__num_docs": 50},
    ],
)
def test_different_tracks_are_refused_and_named(tmp_path, changes):
    fill(tmp_path, seeds=1)
    write(tmp_path, record(1_000_000, 1.0, 1, **changes))
    with pytest.raises(ValueError, match=r"tracks do not compare: .* \(6 runs\); .*1 runs"):
        sweep_laws.read(tmp_path)


def test_two_recipes_are_refused(tmp_path):
    fill(tmp_path, seeds=1)
    made = record(1_000_000, 1.0, 1)
    config = {**made.config, "recipe": {**made.config["recipe"], "lr": 1.0}}
    write(tmp_path, record(1_000_000, 1.0, 1, config=config))
    with pytest.raises(ValueError, match="2 different recipes"):
        sweep_laws.read(tmp_path)


def test_a_budget_that_is_held_out_is_not_fitted_but_compared(tmp_path, no_figures):
    fill(tmp_path)
    fill(tmp_path, sizes=(1_000_000, 2_000_000), minutes=(5.0,), seeds=1)
    swept = sweep_laws.read(tmp_path, [5.0]).archs[0]
    assert len(swept.rows) == 18 and len(swept.held_out) == 2
    text = reported(tmp_path, held_out=[5.0])
    table = text.split("### Predictions checked")[1]
    cells = [line.split("|") for line in table.splitlines() if line.startswith("| 5 |")]
    assert len(cells) == 2
    assert all(abs(float(cell[6].strip(" %+"))) < 3 for cell in cells)
    assert len(sweep_laws.read(tmp_path).archs[0].rows) == 20


def test_runs_from_elsewhere_are_checked_in_their_track_only(tmp_path, no_figures):
    sweep = fill(tmp_path / "sweep")
    run = write(tmp_path / "runs", record(2_000_000, 5.0, 0))
    write(tmp_path / "runs", record(4_000_000, 5.0, 0))
    assert reported(sweep, check=[run]).count("\n| 5 | 2M |") == 1
    assert "| 5 | 4M |" in reported(sweep, check=[tmp_path / "runs"])
    other = write(tmp_path / "other", record(2_000_000, 5.0, 0, hardware__class="cuda-h200"))
    with pytest.raises(ValueError, match="--check: runs of different tracks"):
        reported(sweep, check=[other])
    with pytest.raises(ValueError, match="no such folder"):
        reported(sweep, check=[tmp_path / "nowhere"])


def test_bounds_never_lead_the_frontier(tmp_path, no_figures):
    fill(tmp_path, seeds=1)
    for size in SIZES:
        made = record(size, 1.0, 0)
        assert made.score is not None
        score = {**made.score.model_dump(), "likelihood": "bound", "bits_per_byte": 0.1}
        write(tmp_path, record(size, 1.0, 0, arch="d3pm", score=score))
    text = reported(tmp_path)
    rows = [line for line in text.split("## Across")[1].splitlines() if line.startswith("| 1 |")]
    assert any("transformer ←" in line for line in rows) and not any("d3pm ←" in r for r in rows)
    assert any("≤ 0.1000" in line for line in rows)
    assert (tmp_path / "laws-d3pm.json").exists() and (tmp_path / "laws-transformer.json").exists()


def test_laws_of_more_runs_stay_in_the_cache(tmp_path, no_figures):
    for name in ("large", "small"):
        fill(tmp_path / name, seeds=3 if name == "large" else 1)
        sweep_folder.agree(tmp_path / name, {"--set": []}, {})
        reported(tmp_path / name, keep=True)
    (kept,) = laws_file.cached_laws().glob("*/laws.json")
    assert json.loads(kept.read_text())["num_runs"] == 18
    kept.write_text("{")
    reported(tmp_path / "small", keep=True)
    assert json.loads(kept.read_text())["num_runs"] == 6


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1, "laws": 3}', "\xff"])
def test_a_file_that_holds_no_laws_is_one_line(tmp_path, text):
    (tmp_path / "laws.json").write_text(text)
    with pytest.raises(ValueError, match=r"is not the laws\.json of a sweep"):
        laws_file.load(tmp_path / "laws.json")
