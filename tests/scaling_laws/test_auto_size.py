"""The size of `auto`: the law that fits, the most of them, and a guess without one."""

import dataclasses
import json
from pathlib import Path

import pytest
from helpers.sweeps import LOSS, SIZES, SPEED, fill, fit_once
from rich.console import Console

from speedrun.cli import app
from speedrun.cli import race as commands
from speedrun.config import Data
from speedrun.models import loader
from speedrun.scaling_laws import auto_size, fit, law, laws_file
from speedrun.sweep import report as sweep_report
from speedrun.sweep import sweep_dir
from speedrun.sweep.results import read
from speedrun.system import hardware
from speedrun.text import parse_size
from speedrun.training.recipe_digest import recipe_digest
from speedrun.training.request import RunRequest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = "speedrun/scaling_laws/laws/laws-transformer-cpu-x86_64-2c-avx512.json"
SOURCE = {"digest": "a" * 64, "architecture": "a" * 64, "recipe": "b" * 64, "is_outside": False}
CLASS = hardware.hardware_class(hardware.machine(), "cpu")


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """No sweeps but a test's own, and quick reports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(auto_size, "SHIPPED", tmp_path / "docs")
    monkeypatch.setattr(fit, "NUM_RESAMPLES", 2)
    monkeypatch.setattr(fit, "fit", fit_once)
    monkeypatch.setattr("speedrun.sweep.figures.draw", lambda *_: [])


@pytest.fixture
def asked(stories, tmp_path) -> RunRequest:
    return RunRequest(
        params="auto", backend="cpu", data=Data(path=str(stories)), out=tmp_path / "runs"
    )


def sweep(folder: Path, keep: bool = False, **changes) -> Path:
    """A finished sweep of this machine class, with its laws."""
    fill(folder, **{"hardware__class": CLASS, "seeds": 1, **changes})
    sweep_dir.save_manifest(folder, {"--set": [], "vocabulary": 4096}, {})
    sweep_report.report(folder, cache_laws=keep, console=Console(quiet=True))
    return folder


def chosen(asked: RunRequest) -> tuple[RunRequest, str]:
    told: list[str] = []
    return auto_size.resolve_auto(asked, told.append), " ".join(told)


def test_the_size_is_the_time_optimal_one_by_the_law_of_ones_own_sweep(asked):
    folder = sweep(asked.out / "mine")
    laws = read(folder).archs[0].laws
    assert laws is not None
    for minutes in (1, 5):
        picked, told = chosen(dataclasses.replace(asked, budget_s=60 * minutes))
        best = law.minimum(laws.loss, laws.speed, 60 * minutes, 1e4, 1e8)[0]
        assert parse_size(picked.params) == pytest.approx(best, rel=0.05)
        assert str(folder / "laws.json") in told and "6 runs" in told and "of other data" in told


def test_auto_takes_the_tables_whose_law_predicts_less_and_a_size_those_asked_for(asked):
    sweep(asked.out / "plain")
    better = dataclasses.replace(LOSS, E=0.3)
    folder = sweep(asked.out / "tables")
    content = json.loads((folder / "laws.json").read_text())
    content["tables"], content["laws"]["loss"] = 16_000_000, dataclasses.asdict(better)
    (folder / "laws.json").write_text(json.dumps(content))
    picked, told = chosen(dataclasses.replace(asked, tables="auto"))
    assert picked.tables == "16000000" and "and 16M in tables, time-optimal" in told
    assert chosen(asked)[0].tables == "0"
    assert chosen(dataclasses.replace(asked, tables="16M"))[0].tables == "16000000"
    with pytest.raises(ValueError, match="--tables auto: only with --params auto"):
        chosen(dataclasses.replace(asked, params="2M", tables="auto"))


def test_a_copy_in_the_cache_serves_later_races(asked, tmp_path):
    sweep(tmp_path / "elsewhere", keep=True)
    assert str(laws_file.cached_laws()) in chosen(asked)[1]


@pytest.mark.parametrize(
    "changes", [{"hardware__class": "cuda-h200"}, {"config": {"recipe_name": "goedecke"}}]
)
def test_a_law_of_another_machine_class_or_recipe_does_not_count(asked, changes, monkeypatch):
    sweep(asked.out / "other", **changes)
    monkeypatch.setattr(
        auto_size, "_probe", lambda *_: law.SpeedLaw(fixed=1e-5, scale=2e-11, power=1)
    )
    assert "is a guess" in chosen(asked)[1]


@pytest.mark.parametrize(
    ("digest", "warning"),
    [
        ("now", ""),
        ("0" * 64, "was fitted on another recipe (digest 000000000000…): sizes may be off"),
        (None, "was fitted on another recipe (digest unknown)"),
    ],
)
def test_a_law_of_a_recipe_that_has_changed_is_announced(asked, digest, warning):
    folder = sweep(asked.out / "mine")
    content = json.loads((folder / "laws.json").read_text())
    now = recipe_digest(loader.architecture("transformer"), "default")
    content["recipe_digest"] = now if digest == "now" else digest
    (folder / "laws.json").write_text(json.dumps(content))
    told: list[str] = []
    auto_size.resolve_auto(asked, told.append)
    assert len(told) == (2 if warning else 1) and warning in told[-1]


def test_laws_name_the_recipe_of_their_records(asked):
    folder = sweep(asked.out / "mine", source=SOURCE)
    assert laws_file.load(folder / "laws.json").recipe_digest == SOURCE["recipe"]
    changed = SOURCE | {"recipe": "c" * 64}
    fill(folder, sizes=[300_000], seeds=1, hardware__class=CLASS, source=changed)
    assert read(folder).archs[0].recipe_digest is None


@pytest.mark.parametrize("name", ["docs/sweep/laws.json", SHIPPED])
def test_the_recorded_laws_name_the_recipe_of_their_day(name):
    laws = laws_file.load(ROOT / name)
    assert laws.recipe_digest == read(ROOT / "docs" / "sweep", [5]).archs[0].recipe_digest
    assert "digest 5d3c2e02c744" in laws_file.misfit(laws, loader.architecture("transformer"))
    assert "is of transformer, not of lstm" in laws_file.misfit(laws, loader.architecture("lstm"))


def test_a_law_that_its_own_runs_do_not_support_is_said_to_be_one():
    architecture = loader.architecture("transformer")
    laws = laws_file.load(ROOT / SHIPPED)
    assert laws.unsupported_minutes == [1.0]
    now = laws.model_copy(update={"recipe_digest": recipe_digest(architecture, "default")})
    assert "at 1 min, do not support this law" in laws_file.misfit(now, architecture)
    supported = now.model_copy(update={"unsupported_minutes": []})
    assert laws_file.misfit(supported, architecture) == ""


def test_a_law_of_other_settings_does_not_count(asked):
    folder = sweep(asked.out / "mine")
    assert list(auto_size.known_laws(asked))
    assert not list(
        auto_size.known_laws(dataclasses.replace(asked, settings=("model.context=64",)))
    )
    manifest = json.loads((folder / "sweep.json").read_text())
    manifest["shared"]["vocabulary"] = 300
    (folder / "sweep.json").write_text(json.dumps(manifest))
    assert not list(auto_size.known_laws(asked))


def test_the_same_data_comes_first_then_more_runs(asked, stories):
    from speedrun.data.open import open_source

    same = open_source(Data(path=str(stories)), print).train_fingerprint
    sweep(asked.out / "other data", seeds=3)
    assert "18 runs" in chosen(asked)[1]
    sweep(asked.out / "same data", data__train_fingerprint=same)
    assert "6 runs" in chosen(asked)[1] and "of other data" not in chosen(asked)[1]


@pytest.mark.slow
def test_without_a_law_a_few_steps_give_a_guess(asked, monkeypatch):
    monkeypatch.setattr(auto_size, "PROBED", (20_000, 40_000, 80_000))
    settings = ("model.context=32", "recipe.compile=false")
    data = dataclasses.replace(asked.data, vocab=300)
    picked, told = chosen(dataclasses.replace(asked, settings=settings, data=data, budget_s=6))
    assert 5_000 <= parse_size(picked.params) <= 320_000
    assert "is a guess" in told and told.count("--params auto") == 1


def test_counted_models_are_not_guessed(asked):
    with pytest.raises(ValueError, match="give a size"):
        chosen(dataclasses.replace(asked, arch="ngram", backend="numpy"))


def test_the_architecture_is_the_one_whose_law_predicts_least(asked):
    asked = dataclasses.replace(asked, arch="auto", params="1M", backend="cpu")
    picked, told = chosen(asked)
    assert picked.arch == "transformer" and "found none" in told
    sweep(asked.out / "transformer")
    assert "found one, of transformer" in chosen(asked)[1]
    for size in SIZES:
        score = 0.9 * float(LOSS(size, 60 * SPEED.tokens_per_s(size)))
        changes = {"arch": "lstm", "hardware__class": CLASS, "score__bits_per_byte": score}
        fill(asked.out / "lstm", sizes=[size], seeds=1, **changes)
    sweep(asked.out / "lstm", sizes=[])
    picked, told = chosen(asked)
    assert picked.arch == "lstm" and picked.params == "1M"
    assert "lstm 0." in told and "transformer 0." in told


def test_a_race_takes_what_auto_chose(asked, stories, monkeypatch):
    monkeypatch.setattr(
        commands, "race", lambda asked, *_, **__: pytest.fail(f"{asked.arch} {asked.params}")
    )
    sweep(asked.out / "mine")
    words = ["--params", "auto", "--backend", "cpu", "--data", stories, "--out", asked.out]
    with pytest.raises(pytest.fail.Exception, match=r"transformer \d+"):
        app.main([str(word) for word in words])
