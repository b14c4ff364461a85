"""Text of strangers, made harmless to show: names, samples, keys.

A terminal obeys escape sequences, a reader is fooled by right-to-left marks, a page by tags.
Here every character that acts instead of being seen becomes its visible `\\u…` escape; markup is
then the business of whoever shows it: `rich.text.Text`, `markdown` below, jinja's autoescape.
"""

import re
import unicodedata

# Cc controls, Cf format marks (bidirectional ones, zero-width ones, tags), Cs lone surrogates,
# Co private use, Zl and Zp line separators. Emoji joiners go, too: better plain than fooled.
_ACTING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Letters and marks that show nothing: two names that look the same must not be two.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# What has a meaning within a line; the rest has one at a line's beginning, where no text stands.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#!|~&$]|(?<=www)\.|:(?=//))")
# `@name` calls a person and `#1` links an issue, escaped or not, in a comment on GitHub.
_REFERENCE = re.compile(r"(?<!\w)@(?=\w)|\\#(?=\d)")
_MAX_COMBINING = 2  # marks piled on one letter overflow into other lines


def sanitize(text: str, *, lines: bool = False) -> str:
    """`text` with every acting character escaped; line ends stay where `lines` is set."""
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    num_piled = 0
    for char in text:
        category = unicodedata.category(char)
        num_piled = num_piled + 1 if category in ("Mn", "Me") else 0
        acts = category in _ACTING or _INVISIBLE.match(char) is not None
        if (acts and not (lines and char == "\n")) or num_piled > _MAX_COMBINING:
            shown.append(char.encode("unicode_escape").decode("ascii"))
        else:
            shown.append(char)
    return "".join(shown)


def is_sanitized(text: str) -> bool:
    """Whether `text` holds nothing that would have to be escaped."""
    return sanitize(text) == text


def brief(value: object, limit: int = 80) -> str:
    """A stranger's value in an error line: inert, and cut where it is long."""
    shown = sanitize(repr(value))
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def markdown(text: str) -> str:
    """`text` as one line of Markdown that shows it literally, also inside a table's cell."""
    shown = _MARKDOWN.sub(r"\\\1", sanitize(text))
    return _REFERENCE.sub(lambda found: f"{found[0]}&#8203;", shown)
