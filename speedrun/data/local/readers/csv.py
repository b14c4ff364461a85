"""Reader of CSV and TSV: a header, then a document a row; quoted line ends are text."""

import csv
import itertools
from collections.abc import Iterator

from speedrun.data.local import encoding, fields
from speedrun.data.local.readers.reader import Reader

_DELIMITERS = ",;\t|"
_LONGEST_FIELD = 1 << 26
_TRIED_ROWS = 100


class Csv(Reader):
    """Rows of a table with a header; the delimiter is the one that the header has most of."""

    unit = "one CSV row a document"

    def rows(self) -> Iterator[str]:
        """Texts of the column."""
        csv.field_size_limit(_LONGEST_FIELD)
        where, lines = f"--data {self.file}", _with_ends(self.file)
        head = next(lines, "")
        delimiter = max(_DELIMITERS, key=head.count)
        table = csv.reader(itertools.chain([head], lines), delimiter=delimiter, strict=True)
        number = 0
        try:
            names = next(table, [])
            tried = list(itertools.islice(table, _TRIED_ROWS))
            of_text = [
                n for i, n in enumerate(names) if any(_is_text(row[i : i + 1]) for row in tried)
            ]
            self.field = fields.choose(where, self.field, names, of_text)
            column = names.index(self.field)
            for number, row in enumerate(itertools.chain(tried, table), 1):
                if len(row) != len(names) and row:
                    raise ValueError(
                        f"{where}, row {number}: {len(row)} fields, the header has {len(names)};"
                        " quote fields with commas, quotes or line ends in them"
                    )
                if row:
                    yield row[column]
        except csv.Error as error:
            raise ValueError(
                f"{where}, after row {number}: not CSV ({error}); check the quotes there"
            ) from None


def _with_ends(file) -> Iterator[str]:
    return (f"{line}\n" for line in encoding.lines(file))


def _is_text(values: list[str]) -> bool:
    try:
        return any(value.strip() and float(value) is None for value in values)
    except ValueError:
        return True
