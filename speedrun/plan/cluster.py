"""A sweep on many machines, on paper: time, cost, and where hub, cache and records set a limit."""

from speedrun.data import hub
from speedrun.plan import fleet, recorded
from speedrun.plan.fleet import Fleet
from speedrun.plan.hints import BYTES_PER_TOKEN, TINYSTORIES_BYTES
from speedrun.plan.recorded import Recorded
from speedrun.plan.request import Question
from speedrun.plan.sheet import GO, NO_GO, Sheet, Verdict
from speedrun.text import count, duration, size


def add_cluster(sheet: Sheet, question: Question, D: float, *, has_copy: bool) -> None:
    """All of it; nothing where no cluster was asked for. `has_copy`: --data names the text."""
    request = question.cluster
    if request is None:
        return
    race = recorded.races(question.architecture.NAME)
    machines = Fleet(
        num_machines=request.num_machines,
        num_races=request.num_races,
        budget_s=question.budget_s,
        off_s=race.total_off_s,
    )
    _add_time(sheet, machines, race)
    if request.price is not None:
        cost = request.price * machines.held_s / 3600
        sheet.add(
            "cluster",
            "cost",
            "cost",
            cost,
            f"{cost:,.2f}",
            f"{request.price:g} a machine-hour · machine-hours held",
        )
    num_tokens = min(D, TINYSTORIES_BYTES / BYTES_PER_TOKEN)
    if has_copy:
        sheet.notes.append("Every machine has a copy of the text (--data): the hub is not asked.")
    else:
        _add_hub(sheet, machines, num_tokens)
    _add_cache(sheet, machines, question, num_tokens)
    _add_records(sheet, machines, race)
    _add_ray(sheet, machines, race)


def _add_time(sheet: Sheet, machines: Fleet, race: Recorded) -> None:
    for name, seconds in race.off_s.items():
        sheet.add("cluster", name, "", seconds, "", race.source)
    parts = " + ".join(f"{name.removesuffix('_s')} {s:.1f}" for name, s in race.off_s.items())
    budget_s, off_s, race_s = machines.budget_s, machines.off_s, machines.race_s
    N, R = machines.num_machines, machines.num_races

    def add(key: str, label: str, value: float, text: str, formula: str) -> None:
        sheet.add("cluster", key, label, value, text, formula)

    add("num_machines", "machines", N, f"{N:,}", "N, one race at a time on each")
    add("num_races", "races", R, f"{R:,}", "R, of one length")
    add(
        "off_clock_s",
        "off the clock",
        off_s,
        duration(off_s),
        f"a race: {parts} s; {race.source}" if parts else f"a race, {race.source}",
    )
    add("race_s", "a race takes", race_s, duration(race_s), f"{budget_s:g} s budget + off clock")
    per_hour = 3600 / race_s
    add("races_per_machine_hour", "races an hour", per_hour, f"{per_hour:.1f}", "1 h / race")
    add("num_waves", "waves", machines.num_waves, f"{machines.num_waves:,}", "R / N, rounded up")
    add("wall_s", "wall clock", machines.wall_s, duration(machines.wall_s), "waves · race")
    busy_s, held_s = machines.busy_s, machines.held_s
    add("busy_s", "machine-hours raced", busy_s, f"{busy_s / 3600:,.1f}", "R · race")
    add("held_s", "machine-hours held", held_s, f"{held_s / 3600:,.1f}", "N · wall clock")
    idle_s = held_s - busy_s
    add(
        "idle_s",
        "idle tail",
        idle_s,
        f"{idle_s / 3600:,.1f} h",
        f"held - raced, {idle_s / held_s:.1%} of what is held: the last wave has"
        f" {R - (machines.num_waves - 1) * N:,} races",
    )


def _shared(sheet: Sheet, key: str, label: str, value: float, text: str, formula: str) -> None:
    sheet.add("shared", key, label, value, text, formula)


def _add_hub(sheet: Sheet, machines: Fleet, num_tokens: float) -> None:
    """Bytes by who keeps what, and the requests of the first five minutes."""
    share = fleet.TRAIN_BYTES / TINYSTORIES_BYTES
    needed = num_tokens * BYTES_PER_TOKEN * share
    _shared(
        sheet,
        "hub_bytes_needed",
        "hub, a race needs",
        needed,
        size(needed),
        f"{count(num_tokens)} tokens · {BYTES_PER_TOKEN} bytes · {share:.3f} (the"
        " share that parquet takes)",
    )
    streamed = fleet.streamed_bytes(needed)
    _shared(
        sheet,
        "hub_bytes_per_race",
        "  and streams",
        streamed,
        size(streamed),
        f"and {size(hub.BLOCK_BYTES)} ahead, but no more than all",
    )
    for key, label, times, formula in (
        ("hub_bytes_no_cache", "no cache kept", machines.num_races, "R · that"),
        ("hub_bytes_own_cache", "a cache a machine", machines.num_busy, "N · that, once each"),
        ("hub_bytes_copied_cache", "one cache, copied", 1, "by whoever makes it"),
    ):
        total = times * streamed
        _shared(sheet, key, f"  {label}", total, size(total), f"{formula}; no limit is stated")
    resolve = fleet.resolve_requests(streamed)
    _shared(
        sheet,
        "hub_requests_first",
        "hub, requests",
        fleet.API_FIRST + resolve,
        f"{fleet.API_FIRST} + {resolve:,.0f}",
        f"API + files of a machine's first race; {fleet.API_LATER} + 0 of a later one (counted)",
    )
    limits = {}
    for who, words in (("anonymous", "one address, no token"), ("token", "one account's token")):
        api = fleet.hub_limit(machines, fleet.API_FIRST, fleet.API_LATER, fleet.HUB_API[who])
        files = fleet.hub_limit(machines, resolve, 0, fleet.HUB_RESOLVE[who])
        limits[who] = min(api, files)
        _shared(
            sheet,
            f"hub_limit_{who}",
            f"  limit, {who}",
            limits[who],
            f"{limits[who]:,} machines",
            f"{words}: the lesser of {fleet.HUB_API[who]:,} API requests in 5 minutes"
            f" ({api:,} machines) and {fleet.HUB_RESOLVE[who]:,} for files ({files:,})"
            " (huggingface.co/docs/hub/rate-limits)",
        )
    limit = limits["anonymous"]
    hint = f", with a token from {limits['token'] + 1:,}; --data with a copy needs no hub"
    _judge(sheet, machines, "hub", limit, hint)
    if machines.num_busy > limit:
        sheet.notes.append(
            "A hub that refuses sends a race to the storybook, another track, or to what its"
            " machine's cache holds: copy the text and give --data, or start in smaller groups."
        )


def _add_cache(sheet: Sheet, machines: Fleet, question: Question, num_tokens: float) -> None:
    own = fleet.CACHED_TOKEN_BYTES * num_tokens
    _shared(
        sheet,
        "cache_bytes",
        "cache, a vocabulary",
        own,
        size(own),
        f"{count(num_tokens)} tokens · {fleet.CACHED_TOKEN_BYTES} bytes at"
        f" {question.model.vocab:,} ids; the first race writes it",
    )
    total = machines.num_busy * own
    _shared(sheet, "cache_bytes_all", "  on all machines", total, size(total), "N · that")
    _shared(
        sheet,
        "cache_limit_one_folder",
        "  limit, one folder",
        1,
        "1 machine",
        "a folder that all share: one race at a time holds its lock, the others stream for"
        " themselves; from 2 machines on give each its own (SPEEDRUN_CACHE)",
    )


def _add_records(sheet: Sheet, machines: Fleet, race: Recorded) -> None:
    each = race.record_bytes + race.note_bytes
    total = machines.num_races * each
    _shared(
        sheet,
        "record_bytes",
        "records, each",
        each,
        size(each),
        f"2 files: {race.record_bytes:,.0f} bytes and a note of {race.note_bytes:,.0f};"
        f" {race.source}",
    )
    _shared(sheet, "records_bytes", "  all", total, size(total), "R · that")
    per_s = machines.races_per_s
    _shared(sheet, "records_per_s", "  arriving", per_s, f"{per_s:.3g} /s", "N / race")
    table_s = fleet.TABLE_S_PER_RECORD * machines.num_races
    _shared(
        sheet,
        "records_table_s",
        "  first table",
        table_s,
        duration(table_s),
        f"R · {1000 * fleet.TABLE_S_PER_RECORD:.2g} ms, nothing kept (docs/log.md)",
    )
    limit = fleet.store_limit(machines)
    _shared(
        sheet,
        "records_limit",
        "  limit",
        limit,
        f"{limit:,} machines",
        f"race / {fleet.SUBMIT_S:g} s a submission, one after another (docs/log.md)",
    )
    _judge(sheet, machines, "records", limit, "; several processes may submit at once")


def _add_ray(sheet: Sheet, machines: Fleet, race: Recorded) -> None:
    per_s, limit = machines.races_per_s, fleet.ray_limit(machines)
    _shared(
        sheet,
        "ray_tasks_per_s",
        "Ray head, tasks",
        per_s,
        f"{per_s:.3g} /s",
        f"N / race; Ray's own test handed out {fleet.RAY_TASKS_PER_S:g} /s to {fleet.RAY_NODES}"
        " nodes (2.20.0)",
    )
    share = race.record_bytes / fleet.RAY_INLINE_BYTES
    _shared(
        sheet,
        "ray_object_bytes",
        "  object",
        race.record_bytes,
        size(race.record_bytes),
        f"a record back, {share:.0%} of what travels inside a reply (100 KiB); a command line out",
    )
    _shared(
        sheet,
        "ray_limit",
        "  limit",
        limit,
        f"{limit:,} machines",
        f"the lesser of {fleet.RAY_NODES}+ nodes, as far as Ray tests itself, and"
        f" {fleet.RAY_TASKS_PER_S:g} /s · race",
    )
    _judge(sheet, machines, "ray head", limit, "; beyond, Ray says nothing")


def _judge(sheet: Sheet, machines: Fleet, what: str, limit: int, hint: str) -> None:
    N = machines.num_busy
    answer = GO if limit >= N else NO_GO
    why = f"the limit from {limit + 1:,} machines on{hint}"
    sheet.verdicts.append(Verdict(what, answer, why, float(N), float(limit)))
