"""A sweep on many machines: time, cost, and where hub, records and Ray set a limit."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from speedrun.data import hub
from speedrun.plan.hints import BYTES_PER_TOKEN, TINYSTORIES_BYTES
from speedrun.plan.report import GO, NO_GO, Figure, Verdict, plain
from speedrun.records.files import OWN_RECORDS
from speedrun.records.schema import OFF_CLOCK, load
from speedrun.text import count, duration, size

USUAL_RACES = 1000
USUAL_OFF_S = 25.0  # a race's seconds off the clock, where none was recorded
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
RAY_TASKS_PER_S = 354.0  # Ray 2.20.0, release_logs/2.20.0/benchmarks/many_nodes.json, 250 nodes
RAY_NODES = 250  # Ray, release/benchmarks/README.md: "250+", what its own tests cover


def recorded_off_s(arch: str, folder: Path = OWN_RECORDS) -> tuple[Mapping[str, float], str]:
    """Median seconds by account off the clock of an architecture's recorded races; the source.

    Only complete races with the default recipe count; {} where there are none.
    """
    clocks, classes = [], set()
    for path in folder.glob(f"{'[0-9a-f]' * 64}.json"):
        record = load(path)
        is_default = record.config.get("recipe_name") == "default"
        if record.arch == arch and is_default and record.status == "complete":
            clocks.append(record.clock)
            classes.add(record.hardware.hardware_class)
    if not clocks:
        return {}, f"assumed: no race of {arch} is recorded"
    source = f"median of {len(clocks)} recorded races of {arch} on {', '.join(sorted(classes))}"
    return {n: statistics.median(getattr(c, n) for c in clocks) for n in OFF_CLOCK}, source


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Races of one length, one at a time on each machine."""

    num_machines: int
    num_races: int
    budget_s: float
    off_s: float  # off the clock
    off_source: str = ""

    @property
    def race_s(self) -> float:
        """Seconds of a race, on and off the clock."""
        return self.budget_s + self.off_s

    @property
    def num_busy(self) -> int:
        """Machines that have a race at all."""
        return min(self.num_machines, self.num_races)

    @property
    def num_waves(self) -> int:
        """Races that the busiest machine runs."""
        return math.ceil(self.num_races / self.num_machines)

    @property
    def wall_s(self) -> float:
        """Seconds from the first start to the last end."""
        return self.num_waves * self.race_s

    @property
    def busy_s(self) -> float:
        """Machine-seconds of racing."""
        return self.num_races * self.race_s

    @property
    def held_s(self) -> float:
        """Machine-seconds from the first start to the last end, idle ones included."""
        return self.num_machines * self.wall_s

    def starts(self, window_s: float) -> int:
        """Races that one machine begins in a window that opens with a start."""
        return min(self.num_waves, math.ceil(window_s / self.race_s))

    def hub_limit(self, first: float, later: float, allowed: float) -> int:
        """Machines that may begin together: the first window holds the first race of each."""
        each = first + (self.starts(HUB_WINDOW_S) - 1) * later
        return math.floor(allowed / each)

    def records_limit(self) -> int:
        """Machines whose records one process can submit, one after another."""
        return math.floor(self.race_s / SUBMIT_S)

    def ray_limit(self) -> int:
        """Machines that one head node serves: by tasks per second, and as far as tested."""
        return min(RAY_NODES, math.floor(RAY_TASKS_PER_S * self.race_s))


def streamed_bytes(text_bytes: float) -> float:
    """Bytes that a race reads which needs `text_bytes` of the training text."""
    return min(TRAIN_BYTES, text_bytes + hub.BLOCK_BYTES)


def time_figures(cluster: Cluster, price: float | None) -> list[Figure]:
    """Wall clock, machine-hours and cost of the sweep."""
    N, R, race_s = cluster.num_machines, cluster.num_races, cluster.race_s
    idle_s, held_s = cluster.held_s - cluster.busy_s, cluster.held_s
    last = R - (cluster.num_waves - 1) * N
    tail = f"held - raced, {idle_s / held_s:.1%} of it: the last wave has {last:,} races"
    found = [
        Figure("num_machines", "machines", N, plain, "N, one race at a time on each"),
        Figure("num_races", "races", R, plain, "R, of one length"),
        Figure("off_clock_s", "off the clock", cluster.off_s, duration, cluster.off_source),
        Figure("race_s", "a race takes", race_s, duration, f"{cluster.budget_s:g} s + off clock"),
        Figure("num_waves", "waves", cluster.num_waves, plain, "R / N, rounded up"),
        Figure("wall_s", "wall clock", cluster.wall_s, duration, "waves · race"),
        Figure("busy_s", "machine-hours raced", cluster.busy_s, _hours, "R · race"),
        Figure("held_s", "machine-hours held", held_s, _hours, "N · wall clock"),
        Figure("idle_s", "idle tail", idle_s, _hours, tail),
    ]
    if price is not None:
        how = f"{price:g} per machine-hour · machine-hours held"
        found.append(Figure("cost", "cost", price * held_s / 3600, "{:,.2f}".format, how))
    return found


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h"


def _machines(number: int) -> str:
    return f"{number:,} machines"


def hub_figures(cluster: Cluster, num_tokens: float) -> tuple[list[Figure], dict[str, int]]:
    """Bytes and requests of a race, and the machines that may start together, by account."""
    num_tokens = min(num_tokens, TINYSTORIES_BYTES / BYTES_PER_TOKEN)
    needed = num_tokens * BYTES_PER_TOKEN * TRAIN_BYTES / TINYSTORIES_BYTES
    streamed = streamed_bytes(needed)
    resolve = RESOLVE_FIRST + math.ceil(streamed / BYTES_PER_RESOLVE)
    cached = CACHED_TOKEN_BYTES * num_tokens
    limits, found = {}, []
    for who, words in (("anonymous", "one address"), ("token", "one account")):
        api = cluster.hub_limit(API_FIRST, API_LATER, HUB_API[who])
        files = cluster.hub_limit(resolve, 0, HUB_RESOLVE[who])
        limits[who] = min(api, files)
        how = (
            f"{words}: {HUB_API[who]:,} API requests in 5 minutes ({api:,} machines),"
            f" {HUB_RESOLVE[who]:,} for files ({files:,}); huggingface.co/docs/hub/rate-limits"
        )
        found.append(Figure(f"hub_limit_{who}", f"  limit, {who}", limits[who], _machines, how))
    share = needed / num_tokens / BYTES_PER_TOKEN
    text = f"{count(num_tokens)} tokens · {BYTES_PER_TOKEN} bytes · {share:.3f} (parquet)"
    ahead = f"{text}, {size(hub.BLOCK_BYTES)} ahead; once per machine with a cache"
    asked = f"{API_FIRST} to the API, {resolve:,.0f} for files; {API_LATER} in a later race"
    own = "2 bytes per token; a folder serves one race at a time: one per machine (SPEEDRUN_CACHE)"
    return [
        Figure("hub_bytes_per_race", "hub, bytes per race", streamed, size, ahead),
        Figure("hub_requests_first", "  requests", API_FIRST + resolve, plain, asked),
        *found,
        Figure("cache_bytes", "cache per machine", cached, size, own),
    ], limits


def shared_figures(cluster: Cluster) -> list[Figure]:
    """Limits of the store of records and of Ray's head node."""
    submit = f"race / {SUBMIT_S:g} s per submission, one after another (docs/log.md)"
    tested = f"{RAY_NODES}+ nodes in Ray's own tests, {RAY_TASKS_PER_S:g} tasks/s · race (2.20.0)"
    return [
        Figure("records_limit", "records, limit", cluster.records_limit(), _machines, submit),
        Figure("ray_limit", "Ray head, limit", cluster.ray_limit(), _machines, tested),
    ]


def judge(cluster: Cluster, what: str, limit: int, hint: str) -> Verdict:
    """Whether a shared part serves all machines that are busy at once."""
    N = cluster.num_busy
    why = f"the limit from {limit + 1:,} machines on{hint}"
    return Verdict(what, GO if limit >= N else NO_GO, why, float(N), float(limit))
