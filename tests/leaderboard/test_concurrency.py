"""Many processes submit to one folder at once: nothing is lost, nothing torn.

The full size, 64 processes, is in tests/benchmarks/leaderboard_numbers.py.
"""

import multiprocessing

import pytest
from helpers.made_records import made, snapshot, write_run

from leaderboard import index
from leaderboard.store import Store
from leaderboard.submit import candidate, submit

NUM_PROCESSES, NUM_RECORDS = 8, 10


@pytest.mark.slow
def test_many_submitters_lose_and_tear_nothing(tmp_path):
    """Two and two of them submit the same records."""
    context = multiprocessing.get_context("fork")
    ready, results = context.Barrier(NUM_PROCESSES), context.Queue()
    store = Store(str(tmp_path / "store"))

    def work(number: int) -> None:
        folder, first_seed = tmp_path / str(number), number // 2 * NUM_RECORDS
        seeds = range(first_seed, first_seed + NUM_RECORDS)
        runs = [candidate(write_run(folder / str(seed), made(0.7, seed))) for seed in seeds]
        ready.wait()  # all at once
        done = [submit(run, store, name=f"of {number}", author=None, opens=None) for run in runs]
        results.put(sum(one["added"] for one in done))

    running = [context.Process(target=work, args=(number,)) for number in range(NUM_PROCESSES)]
    for process in running:
        process.start()
    num_new = sum(results.get(timeout=60) for _ in running)
    for process in running:
        process.join(timeout=60)
    expected = NUM_PROCESSES // 2 * NUM_RECORDS
    found = index.read(store, None)
    assert found.problems == []
    assert len(found.runs) == len(found.submissions) == num_new == expected
    assert len(snapshot(tmp_path / "store")) == 2 * expected  # and nothing half written is left
