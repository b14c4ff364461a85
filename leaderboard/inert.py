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
# What has a meaning within a line; the rest has one at a line's beginning, where no text stands.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#!|~&$]|(?<=www)\.|:(?=//))")
_MAX_COMBINING = 2  # marks piled on one letter overflow into other lines


def inert(text: str, *, lines: bool = False) -> str:
    """`text` with every acting character escaped; line ends stay where `lines` is set."""
    shown: list[str] = []
    num_piled = 0
    for char in text:
        category = unicodedata.category(char)
        num_piled = num_piled + 1 if category in ("Mn", "Me") else 0
        if (category in _ACTING and not (lines and char == "\n")) or num_piled > _MAX_COMBINING:
            shown.append(char.encode("unicode_escape").decode("ascii"))
        else:
            shown.append(char)
    return "".join(shown)


def is_inert(text: str) -> bool:
    """Whether `text` holds nothing that would have to be escaped."""
    return inert(text) == text


def markdown(text: str) -> str:
    """`text` as one line of Markdown that shows it literally, also inside a table's cell."""
    return _MARKDOWN.sub(r"\\\1", inert(text)) if text else ""
