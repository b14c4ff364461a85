"""Numbers as text and text as numbers: sizes, durations, rates, and the nearest known name."""

import difflib
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter

N = TypeVar("N", int, float)

_SIZE = re.compile(r"([0-9]*\.?[0-9]+)\s*([kmb]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
_LARGEST = 1e18
CHECKPOINT_EVERY_S = 600.0
_LISTED_NAMES = 16  # a longer list of known names is left out where a near one is offered


def _whole(kind: type, tokens: Sequence[Any]) -> int:
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is not a whole number") from None


# An option that takes whole numbers only; a plain int would round 1.5 in silence.
StrictInt = Annotated[int, Parameter(converter=_whole)]


def size(num_bytes: float) -> str:
    """Bytes in decimal units, as the published tables have them: `0.14 GB`."""
    if num_bytes < 0.0995e6:
        return f"{num_bytes / 1e3:.3g} kB"
    if num_bytes < 0.0995e9:
        return f"{num_bytes / 1e6:.3g} MB"
    gigabytes = num_bytes / 1e9
    if gigabytes < 10:
        return f"{gigabytes:.2f} GB"
    return f"{gigabytes:.3g} GB" if gigabytes < 1000 else f"{gigabytes:,.0f} GB"


def flop(number: float) -> str:
    """A number of operations: `1.20e16 FLOP`."""
    mantissa, exponent = f"{number:.2e}".split("e")
    return f"{mantissa}e{int(exponent)} FLOP"


def rate(flop_per_s: float) -> str:
    """Operations per second: `20 TFLOP/s`, `173 GFLOP/s`."""
    if flop_per_s < 1e12:
        return f"{flop_per_s / 1e9:.3g} GFLOP/s"
    return f"{flop_per_s / 1e12:.3g} TFLOP/s"


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would choose: `1.11 h`."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 0.1 * 3600:
        return f"{seconds / 60:.3g} min"
    if seconds < 72 * 3600:
        return f"{seconds / 3600:.2f} h"
    return f"{seconds / 86400:,.1f} days"


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds: `4:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def count(number: float) -> str:
    """A large number with its unit: `1.7B`, `3.2T`."""
    return f"{number / 1e12:.3g}T" if number >= 1e12 else format_size(number)


def counted(number: int, noun: str) -> str:
    """A number of things: `1 step`, `2,000 steps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_size(number: float) -> str:
    """A number of parameters or tokens with three digits: 2_031_616 as `2.03M`."""
    for unit, scale in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= scale:
            return f"{number / scale:.3g}{unit}"
    return f"{number:.3g}"


def parse_size(text: str) -> int:
    """`2M`, `250k`, `1.5m` or `2000000` as a number."""
    match = _SIZE.fullmatch(str(text).strip())
    number = float(match[1]) * _UNITS[match[2].lower()] if match else 0.0
    if not 0 < number < _LARGEST:
        raise ValueError(f"size {text!r}: give a number above 0 such as 250K, 2M or 2000000")
    return round(number)


def parse_size_or_0(text: str, option: str) -> int:
    """A size, or 0; a ValueError names the option."""
    try:
        return 0 if text.strip() == "0" else parse_size(text)
    except ValueError:
        raise ValueError(
            f"{option} {text}: give 0, or a number above it such as 8M or 16777216"
        ) from None


def parse_sizes(text: str) -> tuple[int, ...]:
    """`250K,500K,1M` as numbers; raises ValueError unless they ascend."""
    sizes = tuple(parse_size(part) for part in text.split(","))
    return ascending(sizes, f"--params {text}", "sizes such as 250K,500K,1M")


def parse_tables(text: str) -> tuple[int, ...]:
    """`0,4M,16M` as numbers; raises ValueError unless they ascend."""
    sizes = tuple(parse_size_or_0(part, "--tables") for part in text.split(","))
    return ascending(sizes, f"--tables {text}", "sizes such as 0,4M,16M")


def ascending(values: tuple[N, ...], given: str, wanted: str) -> tuple[N, ...]:
    """`values`, or ValueError unless each is larger than the one before."""
    if any(a >= b for a, b in itertools.pairwise(values)):
        raise ValueError(f"{given}: give {wanted}, each larger than the one before")
    return values


def parse_minutes(text: str) -> float:
    """Minutes as seconds; raises ValueError outside (0, 1440] minutes."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = float("nan")
    if not 0 < minutes <= 24 * 60:
        raise ValueError(f"--minutes {text}: give a number above 0, at most 1440, such as 5 or 0.5")
    return minutes * 60.0


def parse_checkpoint_every(text: str | None, budget_s: float) -> float:
    """Seconds between checkpoints, 0 for none; None: 10 minutes in budgets longer than that."""
    if text is None:
        return CHECKPOINT_EVERY_S if budget_s > CHECKPOINT_EVERY_S else 0.0
    try:
        minutes = float(text)
    except ValueError:
        minutes = float("nan")
    if not 0 <= minutes <= 24 * 60:
        raise ValueError(
            f"--checkpoint-every {text}: give minutes, at most 1440, such as 10; 0 for none"
        )
    return minutes * 60.0


def round_values(low: float, high: float, most: int) -> list[float]:
    """Round values at even distances from `low` to `high`, about `most`: ticks of an axis."""
    raw = (high - low) / most
    decade = 10.0 ** math.floor(math.log10(raw))
    step = next(nice * decade for nice in (1, 2, 5, 10) if nice * decade >= raw)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def parse_eval_docs(text: str) -> int | None:
    """A number of held-out documents; None for `all`."""
    if text == "all":
        return None
    if not text.isdecimal():
        raise ValueError(f"--eval-docs {text}: give a number of 2 or more, or 'all'")
    return int(text)


def check_utf8(text: str, what: str) -> None:
    """Raise ValueError for a word of the command line whose bytes are not UTF-8 text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{what} {text!a:.100}: its bytes are not UTF-8 text; type it in a UTF-8 terminal,"
            " or rename it"
        ) from None


def reason(error: BaseException, most: int = 200) -> str:
    """An error in one line, `TypeError: what it says`, of which at most so many letters."""
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    lines = (said or "").strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:most]}".removesuffix(": ")


def nearest(name: str, known: Iterable[str], what: str) -> LookupError:
    """An error for an unknown name that offers the nearest known ones.

    A name without its section counts as near: `lr` for `recipe.lr`.
    """
    known = sorted(known)
    close = [other for other in known if other.partition(".")[2] == name]
    close = close or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else ""
    listed = "" if close and len(known) > _LISTED_NAMES else f"known: {', '.join(known)}"
    return LookupError(f"unknown {what} {name!r}: {' '.join(filter(None, (hint, listed)))}")
