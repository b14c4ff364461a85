"""Tables in terminal, Markdown and JSON: contents, any width, names that are only text."""

import io
import json
import re

import pytest
from helpers.made_records import BOUND, made
from rich.console import Console

from leaderboard.attestations import Submission
from leaderboard.rank import Board, boards
from leaderboard.render import columns, markdown, terminal
from leaderboard.render import json as plain
from speedrun.records.sanitize import is_sanitized
from speedrun.records.statistics import Spread
from speedrun.records.summary import summarize

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a | b",
    "`rm -rf`",
    "**bold**",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "[bold red]x[/]",
    "[link=https://evil.example]x[/link]",
    ":warning:",
    "# title",
    "a\nb",
    "a\r\n| x |",
    "\x1b]8;;https://evil.example\x1b\\x",
    "\x1b[2J\x1b[31m",
    "\u202egnp.exe",
    "a\u200bb",
    "Z" + "\u0301\u0302\u0303\u0304" * 5,
    "\\",
    "a\\|b",
    "~~x~~",
    "&lt;b&gt;",
    "\u2028",
    "\x9b31m",
    "x" * 200,
    "注意力" * 40,
    "🦊" * 20,
    "@someone",
    "#12",
]


def board(*rows, **at) -> list[Board]:
    return boards([summarize(record) for record in rows], **at)


def three(arch="transformer", base=0.7, **changes):
    named = {"arch": arch, "config.arch": arch, **changes}
    return [made(base + seed / 100, seed, named) for seed in range(3)]


def shown(found, width: int, top: int = 20) -> str:
    out = io.StringIO()
    terminal.show(Console(file=out, width=width), found, top)
    return out.getvalue()


def test_the_terminal_shows_place_score_and_standing():
    text = shown(
        board(
            *three(),
            *three("lstm", 0.8, created="2026-02-02T00:00:00Z"),
            made(0.5, 9, {"config.x": 9}),
        ),
        240,
    )
    assert "Record: transformer, default, 0.7100 ± 0.0100 bits per byte; first" in text
    assert "tinystories@ff16 · 2000 documents · 5 min · cpu-x86_64-2c-amx" in text
    lines = [line for line in text.splitlines() if re.match(r"\s*[123]  ", line)]
    names = ["transformer, default", "transformer, default", "lstm, default"]
    assert [line.split("  ")[1] for line in lines] == names
    assert "unconfirmed" in lines[0] and lines[1].rstrip().endswith("record")


@pytest.mark.parametrize("width", [80, 120, 240])
def test_the_terminal_fits_its_width(width):
    found = board(*three(), *three("x" * 200, 0.8), *three("注意力" * 40, 0.9))
    for line in shown(found, width).splitlines():
        if "Record" not in line:
            assert len(line) <= width


@pytest.mark.parametrize("width", [72, 80, 100, 120, 160, 200])
def test_columns_are_dropped_before_numbers_are_cut(width):
    text = shown(board(*three(), *three("lstm", 0.8)), width)
    assert "0.7100 ± 0.0100" in text and "transformer" in text and "…" not in text
    dropped = re.search(r"A wider terminal also shows: (.*?)\n✓", text, re.S)
    assert (dropped is None) == (width == 200)


def hostile(name: str) -> dict:
    paths = ("config.recipe_name", "backend", "device", "data.name", "hardware.class")
    return dict.fromkeys(paths, name)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_a_strangers_acts_in_the_terminal(name):
    found = board(*three(name, **hostile(name)), made(0.5, 4, {"status": "interrupted"}))
    for width in (80, 240):
        text = shown(found, width)
        assert is_sanitized(text.replace("\n", "")) and "\x1b" not in text


def test_markup_is_shown_as_it_is_in_the_terminal():
    assert "[bold red]x[/]" in shown(board(*three("[bold red]x[/]")), 300)
    assert ":warning:" in shown(board(*three(":warning:")), 300)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_a_strangers_acts_in_markdown(name):
    text = markdown.render(board(*three(name, **hostile(name))))
    assert is_sanitized(text.replace("\n", ""))
    plain_text = re.sub(r"\\[\\`*_{}\[\]()<>#+!|~&@:$^=.-]", "", text)  # what is escaped is gone
    assert not re.search(r"[<>`]|!\[|\]\(http|https?:", plain_text.replace(_frame(), ""))
    rows = [line for line in plain_text.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert {row.count("|") for row in rows} == {len(columns.COLUMNS) + 3}


def _frame() -> str:
    """The lines above the first track, which are ours."""
    return "\n".join(markdown.render([]).splitlines()[:4]).replace("\\", "")


def test_markdown_is_the_same_for_the_same_records():
    records = [*three(), *three("lstm", 0.8)]
    assert markdown.render(board(*records)) == markdown.render(board(*records[::-1]))
    assert "There are no records yet" in markdown.render([])


def test_markdown_shows_every_entry_of_every_track():
    faster = {"budget_s": 60.0, "config.budget_s": 60.0}
    text = markdown.render(board(*three(), *three("lstm", 0.8), *three("ngram", 0.9, **faster)))
    assert text.count("\n## ") == 2 and "· 1 min ·" in text and "· 5 min ·" in text
    assert "**transformer, default**" in text
    assert "not ranked" not in text
    stopped = made(0.5, 7, {"status": "interrupted"})
    assert "1 more run(s) are not ranked" in markdown.render(board(*three(), stopped))


@pytest.mark.parametrize("name", HOSTILE)
def test_json_comes_back_and_is_ascii(name):
    stopped = made(0.5, 7, {"status": "interrupted"})
    found = board(*three(name), stopped)
    text = json.dumps(plain.boards(found, ["a problem"]), ensure_ascii=True, allow_nan=False)
    assert text.isascii()
    (track,) = json.loads(text)["tracks"]
    entry = track["entries"][0]
    assert entry["arch"] == name and entry["status"] == "record" and entry["place"] == 1
    assert [run["seed"] for run in entry["runs"]] == [0, 1, 2]
    assert entry["bits_per_byte"]["n"] == 3
    assert track["unranked"][0]["why"] == "the run is interrupted"


def test_bounds_dirty_code_and_missing_seeds_are_marked():
    found = board(*three(**BOUND), *three("dirty", 0.6, **{"code.dirty": True}), made(0.5, 1))
    text = shown(found, 300)
    assert "≤ 0.7100 ± 0.0100" in text and "dirty, default*" in text
    assert "unconfirmed: 1 of 3 seeds" in text
    assert "unconfirmed" in text


def test_names_and_authors_come_from_the_notes():
    records = three()
    notes = {
        r.id: Submission(
            record=r.id, name="more heads", author="Ann", submitted="2026-01-01T00:00:00Z"
        )
        for r in records
    }
    text = shown(board(*records, submissions=notes), 300)
    assert "more heads" in text and "Ann" in text
    assert "more heads" in markdown.render(board(*records, submissions=notes))


def test_the_best_few_are_shown_and_the_rest_counted():
    found = board(*(made(0.5 + k / 100, 0, {"config.recipe.lr": k}) for k in range(30)))
    text = shown(found, 240, top=5)
    assert "and 25 more: --top 0 shows all" in text and text.count("unconfirmed") == 5
    assert shown(found, 240, top=0).count("unconfirmed") == 30


def test_numbers_read_well():
    assert columns.spread(Spread(1234.5678, None, 1), 2) == "1,234.57"
    assert columns.spread(Spread(0.71, 0.0123, 3), 4) == "0.7100 ± 0.0123"
    assert [columns.p_value(p) for p in (0.0312, 0.004, 3e-5, 1e-12)] == [
        "0.031",
        "0.004",
        "3e-5",
        "1e-12",
    ]
    (found,) = board(*three(), *three("lstm", 0.6, created="2026-02-02T00:00:00Z"))
    assert "it beat transformer, default (0.7100 ± 0.0100), p = " in columns.record_line(found)
    assert "No record yet: a record needs 3 seeds" in columns.record_line(board(made())[0])
