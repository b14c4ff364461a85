"""Readers of JSON: a value a line, or one array; objects with a field of text, or strings."""

import json
import re
from collections.abc import Iterator
from typing import Any

from speedrun.data.local import encoding, fields
from speedrun.data.local.readers.reader import Reader

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can spell it, UTF-8 cannot
_SPACE = re.compile(r"\s*")
_AFTER = re.compile(r"\s*([,\]])\s*")
_LONGEST = encoding.LONGEST_LINE


class Json(Reader):
    """JSON values, told apart by the first character: `[` begins an array."""

    unit = "one JSON value a line"

    def rows(self) -> Iterator[str]:
        """Texts of the lines or of the array's elements."""
        blocks = encoding.text_blocks(self.file)
        first = next((text for block in blocks if (text := block.lstrip())), "")
        blocks.close()
        if first.startswith("["):
            self.unit = "the elements of one JSON array"
            return self._elements()
        return self._lines()

    def _lines(self) -> Iterator[str]:
        for number, line in enumerate(encoding.lines(self.file), 1):
            if not line.strip():
                continue
            where = f"--data {self.file}, line {number}"
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:  # endless digits, endless brackets
                why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                cure = "mend or drop the line"
                if number == 1 and line.strip() == "{":
                    cure = "write one object a line, or an array of them"
                raise ValueError(f"{where}: not JSON ({why}); {cure}") from None
            yield self._text(where, value)

    def _elements(self) -> Iterator[str]:
        """Elements of an array, of which no more than one and a block are in memory."""
        blocks, decoder, number, text = encoding.text_blocks(self.file), json.JSONDecoder(), 1, ""
        while not text.strip():
            text += next(blocks)
        at = text.index("[") + 1
        while True:
            where = f"--data {self.file}, element {number}"
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
            if text.startswith("]", at) and number == 1:
                return
            try:
                value, end = decoder.raw_decode(text, at)
                after = _AFTER.match(text, end)
                if after is None and text[end:].strip():
                    raise json.JSONDecodeError("no comma after it", text, end)
            except (ValueError, RecursionError) as error:
                value, after, why = None, None, getattr(error, "msg", str(error))
            else:
                why = "the file ends early"
            if after is None:  # in the middle of the element, as far as is known
                num_chars, more = len(text) - at, []  # twice as much, so that few tries are made
                while num_chars < _LONGEST and sum(map(len, more)) < len(text) - at + 1:
                    if not (block := next(blocks, "")):
                        break
                    more.append(block)
                if not more:
                    raise ValueError(
                        f"{where}: not JSON ({why}); mend it, or write one value a line"
                    )
                text, at = "".join([text[at:], *more]), 0
                continue
            yield self._text(where, value)
            if after[1] == "]":
                if text[after.end() :].strip() or any(map(str.strip, blocks)):
                    raise ValueError(f"{where}: more after the array; write one value a line")
                return
            number, at = number + 1, after.end()

    def _text(self, where: str, value: Any) -> str:
        if isinstance(value, dict):
            if self._chosen is None:
                self._chosen = self.field = fields.of_object(where, self.field, value)
            value = fields.text_of(where, self._chosen, value)
        elif self._wanted is not None:
            raise ValueError(
                f"{where}: --text-field {self._wanted}: a value without fields; leave it out"
            )
        elif not isinstance(value, str):
            raise ValueError(f'{where}: expected {{"text": "…"}} or a JSON string')
        if not value.isascii() and _LONE_SURROGATE.search(value):
            raise ValueError(
                f"{where}: half a surrogate pair (such as \\ud800) is no text;"
                " mend or drop the line"
            )
        return value

    _chosen: str | None = None
