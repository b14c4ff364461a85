"""`plan --cluster`: many races on many machines, worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.made_records import add, made

from speedrun.plan import cluster
from speedrun.plan.cluster import Cluster
from speedrun.plan.plan import make_plan
from speedrun.plan.report import Plan
from speedrun.plan.request import Options

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def twenty_off(monkeypatch):
    """Twenty seconds off the clock for every race, and simple numbers of requests."""
    off_s = {"startup_s": 3.5, "compile_s": 6.5, "evaluate_s": 10.0}
    monkeypatch.setattr(cluster, "recorded_off_s", lambda arch: (off_s, "made up"))
    monkeypatch.setattr(cluster, "RESOLVE_FIRST", 14)
    monkeypatch.setattr(cluster, "BYTES_PER_RESOLVE", 2e6)


def plan(**options: Any) -> Plan:
    """At 4 TFLOP/s 2M parameters see 1/3M tokens a second: 100M in 300 s."""
    return make_plan(Options(**{"params": "2M", "tflops": 4.0, "cluster": 64, **options}))


@pytest.mark.parametrize(
    ("num_machines", "waves", "busy"),
    [(1, 1000, 1), (64, 16, 64), (1000, 1, 1000), (999, 2, 999), (1001, 1, 1000)],
)
def test_waves_and_machines_with_nothing_to_do(num_machines, waves, busy):
    machines = Cluster(num_machines, 1000, 300, 20)
    assert (machines.num_waves, machines.num_busy) == (waves, busy)
    assert machines.busy_s == 320_000 and machines.held_s == num_machines * waves * 320


def test_hours_and_cost_are_those_of_sixteen_waves(twenty_off):
    """320 s each; 1,000 / 64 = 15.6, so 16 waves: 5,120 s; 24 of 1,024 places stay empty."""
    found = {f.key: f for f in plan(price=1.5).sections["cluster"]}
    value: dict[str, Any] = {key: figure.value for key, figure in found.items()}
    assert (value["off_clock_s"], value["race_s"], value["wall_s"]) == (20, 320, 5120)
    assert value["busy_s"] == 320_000 and value["idle_s"] == 24 * 320
    assert value["cost"] == pytest.approx(136.533, abs=5e-4)  # 1.5 · 91.022 h
    text = [found[key].format(value[key]) for key in ("wall_s", "busy_s", "cost")]
    assert text == ["1.42 h", "88.9 h", "136.53"]
    assert "2.3%" in found["idle_s"].formula and "40 races" in found["idle_s"].formula
    few = plan(minutes="1", races=130)
    assert few.value("cluster", "race_s") == 80 and few.value("cluster", "wall_s") == 240
    assert "cost" not in few.as_dict()["cluster"]


@pytest.mark.parametrize(
    ("needed", "streamed"), [(1.0, 4_194_305), (248e6, 252_194_304), (990e6, 990_786_315)]
)
def test_a_little_is_read_ahead_and_no_more_than_there_is(needed, streamed):
    assert cluster.streamed_bytes(needed) == pytest.approx(streamed)


def test_nobody_needs_more_text_than_there_is(twenty_off):
    """1.92 GB / 3.95 = 486M tokens are all; --tflops 400 would read ten billion."""
    found = plan(tflops=400.0)
    assert found.value("shared", "hub_bytes_per_race") == pytest.approx(990_786_315)
    assert found.value("compute", "num_tokens") == pytest.approx(10e9)
    assert found.value("shared", "cache_bytes") == pytest.approx(2 * 486.08e6, rel=1e-4)


def test_the_hubs_limit_is_that_of_the_first_five_minutes(twenty_off):
    """395 MB of text · 990.8 MB / 1.92 GB and 4 MiB ahead are 208 MB, or 14 + 105 requests.

    API: 500 / 10 = 50 machines, with a token 100; files: 25 and 42.
    """
    found = plan()
    assert found.value("shared", "hub_bytes_per_race") == pytest.approx(208.03e6, rel=1e-4)
    assert found.value("shared", "hub_requests_first") == 10 + 14 + 105
    assert found.value("shared", "hub_limit_anonymous") == 25
    assert found.value("shared", "hub_limit_token") == 42
    hub = found.verdict("hub")
    assert (hub.answer, hub.needed, hub.usable) == ("no-go", 64, 25)
    assert "from 26 machines on" in hub.why and "from 43" in hub.why
    assert any("storybook" in note for note in found.notes)
    few = plan(cluster=25)
    assert few.verdict("hub").answer == "go"
    assert not any("storybook" in note for note in few.notes)


def test_short_races_ask_more_often():
    """At 30 s five minutes hold ten races of a machine: 10 + 9 · 1 requests, 500 / 19 = 26.3."""
    short = Cluster(8, 1000, 10, 20)
    assert short.starts(300) == 10
    assert short.hub_limit(10, 1, 500) == 26
    assert Cluster(8, 16, 10, 20).starts(300) == 2  # each has but two
    assert Cluster(8, 1000, 300, 20).starts(300) == 1


def test_with_a_copy_the_hub_is_not_asked(twenty_off, tmp_path):
    path = tmp_path / "text.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"Once {i}."}) for i in range(100)))
    found = plan(data=str(path))
    assert "hub" not in {v.what for v in found.verdicts}
    assert not [f for f in found.sections["shared"] if f.key.startswith("hub")]
    assert any("not asked" in note for note in found.notes)


@pytest.mark.parametrize(("what", "limit"), [("records", 457), ("ray head", 250)])
def test_one_store_and_one_head_node_serve_so_many(twenty_off, what, limit):
    """320 s / 0.7 s a submission; of Ray 250 nodes are tested, or 354 starts a second."""
    for num_machines, answer in ((limit, "go"), (limit + 1, "no-go")):
        verdict = plan(cluster=num_machines).verdict(what)
        assert verdict.answer == answer and verdict.usable == limit
    assert Cluster(8, 1000, 0.25, 0.25).ray_limit() == 177


def test_seconds_off_the_clock_are_the_median_of_records(tmp_path):
    for seed, scoring_s in enumerate((6.0, 20.0, 7.0)):
        add(tmp_path, made(0.75, seed, {"clock.evaluate_s": scoring_s}))
    off_s, source = cluster.recorded_off_s("transformer", tmp_path)
    assert "median of 3 recorded races of transformer on cpu-" in source
    assert off_s["evaluate_s"] == 7.0
    ours, _ = cluster.recorded_off_s("transformer")
    assert 15 < sum(ours.values()) < 60


def test_an_architecture_without_records_is_assumed():
    arch = str(ROOT / "tests/plugins/recent_words")
    found = make_plan(Options(params="289K", arch=arch, device="t4", cluster=2))
    assert found.value("cluster", "race_s") == 300 + cluster.USUAL_OFF_S
    assert "assumed" in found.as_dict()["formulas"]["cluster.off_clock_s"]
