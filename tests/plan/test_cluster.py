"""`plan --cluster`: many races on many machines, worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from speedrun.cli import app
from speedrun.plan import fleet, recorded
from speedrun.plan.fleet import Fleet
from speedrun.plan.options import Options
from speedrun.plan.plan import answer
from speedrun.plan.recorded import Recorded
from speedrun.plan.sheet import Sheet

ROOT = Path(__file__).resolve().parents[2]
RECORDED = Recorded(
    off_s={"startup_s": 3.5, "compile_s": 6.5, "evaluate_s": 10.0},
    record_bytes=15_800.0,
    note_bytes=200.0,
    source="made up",
)


@pytest.fixture
def twenty_off(monkeypatch):
    """Twenty seconds off the clock for every race, and simple numbers of requests."""
    monkeypatch.setattr(recorded, "races", lambda arch: RECORDED)
    for name, value in {
        "API_FIRST": 10,
        "API_LATER": 1,
        "RESOLVE_FIRST": 14,
        "BYTES_PER_RESOLVE": 2e6,
    }.items():
        monkeypatch.setattr(fleet, name, value)


def plan(**options: Any) -> Sheet:
    """At 4 TFLOP/s 2M parameters see 1/3M tokens a second: 100M in 300 s."""
    return answer(Options(**{"params": "2M", "tflops": 4.0, "cluster": 64, **options}))


def cluster(num_machines: int, num_races: int, budget_s: float = 300.0) -> Fleet:
    return Fleet(num_machines=num_machines, num_races=num_races, budget_s=budget_s, off_s=20.0)


# -- time


def test_a_thousand_races_on_sixty_four_machines():
    """320 s each; 1,000 / 64 = 15.6, so 16 waves: 5,120 s; 24 of 1,024 places stay empty."""
    machines = cluster(64, 1000)
    assert (machines.race_s, machines.num_waves, machines.wall_s) == (320, 16, 5120)
    assert machines.busy_s == 320_000 and machines.held_s == 327_680
    assert machines.held_s - machines.busy_s == 24 * 320
    assert machines.races_per_s == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("num_machines", "num_races", "waves", "busy"),
    [(1, 1000, 1000, 1), (1000, 1000, 1, 1000), (999, 1000, 2, 999), (1001, 1000, 1, 1000)],
)
def test_waves_and_machines_with_nothing_to_do(num_machines, num_races, waves, busy):
    machines = cluster(num_machines, num_races)
    assert (machines.num_waves, machines.num_busy) == (waves, busy)
    assert machines.held_s == num_machines * waves * 320


def test_the_sheet_says_hours_and_cost(twenty_off):
    sheet = plan(price=1.5)
    value: dict[str, Any] = {f.key: f.value for f in sheet.of("cluster")}
    assert value["off_clock_s"] == 20 and value["startup_s"] == 3.5
    assert value["race_s"] == 320 and value["races_per_machine_hour"] == 11.25
    assert value["wall_s"] == 5120
    assert value["busy_s"] / 3600 == pytest.approx(88.889, abs=5e-4)
    assert value["held_s"] / 3600 == pytest.approx(91.022, abs=5e-4)
    assert value["idle_s"] == 7680
    assert value["cost"] == pytest.approx(136.533, abs=5e-4)  # 1.5 · 91.022
    text = {f.key: f.text for f in sheet.of("cluster")}
    assert (text["wall_s"], text["busy_s"], text["cost"]) == ("1.42 h", "88.9", "136.53")
    (tail,) = [f.formula for f in sheet.of("cluster") if f.key == "idle_s"]
    assert "2.3%" in tail and "40 races" in tail
    assert "cost" not in {f.key for f in plan().of("cluster")}


def test_minutes_and_races_are_the_ones_asked_for(twenty_off):
    value = {f.key: f.value for f in plan(minutes="1", races=130).of("cluster")}
    assert (value["race_s"], value["num_waves"], value["wall_s"]) == (80, 3, 240)


# -- what the machines share


def test_the_hub_gives_bytes_by_what_is_kept(twenty_off):
    """395 MB of text · 990.8 MB / 1.92 GB = 203.83 MB, and 4 MiB read ahead."""
    sheet = plan()
    assert sheet.value("shared", "hub_bytes_needed") == pytest.approx(203.83e6, rel=1e-4)
    each = sheet.value("shared", "hub_bytes_per_race")
    assert each == pytest.approx(208.03e6, rel=1e-4)
    assert sheet.value("shared", "hub_bytes_no_cache") == pytest.approx(1000 * each)
    assert sheet.value("shared", "hub_bytes_own_cache") == pytest.approx(64 * each)
    assert sheet.value("shared", "hub_bytes_copied_cache") == each


@pytest.mark.parametrize(
    ("needed", "streamed"), [(1.0, 4_194_305), (248e6, 252_194_304), (990e6, 990_786_315)]
)
def test_a_little_is_read_ahead_and_no_more_than_there_is(needed, streamed):
    assert fleet.streamed_bytes(needed) == pytest.approx(streamed)


def test_nobody_needs_more_text_than_there_is(twenty_off):
    """1.92 GB / 3.95 = 486M tokens are all; --tflops 400 would read ten billion."""
    sheet = plan(tflops=400.0)
    assert sheet.value("shared", "hub_bytes_per_race") == pytest.approx(990_786_315)
    assert sheet.value("compute", "num_tokens") == pytest.approx(10e9)
    assert sheet.value("shared", "cache_bytes") == pytest.approx(2 * 486.08e6, rel=1e-4)


def test_the_hubs_limit_is_that_of_the_first_five_minutes(twenty_off):
    """API: 500 / 10 = 50 machines, with a token 100; files: 14 + 105, so 25 and 42."""
    sheet = plan()
    assert sheet.value("shared", "hub_requests_first") == 10 + 14 + 105
    assert sheet.value("shared", "hub_limit_anonymous") == 25
    assert sheet.value("shared", "hub_limit_token") == 42
    (hub,) = [v for v in sheet.verdicts if v.what == "hub"]
    assert (hub.answer, hub.needed, hub.usable) == ("no-go", 64, 25)
    assert "from 26 machines on" in hub.why and "from 43" in hub.why
    assert any("storybook" in note for note in sheet.notes)
    few = plan(cluster=25)
    assert [v.answer for v in few.verdicts if v.what == "hub"] == ["go"]
    assert not any("storybook" in note for note in few.notes)


def test_short_races_ask_more_often():
    """At 30 s five minutes hold ten races of a machine: 10 + 9 · 1 requests, 500 / 19 = 26.3."""
    short = cluster(8, 1000, budget_s=10.0)
    assert short.starts(300) == 10
    assert fleet.hub_limit(short, 10, 1, 500) == 26
    assert cluster(8, 16, budget_s=10.0).starts(300) == 2  # each has but two
    assert cluster(8, 1000).starts(300) == 1


def test_with_a_copy_the_hub_is_not_asked(twenty_off, tmp_path):
    path = tmp_path / "text.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"Once {i}."}) for i in range(100)))
    sheet = plan(data=path)
    assert "hub" not in {v.what for v in sheet.verdicts}
    assert not [f for f in sheet.of("shared") if f.key.startswith("hub")]
    assert any("not asked" in note for note in sheet.notes)


def test_a_cache_holds_two_bytes_a_token(twenty_off):
    sheet = plan()
    assert sheet.value("shared", "cache_bytes") == pytest.approx(200e6)
    assert sheet.value("shared", "cache_bytes_all") == pytest.approx(64 * 200e6)
    assert sheet.value("shared", "cache_limit_one_folder") == 1


def test_records_are_no_load(twenty_off):
    """16 kB each; 320 s / 0.7 s a submission: 457 machines."""
    sheet = plan()
    assert sheet.value("shared", "record_bytes") == 16_000
    assert sheet.value("shared", "records_bytes") == 16e6
    assert sheet.value("shared", "records_per_s") == pytest.approx(0.2)
    assert sheet.value("shared", "records_table_s") == pytest.approx(0.91)
    assert sheet.value("shared", "records_limit") == 457
    for num_machines, answered in ((457, "go"), (458, "no-go")):
        verdicts = plan(cluster=num_machines).verdicts
        assert [v.answer for v in verdicts if v.what == "records"] == [answered]


def test_one_head_node_is_tested_to_250_nodes(twenty_off):
    assert plan().value("shared", "ray_limit") == 250
    quick = Fleet(num_machines=8, num_races=1000, budget_s=0.25, off_s=0.25)
    assert fleet.ray_limit(quick) == 177  # 354 a second, half a second each
    for num_machines, answered in ((250, "go"), (251, "no-go")):
        verdicts = plan(cluster=num_machines).verdicts
        assert [v.answer for v in verdicts if v.what == "ray head"] == [answered]


# -- what is recorded


def test_seconds_and_bytes_are_those_of_our_records():
    race = recorded.races("transformer")
    assert "6 recorded races of transformer on cpu-x86_64-2c-avx512" in race.source
    assert race.off_s["evaluate_s"] == pytest.approx(7.27, abs=0.05)  # of 6.4 to 10.5
    assert 17 < race.total_off_s < 28
    assert 14_000 < race.record_bytes < 17_000 and 150 < race.note_bytes < 250
    assert recorded.races("d3pm").total_off_s > 5 * race.total_off_s  # scoring a bound takes long


def test_an_architecture_without_records_is_assumed(tmp_path):
    assert recorded.races("recent_words").total_off_s == recorded.USUAL_OFF_S
    assert recorded.races("transformer", tmp_path).source.startswith("assumed")
    sheet = answer(
        Options(
            params="289K", arch=str(ROOT / "tests/plugins/recent_words"), device="t4", cluster=2
        )
    )
    assert sheet.value("cluster", "race_s") == 325


# -- the command line


def test_it_is_printed_and_given_as_json(capsys):
    args = ["plan", "--cluster", "64", "--device", "t4"]
    for arguments in (args, [*args, "--json"]):
        with pytest.raises(SystemExit) as stopped:
            app.main(arguments)
        assert stopped.value.code == 0
    out = capsys.readouterr().out
    shown, found = out[: out.index("{\n")], json.loads(out[out.index("{\n") :])
    assert "wall clock" in shown and "idle tail" in shown and "machines on" in shown
    assert found["cluster"]["num_races"] == 1000 and found["cluster"]["num_waves"] == 16
    assert found["verdicts"]["ray head"]["usable"] == 250
    assert "shared.records_limit" in found["formulas"]


def test_without_it_nothing_is_said_of_clusters(capsys):
    with pytest.raises(SystemExit):
        app.main(["plan", "--device", "t4", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert "cluster" not in found and "shared" not in found
    assert set(found["verdicts"]) == {"memory", "compute", "time"}


@pytest.mark.parametrize("width", [80, 120])
def test_it_reads_well_at_common_widths(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit):
        app.main(["plan", "--cluster", "1000000", "--races", "10000000", "--device", "a100"])
    out = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= width


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--cluster", "0"], "--cluster 0: allowed are 1 to"),
        (["--cluster", "-3"], "--cluster -3"),
        (["--cluster", "many"], "--cluster"),
        (["--cluster", "1.5"], "--cluster"),
        (["--cluster", "10000000"], "--cluster 1e+07"),
        (["--cluster", "4", "--races", "0"], "--races 0"),
        (["--cluster", "4", "--races", "-1"], "--races -1"),
        (["--cluster", "4", "--races", "some"], "--races"),
        (["--cluster", "4", "--price", "nan"], "--price nan"),
        (["--cluster", "4", "--price", "-2"], "--price -2"),
        (["--cluster", "4", "--price", "cheap"], "--price"),
        (["--cluster", "4", "--tokens", "5M"], "contradict"),
        (["--cluster", "4", "--ratio", "20"], "contradict"),
        (["--cluster", "4", "--minutes", "0"], "--minutes 0"),
        (["--races", "100"], "--races has no effect without --cluster"),
        (["--price", "2"], "--price has no effect without --cluster"),
    ],
)
def test_a_mistake_is_one_line(args, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        app.main(["plan", *args])
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and says in shown.err
    assert not shown.out
