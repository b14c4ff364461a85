"""Duels of strangers: one line for what does not hold, and nothing of them on the board."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.made_duels import TWO_PERCENT, A, B, add_duel, made_duel, write_duel
from helpers.made_records import CONTENT, add, made, put, snapshot, write_run

from leaderboard import index
from leaderboard.standing.boards import boards
from leaderboard.store import Store
from speedrun.records.duel import MAX_DUEL_BYTES, Duel
from speedrun.records.sanitize import is_sanitized
from speedrun.records.schema import Record, content_id, seal

Made = tuple[Duel, list[Record]]


def read(store: Path) -> index.Index:
    return index.read(Store(str(store)), None)


def replaced(of: Made, number: int, changes: dict[str, Any]) -> Made:
    """The duel with one of its records made with changes, and all references to it."""
    duel, records = of
    old = records[number].content()
    new = made(0.5, 0, {name: old[name] for name in old if name not in ("schema", "id")} | changes)
    text = duel.to_json().replace(records[number].id, new.id)
    content = json.loads(text)
    content["id"] = content_id(content)
    records = [*records[:number], new, *records[number + 1 :]]
    return Duel.model_validate_json(json.dumps(content)), records


def with_score(of: Made, bits: float) -> Made:
    duel, records = of
    pairs = [duel.pairs[0].model_copy(update={"b_bits_per_byte": bits}), *duel.pairs[1:]]
    return duel.sealed(pairs), records


def disturbed(changes: dict[str, Any] | None = None) -> Made:
    """A duel whose first attempt B lost, so that it is called disturbed and raced again."""
    duel, records = made_duel([(0.78, 0.80), *TWO_PERCENT])
    duel = duel.model_copy(update={"planned_pairs": 5})
    first = {"disturbed": "a noise", "seed": duel.seed(0)}
    pairs = [duel.pairs[0].model_copy(update=first)]
    for turn, pair in enumerate(duel.pairs[1:]):
        moved = {"index": turn, "first": "b" if turn % 2 else "a", "seed": duel.seed(turn + 1)}
        pairs.append(pair.model_copy(update=moved))
    duel = duel.model_copy(update={"pairs": pairs})
    # The runs of a pair changed places, so they are made anew with dates in the new order.
    by_id = {record.id: record.content() for record in records}
    made_anew = {}
    for number, (id, record) in enumerate(zip(duel.records, records, strict=True)):
        plain = {name: value for name, value in by_id[id].items() if name not in ("schema", "id")}
        plain["created"] = record.created
        put(plain, "seed", duel.seed(number // 2))
        put(plain, "config.seed", duel.seed(number // 2))
        for path, value in changes.items() if changes and id == pairs[0].b else ():
            put(plain, path, value)
        made_anew[id] = seal(plain)
    ids = {id: record.id for id, record in made_anew.items()}
    pairs = [pair.model_copy(update={"a": ids[pair.a], "b": ids[pair.b]}) for pair in pairs]
    return duel.sealed(pairs), list(made_anew.values())


OK = made_duel()
HOSTILE: dict[str, tuple[Callable[[], Made], str]] = {
    "a record is missing": (lambda: (OK[0], OK[1][:-1]), "1 of its 10 records are not there"),
    "all are missing": (lambda: (OK[0], []), "10 of its 10 records are not there"),
    "another score": (lambda: with_score(OK, 0.5), "pair 0, B: its score is 0.784, not 0.5"),
    "another seed": (lambda: replaced(OK, 3, {"seed": 7, "config.seed": 7}), "its seed is 7, not"),
    "another source": (lambda: (_of_source("e" * 64), OK[1]), "the side's is eeeeeeeeeeee"),
    "another command line": (
        lambda: replaced(OK, 0, {"argv": [*CONTENT["argv"], "--set", "recipe.lr=9"]}),
        "it was raced with another --set",
    ),
    "another configuration": (
        lambda: replaced(OK, 1, {"config.recipe.lr": 0.5}),
        "the runs of B have 2 configurations or sources",
    ),
    "another data set": (
        lambda: made_duel(sides={"a": A, "b": {**B, "data.train_fingerprint": "e" * 64}}),
        "are of different tracks",
    ),
    "another budget": (
        lambda: made_duel(sides={"a": A, "b": {**B, "budget_s": 600.0, "config.budget_s": 600.0}}),
        "pair 0, B: its budget is 600 s, not 300 s",
    ),
    "another class": (
        lambda: made_duel(hardware_class="cuda-h200"),
        "its class is 'cpu-x86_64-2c-amx', not 'cuda-h200'",
    ),
    "another machine": (
        lambda: replaced(OK, 4, {"hardware.cpu": "A faster one"}),
        "its runs were made on 2 machines",
    ),
    "all of A, then all of B": (
        lambda: replaced(OK, 0, {"created": "2026-03-09T00:00:00+00:00"}),
        "not in the order of its races",
    ),
    "a pair that was lost is called disturbed": (
        disturbed,
        "pair 0 is left out as disturbed, which its records do not show",
    ),
    "copied weights": (
        lambda: made_duel(sides={"a": A, "b": {**B, "weights_sha256": "a" * 64}}),
        "runs of B have the same weights",
    ),
    "one side twice": (
        lambda: made_duel(sides={"a": A, "b": {"created": "2026-01-01T00:00:00+00:00"}}),
        "both sides are the same",
    ),
    "looks at a thousand pairs": (
        lambda: made_duel(stop="early", planned_pairs=1000),
        "1000 planned pairs",
    ),
    "a plan of one pair": (lambda: made_duel(TWO_PERCENT[:1]), "1 pairs: a duel has at least 3"),
    "a date that is none": (lambda: made_duel(created="\x1b[2J"), "created: "),
    "a name that acts": (lambda: (_with_b(label="\x1b[2Jx"), OK[1]), "holds control characters"),
}


def _with_b(**changes: str) -> Duel:
    side = OK[0].b.model_copy(update=changes)
    return OK[0].model_copy(update={"b": side}).sealed()


def _of_source(source: str) -> Duel:
    """The duel of two sides with another source, whose seeds and pairs follow from that."""
    duel = OK[0]
    a, b = (side.model_copy(update={"source": source}) for side in (duel.a, duel.b))
    duel = duel.model_copy(update={"a": a, "b": b})
    return duel.sealed(
        [p.model_copy(update={"seed": duel.seed(n)}) for n, p in enumerate(duel.pairs)]
    )


@pytest.mark.parametrize("case", HOSTILE)
def test_a_duel_that_does_not_hold_is_one_line(command, tmp_path, case):
    make, says = HOSTILE[case]
    duel, records = make()
    store = tmp_path / "store"
    add_duel(store, duel, records)
    found = read(store)
    (line,) = [line for line in found.problems if ".duel.json" in line]
    assert says in line and is_sanitized(line) and len(line) < 1500, line
    assert found.duels == []
    done = command("leaderboard", "--from", store, "--check")
    assert done.code == 2 and "Traceback" not in done.err
    if len(records) == len(duel.records):  # and it is not submitted, nor a run of it
        folder, empty = write_duel(tmp_path / "duel", duel, records), tmp_path / "empty"
        done = command("submit", folder, "--to", empty, "--new-data")
        assert (done.code, snapshot(empty) if empty.exists() else {}) == (2, {})
        assert "not accepted" in done.err and is_sanitized(done.err.replace("\n", ""))


RAW: dict[str, tuple[Callable[[str], str], str]] = {
    "changed": (lambda text: text.replace("0.784", "0.5", 1), "its id does not match"),
    "no JSON": (lambda _: "{", "not a duel"),
    "nested": (lambda _: "[" * 60_000, "not a duel"),
    "a key twice": (lambda text: text.replace('"id"', '"stop": "early", "id"', 1), "twice"),
    "an unknown key": (lambda text: text.replace('"id"', '"x\\u001b": 1, "id"', 1), "Extra"),
    "too large": (lambda text: text + " " * MAX_DUEL_BYTES, str(MAX_DUEL_BYTES)),
    "infinite": (lambda text: text.replace("0.784", "1e999", 1), "not a duel"),
    "not a number": (lambda text: text.replace("0.784", "NaN", 1), "not a duel"),
    "a seed that was picked": (
        lambda text: re.sub(r'"seed": \d+', '"seed": 1', text, count=1),
        "its seed does not follow",
    ),
    "another order": (lambda text: text.replace('"first": "a"', '"first": "b"', 1), "first"),
    "another index": (lambda text: text.replace('"index": 0', '"index": 3', 1), "its index is 3"),
    "an id that is a path": (lambda text: text.replace(OK[0].id, "../x"), "not a duel (id"),
}


@pytest.mark.parametrize("case", RAW)
def test_a_file_that_is_no_duel_is_one_line(command, refused, tmp_path, case):
    change, says = RAW[case]
    store = tmp_path / "store"
    add_duel_text = change(OK[0].to_json())
    for record in OK[1]:
        add(store, record)
    (store / f"{OK[0].id}.duel.json").write_text(add_duel_text)
    (line,) = read(store).problems
    assert says in line and is_sanitized(line) and len(line) < 500, line
    folder = write_duel(tmp_path / "duel", *OK)
    (folder / "duel.json").write_text(add_duel_text)
    refused(says, "submit", folder, "--to", tmp_path / "new" / "store")
    assert command("leaderboard", "--from", store).code == 0


def test_a_duel_under_another_name_is_a_problem(tmp_path):
    for record in OK[1]:
        add(tmp_path, record)
    (tmp_path / f"{'0' * 64}.duel.json").write_text(OK[0].to_json())
    assert "its name does not belong" in read(tmp_path).problems[0]


def test_records_that_are_used_twice_count_for_the_longer_duel(tmp_path, refused):
    """Nobody drops the pairs that were lost by submitting a part of a duel."""
    whole, records = OK
    with pytest.raises(ValueError, match="does not follow from sides and plan"):
        whole.model_copy(update={"planned_pairs": 4}).sealed(whole.pairs[:4])
    part = whole.sealed(whole.pairs[:4])
    early = part.model_copy(update={"created": "2026-01-01T00:00:00+00:00"}).sealed()
    add_duel(tmp_path / "store", whole, records)
    add_duel(tmp_path / "store", early)
    found = read(tmp_path / "store")
    assert [duel.id for duel in found.duels] == [whole.id]
    (line,) = found.problems
    assert f"those of the duel {whole.id[:12]}" in line and early.id in line
    folder = write_duel(tmp_path / "duel", part, records[:8])
    refused("are those of the duel", "submit", folder, "--to", tmp_path / "store")


def test_a_record_that_goes_bad_takes_its_duel_along(tmp_path):
    cache = tmp_path / "cache"
    add_duel(tmp_path / "store", *OK)
    store = Store(str(tmp_path / "store"))
    assert len(index.read(store, cache).duels) == 1
    path = tmp_path / "store" / f"{OK[1][0].id}.json"
    path.write_text(path.read_text().replace('"seed": ', '"seed": 1', 1))
    found = index.read(store, cache)  # the duel comes from the cache
    assert found.duels == [] and len(found.problems) == 2
    path.unlink()
    assert index.read(store, cache).duels == []


def test_a_duel_is_submitted_whole(command, tmp_path):
    folder, store = write_duel(tmp_path / "duel", *OK), tmp_path / "store"
    done = command("submit", folder, "--to", store, "--name", "faster", "--author", "Ben")
    assert done.out == f"{OK[0].id[:12]}: added 10 records and the duel to {store}\n"
    found = read(store)
    assert (len(found.runs), len(found.duels), found.problems) == (10, 1, [])
    names = {found.submissions[id].name for id in (OK[0].pairs[0].a, OK[0].pairs[0].b)}
    assert names == {None, "faster"}
    before = snapshot(store)
    done = command("submit", folder, "--to", store, "--json")
    assert json.loads(done.out.splitlines()[-1]) == {"duel": OK[0].id, "added": False, "pairs": 5}
    assert snapshot(store) == before


def test_one_bad_run_keeps_a_whole_duel_and_all_else_out(refused, tmp_path):
    folder = write_duel(tmp_path / "duel", *OK)
    single = write_run(tmp_path / "single", made(0.7, 3))
    (folder / OK[1][7].id[:12] / "record.json").write_text("{")
    refused("no run", "submit", single, folder, "--to", tmp_path / "new" / "store")


@pytest.mark.parametrize(
    "changes",
    [{"host.matmul_after": 10.0}, {"clock.suspended_s": 3.0}],  # the second one does not rank
)
def test_a_pair_that_was_disturbed_stays_in_the_duel_and_does_not_count(command, tmp_path, changes):
    duel, records = disturbed(changes)
    store = tmp_path / "store"
    done = command("submit", write_duel(tmp_path / "duel", duel, records), "--to", store)
    assert done.out.endswith(f"added 12 records and the duel to {store}\n"), done.err
    found = read(store)
    assert found.problems == [] and len(found.runs) == 12
    (board,) = boards(found.runs, duels=found.duels)
    assert [entry.bits_per_byte.n for entry in board.entries] == [5, 5]
    assert len(board.history) == 2 and board.duels[0].verdict.decision == "b"
    (store / f"{duel.id}.duel.json").unlink()  # without its duel such a run is a problem
    says = ["it does not rank"] if "clock.suspended_s" in changes else []
    assert [line.split(": ")[1] for line in read(store).problems][:1] == says
