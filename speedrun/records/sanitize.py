"""Text of strangers made safe to show: names, samples, keys.

Control characters, direction marks and invisible letters become visible `\\u…` escapes. Markup is
left to the renderer: `rich.text.Text`, `markdown` below, jinja's autoescape.
"""

import re
import unicodedata

# Cc controls, Cf format marks (bidirectional ones, zero-width ones, tags), Cs lone surrogates,
# Co private use, Zl and Zp line separators. Emoji joiners go, too: better plain than fooled.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Letters and marks that show nothing: two names that look the same must not be two.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Both as one pattern, for streams have no time for a loop over characters; line ends, carriage
# returns and tabs stay.
_IN_STREAM = (
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
# What `rich` writes itself: styles, lines drawn again, the cursor hidden and shown, links.
_OF_RICH = r"\x1b\[(?:[\d;]*m|\d*[A-G]|\d?K|\?25[hl])|\x1b\]8;[^\x00-\x1f]*\x1b\\\\"
_STREAM = re.compile(f"({_OF_RICH})|{_IN_STREAM}")
# What has a meaning within a line; the rest has one at a line's beginning, where no text stands.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#!|~&$]|(?<=www)\.|:(?=//))")
# `@name` calls a person and `#1` links an issue, escaped or not, in a comment on GitHub.
_REFERENCE = re.compile(r"(?<!\w)@(?=\w)|\\#(?=\d)")
_MAX_COMBINING = 2  # more marks on one letter overflow into other lines


def sanitize(text: str, *, lines: bool = False) -> str:
    """The text with unsafe characters escaped; line ends stay where `lines` is set."""
    if text.isascii() and (text.replace("\n", "") if lines else text).isprintable():
        return text
    shown, num_combining = "", 0
    for char in text:
        category = unicodedata.category(char)
        num_combining = num_combining + 1 if category in ("Mn", "Me") else 0
        is_unsafe = category in _UNSAFE or _INVISIBLE.match(char) is not None
        if (is_unsafe and not (lines and char == "\n")) or num_combining > _MAX_COMBINING:
            char = _escape(char)
        shown += char
    return shown


def sanitize_stream(text: str) -> str:
    """Output for a terminal without what no view writes itself: the net below `sanitize`."""
    return _STREAM.sub(lambda found: found[1] or _escape(found[0]), text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def is_sanitized(text: str) -> bool:
    """Whether the text holds nothing that would have to be escaped."""
    return sanitize(text) == text


def brief(value: object, limit: int = 80) -> str:
    """A value in an error line: sanitized, and cut where it is long."""
    shown = sanitize(repr(value))
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def markdown(text: str) -> str:
    """`text` as one line of Markdown that shows it literally, also inside a table's cell."""
    shown = _MARKDOWN.sub(r"\\\1", sanitize(text))
    return _REFERENCE.sub(lambda found: f"{found[0]}&#8203;", shown)
