"""Readers of tables in Arrow's formats: parquet, and the .arrow files that `datasets` saves."""

import bisect
import contextlib
import itertools
import os
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from speedrun.data.local import fields
from speedrun.data.local.readers.reader import Reader

_BATCH_ROWS = 256
_BUFFER_BYTES = 1 << 20


class Table(Reader):
    """Rows of a table with a column of strings, in whichever of Arrow's types for them."""

    unit = "one table row a document"

    def rows(self) -> Iterator[str]:
        """Texts of the column."""
        return self._rows(0)

    def documents(self, start: int = 0, num_docs: int | None = None) -> Iterator[str]:
        """As the base; where no row is blank, without a look at the rows before."""
        if start and num_docs == self.num_rows():
            return filter(str.strip, self._rows(start))
        return super().documents(start, num_docs)

    @abstractmethod
    def num_rows(self) -> int | None:
        """Number of rows; None where the file does not say it."""

    @abstractmethod
    def batches(self, start: int) -> Iterator[tuple[int, Any]]:
        """Batches that hold the rows from `start` on, each with the number of its first row."""

    @abstractmethod
    def schema(self) -> Any:
        """The columns and their types."""

    def _rows(self, start: int) -> Iterator[str]:
        where = f"--data {self.file}"
        with self.said_in_one_line():
            self.field = self._column(where)
            for first, batch in self.batches(start):
                column = _nested(batch, self.field)
                for number, text in enumerate(column.to_pylist(), first):
                    if number < start:
                        continue
                    if text is None:
                        raise ValueError(
                            f"{where}, row {number + 1}: null in column {self.field!r};"
                            " drop such rows or write empty text"
                        )
                    yield text

    def _column(self, where: str) -> str:
        types = dict(_flat(self.schema(), ""))
        texts = [name for name, kind in types.items() if _is_text(kind)]
        chosen = fields.choose(where, self.field, types, texts)
        if chosen not in texts:
            raise ValueError(
                f"{where}: column {chosen!r} holds {types[chosen]}, not strings: convert it, or"
                " name another with --text-field"
            )
        return chosen

    @contextlib.contextmanager
    def said_in_one_line(self) -> Iterator[None]:
        """Turn the library's errors into one line."""
        import pyarrow

        try:
            yield
        except UnicodeDecodeError as error:
            raise ValueError(f"--data {self.file}: a text is not UTF-8 ({error.reason})") from None
        except (pyarrow.ArrowException, OSError) as error:
            if strerror := getattr(error, "strerror", None):
                line = f"cannot be read ({strerror}); give a file that can"
            else:
                why = " ".join(str(error).split())[:160]
                line = f"not a whole {self.file.suffix[1:]} file ({why}); download it again"
            raise ValueError(f"--data {self.file}: {line}") from None


class Parquet(Table):
    """Parquet files; only the column of the documents is read."""

    def _file(self) -> Any:
        import pyarrow.parquet

        with self.said_in_one_line():
            # As bytes: a name may be no text.
            opened = pyarrow.OSFile(os.fsencode(self.file))
            return pyarrow.parquet.ParquetFile(opened, buffer_size=_BUFFER_BYTES)

    def schema(self) -> Any:
        """The schema in the footer."""
        return self._file().schema_arrow

    def num_rows(self) -> int | None:
        """The number in the footer."""
        return self._file().metadata.num_rows

    def batches(self, start: int) -> Iterator[tuple[int, Any]]:
        """Batches from the row group of `start` on."""
        parquet = self._file()
        sizes = (parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups))
        ends = [0, *itertools.accumulate(sizes)]
        group = max(0, bisect.bisect_right(ends, start) - 1)
        number, groups = ends[group], list(range(group, parquet.num_row_groups))
        for batch in parquet.iter_batches(_BATCH_ROWS, groups, columns=[self.field]):
            yield number, batch
            number += batch.num_rows


class Arrow(Table):
    """Arrow files: streams, as `datasets` writes them, and files with a footer (Feather)."""

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        import pyarrow
        import pyarrow.ipc

        with pyarrow.memory_map(os.fsencode(self.file)) as stream:
            if stream.read(6) == b"ARROW1":
                reader = pyarrow.ipc.open_file(stream)
                yield reader.schema, map(reader.get_batch, range(reader.num_record_batches))
            else:
                stream.seek(0)
                reader = pyarrow.ipc.open_stream(stream)
                yield reader.schema, iter(reader)

    def schema(self) -> Any:
        """The schema at the file's beginning."""
        with self._opened() as (schema, _):
            return schema

    def num_rows(self) -> int | None:
        """The sum over its batches, of which no text is read."""
        with self.said_in_one_line(), self._opened() as (_, batches):
            return sum(batch.num_rows for batch in batches)

    def batches(self, start: int) -> Iterator[tuple[int, Any]]:
        """Batches from the one of `start` on, in slices."""
        number = 0
        with self._opened() as (_, batches):
            for batch in batches:
                skipped = max(0, start - number) // _BATCH_ROWS * _BATCH_ROWS
                for first in range(skipped, batch.num_rows, _BATCH_ROWS):
                    yield number + first, batch.slice(first, _BATCH_ROWS)
                number += batch.num_rows


def _flat(columns: Any, before: str) -> Iterator[tuple[str, Any]]:
    """Columns and nested fields with their types; of a dictionary, the type of its values."""
    import pyarrow

    for field in columns:
        kind = field.type.value_type if pyarrow.types.is_dictionary(field.type) else field.type
        yield before + field.name, kind
        if pyarrow.types.is_struct(kind):
            yield from _flat(list(kind), f"{before}{field.name}.")


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _nested(batch: Any, field: str) -> Any:
    import pyarrow.compute

    if field in batch.schema.names:
        return batch.column(field)
    outer = next(name for name in batch.schema.names if field.startswith(f"{name}."))
    path = field.removeprefix(f"{outer}.").split(".")
    return pyarrow.compute.struct_field(batch.column(outer), path)  # type: ignore[attr-defined]
