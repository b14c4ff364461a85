"""Base of the readers: documents of one file, and the bytes that identify them."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

DOCUMENT_END = b"\xff"  # never in UTF-8
_DOCS = 64


class Reader(ABC):
    """Documents of one file. Nothing is read before it is asked for."""

    unit = ""  # of the file that is a document, with --text-field
    field: str | None  # known once a row was read

    def __init__(self, file: Path, field: str | None = None) -> None:
        self.file, self.field, self._wanted = file, field, field

    @property
    def way(self) -> str:
        """Choices beyond the file's content that decide which documents it holds."""
        return f"field {self.field}"

    @abstractmethod
    def rows(self) -> Iterator[str]:
        """Texts of the file in order, empty ones too. Raises ValueError for what is no text."""

    def documents(self, start: int = 0, num_docs: int | None = None) -> Iterator[str]:
        """Texts that are not blank, from number `start` of the `num_docs` on."""
        return itertools.islice(filter(str.strip, self.rows()), start, None)

    def canonical(self) -> Iterator[bytes]:
        """The documents as UTF-8, each followed by the byte FF, a block at a time."""
        documents = self.documents()
        while block := list(itertools.islice(documents, _DOCS)):
            yield DOCUMENT_END.join([*(text.encode() for text in block), b""])

    def parting(self) -> str:
        """The way in which documents are parted, in a few words."""
        return self.unit if self.field is None else f"{self.unit}, text in {self.field[:60]!r}"
