"""The report of complete, partial and mixed sweeps; figures; laws that others read."""

import io
import json
import shutil
from pathlib import Path

import pytest
from helpers.made_records import older, resealed
from helpers.sweeps import LOSS, SIZES, SPEED, fill, fit_once, record, write
from rich.console import Console

from speedrun.scaling_laws import fit, law, laws_file
from speedrun.sweep import figures, sweep_dir
from speedrun.sweep.report import REPORT, report
from speedrun.sweep.results import read

ROOT = Path(__file__).resolve().parents[2]
MINIMUM, _ = law.minimum(LOSS, SPEED, 60, 1e5, 1e8)


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """Few resamples, each sweep fitted once, and no figures but where a test is marked slow."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(fit, "NUM_RESAMPLES", 3)
        monkeypatch.setattr(fit, "fit", fit_once)
        monkeypatch.setattr(figures, "draw", lambda *_: [])


def reported(folder: Path, held_out=(), **options) -> str:
    shown = io.StringIO()
    report(folder, held_out, console=Console(file=shown), **options)
    text = (folder / REPORT).read_text(encoding="utf-8")
    assert text.splitlines()[0] in shown.getvalue()
    return text


@pytest.mark.slow
def test_the_recorded_sweep_makes_the_same_report_again(tmp_path):
    """Its 39 records are real and of an older version."""
    kept = ROOT / "docs" / "sweep"
    folder = Path(shutil.copytree(kept, tmp_path / "sweep"))
    for name in (REPORT, "laws.json", "transformer-size.svg"):
        (folder / name).unlink()
    assert reported(folder, [5.0]) == (kept / REPORT).read_text("utf-8")
    made, wanted = (
        json.loads((at / "laws.json").read_text(), parse_float=lambda text: f"{float(text):.5g}")
        for at in (folder, kept)
    )
    assert made == wanted
    for kind in ("size", "loss", "speed", "residuals"):
        for ending in ("svg", "png"):
            assert (folder / f"transformer-{kind}.{ending}").stat().st_size > 5000


def test_a_complete_sweep_has_tables_and_laws(tmp_path):
    text = reported(fill(tmp_path))
    assert "| 1M | 3 | " in text and "**Time-optimal size at 1 min: " in text
    assert "| 30 | predicted |" in text
    known = laws_file.load(tmp_path / "laws.json")
    assert (known.arch, known.recipe, known.num_runs) == ("transformer", "default", 18)
    optima = known.laws.optimum
    assert [one.minutes for one in optima] == [1, 2, 5, 10, 30]
    assert all(one.low <= one.params <= one.high for one in optima)
    assert optima[0].params == pytest.approx(MINIMUM, rel=0.3)


def test_tables_of_a_size_have_a_law_of_their_own_in_the_size_without_them(tmp_path):
    fill(tmp_path)
    for size in SIZES:
        for seed in range(3):
            made = record(size, 1.0, seed, argv=["--tables", "16M"])
            better = 0.9 * made.score.bits_per_byte if made.score else 0.0
            changes = {"num_params": size + 16_000_000, "score__bits_per_byte": better}
            changes["config__recipe__lr_table"] = 0.014  # of records with tables alone
            write(tmp_path, record(size, 1.0, seed, argv=["--tables", "16M"], **changes))
    text = reported(tmp_path)
    assert "## transformer + 16M in tables, recipe default" in text
    assert "| 1 | transformer + 16M in tables ← | 1M |" in text and "18M" not in text
    plain, tables = (
        laws_file.load(tmp_path / f"laws-transformer{end}.json") for end in ("", "-tables-16M")
    )
    assert (plain.tables, tables.tables) == (0, 16_000_000)
    best = [one.laws.optimum[0] for one in (plain, tables)]
    assert best[0].params == pytest.approx(best[1].params, rel=0.3)
    assert best[1].bits_per_byte == pytest.approx(0.9 * best[0].bits_per_byte, rel=0.02)


def test_settings_that_vary_are_compared_and_their_laws_kept_apart(tmp_path):
    sweep_dir.save_manifest(tmp_path, {"--set": ["model.depth=2"]}, {})
    for size in SIZES:
        for lr in ("0.01", "0.02"):
            argv = ["--set", "model.depth=2", "--set", f"recipe.lr={lr}"]
            write(tmp_path, record(size, 1.0, 0, argv=argv, config__recipe__lr=float(lr)))
    text = reported(tmp_path, cache_laws=True)
    assert "## transformer, recipe.lr=0.01, recipe default" in text
    assert text.count("| 1 | transformer, recipe.lr=0.0") == 2
    kept = laws_file.load(tmp_path / "laws-transformer-recipe.lr=0.02.json")
    assert kept.variant == "recipe.lr=0.02" and kept.num_runs == len(SIZES)


@pytest.mark.slow
def test_few_sizes_have_a_table_and_their_points_and_no_fit(tmp_path):
    text = reported(fill(tmp_path, sizes=SIZES[:3]))
    assert "a fit needs 4, this budget has 3. Add some with --params" in text
    assert "| 250K | 3 |" in text and not (tmp_path / "laws.json").exists()
    assert "Best size raced: **1M**" in text
    drawn = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert drawn == ["transformer-size.svg", "transformer-speed.svg"]
    assert "![transformer: held-out bits per byte against trainable parameters; best at" in text
    for size in ("500K", "1M"):
        assert f">{size}<" in (tmp_path / drawn[0]).read_text("utf-8")


def scored(folder: Path, scores: dict[int, float], seeds: int = 3, noise: float = 0.002) -> Path:
    """A sweep of one minute with these mean scores and this deviation between seeds."""
    for size, mean in scores.items():
        for seed in range(seeds):
            score = mean * (1 + noise * (seed - 1))
            write(folder, record(size, 1.0, seed, score__bits_per_byte=score))
    return folder


def test_a_fit_that_misses_the_best_sizes_supports_no_optimum(tmp_path):
    """The best size raced lies in a dip that no curve of the law follows."""
    scores: dict[int, float] = dict(zip(SIZES, (1.0, 0.95, 0.93, 0.88, 1.03, 1.2), strict=True))
    text = reported(scored(tmp_path, scores))
    assert "Best size raced: **2M**, 0.8800 ± 0.0018.\n" in text
    assert "**No time-optimal size at 1 min" in text and "Time-optimal size at" not in text
    assert "2M by -" in text and "**The runs at 1 min do not support these laws" in text
    assert "| 1 | fitted |" not in text
    known = laws_file.load(tmp_path / "laws.json")
    assert known.unsupported_minutes == [1.0] and 1.0 not in {
        one.minutes for one in known.laws.optimum
    }


def test_sizes_that_seeds_do_not_tell_apart_have_no_optimum(tmp_path):
    scores: dict[int, float] = dict(
        zip(SIZES, (0.93, 0.925, 0.923, 0.922, 0.924, 0.93), strict=True)
    )
    text = reported(scored(tmp_path, scores, noise=0.03))
    assert "Not told apart from it: 250K, 500K, 1M, 4M, 8M." in text
    assert "No size differs from the best by more than its seeds" in text
    assert "Time-optimal size at" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "view", "ticks"),
    [
        ("log", (230e3, 8.7e6), [500e3, 1e6, 2e6, 5e6]),
        ("log", (0.921, 0.993), [0.94, 0.96, 0.98]),
        ("linear", (0.85, 1.52), [1.0, 1.2, 1.4]),
    ],
)
def test_ticks_are_round_on_every_axis(scale, view, ticks):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    axes.set_yscale(scale)
    axes.set_ylim(*view)
    figures._round_ticks(axes.yaxis, "{:g}".format)
    found = [one for one in axes.get_yticks() if view[0] <= one <= view[1]]
    assert found == pytest.approx(ticks)
    assert all(float(f"{one:.2g}") == one for one in found)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([n * 16 for n in SIZES], "smallest size swept (4M): go smaller"),
        ([n // 64 for n in SIZES], "largest size swept (125K): go larger"),
    ],
)
def test_a_minimum_at_the_edge_is_said_to_be_there(tmp_path, sizes, words):
    text = reported(fill(tmp_path, sizes=sizes))
    assert words in text and "**Time-optimal size" not in text
    assert laws_file.load(tmp_path / "laws.json").laws.optimum[0].is_edge


def test_a_partial_sweep_says_what_is_missing(tmp_path):
    fill(tmp_path, seeds=1)
    write(tmp_path, record(1_000_000, 1.0, 1, status="interrupted"))
    race = {"arch": "transformer", "params": 8_000_000, "minutes": 1.0}
    failures = (
        sweep_dir.Failure(**race, seed=2, exit_code=-9, error="killed by SIGKILL"),
        sweep_dir.Failure(**race, seed=1, exit_code=-9, error="stopped early", stopped_at=0.25),
    )
    sweep_dir.save_failures(tmp_path, {one.key: one for one in failures})
    (broken := tmp_path / "broken").mkdir()
    (broken / "record.json").write_text("{")
    changed = write(tmp_path, record(1_000_000, 1.0, 2)) / "record.json"
    changed.write_text(changed.read_text().replace('"seed": 2', '"seed": 3'))
    text = reported(tmp_path)
    assert "left out: not a record: " in text and "broken/record.json: not a record" in text
    assert "its id does not match" in text and "the run is interrupted" in text
    assert "- failed: transformer 8M, 1 min, seed 2: killed by SIGKILL" in text
    assert "- transformer 8M, 1 min, seed 1: stopped early" in text and "6 runs on " in text


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
        read(tmp_path)


def test_two_recipes_are_refused(tmp_path):
    fill(tmp_path, seeds=1)
    made = record(1_000_000, 1.0, 1)
    config = {**made.config, "recipe": {**made.config["recipe"], "lr": 1.0}}
    write(tmp_path, record(1_000_000, 1.0, 1, config=config))
    with pytest.raises(ValueError, match="2 different recipes"):
        read(tmp_path)


def test_a_budget_that_is_held_out_is_not_fitted_but_compared(tmp_path):
    fill(tmp_path)
    fill(tmp_path, sizes=(1_000_000, 2_000_000), minutes=(5.0,), seeds=1)
    (arch,) = read(tmp_path, [5.0]).archs
    assert len(arch.runs) == 18 and len(arch.held_out) == 2
    table = reported(tmp_path, [5.0]).split("### Predictions checked")[1]
    cells = [line.split("|") for line in table.splitlines() if line.startswith("| 5 |")]
    assert len(cells) == 2 and all(abs(float(cell[6].strip(" %+"))) < 3 for cell in cells)
    assert len(read(tmp_path).archs[0].runs) == 20


def test_bounds_never_lead_over_exact_scores(tmp_path):
    fill(tmp_path, seeds=1)
    score = {"score__likelihood": "bound", "score__bits_per_byte": 0.1}
    fill(tmp_path, seeds=1, arch="d3pm", **score)
    text = reported(tmp_path)
    rows = [line for line in text.split("## Across")[1].splitlines() if line.startswith("| 1 |")]
    assert any("transformer ←" in line for line in rows) and not any("d3pm ←" in r for r in rows)
    assert any("≤ 0.1000" in line for line in rows)
    assert (tmp_path / "laws-d3pm.json").exists() and (tmp_path / "laws-transformer.json").exists()


def test_laws_of_more_runs_stay_in_the_cache(tmp_path):
    for name in ("large", "small"):
        fill(tmp_path / name, seeds=3 if name == "large" else 1)
        sweep_dir.save_manifest(tmp_path / name, {"--set": []}, {})
        reported(tmp_path / name, cache_laws=True)
    (kept,) = laws_file.cached_laws().glob("*/laws.json")
    assert json.loads(kept.read_text())["num_runs"] == 18
    kept.write_text("{")
    reported(tmp_path / "small", cache_laws=True)
    assert json.loads(kept.read_text())["num_runs"] == 6


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1, "laws": 3}', "\xff"])
def test_a_file_that_holds_no_laws_is_one_line(tmp_path, text):
    (tmp_path / "laws.json").write_text(text)
    with pytest.raises(ValueError, match=r"is not the laws\.json of a sweep") as refused:
        laws_file.load(tmp_path / "laws.json")
    assert "\n" not in str(refused.value)


def test_runs_of_different_code_are_refused(tmp_path):
    fill(tmp_path, seeds=1, source__digest="a" * 64)
    assert reported(tmp_path)
    write(tmp_path, record(1_000_000, 1.0, 1, source__digest="b" * 64))
    with pytest.raises(ValueError, match="2 versions of the code") as refused:
        read(tmp_path)
    # In the order of the runs' names, which are hashes.
    for part in (f"{'a' * 12}: 6 runs", f"{'b' * 12}: 1 runs"):
        assert part in str(refused.value)


def test_runs_of_several_commits_that_cannot_be_told_apart_are_said(tmp_path):
    for number, path in enumerate(fill(tmp_path, seeds=1).rglob("record.json")):
        made = json.loads(path.read_text())
        made["code"]["commit"] = ("c" if number else "d") * 40
        path.write_text(resealed(older(made, 3)))
    text = reported(tmp_path)
    assert "runs of 2 commits, perhaps of different code" in text and "dddddddddd: 1 runs" in text
