"""Energy and heat: counters and sensors of made-up machines, and reasons where there are none."""

import sys
import time

import pytest
from helpers.fake_sysfs import FakeNvml, Now, battery, rapl, thermometer, throttle, write

from speedrun.system.energy import monitor as energy
from speedrun.system.energy.monitor import Energy, EnergyMonitor, Sensors, find
from speedrun.system.energy.nvml import Nvml
from speedrun.system.energy.sensor import NotAvailable


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def measured(tmp_path, now, monkeypatch):
    """`measured(change, …)`: a monitor that takes a sample after ten seconds and each change."""
    monkeypatch.setattr(energy, "PERIOD_S", 3600.0)  # this test samples by itself

    def found(*changes, sensors: Sensors | None = None) -> Energy:
        sensors = sensors or find(sysfs=tmp_path, now=now)
        with EnergyMonitor(sensors, now=now) as monitor:
            monitor.start()
            for number, change in enumerate(changes, start=1):
                now.s += 10.0
                change()
                if number < len(changes):
                    monitor._sample()
            return monitor.stop()

    return found


def test_two_packages_are_summed_and_a_counter_that_wraps_goes_on(tmp_path, measured):
    one, two = rapl(tmp_path, "0", "package-0", 900_000), rapl(tmp_path, "1", "package-1", 0)
    # Parts of a package, the platform around it, and another way to the same counter.
    for number, name in (("0:0", "core"), ("0:1", "dram"), ("2", "psys")):
        rapl(tmp_path, number, name, 5)
    write(tmp_path / "class/powercap/intel-rapl-mmio:0", name="package-0", energy_uj=3)
    spent = measured(
        lambda: (write(one, energy_uj=400_000), write(two, energy_uj=300_000)),  # 0.5 J and 0.3 J
        lambda: (write(one, energy_uj=500_000), write(two, energy_uj=400_000)),
    )
    assert spent == Energy(source="rapl", joules=1.0, mean_watts=0.05, peak_watts=0.08)
    assert find(sysfs=tmp_path).describe() == "RAPL, 2 packages"


def test_counters_for_root_only_are_said_and_how_to_open_them(tmp_path, measured):
    package = rapl(tmp_path, "0", "package-0", 0)
    (package / "energy_uj").unlink()
    (package / "energy_uj").mkdir()  # what root could not read either
    line = find(sysfs=tmp_path).describe()
    assert line.startswith("not available here: ") and "for root only" in line
    assert f"sudo chmod a+r {package.parent}/intel-rapl:*/energy_uj" in line
    assert measured(lambda: None) == Energy()
    battery(tmp_path, power_now=5_000_000)
    assert find(sysfs=tmp_path).describe() == "battery"


def test_a_counter_that_is_lost_leaves_no_number(tmp_path, measured):
    package = rapl(tmp_path, "0", "package-0", 0)
    thermometer(tmp_path, 0, "coretemp", 60_000)

    def lose():
        (package / "energy_uj").unlink()

    back = measured(lose, lambda: write(package, energy_uj=900))
    assert back == Energy(temperature_max_c=60.0)


def test_batteries_give_power_over_time(tmp_path, measured):
    first = battery(tmp_path, power_now=20_000_000)
    battery(tmp_path, "BAT1", status="Not charging", power_now=0)
    battery(tmp_path, "hidpp_battery_0", scope="Device", power_now=99)  # a mouse
    write(tmp_path / "class/power_supply/AC", type="Mains", online=0)
    spent = measured(lambda: write(first, power_now=-40_000_000), lambda: None)
    assert spent == Energy(source="battery", joules=700.0, mean_watts=35.0, peak_watts=40.0)
    (first / "power_now").unlink()
    write(first, current_now=2_000_000, voltage_now=11_000_000)
    assert measured(lambda: None).mean_watts == 22.0


def test_on_mains_power_a_battery_tells_nothing(tmp_path, measured):
    pack = battery(tmp_path, power_now=20_000_000)
    assert measured(lambda: None, lambda: write(pack, status="Charging")) == Energy()
    assert "on mains power" in find(sysfs=tmp_path).describe()


@pytest.mark.parametrize(("status", "power"), [(b"Discharging", b"many"), (b"\xff", b"5000000")])
def test_a_battery_that_makes_no_sense_is_none(tmp_path, measured, status, power):
    pack = battery(tmp_path)
    (pack / "status").write_bytes(status)
    (pack / "power_now").write_bytes(power)
    assert measured(lambda: None) == Energy()


def test_the_hottest_package_and_the_longest_slowing_are_kept(tmp_path, measured):
    cool = thermometer(tmp_path, 0, "coretemp", 50_000)
    hot = thermometer(tmp_path, 3, "k10temp", 61_500)
    thermometer(tmp_path, 1, "nvme", 99_000)  # a disk
    names = ("package_throttle_total_time_ms", "core_throttle_total_time_ms")
    throttle(tmp_path, 0, **dict.fromkeys(names, 5_000))
    slow = throttle(tmp_path, 11, **dict.fromkeys(names, 0))
    spent = measured(
        lambda: (write(cool, temp1_input=70_250), write(slow, **{names[1]: 1_000})),
        lambda: (write(cool, temp1_input=40_000), write(hot, temp1_input="")),
    )
    assert spent == Energy(temperature_max_c=70.2, throttled_share=0.05)


@pytest.fixture
def nvml(monkeypatch):
    """`nvml(GPU_1={…})`: a library that knows these boards."""

    def made(**boards) -> FakeNvml:
        library = FakeNvml(**boards)
        monkeypatch.setitem(sys.modules, "pynvml", library)
        return library

    return made


def test_gpus_that_count_energy_are_summed(nvml, measured, now):
    library = nvml(
        GPU_1={"mj": 5_000, "celsius": 60, "reasons": 0x4},  # a power limit is no heat
        GPU_2={"mj": 7_000, "celsius": 64, "reasons": 0},
        GPU_3={"mj": 1, "celsius": 99, "reasons": 0x40},  # somebody else's
    )
    sensors = find("H200", ["GPU-1", "GPU-2", "GPU-2"], now=now)  # two ranks on one
    assert sensors.describe() == "NVML, 2 GPUs"
    one, two = library.boards["GPU-1"], library.boards["GPU-2"]

    def work():
        one.mj, two.mj, one.celsius, two.reasons = 1_005_000, 2_007_000, 71, 0x20

    def rest():
        one.mj, one.celsius, two.reasons = 1_505_000, 65, 0

    assert measured(work, rest, sensors=sensors) == Energy(
        source="nvml",
        joules=3500.0,
        mean_watts=175.0,
        peak_watts=300.0,
        temperature_max_c=71.0,
        throttled_share=round(1 / 3, 4),
    )


def test_gpus_that_only_give_power_are_summed_over_time(nvml, measured, now):
    board = nvml(GPU_1={"mw": 100_000}).boards["GPU-1"]
    sensors = find("P40", ["GPU-1"], now=now)

    def work():
        board.mw = 200_000

    spent = measured(work, work, sensors=sensors)
    assert spent == Energy(source="nvml", joules=3500.0, mean_watts=175.0, peak_watts=200.0)


def test_a_gpu_that_is_lost_leaves_no_number(nvml, measured, now):
    library = nvml(GPU_1={"mj": 1, "celsius": 60, "reasons": 0})
    spent = measured(
        lambda: setattr(library.boards["GPU-1"], "mj", None),
        lambda: None,
        sensors=find("H200", ["GPU-1"], now=now),
    )
    assert (spent.source, spent.joules, spent.temperature_max_c) == (None, None, 60.0)


def test_gpus_without_a_way_to_their_energy_say_why(nvml, monkeypatch, tmp_path):
    rapl(tmp_path, "0", "package-0", 0)  # not what a GPU takes

    def why(ids):
        found = find("H200", ids, sysfs=tmp_path)
        assert found.meter is None and found.heat is None
        return found.describe()

    library = nvml(GPU_1={})
    assert "no meter is known for H200" in why([None])
    assert "no meter is known for H200" in why(["GPU-1", None])
    assert why(["GPU-2"]) == "not available here: NVML: Not Found"
    assert why(["GPU-1"]) == "not available here: NVML: Not Supported"
    library.init_error = "Driver Not Loaded"
    assert why(["GPU-1"]) == "not available here: NVML: Driver Not Loaded"
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py" in why(["GPU-1"]) and "pip install" in why(["GPU-1"])


def test_the_installed_library_has_every_name_that_is_asked_for():
    pynvml = pytest.importorskip("pynvml")
    assert all(hasattr(pynvml, name) for name in vars(FakeNvml) if name.startswith("nvml"))
    assert issubclass(pynvml.NVMLError, Exception)
    with pytest.raises(NotAvailable):  # the board, or driver and library
        Nvml(["GPU-none"], time.monotonic)


def test_a_machine_without_sensors_costs_no_thread(tmp_path, measured, monkeypatch):
    sensors = find(sysfs=tmp_path)
    assert (sensors.meter, sensors.heat) == (None, None)
    assert sensors.describe().endswith("no energy counter of a processor (RAPL); no battery")
    assert measured(lambda: None) == Energy()
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert "Darwin has no energy counter that every user may read" in find(sysfs=tmp_path).why


def test_the_thread_finds_a_peak_between_start_and_end_and_ends_with_the_race(tmp_path):
    package = rapl(tmp_path, "0", "package-0", 0, range_uj=10**12)
    with EnergyMonitor(find(sysfs=tmp_path)) as monitor:
        monitor.start()
        time.sleep(0.2)
        write(package, energy_uj=80_000_000)
        time.sleep(1.6)
        spent = monitor.stop()
    assert spent.joules == 80.0 and spent.mean_watts and spent.peak_watts
    assert spent.mean_watts < 46.0 < 60.0 < spent.peak_watts < 81.0
    assert monitor._thread is not None and not monitor._thread.is_alive()
    with pytest.raises(KeyboardInterrupt), EnergyMonitor(find(sysfs=tmp_path)) as monitor:
        monitor.start()
        raise KeyboardInterrupt
    assert monitor._thread is not None
    monitor._thread.join(5.0)
    assert not monitor._thread.is_alive()


def test_a_sensor_that_hangs_leaves_no_number(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "PERIOD_S", 0.01)
    monkeypatch.setattr(energy, "_PATIENCE_S", 0.1)
    rapl(tmp_path, "0", "package-0", 0)
    sensors, calls = find(sysfs=tmp_path), []

    def hang():
        calls.append(1)
        time.sleep(1.0 if len(calls) > 1 else 0.0)
        return 1.0

    monkeypatch.setattr(sensors.meter, "joules", hang)
    monitor = EnergyMonitor(sensors)
    monitor.start()
    time.sleep(0.1)
    assert monitor.stop() == Energy()


def test_looking_at_the_sensors_costs_less_than_a_thousandth_of_the_time(tmp_path):
    """Of one core, on a machine with two packages of 32 cores: a sample a second."""
    for number in range(2):
        rapl(tmp_path, str(number), f"package-{number}", 0)
        thermometer(tmp_path, number, "coretemp", 50_000)
    monitor = EnergyMonitor(find(sysfs=tmp_path))
    monitor._sample()
    before = time.thread_time()
    for _ in range(20):
        monitor._sample()
    assert (time.thread_time() - before) / 20 < 1e-3 * energy.PERIOD_S


def test_parts_of_a_race_are_taken_together():
    first = Energy(
        source="rapl", joules=100.0, mean_watts=10.0, peak_watts=20.0, temperature_max_c=60.0
    )
    second = Energy(source="rapl", joules=50.0, mean_watts=5.0, peak_watts=30.0)
    whole = Energy(source="rapl", joules=150.0, mean_watts=7.5, peak_watts=30.0)
    assert energy.together(first, second) == whole
    assert energy.together(first, Energy()) == Energy()
    assert energy.together(first, Energy(source="nvml", joules=1.0, mean_watts=1.0)) == Energy()


def test_energy_up_to_a_moment_is_told_while_it_goes_on(tmp_path, now, monkeypatch):
    monkeypatch.setattr(energy, "PERIOD_S", 3600.0)
    package = rapl(tmp_path, "0", "package-0", 0)
    with EnergyMonitor(find(sysfs=tmp_path, now=now), now=now) as monitor:
        assert monitor.so_far() == Energy(), "not started yet"
        monitor.start()
        now.s += 10.0
        write(package, energy_uj=2_000_000)
        assert monitor.so_far().joules == 2.0 and monitor.watts == 0.2
        now.s += 10.0
        write(package, energy_uj=3_000_000)
        assert monitor.stop().joules == 3.0
