"""The arithmetic of many races on many machines, and what their shared parts stand."""

import math
from dataclasses import dataclass

from speedrun.data import hub

# The hub's limits per five minutes, September 2025: huggingface.co/docs/hub/rate-limits. Anonymous
# requests are counted by address, those with a token by account.
HUB_WINDOW_S = 300.0
HUB_API = {"anonymous": 500, "token": 1_000}
HUB_RESOLVE = {"anonymous": 3_000, "token": 5_000}
# What a race asks of the hub, counted with the real client libraries at a hub on the loopback
# (tests/data/test_hub.py): a machine's first race, and a later one whose cache holds what it needs.
API_FIRST, API_LATER = 10, 1
RESOLVE_FIRST = 10  # for files other than the training text
BYTES_PER_RESOLVE = 4.2e6  # of training text
# TinyStories: huggingface.co/datasets/roneneldan/TinyStories, data/train-*.parquet.
TRAIN_BYTES = 990_786_315
CACHED_TOKEN_BYTES = 2  # uint16
SUBMIT_S = 0.7  # one submission to 10,000 records: docs/log.md, the slower of two
TABLE_S_PER_RECORD = 9.1 / 10_000  # a table of records never seen before: the same
RAY_TASKS_PER_S = 354.0  # Ray 2.20.0, release_logs/2.20.0/benchmarks/many_nodes.json, 250 nodes
RAY_NODES = 250  # Ray, release/benchmarks/README.md: "250+", what its own tests cover
RAY_INLINE_BYTES = 100 * 1024  # Ray, ray_config_def.h: max_direct_call_object_size


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Races of one length, one at a time on each machine."""

    num_machines: int
    num_races: int
    budget_s: float
    off_s: float

    @property
    def race_s(self) -> float:
        return self.budget_s + self.off_s

    @property
    def num_busy(self) -> int:
        """Machines that have a race at all."""
        return min(self.num_machines, self.num_races)

    @property
    def num_waves(self) -> int:
        return math.ceil(self.num_races / self.num_machines)

    @property
    def wall_s(self) -> float:
        return self.num_waves * self.race_s

    @property
    def busy_s(self) -> float:
        """Machine-seconds of racing."""
        return self.num_races * self.race_s

    @property
    def held_s(self) -> float:
        """Machine-seconds from the first start to the last end, idle ones included."""
        return self.num_machines * self.wall_s

    @property
    def races_per_s(self) -> float:
        return self.num_busy / self.race_s

    def starts(self, window_s: float) -> int:
        """Races that one machine begins in a window that opens with a start."""
        return min(self.num_waves, math.ceil(window_s / self.race_s))


def hub_limit(fleet: Fleet, first: float, later: float, allowed: float) -> int:
    """Machines that may begin together: the first window holds the first race of each."""
    each = first + (fleet.starts(HUB_WINDOW_S) - 1) * later
    return math.floor(allowed / each)


def streamed_bytes(text_bytes: float) -> float:
    """Bytes that a race reads which needs `text_bytes` of the training text."""
    return min(TRAIN_BYTES, text_bytes + hub.BLOCK_BYTES)


def resolve_requests(num_bytes: float) -> float:
    """Requests for files that a machine's first race sends, `num_bytes` of them training text."""
    return RESOLVE_FIRST + math.ceil(num_bytes / BYTES_PER_RESOLVE)


def store_limit(fleet: Fleet) -> int:
    """Machines whose records one process can submit, one after another."""
    return math.floor(fleet.race_s / SUBMIT_S)


def ray_limit(fleet: Fleet) -> int:
    """Machines that one head node hands races to: by tasks a second, and as far as tested."""
    return min(RAY_NODES, math.floor(RAY_TASKS_PER_S * fleet.race_s))
