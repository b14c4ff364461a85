"""Text of a file in blocks: unpacked, decoded, line ends as one newline, no byte order mark."""

import codecs
import contextlib
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

PACKED = (".gz", ".zst", ".bz2", ".xz")
LONGEST_LINE = 1 << 26  # characters: more is not one document a line
_BLOCK_BYTES = 1 << 16  # larger ones are slower: one letter beyond ASCII slows a whole block
_MARKS = (  # the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def text_blocks(file: Path) -> Generator[str, None, None]:
    """Blocks of some 65,000 characters; ValueError for what is no text.

    UTF-16 and UTF-32 are read where the file begins with their mark. A document is the same
    whether its lines end in CR LF or LF.
    """
    with _said_in_one_line(file), _open(file) as stream:
        data = stream.read(_BLOCK_BYTES)
        encoding, offset = "utf-8", 0
        for mark, named in _MARKS:
            if data.startswith(mark):
                encoding, offset, data = named, len(mark), data[len(mark) :]
                break
        decoder: Any = codecs.getincrementaldecoder(encoding)()
        held, is_last = "", False  # a CR whose LF may lie in the next block
        while not is_last:
            is_last, begin = not data, offset - len(decoder.getstate()[0])
            text = _decoded(file, decoder, data, begin, encoding)
            offset += len(data)
            if held or "\r" in text:
                text = held + text
                held = "\r" if text.endswith("\r") and not is_last else ""
                text = text.removesuffix(held).replace("\r\n", "\n")
            if text:
                yield text
            data = stream.read(_BLOCK_BYTES)


def _decoded(file: Path, decoder: Any, data: bytes, begin: int, encoding: str) -> str:
    """The next text; `begin` is the position in the file of what the decoder reads next."""
    try:
        text = decoder.decode(data, final=not data)
    except UnicodeDecodeError as error:
        name = encoding[:6].rstrip("-").upper()
        cure = "convert it to UTF-8 first (iconv -f latin1 -t utf-8, if it is Latin-1)"
        raise ValueError(
            f"--data {file}: not {name} text (byte {begin + error.start}); {cure}"
        ) from None
    if (at := text.find("\0")) >= 0:
        position = begin + len(text[:at].encode(encoding))
        raise ValueError(
            f"--data {file}: NUL at byte {position}: a binary file, or UTF-16 without its mark;"
            " convert it to UTF-8 text first"
        )
    return text


def lines(file: Path) -> Iterator[str]:
    """Lines without their ends."""
    parts: list[str] = []  # of a line that is not at its end
    num_chars = 0
    for block in text_blocks(file):
        *whole, rest = block.split("\n")
        if whole:
            yield "".join([*parts, whole[0]])
            yield from whole[1:]
            parts, num_chars = [], 0
        parts.append(rest)
        num_chars += len(rest)
        if num_chars > LONGEST_LINE:
            raise ValueError(
                f"--data {file}: a line of more than {LONGEST_LINE >> 20} million characters;"
                " write one document a line"
            )
    if num_chars:
        yield "".join(parts)


def _open(file: Path) -> Any:
    """A binary stream of the file, unpacked."""
    packing = file.suffix.lower()
    if packing == ".gz":
        import gzip

        return gzip.open(file)
    if packing == ".bz2":
        import bz2

        return bz2.open(file)
    if packing == ".xz":
        import lzma

        return lzma.open(file)
    if packing == ".zst":
        import pyarrow

        return pyarrow.input_stream(file.open("rb"), compression="zstd")
    return file.open("rb")


@contextlib.contextmanager
def _said_in_one_line(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file, error) from None
    except Exception as error:
        if type(error).__name__ != "LZMAError":  # its module is missing from some Pythons
            raise
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> ValueError:
    if strerror := getattr(error, "strerror", None):
        return ValueError(f"--data {file}: cannot be read ({strerror}); give a file that can")
    why = " ".join(str(error).split())[:160] or "it is cut short"
    return ValueError(f"--data {file}: cannot be unpacked ({why}); download or pack it again")
