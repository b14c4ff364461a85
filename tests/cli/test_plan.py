"""`run.py plan` as a person meets it: what is measured, what is printed, what is refused."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.fakes import FakeEngine

from speedrun.autotune import synthetic_batch
from speedrun.backends import registry
from speedrun.cli import app
from speedrun.config import Recipe
from speedrun.models import flops, loader
from speedrun.plan import probe
from speedrun.plan.options import Options
from speedrun.plan.plan import answer

ROOT = Path(__file__).resolve().parents[2]


# -- the probe


def test_the_probe_times_steps_after_the_first(fake_time, monkeypatch):
    engine = FakeEngine(fake_time, 2.0)
    engine.fits_rows, engine.micro_batch_rows = 2, 4
    engine.peak_bytes = lambda: 7
    backend: Any = SimpleNamespace(
        engine=lambda *args: engine, matmul_gflops=lambda device, precision: 100.0
    )
    device = registry.device("cpu")
    monkeypatch.setattr(registry, "backend", lambda name: backend)
    architecture = loader.architecture("transformer")
    model = architecture.for_params(60_000, 300, context=32)
    recipe = probe.recipe_of(Recipe(), 4, "adamw", None)
    found = probe.measure(architecture, model, recipe, device, now=fake_time)
    assert found.tokens_per_s == pytest.approx(4 * 32 / 2.0)
    assert found.num_steps == 5 and found.matmul_flop_s == 100e9
    assert found.peak_bytes == 7 and engine.micro_batch_rows == 2


def test_the_probes_rows_hold_as_many_rare_tokens_as_text():
    model = loader.architecture("transformer").for_params(2_000_000, 4096)
    rows = synthetic_batch.rows(64, model)
    assert rows.min() >= 0 and rows.max() < 4096
    assert (rows >= 1024).mean() == pytest.approx(flops.RARE_SHARE, abs=0.02)


def test_measuring_plans_by_what_was_reached(monkeypatch):
    real = probe.recipe_of
    monkeypatch.setattr(
        probe, "recipe_of", lambda *args: dataclasses.replace(real(*args), compile=False)
    )
    monkeypatch.setitem(probe.measure.__kwdefaults__, "seconds", 0.2)
    sheet = answer(Options(params="300K", minutes="1", measure=True, batch=2, context=32))
    speed = sheet.value("time", "probe_tokens_per_s")
    assert speed > 0 and sheet.value("compute", "num_tokens") == pytest.approx(60 * speed)
    of_6n = sheet.value("time", "probe_flop_s_6n")
    counted = sheet.value("model", "num_params_tied")
    assert of_6n == pytest.approx(6 * counted * speed)
    share = sheet.value("time", "probe_share_6n")
    assert share == pytest.approx(of_6n / sheet.value("time", "probe_matmul_flop_s"))
    assert "muon" in next(f.formula for f in sheet.figures if f.key == "probe_tokens_per_s")


# -- the command line


def test_json_carries_every_number_that_is_shown(capsys):
    args = ["plan", "--params", "10M", "--tokens", "200M", "--device", "t4"]
    for arguments in (args, [*args, "--json"]):
        with pytest.raises(SystemExit) as stopped:
            app.main(arguments)
        assert stopped.value.code == 0
    out = capsys.readouterr().out
    shown, found = out[: out.index("{\n")], json.loads(out[out.index("{\n") :])
    assert found["compute"]["train_flop"] == pytest.approx(1.2e16)
    assert found["verdicts"]["memory"]["answer"] == "go"
    assert "no-go" in shown and "1.20e16 FLOP" in shown and "0.17 h" in shown
    sheet = answer(Options(params="10M", tokens="200M", device="t4"))
    for figure in sheet.figures:
        assert figure.key in found[figure.section]
        assert figure.formula or figure.text
        assert f"{figure.section}.{figure.key}" in found["formulas"]


@pytest.mark.parametrize("width", [80, 120])
def test_it_reads_well_at_common_widths(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit):
        app.main(["plan", "--params", "medium", "--device", "a100"])
    out = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= width
    assert "published as" in out and "checkpointing saves" in out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--tokens", "5M", "--minutes", "3"], "contradict"),
        (["--tokens", "5M", "--ratio", "3"], "contradict"),
        (["--device", "t4", "--tflops", "3"], "contradict"),
        (["--measure", "--tflops", "3"], "contradict"),
        (["--tokens", "0"], "--tokens 0"),
        (["--tokens", "-5"], "--tokens"),
        (["--ratio", "nan"], "--ratio nan"),
        (["--ratio", "-1"], "--ratio -1"),
        (["--tflops", "0"], "--tflops 0"),
        (["--tflops", "inf"], "--tflops inf"),
        (["--minutes", "nan"], "--minutes nan"),
        (["--params", "nan"], "250K"),
        (["--params", "tinny"], "tiny, small, medium"),
        (["--params", "tiny", "--arch", "lstm"], "'lstm' takes a number"),
        (["--device", "a10"], "did you mean a100"),
        (["--dtype", "fp8"], "unknown --dtype"),
        (["--optimizer", "adam"], "did you mean adamw"),
        (["--batch", "many"], "--batch"),
        (["--batch", "1.5"], "'1.5' is not a whole number"),
        (["--vocab", "300.5"], "whole number"),
        (["--batch", "0"], "--batch 0"),
        (["--depth", "0"], "--depth 0"),
        (["--context", "-4"], "--context -4"),
        (["--depth", "1000000000"], "--depth 1e+09"),
        (["--params", "9" * 400], "250K"),
        (["--tokens", "9999999999999B"], "--tokens"),
        (["--ratio", "1e300"], "--ratio 1e+300"),
        (["--vocab", "3"], "--vocab 3"),
        (["--arch", "ngram"], "counted"),
        (["--arch", "./tests/plugins/recent_words", "--depth", "3"], "--depth has no effect"),
        (["--arch", "transfomer"], "did you mean transformer"),
        (["--law", "no/laws.json"], "--law no/laws.json"),
        (["--data", "no/such"], "--data no/such"),
        (["--measure", "--optimizer", "sgd"], "races train with"),
        (["--dtype", "fp16"], "not there on"),
    ],
)
def test_a_mistake_is_one_line(args, says, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stopped:
        app.main(["plan", *args])
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and says in shown.err
    assert not shown.out
