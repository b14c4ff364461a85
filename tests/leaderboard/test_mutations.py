"""Valid records, changed at random: refused in one line, or accepted with numbers that hold.

Wrong is an accepted record of which one of these is not so, worked out here anew from the JSON
alone: the id is the hash of the content; bits per byte, perplexity and nats per token follow from
the nats; tokens per second from tokens and time; the run is complete, within its budget, has a
finite score above 0 on the known bytes of the known documents; config and headline agree. A change
to anything else, sealed anew, is another record that may be true.
"""

import contextlib
import copy
import io
import json
import math
import uuid
from pathlib import Path
from typing import Any

import pytest
from helpers.made_records import BOUND, leaves, made, put, resealed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from leaderboard import index, rank, validate
from leaderboard.render import json as plain
from leaderboard.render import markdown, terminal
from leaderboard.store import Store
from leaderboard.submit import candidate, opened_data, submit
from speedrun.records.sanitize import is_sanitized
from speedrun.records.schema import content_id, parse
from speedrun.records.summary import summarize

pytestmark = pytest.mark.slow

VALID = [made(0.75, 0).content(), made(1.25, 3, BOUND).content()]
FOLDER = Path(__file__).resolve().parents[2] / "leaderboard" / "records"
REAL = sorted(path for path in FOLDER.glob("*.json") if len(path.stem) == 64)
VALID += [json.loads(path.read_text(encoding="utf-8")) for path in REAL[:2]]
KNOWN = {
    (d.train_fingerprint, d.heldout_fingerprint, d.num_docs, d.num_bytes)
    for d in index.known_data(Store("memory://none"))
}

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10),
    st.sampled_from([10**20, 10**400, -(10**9)]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 5e-324, 1e308]),
    st.text(max_size=8),
    st.sampled_from(["\x1b[2J", "\u202e", "\ud800", "a\nb", "<b>", "x" * 999]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)


def inner_of(content: Any, path: str) -> tuple[Any, Any]:
    """The dict or list that holds a path's value, and its key there."""
    *sections, name = (int(p) if p.isdecimal() else p for p in path.split("."))
    for section in sections:
        content = content[section]
    return content, name


@st.composite
def changed(draw) -> bytes:
    """The bytes of a record file with a few changes to its JSON, under a new id or the old."""
    content = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 3))):
        paths = list(leaves(content))
        path = draw(st.sampled_from(paths))
        if draw(st.booleans()):  # a part of it, not a leaf
            path = draw(st.sampled_from([*content, path, path.rpartition(".")[0] or path]))
        inner, name = inner_of(content, path)
        old = inner[name]
        act = draw(st.sampled_from(("drop", "replace", "nudge", "retype", "add", "swap")))
        if act == "drop":
            del inner[name]
        elif act == "replace":
            put(content, path, draw(VALUES))
        elif act == "nudge" and isinstance(old, int | float) and not isinstance(old, bool):
            scale = draw(st.sampled_from([1 + 1e-12, 1 + 1e-7, 0.99, 1.01, 0.5, 2, -1, 0]))
            put(content, path, type(old)(old * scale))
        elif act == "retype":
            put(content, path, draw(st.sampled_from([str(old)[:50], [old], {"x": old}, bool(old)])))
        elif act == "add" and isinstance(inner, dict):
            inner[draw(st.text(max_size=5))] = draw(VALUES)
        else:
            other, key = inner_of(content, draw(st.sampled_from(list(leaves(content)))))
            inner[name], other[key] = other[key], inner[name]
    if draw(st.booleans()):
        with contextlib.suppress(ValueError):  # nothing that has no canonical form has an id
            return resealed(content).encode("utf-8", "surrogatepass")
    return json.dumps(content).encode("utf-8", "surrogatepass")


def wrong(content: dict[str, Any]) -> list[str]:
    """What does not hold in an accepted record, worked out from its JSON alone."""
    score, clock, train, config = (content[k] for k in ("score", "clock", "train", "config"))
    spent_s = clock["train_s"] + clock["data_wait_s"]
    data = content["data"]

    def close(a: float, b: float, relative: float) -> bool:
        return math.isfinite(a) and abs(a - b) <= relative * abs(b) + 1e-11

    known = (data["train_fingerprint"], data["heldout_fingerprint"])
    per_token = score["nats"] / score["num_tokens"]
    per_byte = score["nats"] / 0.6931471805599453 / score["num_bytes"]
    holds = {
        "id": content["id"] == content_id(content),
        "complete": content["status"] == "complete" and clock["suspended_s"] == 0,
        "bits": close(score["bits_per_byte"], per_byte, 1e-8),
        "nats": close(score["nats_per_token"], per_token, 1e-8),
        "perplexity": close(score["perplexity"], math.exp(per_token), 1e-8),
        "speed": close(train["tokens_per_s"], train["num_tokens"] / spent_s, 2e-3),
        "above 0": score["nats"] > 0 and score["bits_per_byte_se"] >= 0,
        "budget": 0 < spent_s <= content["budget_s"] * 1.005 + 0.051,
        "known": (*known, score["num_docs"], score["num_bytes"]) in KNOWN,
        "config": all(config[k] == content[k] for k in ("arch", "seed", "budget_s")),
        "vocab": config["model"]["vocab"] == content["tokenizer"]["vocab"],
        "window": config["model"]["context"] == score["window"],
        "likelihood": (score["likelihood"] == "exact") == (score.get("num_draws") is None),
    }
    return [name for name, is_so in holds.items() if not is_so]


def check(raw: bytes, folder: Path) -> bool:
    """Submit a file and show what became of it; whether it was accepted."""
    run = folder / "run"
    run.mkdir(exist_ok=True)
    (run / "record.json").write_bytes(raw)
    url = f"memory://{uuid.uuid4().hex}"
    store = Store(url)
    try:
        found = candidate(run)
        opens = opened_data(found, index.known_data(store), new_data=False)
        submit(found, store, name=None, author=None, opens=opens)
    except ValueError as error:
        line = str(error)
        assert is_sanitized(line) and len(line) < 2000, line[:3000]
        assert store.names() == {}
        return False
    content = json.loads(raw)
    assert wrong(content) == []
    record = parse(raw, "")
    assert not validate.problems(record)
    read = index.read(store, None)
    assert read.problems == [] and len(read.runs) == 1
    # Three of it, as an entry with a spread.
    rows = [summarize(record)._replace(seed=k, weights_sha256=str(k)) for k in range(3)]
    boards = rank.boards(rows, read.submissions)
    shown = io.StringIO()
    for width in (80, 240):
        terminal.show(Console(file=shown, width=width), boards, 0)
    assert is_sanitized(shown.getvalue().replace("\n", ""))
    assert is_sanitized(markdown.render(boards).replace("\n", ""))
    json.dumps(plain.boards(boards, []), allow_nan=False)
    return True


def test_changed_records_are_refused_or_hold(tmp_path):
    accepted = []

    @settings(
        deadline=None,
        derandomize=True,
        max_examples=200,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(raw=changed())
    def tried(raw):
        accepted.append(check(raw, tmp_path))

    tried()
    assert sum(accepted) > 3, "too few of them were accepted to say anything"


def test_what_was_not_changed_is_accepted(tmp_path):
    for content in VALID:
        assert check(json.dumps(content).encode(), tmp_path)
