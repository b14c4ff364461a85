"""Valid records, changed at random: refused in one line, or accepted with numbers that hold.

Wrong is an accepted record of which one of these is not so, worked out here anew from the JSON
alone: the id is the hash of the content; bits per byte, perplexity and nats per token follow from
the nats; tokens per second from tokens and time; the run is complete, within its budget, has a
finite score above 0 on the known bytes of the known documents; config and headline agree. A change
to anything else, sealed anew, is another record that may be true.
"""

import contextlib
import io
import json
import math
import uuid
from pathlib import Path
from typing import Any

import pytest
from helpers.made_records import BOUND, at, leaves, made, put, resealed, write_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from leaderboard import index
from leaderboard.checks import validate
from leaderboard.render import json as plain
from leaderboard.render import markdown, terminal
from leaderboard.standing.boards import boards as boards_of
from leaderboard.store import Store
from leaderboard.submit import candidate, opened_data, submit
from speedrun.records.files import OWN_RECORDS
from speedrun.records.sanitize import is_sanitized
from speedrun.records.schema import content_id, load, parse
from speedrun.records.summary import data_id, summarize

REAL = sorted(path for path in OWN_RECORDS.glob("*.json") if len(path.stem) == 64)
VALID = [made().to_json(), made(1.25, 3, BOUND).to_json(), *(load(p).to_json() for p in REAL[:2])]
KNOWN = {
    (data_id(d.train_fingerprint), d.heldout_fingerprint, d.num_docs, d.num_bytes)
    for d in index.known_data(Store("memory://none"))
}
VALUES = st.one_of(
    st.integers(-2, 10),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.sampled_from([..., None, True, [], {"": None}, 10**20, 10**400, -(10**9), 5e-324, 1e308]),
    st.sampled_from(["\x1b[2J", "\u202e", "\ud800", "a\nb", "<b>", "x" * 999]),
)
SCALES = st.sampled_from([1 + 1e-12, 1 + 1e-7, 0.99, 1.01, 0.5, 2, -1, 0])


@st.composite
def changed(draw) -> str:
    """A record file with a few changes to its JSON, under a new id or the old."""
    content = json.loads(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 3))):
        paths = list(leaves(content))
        path, other = draw(st.sampled_from(paths)), draw(st.sampled_from(paths))
        old, act = (
            at(content, path),
            draw(st.sampled_from(("set", "scale", "retype", "add", "swap"))),
        )
        if act == "scale" and isinstance(old, int | float) and not isinstance(old, bool):
            put(content, path, type(old)(old * draw(SCALES)))
        elif act == "retype":
            put(content, path, draw(st.sampled_from([str(old)[:50], [old], {"x": old}, bool(old)])))
        elif act == "add":
            content[draw(st.sampled_from(["", "rank", "\ud800", "\x1b[2J"]))] = draw(
                VALUES.filter(lambda value: value is not ...)
            )
        elif act == "swap":
            put(content, path, at(content, other))
            put(content, other, old)
        else:  # a whole section as well
            put(content, draw(st.sampled_from([*content, path])), draw(VALUES))
    if draw(st.booleans()):
        with contextlib.suppress(ValueError):  # nothing that has no canonical form has an id
            return resealed(content)
    return json.dumps(content)


def wrong(content: dict[str, Any]) -> list[str]:
    """Contradictions in an accepted record, worked out from its JSON alone."""
    score, clock, train, config = (content[k] for k in ("score", "clock", "train", "config"))
    data, spent_s = content["data"], clock["train_s"] + clock["data_wait_s"]

    def close(a: float, b: float, relative: float) -> bool:
        return math.isfinite(a) and abs(a - b) <= relative * abs(b) + 1e-11

    known = (data_id(data["train_fingerprint"]), data["heldout_fingerprint"])
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


def check(text: str, folder: Path) -> bool:
    """Submit a file and show what became of it; whether it was accepted."""
    store, run = Store(f"memory://{uuid.uuid4().hex}"), write_run(folder / "run", text)
    try:
        found = candidate(run)
        opens = opened_data(found, index.known_data(store), new_data=False)
        submit(found, store, name=None, author=None, opens=opens)
    except ValueError as error:
        line = str(error)
        assert is_sanitized(line) and len(line) < 2000, line[:3000]
        assert store.names() == {}
        return False
    assert wrong(json.loads(text)) == []
    record = parse(text.encode(), "")
    assert not validate.problems(record)
    read = index.read(store, None)
    assert read.problems == [] and len(read.runs) == 1
    # Three of it, as an entry with a spread.
    rows = [summarize(record)._replace(seed=k, weights_sha256=str(k)) for k in range(3)]
    boards, shown = boards_of(rows, read.submissions), io.StringIO()
    terminal.show(Console(file=shown, width=240), boards, 0)
    shown.write(markdown.render(boards))
    assert is_sanitized(shown.getvalue().replace("\n", ""))
    json.dumps(plain.boards(boards, []), allow_nan=False)
    return True


@pytest.mark.slow
def test_changed_records_are_refused_or_hold(tmp_path):
    accepted = []
    every = settings(derandomize=True, max_examples=200, database=None, deadline=None)

    @settings(every, suppress_health_check=list(HealthCheck))  # type: ignore[arg-type]
    @given(text=changed())
    def tried(text):
        accepted.append(check(text, tmp_path))

    assert all(check(text, tmp_path) for text in VALID)
    tried()
    assert sum(accepted) > 3, "too few of them were accepted to say anything"
