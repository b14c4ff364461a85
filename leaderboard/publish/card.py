"""Model card of a published run: what it is, how good, how it was made and how to use it.

The text is in `card.md.jinja`. A record may come from a stranger: its texts are shown literally.
"""

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from leaderboard import reproduce
from leaderboard.publish.data import UNKNOWN, DataFacts
from speedrun.records.curves import thinned
from speedrun.records.host import describe, unfit_because
from speedrun.records.sanitize import markdown, sanitize
from speedrun.records.schema import Record
from speedrun.records.sections import CLOCK_TITLES, OFF_CLOCK, ON_CLOCK
from speedrun.records.summary import unranked_because
from speedrun.text import counted, format_size

_NUM_POINTS = 8  # of the curve, as a table
_MAX_EVENTS = 20


def render(record: Record, about: DataFacts, address: str, licence: str | None) -> str:
    """The text of README.md: metadata of the hub, then Markdown."""
    jinja = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown: `markdown` and `fenced` show texts literally
    )
    shown = {"markdown": markdown, "code": code, "fenced": fenced}
    jinja.filters.update(f=format, size=format_size, counted=counted, **shown)
    values = _values(record, about, address, licence)
    text = jinja.get_template("card.md.jinja").render(values)
    return f"---\n{_metadata(record, about, licence)}\n---\n\n{text}"


def fenced(text: str, language: str = "text") -> str:
    """A block of Markdown that shows a text as it is, whatever backticks are in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{sanitize(text, lines=True).rstrip()}\n{fence}"


def code(text: str) -> str:
    """A short text as code of Markdown."""
    return f"`{sanitize(text).replace('`', '')}`"


def _metadata(record: Record, about: DataFacts, licence: str | None) -> str:
    from huggingface_hub import ModelCardData

    found = ModelCardData(
        language=about.language,
        license=licence,
        library_name="five-minute-speedrun",
        pipeline_tag="text-generation",
        datasets=None if about.repo is None else [about.repo],
        metrics=["perplexity"],
        tags=["five-minute-speedrun", sanitize(record.arch)],
    )
    return found.to_yaml()


def _values(record: Record, about: DataFacts, address: str, licence: str | None) -> dict[str, Any]:
    seconds = record.clock.model_dump()
    curve = [(share, nats) for share, nats in record.train.loss_curve if nats is not None]
    return {
        "record": record,
        "score": record.score,
        "address": address,
        "licence": licence,
        "about": about,
        "is_known": about.licence != UNKNOWN,
        "unranked": unranked_because(record),
        "unfit": unfit_because(record),
        "host": describe(record.host) if record.host else "",
        "curve": thinned(curve, _NUM_POINTS),
        "on_clock": [(CLOCK_TITLES[name], seconds[name]) for name in ON_CLOCK],
        "off_clock": [(CLOCK_TITLES[name], seconds[name]) for name in OFF_CLOCK],
        "settings": {
            name: json.dumps(record.config.get(name), indent=1, ensure_ascii=False)
            for name in ("model", "recipe")
        },
        "events": record.train.events[:_MAX_EVENTS],
        "is_outside": record.source is not None and record.source.is_outside,
        **_command(record),
    }


def _command(record: Record) -> dict[str, Any]:
    """The shell lines that race the run again, or the reason why there are none."""
    try:
        found = reproduce.command(record)
    except ValueError as error:
        return {"script": "", "no_script": str(error), "is_checked": False}
    script = found.script([(record.code.commit, record.seed)])
    return {"script": script, "no_script": "", "is_checked": found.is_checked}
