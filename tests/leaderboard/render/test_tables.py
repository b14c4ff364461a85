"""Tables in terminal, Markdown and JSON: contents, any width, names that are only text."""

import io
import json
import re

import pytest
from helpers import page_store
from helpers.made_records import BOUND, made, submission
from rich.cells import cell_len
from rich.console import Console

from leaderboard.render import columns, markdown, terminal
from leaderboard.render import json as plain
from leaderboard.standing.boards import Board, boards
from speedrun.records.sanitize import is_sanitized
from speedrun.records.statistics import Spread
from speedrun.records.summary import summarize

HOSTILE = [
    *page_store.HOSTILE,
    "a | b",
    "`rm -rf`",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "[bold red]x[/] :warning:",
    "[link=https://evil.example]x[/link]",
    "# title",
    "a\r\n| x |",
    "\x1b]8;;https://evil.example\x1b\\x\x1b[2J",
    "\u202egnp.exe",
    "a\u200bb",
    "Z" + "\u0301\u0302\u0303\u0304" * 5,
    "\\",
    "a\\|b",
    "~~x~~ **bold**",
    "\u2028\x9b31m",
    "x" * 200,
    "注意力" * 40,
    "🦊" * 20,
    "@someone #12",
]


def board(*rows, **at) -> list[Board]:
    return boards([summarize(record) for record in rows], **at)


def three(arch="transformer", base=0.7, **changes):
    named = {"arch": arch, "config.arch": arch, **changes}
    return [made(base + seed / 100, seed, named) for seed in range(3)]


LATER = three("lstm", 0.8, created="2026-02-02T00:00:00Z")
STOPPED = made(0.5, 7, {"status": "interrupted"})


def shown(found, width: int, top: int = 20) -> str:
    out = io.StringIO()
    terminal.show(Console(file=out, width=width), found, top)
    return out.getvalue()


def test_markdown_shows_every_entry_of_every_track():
    faster = {"budget_s": 60.0, "config.budget_s": 60.0}
    text = markdown.render(board(*three(), *LATER, *three("ngram", 0.9, **faster)))
    assert text.count("\n## ") == 2 and "· 1 min ·" in text and "· 5 min ·" in text
    assert "**transformer, default**" in text
    assert "not ranked" not in text
    assert "Not ranked: 1 more run." in markdown.render(board(*three(), STOPPED))
    reordered = markdown.render(board(*LATER, *three()[::-1]))
    assert reordered == markdown.render(board(*three(), *LATER))
    assert "There are no records yet" in markdown.render([])


def test_bounds_dirty_code_and_missing_seeds_are_marked():
    found = board(*three(**BOUND), *three("dirty", 0.6, **{"code.dirty": True}), made(0.5, 0))
    text = shown(found, 300)
    assert "≤ 0.7100 ± 0.0100" in text and "dirty, default*" in text
    assert "unconfirmed: 1 of 3 seeds" in text
    assert "unconfirmed" in text


def test_the_best_few_are_shown_and_the_rest_counted():
    found = board(*(made(0.5 + k / 100, 0, {"config.recipe.lr": k}) for k in range(30)))
    text = shown(found, 240, top=5)
    assert "and 25 more: --top 0 shows all" in text and text.count("unconfirmed") == 5
    assert shown(found, 240, top=0).count("unconfirmed") == 30


def test_the_terminal_shows_place_score_and_standing():
    text = shown(board(*three(), *LATER, made(0.5, 0, {"config.x": 9})), 260)
    assert "Record: transformer, default, 0.7100 ± 0.0100 bits per byte; first" in text
    assert "tinystories@ff16+2ef0 · 2000 documents · 5 min · cpu-x86_64-2c-amx" in text
    lines = [line for line in text.splitlines() if re.match(r"\s*[123]  ", line)]
    names = ["transformer, default", "transformer, default", "lstm, default"]
    assert [line.split("  ")[1] for line in lines] == names
    assert "unconfirmed" in lines[0] and lines[1].rstrip().endswith("record")


def test_a_track_without_ranked_runs_has_no_empty_table_and_names_the_runs():
    stopped = board(STOPPED)
    text = shown(stopped, 120)
    assert "bits per byte" not in text.replace("No record yet", "")
    assert f"not ranked: {stopped[0].unranked[0].id[:8]}, " in text


@pytest.mark.parametrize(("mean", "cell"), [(4096, "4,096"), (7.9e6, "7.90M"), (1.2e5, "0.12M")])
def test_few_tokens_are_not_rounded_to_none(mean, cell):
    assert columns._tokens(mean) == cell


@pytest.mark.parametrize("width", [72, 80, 120, 200])
def test_columns_are_dropped_before_numbers_are_cut(width):
    text = shown(board(*three(), *LATER), width)
    assert "0.7100 ± 0.0100" in text and "transformer" in text and "…" not in text
    dropped = re.search(r"A wider terminal also shows: (.*?)\n✓", text, re.S)
    assert (dropped is None) == (width == 200)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_a_strangers_acts(name):
    paths = ("config.recipe_name", "backend", "device", "data.name", "hardware.class")
    found = board(*three(name, **dict.fromkeys(paths, name)), STOPPED)
    for width in (80, 240):
        text = shown(found, width)
        assert is_sanitized(text.replace("\n", "")) and "\x1b" not in text
        assert all(cell_len(line) <= width for line in text.splitlines() if "Record" not in line)
    text = markdown.render(found)
    assert is_sanitized(text.replace("\n", ""))
    unescaped = re.sub(r"\\[\\`*_{}\[\]()<>#+!|~&@:$^=.-]", "", text)
    ours = "\n".join(markdown.render([]).splitlines()[:4]).replace("\\", "")
    assert not re.search(r"[<>`]|!\[|\]\(http|https?:", unescaped.replace(ours, ""))
    rows = [line for line in unescaped.splitlines() if line.startswith("|")]
    assert [row.count("|") for row in rows[:3]] == [len(columns.COLUMNS) + 3] * 3


def test_markup_is_shown_as_it_is_in_the_terminal():
    assert "[bold red]x[/] :warning:" in shown(board(*three("[bold red]x[/] :warning:")), 300)


@pytest.mark.parametrize("name", HOSTILE)
def test_json_comes_back(name):
    text = json.dumps(plain.boards(board(*three(name), STOPPED), ["a problem"]), allow_nan=False)
    (track,) = json.loads(text)["tracks"]
    entry = track["entries"][0]
    assert (entry["arch"], entry["status"], entry["place"]) == (name, "record", 1)
    assert [run["seed"] for run in entry["runs"]] == [0, 1, 2]
    assert entry["bits_per_byte"]["n"] == 3
    assert track["unranked"][0]["why"] == "the run is interrupted"


def test_json_has_the_energy_of_entries_whose_runs_were_measured_alike():
    def energies(*records):
        (track,) = plain.boards(board(*records), [])["tracks"]
        return [entry["energy"] for entry in track["entries"]]

    measured = {"source": "rapl", "joules": 7500.0, "mean_watts": 25.0}
    assert energies(*three()) == [measured]
    other = {"energy.source": "battery", "energy.joules": 7500.0}
    assert energies(*three()[:2], made(0.72, 2, other)) == [None]


def test_names_and_authors_come_from_the_notes():
    notes = {record.id: submission(record.id, "more heads", "Ann") for record in three()}
    text = shown(board(*three(), submissions=notes), 300)
    assert "more heads" in text and "Ann" in text
    assert "more heads" in markdown.render(board(*three(), submissions=notes))


def test_numbers_read_well():
    assert columns.spread(Spread(1234.5678, None, 1), 2) == "1,234.57"
    assert columns.spread(Spread(0.71, 0.0123, 3), 4) == "0.7100 ± 0.0123"
    shown = ["0.031", "0.004", "3e-5", "1e-12"]
    assert [columns.p_value(p) for p in (0.0312, 0.004, 3e-5, 1e-12)] == shown
    assert "No record yet: a record needs seeds 0 to 2" in columns.record_line(board(made())[0])
