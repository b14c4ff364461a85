"""`run.py bench`: what is measured in which order, how it is judged, what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.command_line import done_well, refused
from helpers.folders import write_stories
from rich.console import Console

from speedrun.backends import registry
from speedrun.bench import compare, report, result, runner
from speedrun.bench.cases import Case, cases
from speedrun.bench.result import Bench
from speedrun.bench.runner import Effort
from speedrun.bench.workload import Workload
from speedrun.models import loader
from speedrun.system.subprocesses import ChildError

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"load_per_core": 0.1, "other_cores": 0.0, "steal_share": 0.0}


def row_of(arch: str = "lstm", speed: float = 100.0, **changes: Any) -> dict[str, Any]:
    """A case whose three repeats lie 1 % apart."""
    samples = [speed * factor for factor in (0.99, 1.0, 1.01)]
    return {
        "arch": arch,
        "params": 2_000_000,
        "device": "cpu",
        "backend": "torch",
        "hardware_class": "cpu-x86_64-2c",
        "accelerator": None,
        "versions": {"torch": "2.13.0"},
        "num_params": 2_000_000,
        "context": 256,
        "batch_rows": 16,
        "engine": {"precision": "fp32", "micro_batch_rows": 16, "compiled": True},
        "matmul_gflops": {"fp32": 100.0, "bf16": None},
        "flop": {"train_6n": 12e6, "train_exact": 15e6, "formula": "2 per weight"},
        "train": samples,
        "wait_share": 0.0,
        "score": [3 * s for s in samples],
        "num_draws": None,
        "sample": samples,
        "peak_bytes": 500_000_000,
        "profile": None,
        **changes,
    }


def bench_of(*rows: dict[str, Any], **changes: Any) -> Bench:
    return Bench.model_validate(
        {
            "schema": 1,
            "created": "2026-11-22T00:00:00+00:00",
            "code": {"commit": "a" * 40, "dirty": False, "version": "0.1.0"},
            "cpu": "a processor",
            "cores": 2,
            "data": {"name": "d", "train_fingerprint": "t", "heldout_fingerprint": "h"},
            "settings": {"repeats": 3, "burst_s": 1.0, "num_docs": 64, "story_tokens": 200},
            "load": QUIET,
            "rows": list(rows) or [row_of()],
            "failed": [],
            **changes,
        }
    )


def saved(bench: Bench, folder: Path) -> Path:
    path = folder / "bench.json"
    path.write_text(bench.model_dump_json(by_alias=True), encoding="utf-8")
    return path


def case(arch: str) -> Case:
    return Case(arch=arch, params=2_000_000, device="cpu", data=None)


class FakeChild:
    """Writes down what it is asked for."""

    calls: list[tuple[str, str]]
    fails: dict[str, str]  # architecture -> the method that fails
    pid = os.getpid()

    def call(self, kind: str, *, notice: Any, **values: Any) -> Any:
        if kind == "start":
            self.arch = values["arch"]
            notice("the hub does not answer")
        self.calls.append((self.arch, kind))
        if self.fails.get(self.arch) == kind:
            raise ChildError("no room")
        return row_of(self.arch) if kind == "row" else 1.0

    def kill(self) -> None:
        self.calls.append((self.arch, "kill"))


@pytest.fixture
def measured(monkeypatch):
    """Measures these architectures with fake children; gives the bench, the calls, the notices."""
    monkeypatch.setattr(runner, "_data", lambda case: bench_of().data.model_dump())

    def measure(archs: str, fails: dict[str, str] | None = None, **effort: Any) -> Any:
        FakeChild.calls, FakeChild.fails = [], fails or {}
        notices: list[str] = []
        found = runner.measure(
            [case(arch) for arch in archs],
            Effort(**{"repeats": 2, **effort}),
            phase=lambda text: None,
            notice=notices.append,
            start=FakeChild,
        )
        return SimpleNamespace(bench=found, calls=FakeChild.calls, notices=notices)

    return measure


# -- the order of measuring


def test_cases_are_measured_in_turn(measured):
    found = measured("ab")
    assert [arch for arch, method in found.calls if method == "train"] == ["a", "b", "a", "b"]
    methods = " ".join(method for arch, method in found.calls if arch == "a")
    assert methods == "start prepare score score sample sample train train row kill"
    assert found.bench.settings.repeats == 2
    assert found.notices == ["the hub does not answer"], "every process says it; once is enough"


def test_who_fails_is_left_behind_and_the_others_go_on(measured):
    found = measured("abc", {"a": "prepare", "b": "train"})
    assert [row.arch for row in found.bench.rows] == ["c"]
    assert {f.variant: f.error for f in found.bench.failed} == {
        "a 2M cpu": "no room",
        "b 2M cpu": "no room",
    }
    assert [call for call in found.calls if call[0] == "b"].count(("b", "train")) == 1
    assert ("a", "kill") in found.calls and ("b", "kill") in found.calls


def test_a_profile_that_fails_costs_the_profile_alone(measured):
    found = measured("a", {"a": "profile"}, with_profile=True)
    assert [row.arch for row in found.bench.rows] == ["a"] and len(found.bench.failed) == 1


def test_where_nothing_can_be_measured_the_reason_is_given(measured):
    with pytest.raises(ValueError, match="nothing could be measured: a 2M cpu: no room"):
        measured("a", {"a": "prepare"})


def test_minutes_are_shared_by_the_three_measurements():
    now = [0.0]

    def each(kind: str, longest_s: float) -> None:
        now[0] += 2.0

    running: Any = SimpleNamespace(pids=lambda: [1], each=each)
    for minutes, repeats in (("1", 10), ("0.01", runner.MIN_REPEATS)):
        now[0] = 0.0
        effort = Effort.parse(None, minutes, with_profile=False)
        taken = runner.take_rounds(running, effort, lambda text: None, lambda: now[0])
        assert taken == repeats and now[0] == pytest.approx(6.0 * repeats)


def test_what_is_slow_is_repeated_less_where_nothing_was_asked(monkeypatch, measured):
    monkeypatch.setattr(runner, "SLOW_S", 0.0)
    default = [kind for _, kind in measured("a", repeats=None).calls]
    for kind in ("score", "sample", "train"):
        assert default.count(kind) == runner.FEW_REPEATS
    request = [kind for _, kind in measured("a", repeats=5).calls]
    assert request.count("train") == 5


# -- a workload, for real


@pytest.fixture(scope="module")
def stories(tmp_path_factory) -> Path:
    return write_stories(tmp_path_factory.mktemp("bench") / "stories.jsonl")


@pytest.fixture
def workload(stories, tmp_path, fake_time):
    """Counted, in this process; nothing but the test moves its clock."""
    counted = Case(arch="ngram", params=200_000, device="numpy", data=str(stories))
    made: Any = Workload(counted, tmp_path / "tokens", now=fake_time)
    yield made
    made.close()


def test_rates_are_tokens_over_time(workload, fake_time):
    """A step takes 2 s and a wait for rows 1 s of a clock that nothing else moves."""
    made, real = workload, workload._rows

    def rows():
        fake_time.advance(1.0)
        return real()

    made._rows = rows
    made._engine.step = lambda rows, lr_scale: fake_time.advance(2.0)
    assert made.train() == pytest.approx(64 * 256 / 3.0)
    assert made.row()["wait_share"] == pytest.approx(1 / 3)
    num_tokens = sum(1 + len(made._tokenizer.encode(d)) for d in made._docs.documents)
    real_nll = made._engine.nll

    def nll(*args):
        fake_time.advance(0.5)
        return real_nll(*args)

    made._engine.nll = nll
    assert made.score() == pytest.approx(num_tokens / 0.5)


def test_a_story_counts_the_tokens_that_were_drawn(workload):
    workload._steps(2)
    drawn: list[int] = []
    real = workload._engine.reader

    def reader() -> Any:
        of_engine = real()
        feed = of_engine.feed
        of_engine.feed = lambda tokens: (drawn.append(1), feed(tokens))[1]
        return of_engine

    workload._engine.reader = reader
    _, num_tokens = workload._tell(0)
    assert 0 <= len(drawn) - num_tokens <= 1  # the last draw may be the story's end


# -- which cases


def test_cases_are_every_size_on_every_device_requested():
    found, left_out = cases("lstm,ngram", "250K,1M", "auto", None)
    assert not left_out
    for arch in ("lstm", "ngram"):
        device = registry.device("auto", loader.architecture(arch)).name
        sizes = [c.params for c in found if (c.arch, c.device) == (arch, device)]
        assert sizes == [250_000, 1_000_000]
    every = {c.device for c in cases("lstm", "1M", "all", None)[0]}
    assert every == {d.name for d in registry.devices() if d.available and d.backend != "numpy"}
    assert [c.name for c in cases("lstm", "1M", "cpu", None)[0]] == ["lstm 1M cpu"]


def test_what_a_backend_cannot_run_is_left_out_unless_requested_by_name():
    found, left_out = cases(None, "1M", "numpy", None)
    assert {c.arch for c in found} == {"ngram"}
    assert len(left_out) >= 3 and all("numpy" in line for line in left_out)
    with pytest.raises(ValueError, match=r"numpy_model\.py"):
        cases("lstm", "1M", "numpy", None)


# -- a busy machine


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"load": QUIET | {"load_per_core": 1.2}}, "load average 1.20 per core"),
        ({"load": QUIET | {"other_cores": 0.5}}, "0.50 of 2 cores"),
        ({"load": QUIET | {"steal_share": 0.1}}, "10.0% of the processors' time"),
        ({"rows": [row_of(train=[80.0, 100.0, 120.0])]}, "training of lstm 2M cpu varies by ±20%"),
        ({"rows": [row_of(score=[80.0, 100.0, 120.0])]}, "scoring"),
    ],
)
def test_a_busy_machine_is_said_and_shows_ranges(changes, says):
    bench = bench_of(**changes)
    (reason,) = bench.busy_reasons()
    assert says in reason
    shown = printed(bench)
    assert not bench_of().busy_reasons()
    assert says in shown and "machine was busy" in shown
    assert "99-101" in shown or "80-120" in shown
    assert "±1%" not in shown


def test_load_counts_what_other_processes_take():
    since = runner.watch([])
    busy = "import time\nend = time.time() + 0.7\nwhile time.time() < end: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert (since()["other_cores"] or 0.0) > 0.1


# -- comparing


def verdicts(before: Bench, now: Bench) -> dict[str, str]:
    return {change.kind: change.verdict for change in compare.compare(before, now).changes}


def test_a_clear_change_is_judged_and_noise_is_not():
    before = bench_of()
    assert verdicts(before, bench_of(row_of(speed=130.0)))["train"] == compare.FASTER
    assert verdicts(before, bench_of(row_of(speed=75.0)))["train"] == compare.SLOWER
    assert verdicts(before, bench_of(row_of(speed=100.5)))["train"] == compare.SAME
    change = compare.compare(before, bench_of(row_of(speed=130.0))).changes[0]
    assert change.ratio == pytest.approx(1.3)
    assert change.low is not None and 1.2 < change.low < 1.3


def test_what_the_machine_itself_gained_is_no_verdict():
    faster_machine = row_of(speed=130.0, matmul_gflops={"fp32": 132.0, "bf16": None})
    found = compare.compare(bench_of(), bench_of(faster_machine))
    assert found.changes[0].verdict == compare.SAME and "x1.32" in found.changes[0].why
    assert any("matrix products alone run at x1.32" in note for note in found.notes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rows": [row_of(speed=200, hardware_class="cuda-h200")]}, "other hardware"),
        ({"rows": [row_of(speed=200)], "load": QUIET | {"steal_share": 0.2}}, "busy machine"),
        ({"rows": [row_of(train=[200.0], score=[200.0], sample=[200.0])]}, "fewer than 3 repeats"),
    ],
)
def test_what_cannot_be_judged_is_not(changes, why):
    for change in compare.compare(bench_of(), bench_of(**changes)).changes:
        assert change.verdict == compare.UNSURE and change.why == why


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rows": [row_of(hardware_class="cuda-h200")]}, "other hardware: cpu-x86_64-2c before"),
        ({"rows": [row_of(versions={"torch": "2.14.0"})]}, "other torch: 2.13.0 before, 2.14.0"),
        ({"code": {"commit": "b" * 40, "dirty": True, "version": "0.1.0"}}, "not committed"),
        ({"code": {"commit": "b" * 40, "dirty": False, "version": "0.1.0"}}, "aaaaaaaaaa before"),
        ({}, "the same commit"),
        ({"rows": [row_of(), row_of("d3pm")]}, "only now: d3pm 2M cpu"),
        ({"rows": [row_of(batch_rows=8)]}, "batch_rows was 16, is 8"),
        ({"rows": [row_of(engine={"precision": "bf16"})]}, "precision was fp32, is bf16"),
        (
            {"data": {"name": "x", "train_fingerprint": "", "heldout_fingerprint": ""}},
            "other data: d before, x now",
        ),
        (
            {"settings": {"repeats": 3, "burst_s": 1.0, "num_docs": 9, "story_tokens": 200}},
            "other settings",
        ),
    ],
)
def test_what_else_differs_is_said(changes, says):
    before, now = bench_of(), bench_of(**changes)
    found = compare.compare(before, now)
    assert any(says in note for note in found.notes), found.notes
    assert says in printed(now, found)


# -- what is shown and saved


def printed(bench: Bench, comparison: Any = None, width: int = 400) -> str:
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    report.show(console, bench, comparison)
    return console.export_text()


def test_shares_are_of_the_measured_limit():
    (row,) = bench_of(row_of(speed=1000.0)).rows
    assert row.shares() == (pytest.approx(0.12), pytest.approx(0.15))
    shown = printed(bench_of(row_of(speed=1000.0)))
    assert "12%" in shown and "15%" in shown and "100 GFLOP/s fp32" in shown
    assert bench_of(row_of(flop=None)).rows[0].shares() == (None, None)


def test_a_profiles_sum_is_shown_beside_the_step():
    profile = {"parts_s": {"MLP": 0.03, "attention": 0.01}, "note": "one by one"}
    shown = printed(bench_of(row_of(speed=102400.0, profile=profile)))
    assert "40.00 ms" in shown and "75.0%" in shown and "one by one" in shown
    assert "not profiled 40.00 ms" in shown


def test_it_fits_a_narrow_terminal():
    shown = printed(bench_of(row_of("transformer", 3456.0)), width=80)
    assert max(map(len, shown.splitlines())) <= 80 and "transformer 2M cpu" in shown


def test_a_saved_bench_is_loaded_as_it_was(tmp_path):
    assert result.load(saved(bench_of(), tmp_path)) == bench_of()


def test_json_carries_what_follows_from_the_numbers():
    before, now = bench_of(), bench_of(row_of(speed=130.0))
    found = json.loads(report.as_json(now, compare.compare(before, now)))
    assert found["summary"][0]["train_tokens_per_s"] == pytest.approx(130.0)
    assert found["summary"][0]["score_over_train"] == pytest.approx(3.0)
    assert found["comparison"]["changes"][0]["verdict"] == "faster" and found["busy"] == []


GOOD = bench_of().model_dump_json(by_alias=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("no json", "not a bench"),
        ("[]", "not one JSON object"),
        ("{}", "its schema is 'None', known is 1"),
        ('{"schema": 2}', "its schema is '2'"),
        ('{"schema": 1}', "not a bench"),
        (GOOD.replace('"cores":2', '"cores":NaN'), "NaN is not a number"),
        (GOOD.replace("99.0", "-99.0", 1), "greater than 0"),
        (GOOD.replace('"cpu"', '"cqu"', 1), "not a bench"),
        (b"\xff\xfe".decode("latin-1"), "not a bench"),
    ],
)
def test_what_is_no_saved_bench_is_refused(text, says, tmp_path):
    path = tmp_path / "bench.json"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"--against .*bench\.json") as refused:
        result.load(path)
    assert says in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--repeats 0", "--repeats 0: allowed are 1 to 1000"),
        ("--repeats many", "--repeats"),
        ("--repeats 3 --minutes 1", "contradict"),
        ("--minutes nan", "--minutes nan"),
        ("--arch transfomer", "did you mean transformer"),
        ("--arch lstm,lstm", "give different names"),
        ("--arch lstm,./lstm", "two architectures have the same name"),
        ("--arch ,", "give different names"),
        ("--arch ngram --backend cpu", "no torch_model.py"),
        ("--backend cpx", "unknown device 'cpx'"),
        ("--device cpu,cpu", "--device cpu,cpu"),
        ("--params 2M,2M", "each larger than the one before"),
        ("--params tiny", "size 'tiny'"),
        ("--params 100", "--params"),
        ("--data no/such", "no/such"),
        ("--against no/such.json", "--against no/such.json"),
        ("--save README.md", "the file exists"),
        ("--save no/such/bench.json", "there is no folder no/such"),
    ],
)
def test_a_mistake_is_one_line(args, says, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert says in refused("bench", *args.split())


def test_a_bench_with_nothing_in_common_is_refused_before_anything_is_built(tmp_path):
    path = saved(bench_of(row_of("d3pm")), tmp_path)
    assert "no case in common" in refused("bench", "--arch", "lstm", "--against", path)


@pytest.mark.slow
def test_a_bench_is_saved_and_compared(stories, tmp_path, monkeypatch):
    """Through the command line, each case in a process of its own."""
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "bench.json"
    request = ("bench", "--arch", "ngram", "--params", "200K", "--data", stories)
    shown = done_well(*request, "--repeats", 3, "--profile", "--save", path)
    assert "ngram 200K numpy" in shown and "counting" in shown
    row = result.load(path).rows[0]
    assert len(row.train) == len(row.score) == len(row.sample) == 3
    assert row.flop is None, "nothing is multiplied"
    assert row.profile is not None
    assert set(row.profile.parts_s) == {"waiting for data", "counting"}
    found = json.loads(done_well(*request, "--repeats", 1, "--against", path, "--json"))
    assert [c["kind"] for c in found["comparison"]["changes"]] == ["train", "score", "sample"]


def test_one_repeat_has_no_spread():
    alone = bench_of(rows=[row_of(train=[100.0], score=[200.0], sample=[50.0])])
    assert "100 ±" not in printed(alone) and "100 ±1%" in printed(bench_of())
