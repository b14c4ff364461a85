#!/usr/bin/env python3
"""Text of a comment made fit to post: printable, calling nobody, and cut to what a comment takes.

    .github/comment.py UNTRUSTED COMMENT

UNTRUSTED was written where code of a pull request may have run: it is read as text, never more.
"""

import re
import sys
import unicodedata
from pathlib import Path

MAX_BYTES = 60_000  # a comment takes 65,536
_READ_BYTES = 1 << 20


def cut(text: str, max_bytes: int) -> str:
    """The first lines of a text that fit, with a word on how many do not."""
    kept, size = [], 0
    lines = text.splitlines()
    for line in lines:
        if (size := size + len(line.encode()) + 1) > max_bytes - 40:
            return "\n".join([*kept, f"… and {len(lines) - len(kept)} more lines", ""])
        kept.append(line)
    return "\n".join([*kept, ""])


def inert(text: str) -> str:
    """The text without control, format and private characters, and without calls of people."""
    shown = "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")
    return re.sub(r"@(?=\w)", "@\N{ZERO WIDTH SPACE}", shown)


def main(untrusted: Path, comment: Path) -> None:
    """Write the comment; ValueError where there is no plain file to read."""
    if untrusted.is_symlink() or not untrusted.is_file():
        raise ValueError(f"{untrusted}: not a plain file")
    with untrusted.open("rb") as file:
        text = file.read(_READ_BYTES).decode("utf-8", "replace")
    comment.write_text(cut(inert(text), MAX_BYTES), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
