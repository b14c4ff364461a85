"""Data source of local files."""

import itertools
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from speedrun.data.heldout import ONE_IN, is_held_out_by_hash
from speedrun.data.local import identity
from speedrun.data.local.files import READERS, find, kind_of, stem_of
from speedrun.data.local.identity import Survey
from speedrun.data.local.readers.reader import Reader
from speedrun.data.local.readers.txt import Txt, part_alike
from speedrun.data.local.remembered import stamp
from speedrun.data.source import Counted, Documents
from speedrun.text import counted

_LOOK_EVERY_DOCS = 64  # whether a file changed since it was identified
_SLOW_BYTES = 1 << 28  # files that take more than a second to read


class LocalFiles:
    """Data source of local files. Raises ValueError for files that cannot be used."""

    origin = "local"

    def __init__(self, path: Path, text_field: str | None = None) -> None:
        self.path, self._found = path, find(path)
        self._notice: Callable[[str], None] = lambda text: None
        self._stamps: dict[Path, object] = {}  # of the training files as they were identified
        self.by_hash = not self._found.heldout
        self.name = stem_of(path.resolve()).lower().encode("utf-8", "replace").decode()
        self._train, self._heldout = (
            [READERS[kind_of(file)](file, text_field) for file in files]
            for files in (self._found.train, self._found.heldout)
        )
        first, *others = readers = [*self._train, *self._heldout]
        if texts := [reader for reader in readers if isinstance(reader, Txt)]:
            if text_field is not None:
                raise ValueError(
                    f"--text-field {text_field}: {first.file.name} is plain text without fields;"
                    " leave it out"
                )
            part_alike(texts)
        _expect_text(first)
        for reader in others:  # of one data set: the field is chosen once
            reader.field = first.field
        for reader in self._heldout[:1]:
            _expect_text(reader)

    @cached_property
    def survey(self) -> Survey:
        """Facts that a reading of all training files tells. Raises ValueError for a bad row."""
        self._stamps = {reader.file: stamp(reader.file) for reader in self._train}
        return identity.survey(self._train, by_hash=self.by_hash, reading=self._say_size)

    def _say_size(self) -> None:
        num_bytes = sum(file.stat().st_size for file in self._found.train)
        if num_bytes > _SLOW_BYTES:
            self._notice(
                f"Reading {num_bytes / 1e9:.1f} GB of {self.path} whole, to check and to identify"
                " it; later races on these files need not."
            )

    @property
    def train_fingerprint(self) -> str:
        """Identity of the training documents by their content."""
        return self.survey.fingerprint

    def announce(self, notice: Callable[[str], None]) -> None:
        """Read all training files, and say in one line what was found in them."""
        self._notice = notice
        survey, found, files = self.survey, self._found, self._found.train
        what = files[0].name if len(files) == 1 else f"{len(files)} training files"
        what += "" if files == [self.path] else f" of {self.path}"
        by = f"one in {ONE_IN} by hash"
        if found.heldout:
            others = f" and {len(found.heldout) - 1} more" if len(found.heldout) > 1 else ""
            by = f"{found.heldout[0].relative_to(self.path)}{others}"
        said = f"Data: {counted(sum(survey.num_docs), 'document')} in {what}"
        said += f" ({'; '.join(survey.partings)}); held out: {by}."
        if found.left_out:
            said += f" Not used: {found.left_out[0].relative_to(self.path)}."
        if found.beside:
            said += f" Not used: the held-out split beside it, {found.beside}."
        notice(said)

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        """Training documents from the start, or from after a saved state."""
        start = state["doc"] if state else 0
        return Counted(self._train_documents(start), start)

    def _train_documents(self, start: int) -> Iterator[str]:
        """From document `start` on; held-out ones come as empty text, so that counts hold."""
        num_docs = self.survey.num_docs if start else [None] * len(self._train)
        for reader, count in zip(self._train, num_docs, strict=True):
            if count is not None and start >= count:
                start -= count
                continue
            for number, text in enumerate(reader.documents(start, count)):
                if number % _LOOK_EVERY_DOCS == 0:
                    self._expect_unchanged(reader.file)
                yield "" if self.by_hash and is_held_out_by_hash(text) else text
            self._expect_unchanged(reader.file)
            start = 0

    def _expect_unchanged(self, file: Path) -> None:
        if stamp(file) != self._stamps.get(file, stamp(file)):
            raise ValueError(
                f"--data {file}: it changed after it was read whole: race again, on what it is now"
            )

    def heldout(self, limit: int | None) -> list[str]:
        """The first `limit` held-out documents (all for None): a file's, or drawn by hash."""
        texts = (t for reader in self._heldout or self._train for t in reader.documents())
        if self.by_hash:
            texts = filter(is_held_out_by_hash, texts)
        return list(itertools.islice(texts, limit))


def _expect_text(reader: Reader) -> None:
    if next(reader.documents(), None) is None:
        raise ValueError(f"--data {reader.file}: no documents in it; give a file with text")
