"""Text of strangers, in every field and file name, is inert on its way to a terminal."""

import contextlib
import json
import re
import unicodedata
from types import SimpleNamespace

import pytest
from helpers.command_line import command
from helpers.made_records import CONTENT, at, leaves, made, put, resealed, verification, write_run

from speedrun.evaluation import generate
from speedrun.records.sanitize import is_sanitized, sanitize_stream
from speedrun.training.runs import restore
from speedrun.ui import console

HOSTILE = {
    "sequences": "\x1b[2J\x1b[H\x1b]0;title\a\x1b[31m\x1b[1A\x1b[2K\r\x1b]8;;http://x\x1b\\y\x9b2J\x84",
    "marks": "\u202egnp.\u2066a\u200b\ufeff\U000e0041\u2028\u3164Z"
    + "\u0301" * 50
    + "[bold][link=http://x]y",
    "surrogate": "\ud800\udcff",
}
# Every text of a record, but for what the schema or the checks fix to a few words.
TEXTS = [
    path
    for path in leaves(CONTENT)
    if not re.search(r"sha256|fingerprint|digest|^source|^\w+.source|cache|created|status", path)
    and path
    not in ("arch", "config.arch", "score.likelihood", "train.events.0.kind", "code.commit")
    and isinstance(at(CONTENT, path), str)
]


@pytest.fixture(autouse=True)
def without_net(monkeypatch):
    """Every way by itself: what the stream would catch counts as well."""
    monkeypatch.setattr(console, "sanitize_stream", lambda text: text)
    monkeypatch.setenv("COLUMNS", "400")


def shown(*args: object) -> str:
    done = command(*args)
    assert done.code in (0, 1, 2) and "Traceback" not in done.err
    for line in (done.out + done.err).split("\n"):
        assert is_sanitized(line), (args, line[:300])
    return done.out + done.err


@pytest.mark.parametrize("name", HOSTILE)
def test_no_command_shows_what_acts(tmp_path, name):
    text = HOSTILE[name]
    folder = text.replace("/", "") if name != "surrogate" else "plain"
    runs, store = tmp_path / f"runs {folder}", tmp_path / "store"
    everywhere = dict.fromkeys(TEXTS, text)
    for run, changes in {"all": everywhere, "one": {"sample.text": text}}.items():
        content = made().content()
        for path, value in {**changes, "versions": {text: text}}.items():
            put(content, path, value)
        text_of_record = json.dumps(content) if name == "surrogate" else resealed(content)
        write_run(runs / f"{run} {folder}", text_of_record)
    every, one = sorted(runs.iterdir())
    note = verification("f" * 64, rescored={"backend": text, "failed": [text]})
    (one / f"verification-{folder}.json").write_text(json.dumps(note.content()))
    commands = [
        *([word, run] for word in ("sample", "score", "verify") for run in (every, one, runs)),
        *(["submit", run, "--to", store] for run in (every, one, runs / text[:1])),
        ["compare", every, one],
        ["compare", one, one],
        *(["leaderboard", "--from", place] for place in (runs, store)),
        *(["leaderboard", "--from", store, "--format", kind] for kind in ("markdown", "json")),
        ["leaderboard", "--from", runs, "--check"],
        ["leaderboard", "--from", store, "--track", text],
        ["leaderboard", "--from", runs, "--format", "html", "--to", tmp_path / folder],
        ["leaderboard", "--from", store, "--format", "markdown", "--to", tmp_path / folder],
        ["verify", text],
        [text],
    ]
    for words in commands:
        shown(*words)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sample_shows_what_a_strangers_vocabulary_holds(tmp_path, monkeypatch, name):
    monkeypatch.setattr(restore, "load_run", lambda *args: restore_nothing())
    monkeypatch.setattr(generate, "tell", lambda *args: f"Once\n{HOSTILE[name]}")
    assert shown("sample", tmp_path).startswith("Once\n")


def restore_nothing() -> SimpleNamespace:
    """A run as far as `sample` looks at it."""
    nothing = dict.fromkeys(("engine", "model", "tokenizer"))
    architecture = SimpleNamespace(plugin_errors=contextlib.nullcontext)
    return SimpleNamespace(architecture=architecture, **nothing)


def test_the_net_below_catches_what_no_view_writes():
    for text in HOSTILE.values():
        own = r"\x1b(\[[\d;]*[mAK]|\]8;[^\x00-\x1f]*\x1b\\)|[\r\n\t]"
        assert is_sanitized(re.sub(own, "", sanitize_stream(text)).replace("\u0301", ""))
    unsafe = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    acting = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) in unsafe]
    assert [c for c in acting if sanitize_stream(c) == c] == ["\t", "\n", "\r"]
    assert sanitize_stream("für 狐狸 🦊 שלום ▁▂█") == "für 狐狸 🦊 שלום ▁▂█"
