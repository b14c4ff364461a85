"""`run.py plan` as a person meets it: the probe, the output, the refusals."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.command_line import done_well, refused
from helpers.fakes import FakeEngine

from speedrun.autotune import synthetic_batch
from speedrun.backends import registry
from speedrun.models import flops, loader
from speedrun.plan import probe, request
from speedrun.plan.plan import make_plan
from speedrun.plan.request import Options

ROOT = Path(__file__).resolve().parents[2]


def test_the_probe_times_steps_after_the_first(fake_time, monkeypatch):
    engine = FakeEngine(fake_time, 2.0)
    engine.fits_rows, engine.micro_batch_rows = 2, 4
    engine.peak_bytes = lambda: 7
    backend: Any = SimpleNamespace(
        engine=lambda spec: engine, matmul_gflops=lambda device, precision: 100.0
    )
    device = registry.device("cpu")
    monkeypatch.setattr(registry, "backend", lambda name: backend)
    asked = request.resolve(Options(params="60K", vocab=300, context=32, batch=4, measure=True))
    found = probe.measure(asked, device, now=fake_time)
    assert found.tokens_per_s == pytest.approx(4 * 32 / 2.0)
    assert found.how.startswith("5 steps of 4 rows") and found.matmul_flop_s == 100e9
    assert found.peak_bytes == 7 and engine.micro_batch_rows == 2


def test_the_synthetic_batch_has_as_many_rare_tokens_as_text():
    model = loader.architecture("transformer").for_params(2_000_000, 4096)
    rows = synthetic_batch.rows(64, model)
    assert rows.min() >= 0 and rows.max() < 4096
    assert (rows >= 1024).mean() == pytest.approx(flops.RARE_SHARE, abs=0.02)


def test_measuring_plans_with_the_measured_speed(monkeypatch):
    measured = probe.Probe(how="", tokens_per_s=1000.0, matmul_flop_s=100e9, peak_bytes=7)
    monkeypatch.setattr(probe, "measure", lambda asked, device: measured)
    found = make_plan(Options(params="300K", minutes="1", measure=True, batch=2, context=32))
    assert found.value("compute", "num_tokens") == pytest.approx(60_000)
    of_6n = found.value("time", "probe_flop_s_6n")
    assert of_6n == pytest.approx(6 * found.value("model", "num_params_tied") * 1000)
    assert found.value("time", "probe_share_6n") == pytest.approx(of_6n / 100e9)
    assert found.value("time", "effective_flop_s") == pytest.approx(6 * 300_000 * 1000)
    assert found.value("time", "spec_flop_s") >= 100e9
    assert found.value("time", "probe_peak_bytes") == 7


def test_json_carries_every_number_that_is_shown():
    arguments = ("plan", "--params", "10M", "--cluster", 64, "--device", "t4")
    out, found = done_well(*arguments, "--full"), json.loads(done_well(*arguments, "--json"))
    assert "no-go" in out and "machines on" in out
    plan = make_plan(Options(params="10M", cluster=64, device="t4"))
    assert plan.as_dict() == found and "cluster" in found
    for section, figures in plan.sections.items():
        for figure in figures:
            assert figure.label in out and found["formulas"][f"{section}.{figure.key}"]


def test_a_plan_is_a_dozen_lines_unless_all_of_it_is_asked_for(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    words = ("plan", "--params", "2M", "--minutes", "5", "--tflops", "0.05")
    short, full = (done_well(*words, *more).splitlines() for more in ((), ("--full",)))
    assert len(short) <= 14 and "--full shows every figure" in short[-1]
    assert len(full) > 40 and "--full" not in full[-1]
    assert any("tokens/s" in line for line in short) and not any("tied" in line for line in short)


def test_without_a_cluster_nothing_is_said_of_one():
    found = json.loads(done_well("plan", "--device", "t4", "--json"))
    assert "cluster" not in found and "shared" not in found
    assert set(found["verdicts"]) == {"memory", "compute", "time"}


@pytest.mark.parametrize("width", [80, 120])
def test_it_reads_well_at_common_widths(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    many = ("--cluster", 1000000, "--races", 10000000)
    out = done_well("plan", "--params", "medium", "--device", "a100", "--full", *many)
    assert max(len(line.rstrip()) for line in out.splitlines()) <= width
    assert "published as" in out and "checkpointing saves" in out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--tokens 5M --ratio 3", "contradict"),
        ("--device t4 --tflops 3", "contradict"),
        ("--backend cpu --device t4", "contradict"),
        ("--cluster 4 --tokens 5M", "contradict"),
        ("--cluster 4 --ratio 20", "contradict"),
        ("--tokens 0", "--tokens"),
        ("--tokens 9999999999999B", "--tokens"),
        ("--ratio nan", "--ratio nan"),
        ("--ratio -1", "--ratio -1"),
        ("--ratio 1e300", "--ratio 1e+300"),
        ("--tflops inf", "--tflops inf"),
        ("--minutes nan", "--minutes nan"),
        ("--params nan", "250K"),
        ("--params tinny", "tiny, small, medium"),
        ("--params tiny --arch lstm", "'lstm' takes a number"),
        ("--device a10", "did you mean a100"),
        ("--dtype fp8", "unknown --dtype"),
        ("--dtype fp16", "not supported on"),
        ("--optimizer adam", "did you mean adamw"),
        ("--measure --optimizer sgd", "races train with"),
        ("--batch many", "--batch"),
        ("--batch 1.5", "'1.5' is not a whole number"),
        ("--batch 0", "--batch 0"),
        ("--context -4", "--context -4"),
        ("--depth 1000000000", "--depth 1e+09"),
        ("--vocab 3", "--vocab 3"),
        ("--arch ngram", "counted"),
        ("--arch ./tests/plugins/recent_words --depth 3", "--depth has no effect"),
        ("--arch transfomer", "did you mean transformer"),
        ("--law no/laws.json", "--law no/laws.json"),
        ("--data no/such", "--data no/such"),
        ("--backend cpx", "unknown"),
        ("--cluster 0", "--cluster 0: allowed are 1 to"),
        ("--cluster 4 --price cheap", "--price"),
        ("--races 100", "--races has no effect without --cluster"),
        ("--price 2", "--price has no effect without --cluster"),
    ],
)
def test_a_mistake_is_one_line(args, says, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert says in refused("plan", *args.split())
