"""Templates of the pages: values are escaped, cut at a length and formatted."""

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from leaderboard.render import columns
from leaderboard.render.verification import second_line
from leaderboard.standing.entries import MIN_SEEDS
from speedrun.duel.verdict import RECORD_PAIRS, SIGNIFICANCE
from speedrun.records import host
from speedrun.records.sanitize import sanitize
from speedrun.records.sections import BESIDE_CLOCK, CLOCK_TITLES, OFF_CLOCK, ON_CLOCK
from speedrun.system import git
from speedrun.text import counted, format_size

ASSETS = Path(__file__).with_name("assets")
_MAX_STORY = 420  # characters of one on the index
_MAX_TEXT, _MAX_SETTING = 20_000, 300  # characters
_LONG_SETTING = 40  # characters, beyond which one takes a line of its own


def environment() -> Environment:
    """Templates whose values are escaped and stripped of control characters by themselves."""
    jinja = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    accounts = {"on the clock": ON_CLOCK, "off the clock": OFF_CLOCK, "rules": BESIDE_CLOCK}
    jinja.globals.update(cells=columns, accounts=accounts, titles=CLOCK_TITLES)
    jinja.globals.update(min_seeds=MIN_SEEDS, record_pairs=RECORD_PAIRS, significance=SIGNIFICANCE)
    jinja.globals.update(links=_links(), counted=counted)
    jinja.filters.update(
        story=_story,
        text=_text,
        setting=_setting,
        rows=_rows,
        size=format_size,
        seconds=_seconds,
        seconds_cells=_seconds_cells,
        bar=_bar,
        gib=lambda size: f"{size / 2**30:.1f} GiB",
        svg=Markup,
        score=lambda value: f"{value:.4f}",
        count=lambda value: f"{value:,}",
        rate=lambda value: f"{value:,.0f}",
        p=columns.p_value,
        machine=columns.machine,
        second=second_line,
        host=host.describe,
        unfit=host.unfit_because,
    )
    return jinja


def _finalize(value: Any) -> Any:
    """Every {{ … }} passes through this, and then through autoescape."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return value if value.isascii() and value.isprintable() else sanitize(value)
    return value


def _text(value: str) -> Markup:
    """Text with its line breaks, cut at a length."""
    cut = value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}…"
    return Markup(escape(sanitize(cut, lines=True)))


def _story(value: str) -> Markup:
    """The beginning of a story, cut after a word."""
    cut = value if len(value) <= _MAX_STORY else f"{value[:_MAX_STORY].rsplit(None, 1)[0]} …"
    return _text(re.sub(r"\s*\n\s*", "\n", cut.strip()))


def _links() -> dict[str, str]:
    """Addresses of the project and its rules, where the checkout says from which one it comes."""
    home = git.web_address()
    if home is None:
        return {}
    files = f"{home}/-/blob/HEAD" if "gitlab" in home else f"{home}/blob/HEAD"
    return {
        "project": home,
        "rules": f"{files}/leaderboard/README.md",
        "commands": f"{files}/docs/leaderboard.md",
    }


def _setting(value: Any) -> str:
    """A setting as JSON, text without its quotes, cut at a length."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "(nested too deeply)"
    return text if len(text) <= _MAX_SETTING else f"{text[:_MAX_SETTING]}…"


def _seconds(value: float) -> str:
    return f"{value:,.2f} s" if value < 10 else f"{value:,.1f} s"


# Cells and bars of clocks are half of a page's values: they are numbers, and need no escaping.
def _seconds_cells(clocks: Sequence[Mapping[str, Any]], account: str) -> Markup:
    """Cells with the seconds of an account of several clocks."""
    texts = (_seconds(clock["seconds"][account]) for clock in clocks)
    return Markup("".join(f'<td class="num">{text}</td>' for text in texts))


def _bar(seconds: Mapping[str, float], accounts: Iterable[str], whole_s: float) -> Markup:
    """Parts of a bar of so many seconds, one for each of these accounts that is not empty."""
    parts = (
        f'<i class="{name}" style="width: {100 * seconds[name] / whole_s:.3f}%"'
        f' title="{CLOCK_TITLES[name]}: {_seconds(seconds[name])}"></i>\n'
        for name in accounts
        if seconds[name] > 0
    )
    return Markup("".join(parts))


def _rows(settings: Iterable[tuple[str, Any]]) -> Markup:
    """Rows of a list of settings."""
    return Markup("").join(_row(_setting(key), _setting(value)) for key, value in settings)


@functools.lru_cache(10_000)  # most settings of a leaderboard have few values
def _row(key: str, value: str) -> Markup:
    kind = Markup(' class="long"') if len(value) > _LONG_SETTING else ""
    row = Markup("<div{}><dt>{}</dt><dd>{}</dd></div>\n")
    return row.format(kind, sanitize(key), sanitize(value))
