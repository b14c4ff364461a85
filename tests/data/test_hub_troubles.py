"""A hub that misbehaves: a right race or one line that names the cause, in bounded time."""

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import hub_troubles
from helpers.hub_troubles import SECRET, TROUBLES

from speedrun.data.hub import failures

TESTS = Path(__file__).resolve().parents[1]
# What is said of each trouble; None for those that a race on the hub's documents follows.
SAID = {
    "none": None,
    "a token that is refused": "refuses the token of HF_TOKEN (401: expired or revoked?)",
    "a token with curly quotes": "refuses the token of HF_TOKEN (it holds characters",
    "busy once": "Waiting 1 s: * has had too many requests from here (429), asks to wait 1 s",
    "a login for everybody": "asks for a login (401)",
    "access refused": "refuses access (403)",
    "gone": "has no roneneldan/TinyStories at revision f54c09fd (404)",
    "busy for an hour": "has had too many requests from here (429), asks to wait 3600 s",
    "busy, at the files": "has had too many requests from here (429), asks to wait 3600 s",
    "failing": "has a failure of its own (503)",
    "failing at the files": "has a failure of its own (500), no whole answer within",
    "files gone": "has no roneneldan/TinyStories at revision f54c09fd (404)",
    "a page of a hotel": "a web page came instead of an answer of",
    "a page in place of files": "a web page came instead of an answer of",
    "another service": "is not that of a Hugging Face hub",
    "silent": "HF_ENDPOINT=http://127.0.0.1:* no*answer",  # by whichever clock is first
    "silent at the files": "no whole answer within",
    "dripping": "gave no whole answer within",
    "dripping files": "gave no whole answer within",
    "hanging up": "cut the connection",
    "cut in the middle": "cut the connection, no whole answer within",
    "truncated shards": "data/validation-00000-of-00001.parquet came damaged from",
    "wrong bytes": "data/validation-00000-of-00001.parquet came damaged from",
    "nothing listens": "cannot be reached (connection refused)",
    "not TLS": "no secure connection to HF_ENDPOINT=https://127.0.0.1:",
    "no such name": "HF_ENDPOINT=http://no-such-host.invalid c",  # cannot be found, or asked
    "no address": "HF_ENDPOINT=huggingface is no address",
    "a proxy that wants a password": "the proxy HTTP_PROXY=http://127.0.0.1:* asks for a name and",
    "a proxy that reaches nothing": "or the proxy HTTP_PROXY=http://127.0.0.1:* has a failure",
    "a proxy that is not there": "the proxy HTTP_PROXY=http://127.0.0.1:9 cannot be reached",
    "a proxy of another kind": "the proxy ALL_PROXY=socks9://127.0.0.1:9 cannot be used",
    "offline": "HF_HUB_OFFLINE is set",
    "offline for datasets": "HF_DATASETS_OFFLINE is set",
    "offline for transformers": "TRANSFORMERS_OFFLINE is set",
}
LATER = {
    404: "has no roneneldan/TinyStories at revision f54c09fd (404)",
    429: "too many requests from here (429), asks to wait 3600 s",
    503: "has a failure of its own (503), asks to wait 3600 s",
    "html": "a web page came instead of an answer of",
    "silent": "HF_ENDPOINT=http://127.0.0.1:* no*answer",  # by whichever clock is first
    "drip": "gave no whole answer within",
    "drop": "cut the connection",
    "cut": "cut the connection",
    "truncate": "data/train-00000-of-00001.parquet came damaged from",
    "garble": "data/train-00000-of-00001.parquet came damaged from",
}


def child(what: str, folder: Path) -> dict:
    """The findings of a function of `hub_troubles`, whose process says nothing else."""
    variables = {"HF_HUB_OFFLINE": "0", "HF_HOME": str(folder / "hf"), "USE_TORCH": "0"}
    variables["PYTHONPATH"] = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, "-m", "helpers.hub_troubles", what, str(folder)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not any(word in done.stdout for word in (*SECRET.strip("@").split(":"), "Error"))
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def met(tmp_path_factory) -> dict:
    return child("troubles", tmp_path_factory.mktemp("troubles"))


def has(text: str, pattern: str) -> bool:
    """Whether the parts between the stars of a pattern are in a text."""
    return all(part.strip() in text for part in pattern.split("*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_is_named_and_ends_in_a_right_race(met, name):
    found, expected = met[name], SAID[name]
    said = " ".join(found["said"])
    assert "error" not in found and "\n" not in said and found["took_s"] < 25
    assert expected is None or has(said, expected)
    if name in hub_troubles.ANSWERED:
        assert found["real"] and "storybook" not in said
    else:  # nothing is cached: the storybook is announced, and what to do
        assert found["origin"] == "storybook" and "Using the built-in storybook" in said
        assert "--data PATH takes a local copy" in said and "(No" not in said


@pytest.mark.slow
@pytest.mark.parametrize("kind", LATER, ids=str)
def test_a_hub_that_dies_in_the_middle_ends_the_documents_in_time(met, kind):
    found = met[f"later: {kind}"]
    assert found["num"] == 64 and found["took_s"] < 10 and has(found["error"], LATER[kind])


@pytest.mark.slow
def test_a_race_goes_on_with_what_was_read_and_its_record_says_why(tmp_path):
    found = child("race", tmp_path)
    assert (found["source"], found["status"]) == ("hub", "complete") and found["downloads"]
    said = dict(found["events"])["documents_ended"]
    assert "has a failure of its own (503), asks to wait 3600 s" in said


def test_every_trouble_has_its_words():
    assert SAID.keys() == TROUBLES.keys() and tuple(LATER) == hub_troubles.LATER


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_a_wait_is_read_however_it_is_spelled(headers, seconds):
    assert failures.wait_s(headers) == seconds


def test_certificates_and_proxies_are_named_without_their_secrets(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    distrust = ssl.SSLCertVerificationError("certificate verify failed")
    distrust.verify_message = "self-signed certificate in certificate chain"
    said = failures.why(ConnectionError(distrust).with_traceback(None))
    assert "secret" not in said
    wrapped = OSError("outer")
    wrapped.__cause__ = distrust
    assert failures.why(wrapped) == (
        "the certificate of the hub is not trusted here (self-signed certificate in certificate"
        " chain): a proxy that reads along, or a wrong clock?"
    )
    ProxyError = type("ProxyError", (Exception,), {})
    named = "the proxy HTTPS_PROXY=http://proxy.example:3128"
    assert failures.why(ProxyError("407 Proxy Authentication Required")).startswith(f"{named} asks")
    assert failures.why(ProxyError("403 Forbidden")) == f"{named} refuses the connection (403)"
    full = OSError(28, "No space left on device", "/cache/hub/README.md")
    assert failures.why(full).startswith("/cache/hub/README.md cannot be used (no space left")
    assert failures.why(TimeoutError()) == f"{named} does not answer"
