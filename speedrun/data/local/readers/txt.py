"""Reader of plain text, which is parted at marks, at blank lines, at lines or at spaces."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from speedrun.data.local import encoding, remembered
from speedrun.data.local.readers.reader import DOCUMENT_END, Reader

MARK = "<|endoftext|>"  # between stories in TinyStories' own .txt files
_BLANK = re.compile(r"\n\s*\n")
_LINES_PER_BLANK = 50  # fewer blank lines than one in so many are slips, not partings
_LINE_CHARS = 1 << 14  # lines that are longer than this on average are no documents
_PIECE_CHARS = 1 << 12  # of text without partings: a few stories' length
_COUNTED_CHARS = 1 << 25  # of a file, whose lines are counted; marks are looked for in all of it
_LONGEST = 1 << 20  # characters of a document; a block of text has no more

_SAID = {
    "marks": f"parted at {MARK}",
    "blank": "parted at blank lines",
    "lines": "one document a line",
    "pieces": "neither marks nor lines part it",
}


@dataclass
class Look:
    """Counts over the beginning of a text file, and facts of all of it up to the first mark."""

    has_mark: bool = False
    num_chars: int = 0
    num_lines: int = 1
    num_blank: int = 0  # partings at blank lines
    longest_line: int = 0  # exact above the size of a block


class Txt(Reader):
    """Documents of a text file.

    Marks part them wherever the first one comes; without a mark, blank lines do where there
    are enough; else every line is a document. Text that is one endless line is cut at spaces,
    as is a document of more than a million characters.
    """

    _has_cut = False

    @cached_property
    def look(self) -> "Look":
        """The counts that tell how the text is parted; reads it to its end, or its first mark."""
        return Look(**remembered.of([self.file], "parting", lambda: asdict(_look(self.file))))

    @cached_property
    def by(self) -> str:
        """The kind of parting, unless `part_alike` has set it."""
        return _kind([self.look])

    @property
    def way(self) -> str:
        """The kind of parting."""
        return self.by

    @property
    def _longest(self) -> int:
        return _PIECE_CHARS if self.by == "pieces" else _LONGEST

    def rows(self) -> Iterator[str]:
        """Texts between the partings."""
        by, rest = self.by, ""
        for block in encoding.text_blocks(self.file):
            text = rest + block
            body = text.rstrip() if by == "blank" else text  # a blank line may go on
            *whole, part = _split(by, body)
            for one in whole:
                yield from self._pieces(one)
            pieces, part = _cut(part, self._longest, len(MARK))
            self._has_cut |= bool(pieces)
            yield from pieces
            tail = text[len(body) :]
            rest = part + ("\n\n" if len(tail) > _LONGEST and tail.count("\n") > 1 else tail)
        yield from self._pieces(rest)

    def _pieces(self, text: str) -> Iterator[str]:
        pieces, rest = _cut(text, self._longest)
        self._has_cut |= bool(pieces)
        yield from pieces
        yield rest.rstrip("\n")

    def canonical(self) -> Iterator[bytes]:
        """As the base; of one document a line in one go, which is many times as fast."""
        if self.by != "lines" or self.look.longest_line > _LONGEST:
            yield from super().canonical()
            return
        rest = "\n"
        for block in encoding.text_blocks(self.file):
            text = rest + block
            end = text.rfind("\n")
            lines, rest = _BLANK.sub("\n", text[: end + 1]), text[end:]
            yield lines[1:].encode().replace(b"\n", DOCUMENT_END)
        if rest.strip():
            yield rest[1:].encode() + DOCUMENT_END

    def parting(self) -> str:
        """The way in which documents are parted, in a few words."""
        said = _SAID[self.by]
        if self._has_cut:
            said += f", cut at spaces into pieces of at most {self._longest:,} characters"
        return said


def part_alike(readers: Sequence[Txt]) -> None:
    """Part the files of one data set in one way: a shard may hold one document."""
    looks = []
    for reader in readers:
        looks.append(reader.look)
        if reader.look.has_mark:
            break
    by = _kind(looks)
    for reader in readers:
        reader.by = by


def _kind(looks: Sequence[Look]) -> str:
    if any(look.has_mark for look in looks):
        return "marks"
    num_lines = sum(look.num_lines for look in looks)
    num_blank = sum(look.num_blank for look in looks)
    if num_blank and num_blank * _LINES_PER_BLANK >= num_lines:
        return "blank"
    is_endless = sum(look.num_chars for look in looks) > num_lines * _LINE_CHARS
    return "pieces" if is_endless else "lines"


def _look(file: Path) -> Look:
    found = Look()
    last = tail = ""  # the end of the text so far, and white space that may go on
    run = 0  # characters since the last line end
    for block in encoding.text_blocks(file):
        text = tail + block if found.num_chars else block.lstrip()
        if MARK in text or MARK in last + text[: len(MARK)]:
            found.has_mark = True
            return found
        body = text.rstrip()
        last, tail = (last + body)[-len(MARK) :], "\n" * min(2, text.count("\n", len(body)))
        if found.num_chars < _COUNTED_CHARS:
            found.num_chars += len(body)
            found.num_lines += body.count("\n")
            found.num_blank += len(_BLANK.findall(body))
        if (first := block.find("\n")) < 0:
            run += len(block)
        else:
            found.longest_line = max(found.longest_line, run + first)
            run = len(block) - 1 - block.rfind("\n")
    found.longest_line = max(found.longest_line, run)
    return found


def _split(by: str, text: str) -> list[str]:
    if by == "marks":
        return text.split(MARK)
    return _BLANK.split(text) if by == "blank" else text.split("\n")


def _cut(text: str, longest: int, slack: int = 0) -> tuple[list[str], str]:
    """Pieces of at most so many characters, cut at white space if there is some, and the rest."""
    pieces, at = [], 0
    while True:
        while text.startswith("\n", at):
            at += 1
        if len(text) - at <= longest + slack:
            return pieces, text[at:]
        limit = at + longest
        end = max(text.rfind(space, at + longest // 2, limit) for space in " \n")
        begin = end + 1 if end > 0 else limit
        pieces.append(text[at : begin - (end > 0)].rstrip("\n"))
        at = begin
