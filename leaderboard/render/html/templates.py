"""The templates of the page: everything they show is inert and escaped without being asked."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from leaderboard.render import columns
from speedrun.records.sanitize import sanitize
from speedrun.records.statistics import Spread
from speedrun.text import format_size

_ASSETS = Path(__file__).with_name("assets")
_MAX_TEXT = 20_000  # characters of a sample


def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["cells"] = columns
    made.filters.update(
        text=text,
        size=format_size,
        seconds=seconds,
        gib=lambda size: f"{size / 2**30:.1f} GiB",
        svg=Markup,
        sd=sd,
        score=lambda value: f"{value:.4f}",
        count=lambda value: f"{value:,}",
        rate=lambda value: f"{value:,.0f}",
        p=columns.p_value,
        percent=lambda v: f"{v:.3f}",
    )
    return made


def asset(name: str) -> str:
    """A file of the page that is no template."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def _finalized(value: Any) -> Any:
    """What every {{ … }} passes; autoescape comes after it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return value if value.isascii() and value.isprintable() else sanitize(value)
    return value


def text(value: str) -> Markup:
    """Text with its line ends, of bounded length."""
    cut = value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}…"
    return Markup(escape(sanitize(cut, lines=True)))


def seconds(value: float) -> str:
    return f"{value:,.2f} s" if value < 10 else f"{value:,.1f} s"


def sd(value: Spread, digits: int = 4) -> str:
    return "" if value.sd is None else f"± {value.sd:,.{digits}f}"
