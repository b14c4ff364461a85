"""Counting windows of tokens on a stream: sorted in chunks, merged piece by piece, bounded.

A window begins at every token and holds `order` tokens, fewer where the document or the row
ends: so every n-gram's prefix and suffix is counted as well. An end-of-text may open a window or
close it; no window reaches across. A step sorts one chunk and merges one segment at most: no
step takes long, and little is left at the end.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from architectures.ngram.packing import CUT, END, FIRST, Keys, Packing

EOT = 0  # end-of-text's id, the harness's for every tokenizer
CHUNK = 1 << 20  # windows sorted at once, fewer at first
FIRST_CHUNK = 1 << 16
SEGMENT = 1 << 19  # entries merged at once
NUM_CUT_FROM = 2  # the shortest window that a rare one is cut to


@dataclass(frozen=True)
class Table:
    """Distinct windows in order, with running totals of their counts (one more, from 0)."""

    keys: Keys
    totals: NDArray[np.int64]

    @staticmethod
    def of(keys: Keys, counts: NDArray[np.int64] | None = None) -> "Table":
        """From windows in any order, each seen `counts` times or once."""
        if counts is None:
            keys = np.sort(keys)
        else:
            order = np.argsort(keys, kind="stable")  # runs in order are merged, not sorted
            keys, counts = keys[order], counts[order]
        is_first = np.ones(len(keys), dtype=bool)
        is_first[1:] = keys[1:] != keys[:-1]
        starts = np.flatnonzero(is_first)
        ends = np.append(starts, len(keys))
        if counts is None:
            return Table(keys[starts], ends)
        running = np.concatenate(([0], np.cumsum(counts)))
        return Table(keys[starts], running[ends])

    @property
    def counts(self) -> NDArray[np.int64]:
        """Count of each key."""
        return np.diff(self.totals)

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, start: int, stop: int) -> "Table":
        """Rows `start` to `stop` as a table."""
        return Table(self.keys[start:stop], self.totals[start : stop + 1])


def merged(tables: list[Table]) -> Table:
    """One table of all keys, counts of equal keys added."""
    return Table.of(
        np.concatenate([table.keys for table in tables]),
        np.concatenate([table.counts for table in tables]),
    )


class Counter:
    """Counts of all windows seen, at most about `max_entries` different ones.

    Past that the rarest are cut shorter by a token, and what was cut is counted in its place
    (after lossy counting; Manku & Motwani 2002): no shorter n-gram loses its count.
    """

    def __init__(self, packing: Packing, max_entries: int) -> None:
        self._packing, self.max_entries = packing, max_entries
        self._rows: list[NDArray[np.int32]] = []
        self._num_buffered = 0
        self._fresh: list[Table] = []  # sorted chunks that wait to be merged
        self._merging: list[Table] = []  # what is left of the chunks being merged
        self._segments: list[Table] = []  # the merged table, in pieces of one range each
        self._cursor = 0  # the segment that is merged next
        self._rare = 0  # windows seen at most this often are cut; 0: none yet
        self._is_cutting = False

    def add(self, rows: NDArray[np.int32]) -> None:
        """Count the windows of rows [rows, tokens]; nothing is counted if memory fails."""
        held = len(self)
        if self._num_buffered >= min(CHUNK, max(FIRST_CHUNK, held)):
            self._sort_chunk()
            self._start_merging(at_least=max(FIRST_CHUNK, held // 2))
        elif self._merging:
            self._merge_segment()
        self._rows.append(rows.copy())
        self._num_buffered += rows.size

    def __len__(self) -> int:
        """Entries held, waiting rows left out."""
        return sum(len(table) for table in self._tables())

    @property
    def num_waiting(self) -> int:
        """Number of windows that are not sorted in yet."""
        return self._num_buffered

    def finalize(self) -> Table:
        """Everything counted so far in one table."""
        if self._num_buffered:
            self._sort_chunk()
        while self._merging:
            self._merge_segment()
        self._start_merging(at_least=1)
        while self._merging:
            self._merge_segment()
        if not self._segments:
            return Table.of(np.empty(0, dtype=self._packing.dtype))
        return Table(
            np.concatenate([s.keys for s in self._segments]),
            np.concatenate(([0], np.cumsum(np.concatenate([s.counts for s in self._segments])))),
        )

    def count(self, symbols: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Counts of windows that begin with these symbols, among those sorted in so far."""
        return self._between(symbols, [*symbols[:-1], symbols[-1] + 1])

    def count_followed(self, symbols: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Counts of these symbols followed by another token."""
        follower = np.full_like(symbols[0], CUT)
        return self._between([*symbols, follower], [*symbols[:-1], symbols[-1] + 1])

    def _between(
        self, low: list[NDArray[np.int64]], high: list[NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        start, stop = self._packing.pack(low), self._packing.pack(high)
        found = np.zeros(len(start), dtype=np.int64)
        for table in self._tables():
            found += table.totals[np.searchsorted(table.keys, stop)]
            found -= table.totals[np.searchsorted(table.keys, start)]
        return found

    @property
    def num_sorted(self) -> int:
        """Windows sorted in so far, each time they were seen."""
        return sum(int(table.totals[-1] - table.totals[0]) for table in self._tables())

    def _tables(self) -> list[Table]:
        return [*self._fresh, *self._merging, *self._segments]

    def _sort_chunk(self) -> None:
        self._fresh.append(Table.of(window_keys(self._rows, self._packing)))
        self._rows, self._num_buffered = [], 0

    def _start_merging(self, at_least: int) -> None:
        if self._merging or sum(len(table) for table in self._fresh) < at_least:
            return
        self._merging, self._fresh, self._cursor = self._fresh, [], 0
        was_cutting, self._is_cutting = self._is_cutting, len(self) > self.max_entries
        if self._is_cutting:
            self._rare = self._rare * 2 if was_cutting else max(1, self._rare)

    def _merge_segment(self) -> None:
        """Merge the chunks into one segment, whose range ends where the next one begins."""
        i = self._cursor
        after = self._segments[i + 1 : i + 2]
        stops = [len(table) for table in self._merging]
        if after:
            bound = self._packing.shortened(after[0].keys[:1], NUM_CUT_FROM, END)[0]
            stops = [int(np.searchsorted(table.keys, bound)) for table in self._merging]
        parts = [table.part(0, stop) for table, stop in zip(self._merging, stops, strict=True)]
        whole = merged([*self._segments[i : i + 1], *parts])
        if self._is_cutting:
            whole = self._cut(whole)
        pieces = self._pieces(whole)
        rest = [
            table.part(stop, len(table)) for table, stop in zip(self._merging, stops, strict=True)
        ]
        self._segments[i : i + 1] = pieces
        self._merging = rest if after else []
        self._cursor += len(pieces)

    def _cut(self, table: Table) -> Table:
        """The table with rare windows a token shorter, and again while they stay rare."""
        pack = self._packing
        for length in range(pack.order - 1, NUM_CUT_FROM - 1, -1):
            keys, counts = table.keys, table.counts
            is_rare = (counts <= self._rare) & (pack.digit(keys, length) != END)
            if is_rare.any():
                keys = np.where(is_rare, pack.shortened(keys, length, CUT), keys)
                table = Table.of(keys, counts)
        return table

    def _pieces(self, table: Table) -> list[Table]:
        """The table in segments; windows that begin with the same two tokens stay together,
        because cutting one must not move it out of its segment."""
        wanted = np.arange(SEGMENT, len(table), SEGMENT)
        floors = self._packing.shortened(table.keys[wanted], NUM_CUT_FROM, END)
        bounds = np.unique([0, *np.searchsorted(table.keys, floors), len(table)])
        return [table.part(a, b) for a, b in itertools.pairwise(bounds)]


def window_keys(rows: list[NDArray[np.int32]], packing: Packing) -> Keys:
    """The packed windows that begin at every token of the rows, in any order."""
    keys = []
    for _, alike in itertools.groupby(rows, key=lambda one: one.shape[1]):
        columns = window_columns(np.concatenate(list(alike)), packing.order)
        keys.append(packing.pack([column.ravel() for column in columns]))
    return np.concatenate(keys)


def window_columns(rows: NDArray[np.int32], order: int) -> list[NDArray[np.int64]]:
    """The symbols [rows, tokens] in each place of the windows that begin at every token."""
    symbols = rows.astype(np.int64) + FIRST
    goes_on = np.ones(rows.shape, dtype=bool)
    columns = [symbols]
    for i in range(1, order):
        column = np.full(rows.shape, END, dtype=np.int64)
        if i < rows.shape[1]:
            column[:, :-i] = symbols[:, i:]
        if i > 1:
            goes_on &= columns[-1] > EOT + FIRST
        columns.append(column * goes_on)
    return columns
