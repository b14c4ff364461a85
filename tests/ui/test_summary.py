"""Summary of a finished race."""

import io
import re
from pathlib import Path

import pytest
from helpers.made_records import made
from rich.console import Console

from speedrun.ui import summary
from speedrun.ui.places import Places

FOLDER = Path("runs") / "RUN"


def shown(record, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    summary.finished(console, record, FOLDER, Places())
    return out.getvalue()


def test_plain_lines_in_a_pipe_and_colours_in_a_terminal():
    text = shown(made())
    assert "bits per byte  " in text and "saved in runs" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert not [char for char in text if ord(char) < 32 and char != "\n"]
    assert f"Next: sample {FOLDER}, or race 3 seeds" in text
    assert "\x1b[1;32mbits per byte" in shown(made(), terminal=True)


def test_what_should_not_happen_is_shown_only_where_it_did():
    calm = shown(made(changes={"clock.overshoot_s": 0.0, "clock.suspended_s": 0.0}))
    assert "past the budget" not in calm and "suspended" not in calm
    late = shown(made(changes={"clock.overshoot_s": 1.2, "clock.suspended_s": 0.0}))
    assert "exceptional    past the budget 1.2 s\n" in late


def test_a_code_from_outside_a_disturbed_host_and_a_long_account_are_marked():
    calm = shown(made())
    assert "host           96 GFLOP/s before, 94 after; 1.0% stolen, 2.0% taken by others\n" in calm
    marks = ("outside the project", "not a record", "flagged")
    assert not [mark for mark in marks if mark in calm]
    changes = {"source.is_outside": True, "host.others_share": 0.25, "clock.compile_s": 5000.0}
    odd = shown(made(changes=changes))
    assert "code           outside the project, digest bbbbbbbbbbbb\n" in odd
    assert "not a record   its cores' time was taken: 1% by the hypervisor and 25% by other" in odd
    assert "flagged        compile took 5,000 s, above 900 s\n" in odd


def test_energy_and_heat_have_a_line_where_they_are_known():
    text = shown(made())
    assert (
        "energy         7,500 J, 25.0 W, peak 31.5 W (RAPL: the processor packages)\n"
        "heat           at most 71 °C, slowed for heat: never\n"
    ) in text
    assert "slowed for heat: 4.2% of it" in shown(made(changes={"energy.throttled_share": 0.042}))
    unknown = dict.fromkeys(made().content()["energy"])
    text = shown(made(changes={f"energy.{name}": None for name in unknown}))
    assert "energy" not in text and "heat" not in text


def test_the_score_comes_first_then_place_and_next_step_and_the_story_last():
    for terminal in (False, True):
        text = shown(made(), terminal=terminal)
        words = ("bits per byte", "First run of this track", "Next: ", "perplexity", "Once, a fox")
        places = [text.index(word) for word in words]
        assert places == sorted(places)
    assert "┤" in shown(made(), terminal=True), "the loss has its axes"
    assert "▁" in shown(made()) and "┤" not in shown(made())


def test_a_long_story_does_not_fill_the_panel():
    story = "Once upon a time there was a cat. " * 100
    long = made(changes={"sample.text": story})
    assert shown(long, terminal=True).count("there was a cat") < 20
    assert shown(long).count("there was a cat") == 100


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_the_summary_fits_the_terminal(width):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, no_color=True)
    summary.finished(console, made(), FOLDER, Places())
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in out.getvalue().splitlines()]
    assert max(map(len, lines)) == min(width, 100) and "38;" not in out.getvalue()


def test_seeds_are_lines_in_a_pipe_and_a_table_in_a_terminal():
    for terminal in (False, True):
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, width=100)
        summary.seeds(console, [made(), made(seed=1)])
        text = out.getvalue()
        assert "transformer, 2 seeds" in text and "mean ± sd" in text
        assert ("│" in text) is terminal


def test_means_come_with_the_sample_deviation():
    assert summary.spread([1.0, 2.0, 3.0], 2) == "2.00 ± 1.00"
    assert summary.spread([1.0], 2) == "1.00"
    assert summary.spread([], 2) == "-"
