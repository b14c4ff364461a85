"""Batches of a token stream, as tests take and check them."""

import time

import numpy as np

CONTEXT, ROWS = 8, 3  # as the fixture `open_stream` makes them
PER_BATCH = CONTEXT * ROWS


def stories(count: int) -> list[str]:
    return [f"Story {i}: the {'big ' * (i % 7)}dog ran home." for i in range(count)]


def take(stream, num_batches: int) -> list[np.ndarray]:
    return [stream.next_rows() for _ in range(num_batches)]


def targets(batches) -> np.ndarray:
    """Targets of the batches in order, after checking that the rows tile."""
    rows = np.concatenate(batches)
    assert rows.shape[1] == CONTEXT + 1
    assert (rows[1:, 0] == rows[:-1, -1]).all()
    return rows[:, 1:].ravel()


def until_idle(source) -> int:
    """Wait until the worker draws no more; return how many documents it has drawn."""
    before = -1
    while source.drawn != before:
        before = source.drawn
        time.sleep(0.25)
    return before
