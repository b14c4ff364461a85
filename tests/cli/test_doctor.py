"""The command doctor."""

import io
import json

from helpers.command_line import done_well
from rich.console import Console

from speedrun.cli import doctor
from speedrun.system.git import CodeVersion


def test_findings_are_json_and_a_table_that_names_a_busy_machine(monkeypatch):
    monkeypatch.setattr(doctor, "_rates", lambda device: {"fp32": 100.0, "bf16": None})
    found = json.loads(done_well("doctor", "--json"))
    assert found["auto"] in {d["name"] for d in found["devices"] if d["available"]}
    assert found["hub"].startswith("cannot be read: ")
    assert found["architectures"] and found["machine"]["class"]
    found["machine"]["load_per_core"] = 1.48
    found["machine"] |= {"arch": "x86_64", "physical_cores": 4, "cpu_quota": 1.5}
    found["machine"] |= {"features": ["avx2"], "memory_limit": 2 << 30, "class": "a-class"}
    assert found["host"]["matmul_before"] > 0 and found["host"]["matmul_after"] > 0
    found["host"] = {
        "matmul_before": 121.0,
        "matmul_after": 50.0,
        "stolen_share": 0.005,
        "others_share": None,
        "unfit_because": "it is slow",
    }
    out = io.StringIO()
    doctor._print(Console(file=out, width=200), found)
    shown = out.getvalue()
    assert "--device" in shown and "--backend" not in shown
    assert (
        "a-class: x86_64, 4 physical cores, a quota of 1.5 of them, avx2, at most 2.0 GiB" in shown
    )
    assert "121 GFLOP/s before, 50 after; 0.5% stolen, ? taken by others: it is slow" in shown
    assert "energy         " in shown and found["energy"] in shown
    assert "1.48 per core: busy; results will be slower and not comparable" in shown


def test_problems_of_the_machine_are_listed(monkeypatch):
    monkeypatch.setattr(doctor, "_rates", lambda device: {"fp32": 100.0})
    monkeypatch.setattr("speedrun.system.hardware.limits", lambda: "limited to 1 of 4 cores")
    monkeypatch.setattr("speedrun.system.git.code_version", lambda: CodeVersion(None, None, "odd"))
    monkeypatch.setenv("SPEEDRUN_CACHE", __file__)
    found = json.loads(done_well("doctor", "--json"))
    limited, cache, code = found["problems"]
    assert (limited, code) == ("limited to 1 of 4 cores", "odd") and "a temporary one" in cache
    out = io.StringIO()
    doctor._print(Console(file=out, width=200), found)
    assert all(problem in out.getvalue() for problem in found["problems"])
