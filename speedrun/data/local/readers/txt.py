"""Reader of plain text, which is parted at marks, at blank lines, at lines or at spaces."""

import re
from collections.abc import Iterator
from functools import cached_property

from speedrun.data.local import encoding, remembered
from speedrun.data.local.readers.reader import DOCUMENT_END, Reader

MARK = "<|endoftext|>"  # between stories in TinyStories' own .txt files
_BLANK = re.compile(r"\n\s*\n")
_LINES_PER_BLANK = 200  # fewer blank lines than one in so many are slips, not partings
_LINE_CHARS = 1 << 14  # lines that are longer than this on average are no documents
_PIECE_CHARS = 1 << 12  # of text without partings: a few stories' length
_LONGEST = 1 << 20  # characters of a document; a block of text has no more

_SAID = {
    "marks": f"parted at {MARK}",
    "blank": "parted at blank lines",
    "lines": "one document a line",
    "long lines": "one document a line",
    "pieces": "neither marks nor lines part it",
}


class Txt(Reader):
    """Documents of a text file.

    Marks part them wherever the first one comes; without a mark, blank lines do where there
    are enough; else every line is a document. Text that is one endless line is cut at spaces,
    as is a document of more than a million characters.
    """

    _has_cut = False

    @cached_property
    def _parted_by(self) -> str:
        return remembered.of([self.file], "parting", self._look)

    @property
    def _longest(self) -> int:
        return _PIECE_CHARS if self._parted_by == "pieces" else _LONGEST

    def _look(self) -> str:
        """The kind of parting; reads the file to its end, or to the first mark."""
        last = tail = ""  # the end of the text so far, and white space that may go on
        num_chars = num_blank = run = longest = 0
        num_lines = 1
        for block in encoding.text_blocks(self.file):
            text = tail + block
            if MARK in last + text:
                return "marks"
            body = text.rstrip()
            num_chars += len(body)
            num_lines += body.count("\n")
            num_blank += len(_BLANK.findall(body))
            last, tail = (last + body)[-len(MARK) :], "\n" * min(2, text.count("\n", len(body)))
            if (first := block.find("\n")) < 0:
                run += len(block)
            else:
                longest, run = max(longest, run + first), len(block) - 1 - block.rfind("\n")
        if num_blank * _LINES_PER_BLANK >= num_lines:
            return "blank"
        if num_chars > num_lines * _LINE_CHARS:
            return "pieces"
        return "long lines" if max(longest, run) > _LONGEST else "lines"

    def rows(self) -> Iterator[str]:
        """Texts between the partings."""
        by, rest = self._parted_by, ""
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
        if self._parted_by != "lines":
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
        """How documents are parted, in a few words."""
        said = _SAID[self._parted_by]
        if self._has_cut:
            said += f", cut at spaces into pieces of at most {self._longest:,} characters"
        return said


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
