"""`plan --cluster`: many races on many machines, worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from speedrun.plan import cluster
from speedrun.plan.cluster import Cluster
from speedrun.plan.plan import make_plan
from speedrun.plan.report import Plan
from speedrun.plan.request import Options

ROOT = Path(__file__).resolve().parents[2]
RECORDED = {"startup_s": 3.5, "compile_s": 6.5, "evaluate_s": 10.0}, "made up"


@pytest.fixture
def twenty_off(monkeypatch):
    """Twenty seconds off the clock for every race, and simple numbers of requests."""
    monkeypatch.setattr(cluster, "recorded_off_s", lambda arch: RECORDED)
    for name, value in {
        "API_FIRST": 10,
        "API_LATER": 1,
        "RESOLVE_FIRST": 14,
        "BYTES_PER_RESOLVE": 2e6,
    }.items():
        monkeypatch.setattr(cluster, name, value)


def plan(**options: Any) -> Plan:
    """At 4 TFLOP/s 2M parameters see 1/3M tokens a second: 100M in 300 s."""
    return make_plan(Options(**{"params": "2M", "tflops": 4.0, "cluster": 64, **options}))


def machines_of(num_machines: int, num_races: int, budget_s: float = 300.0) -> Cluster:
    return Cluster(num_machines=num_machines, num_races=num_races, budget_s=budget_s, off_s=20.0)


# -- time


def test_a_thousand_races_on_sixty_four_machines():
    """320 s each; 1,000 / 64 = 15.6, so 16 waves: 5,120 s; 24 of 1,024 places stay empty."""
    machines = machines_of(64, 1000)
    assert (machines.race_s, machines.num_waves, machines.wall_s) == (320, 16, 5120)
    assert machines.busy_s == 320_000 and machines.held_s == 327_680
    assert machines.held_s - machines.busy_s == 24 * 320


@pytest.mark.parametrize(
    ("num_machines", "num_races", "waves", "busy"),
    [(1, 1000, 1000, 1), (1000, 1000, 1, 1000), (999, 1000, 2, 999), (1001, 1000, 1, 1000)],
)
def test_waves_and_machines_with_nothing_to_do(num_machines, num_races, waves, busy):
    machines = machines_of(num_machines, num_races)
    assert (machines.num_waves, machines.num_busy) == (waves, busy)
    assert machines.held_s == num_machines * waves * 320


def test_the_found_says_hours_and_cost(twenty_off):
    found = plan(price=1.5)
    value: dict[str, Any] = {f.key: f.value for f in found.sections["cluster"]}
    assert value["off_clock_s"] == 20
    assert value["race_s"] == 320
    assert value["wall_s"] == 5120
    assert value["busy_s"] / 3600 == pytest.approx(88.889, abs=5e-4)
    assert value["held_s"] / 3600 == pytest.approx(91.022, abs=5e-4)
    assert value["idle_s"] == 7680
    assert value["cost"] == pytest.approx(136.533, abs=5e-4)  # 1.5 · 91.022
    text = {f.key: f.text for f in found.sections["cluster"]}
    assert (text["wall_s"], text["busy_s"], text["cost"]) == ("1.42 h", "88.9 h", "136.53")
    (tail,) = [f.formula for f in found.sections["cluster"] if f.key == "idle_s"]
    assert "2.3%" in tail and "40 races" in tail
    assert "cost" not in {f.key for f in plan().sections["cluster"]}


def test_minutes_and_races_are_the_ones_asked_for(twenty_off):
    value = {f.key: f.value for f in plan(minutes="1", races=130).sections["cluster"]}
    assert (value["race_s"], value["num_waves"], value["wall_s"]) == (80, 3, 240)


# -- what the machines share


def test_the_hub_gives_what_a_race_needs_and_a_little_more(twenty_off):
    """395 MB of text · 990.8 MB / 1.92 GB = 203.83 MB, and 4 MiB read ahead."""
    assert plan().value("shared", "hub_bytes_per_race") == pytest.approx(208.03e6, rel=1e-4)


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
    """API: 500 / 10 = 50 machines, with a token 100; files: 14 + 105, so 25 and 42."""
    found = plan()
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
    short = machines_of(8, 1000, budget_s=10.0)
    assert short.starts(300) == 10
    assert short.hub_limit(10, 1, 500) == 26
    assert machines_of(8, 16, budget_s=10.0).starts(300) == 2  # each has but two
    assert machines_of(8, 1000).starts(300) == 1


def test_with_a_copy_the_hub_is_not_asked(twenty_off, tmp_path):
    path = tmp_path / "text.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"Once {i}."}) for i in range(100)))
    found = plan(data=path)
    assert "hub" not in {v.what for v in found.verdicts}
    assert not [f for f in found.sections["shared"] if f.key.startswith("hub")]
    assert any("not asked" in note for note in found.notes)


def test_records_are_no_load(twenty_off):
    """320 s / 0.7 s a submission: 457 machines. A cache holds 2 bytes a token."""
    found = plan()
    assert found.value("shared", "cache_bytes") == pytest.approx(200e6)
    assert found.value("shared", "records_limit") == 457
    for num_machines, answer in ((457, "go"), (458, "no-go")):
        assert plan(cluster=num_machines).verdict("records").answer == answer


def test_one_head_node_is_tested_to_250_nodes(twenty_off):
    assert plan().value("shared", "ray_limit") == 250
    quick = Cluster(num_machines=8, num_races=1000, budget_s=0.25, off_s=0.25)
    assert quick.ray_limit() == 177  # 354 a second, half a second each
    for num_machines, answered in ((250, "go"), (251, "no-go")):
        assert plan(cluster=num_machines).verdict("ray head").answer == answered


# -- recorded races


def test_seconds_off_the_clock_are_those_of_our_records():
    off_s, source = cluster.recorded_off_s("transformer")
    assert "6 recorded races of transformer on cpu-x86_64-2c-avx512" in source
    assert off_s["evaluate_s"] == pytest.approx(7.27, abs=0.05)  # of 6.4 to 10.5
    assert 17 < sum(off_s.values()) < 28
    bound, _ = cluster.recorded_off_s("d3pm")
    assert sum(bound.values()) > 5 * sum(off_s.values()), "scoring a bound takes long"


def test_an_architecture_without_records_is_assumed(tmp_path):
    off_s, source = cluster.recorded_off_s("transformer", tmp_path)
    assert off_s == {} and source.startswith("assumed")
    arch = str(ROOT / "tests/plugins/recent_words")
    found = make_plan(Options(params="289K", arch=arch, device="t4", cluster=2))
    assert found.value("cluster", "race_s") == 300 + cluster.USUAL_OFF_S
