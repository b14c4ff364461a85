"""A sweep on many machines: time, cost, and where hub, records and Ray set a limit."""

import math
import statistics
from collections.abc import Mapping
from pathlib import Path

from speedrun.data.hub import tinystories
from speedrun.plan.compute import Work
from speedrun.plan.hints import BYTES_PER_TOKEN, TINYSTORIES_BYTES
from speedrun.plan.report import Figure, Plan, Verdict, plain
from speedrun.plan.request import PlanRequest
from speedrun.records.files import OWN_RECORDS
from speedrun.records.schema import load
from speedrun.records.sections import OFF_CLOCK
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

_machines = "{:,} machines".format


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h"


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


class Cluster:
    """Races of one length, one at a time on each machine."""

    def __init__(self, num_machines: int, num_races: int, budget_s: float, off_s: float) -> None:
        self.num_machines, self.num_races = num_machines, num_races
        self.off_s, self.race_s = off_s, budget_s + off_s  # off the clock; on and off it
        self.num_busy = min(num_machines, num_races)  # have a race at all
        self.num_waves = math.ceil(num_races / num_machines)  # races of the busiest machine
        self.wall_s = self.num_waves * self.race_s  # from the first start to the last end
        self.busy_s = num_races * self.race_s  # machine-seconds of racing
        self.held_s = num_machines * self.wall_s  # machine-seconds, idle ones included

    def starts(self, window_s: float) -> int:
        """Races that one machine begins in a window that opens with a start."""
        return min(self.num_waves, math.ceil(window_s / self.race_s))

    def hub_limit(self, first: float, later: float, allowed: float) -> int:
        """Machines that may begin together: the first window holds the first race of each."""
        return math.floor(allowed / (first + (self.starts(HUB_WINDOW_S) - 1) * later))

    def records_limit(self) -> int:
        """Machines whose records one process can submit, one after another."""
        return math.floor(self.race_s / SUBMIT_S)

    def ray_limit(self) -> int:
        """Machines that one head node serves: by tasks per second, and as far as tested."""
        return min(RAY_NODES, math.floor(RAY_TASKS_PER_S * self.race_s))


def streamed_bytes(text_bytes: float) -> float:
    """Bytes that a race reads which needs `text_bytes` of the training text."""
    return min(TRAIN_BYTES, text_bytes + tinystories.BLOCK_BYTES)


def add(plan: Plan, work: Work) -> None:
    """Add time, cost and limits of a sweep on many machines to a plan."""
    request, options = work.request, work.request.options
    off_s, source = recorded_off_s(request.architecture.NAME)
    parts = " + ".join(f"{name.removesuffix('_s')} {s:.1f}" for name, s in off_s.items())
    source = f"per race: {parts} s; {source}" if off_s else f"per race, {source}"
    cluster = Cluster(
        options.cluster or 1,
        options.races or USUAL_RACES,
        request.budget_s,
        sum(off_s.values()) if off_s else USUAL_OFF_S,
    )
    plan.sections["cluster"] = _time_figures(cluster, request, source)
    plan.sections["shared"] = []
    if options.data is None:
        _add_hub(plan, cluster, work.num_tokens)
    else:
        plan.notes.append("Every machine has a copy of the text (--data): the hub is not asked.")
    by_submission = f"race / {SUBMIT_S:g} s per submission, one after another (docs/log.md)"
    tested = f"{RAY_NODES}+ nodes in Ray's own tests, {RAY_TASKS_PER_S:g} tasks/s · race (2.20.0)"
    records, ray = cluster.records_limit(), cluster.ray_limit()
    plan.sections["shared"] += [
        Figure("records_limit", "records, limit", records, _machines, by_submission),
        Figure("ray_limit", "Ray head, limit", ray, _machines, tested),
    ]
    plan.verdicts += [
        _judge(cluster, "records", records, "; several processes may submit at once"),
        _judge(cluster, "ray head", ray, "; Ray is not tested beyond"),
    ]


def _time_figures(cluster: Cluster, request: PlanRequest, off_source: str) -> list[Figure]:
    """Wall clock, machine-hours and cost of the sweep."""
    N, R, race_s, held_s = cluster.num_machines, cluster.num_races, cluster.race_s, cluster.held_s
    idle_s, budget = held_s - cluster.busy_s, request.budget_s
    last, price = R - (cluster.num_waves - 1) * N, request.options.price
    tail = f"held - raced, {idle_s / held_s:.1%} of it: the last wave has {last:,} races"
    found = [
        Figure("num_machines", "machines", N, plain, "N, one race at a time on each"),
        Figure("num_races", "races", R, plain, "R, of one length"),
        Figure("off_clock_s", "off the clock", cluster.off_s, duration, off_source),
        Figure("race_s", "a race takes", race_s, duration, f"{budget:g} s + off clock"),
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


def _add_hub(plan: Plan, cluster: Cluster, num_tokens: float) -> None:
    """Bytes and requests of a race, and the machines that may start together, by account."""
    num_tokens = min(num_tokens, TINYSTORIES_BYTES / BYTES_PER_TOKEN)
    parquet = TRAIN_BYTES / TINYSTORIES_BYTES
    streamed = streamed_bytes(num_tokens * BYTES_PER_TOKEN * parquet)
    resolve = RESOLVE_FIRST + math.ceil(streamed / BYTES_PER_RESOLVE)
    ahead = (
        f"{count(num_tokens)} tokens · {BYTES_PER_TOKEN} bytes · {parquet:.3f} (parquet),"
        f" {size(tinystories.BLOCK_BYTES)} ahead; once per machine with a cache"
    )
    asked = f"{API_FIRST} to the API, {resolve:,.0f} for files; {API_LATER} in a later race"
    own = "2 bytes per token; a folder serves one race at a time: one per machine (SPEEDRUN_CACHE)"
    limits, of_limits = {}, []
    for who, words in (("anonymous", "one address"), ("token", "one account")):
        api = cluster.hub_limit(API_FIRST, API_LATER, HUB_API[who])
        files = cluster.hub_limit(resolve, 0, HUB_RESOLVE[who])
        limits[who] = min(api, files)
        how = (
            f"{words}: {HUB_API[who]:,} API requests in 5 minutes ({api:,} machines),"
            f" {HUB_RESOLVE[who]:,} for files ({files:,}); huggingface.co/docs/hub/rate-limits"
        )
        key = f"hub_limit_{who}"
        of_limits.append(Figure(key, f"  limit, {who}", limits[who], _machines, how))
    cached = CACHED_TOKEN_BYTES * num_tokens
    plan.sections["shared"] += [
        Figure("hub_bytes_per_race", "hub, bytes per race", streamed, size, ahead),
        Figure("hub_requests_first", "  requests", API_FIRST + resolve, plain, asked),
        *of_limits,
        Figure("cache_bytes", "cache per machine", cached, size, own),
    ]
    limit, more = limits["anonymous"], f", with a token from {limits['token'] + 1:,}"
    plan.verdicts.append(_judge(cluster, "hub", limit, f"{more}; --data with a copy needs no hub"))
    if cluster.num_busy > limit:
        plan.notes.append(
            "A race that the hub refuses falls back to the storybook, another track, or to its"
            " machine's cache: copy the text and give --data, or start in smaller groups."
        )


def _judge(cluster: Cluster, what: str, limit: int, hint: str) -> Verdict:
    """Whether a shared part serves all machines that are busy at once."""
    why = f"the limit from {limit + 1:,} machines on{hint}"
    return Verdict(what, why, float(cluster.num_busy), float(limit))
