"""Publication to a hub on the loopback: one commit, and one line for whatever is in its way."""

import hashlib
import json

import pytest
from helpers.made_records import WEIGHTS, write_run
from helpers.model_hub import READ_ONLY, ModelHub

import speedrun
from leaderboard.publish import hub as publishing
from leaderboard.publish.contents import NAMES

MODEL = "hf://ada/model"

LATER = {
    "created": "2026-01-03T00:00:00+00:00",
    "weights_sha256": hashlib.sha256(WEIGHTS).hexdigest(),
}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with ModelHub() as server:
        server.use(monkeypatch, tmp_path)
        yield server


@pytest.fixture
def run(make_record, tmp_path):
    made = write_run(tmp_path / "run", make_record())
    (made / "log.jsonl").write_text('{"share": 0.5}\n')
    return made


@pytest.mark.parametrize("lfs", [False, True])
def test_a_run_is_published_in_one_commit(lfs, hub, run, command):
    hub.uploads_lfs = lfs
    done = command("publish", run, "--to", MODEL, "--json")
    assert done.code == 0, done
    repo = hub.repos["ada/model"]
    assert len(repo.commits) == 2 and not repo.private, "the hub's own first, then ours"
    sha, files = repo.commits[-1]
    assert files.keys() == {".gitattributes", *NAMES}
    assert files["model.safetensors"] == (run / "model.safetensors").read_bytes()
    result = json.loads(done.out)
    assert (result["page"], result["commit"]) == (f"{hub.endpoint}/ada/model", sha)
    assert bool(hub.stored) == lfs


def test_a_private_one_is_private_from_the_start(hub, run, command, refused):
    assert command("publish", run, "--to", MODEL, "--private").code == 0
    assert hub.repos["ada/model"].private
    hub.made("ada/public")
    refused("is there already and public", "publish", run, "--to", "hf://ada/public", "--private")


def test_a_run_publishes_itself_and_is_loaded_from_there(hub, run):
    done = speedrun.load(run).publish(MODEL, private=True)
    repo = hub.repos["ada/model"]
    assert repo.private and done["commit"] == repo.commits[-1][0]
    assert done["page"] == f"{hub.endpoint}/ada/model" and len(done["files"]) == len(NAMES)
    assert speedrun.load(MODEL).record == speedrun.load(run).record


def test_the_same_run_is_published_again(hub, run, command):
    for options in ((), ("--license", "mit")):
        assert command("publish", run, "--to", MODEL, *options).code == 0
    commits = hub.repos["ada/model"].commits
    assert len(commits) == 3 and b"license: mit" in commits[-1][1]["README.md"]


def test_a_repository_that_the_web_page_made_is_taken(hub, run, command):
    hub.made("ada/model", {"README.md": b"---\nlicense: mit\n---\n"})
    assert command("publish", run, "--to", MODEL).code == 0


def test_other_content_is_left_alone(hub, run, make_record, command, refused, tmp_path):
    hub.made("ada/bert", {"pytorch_model.bin": b"x"})
    refused("there is other content (pytorch_model.bin)", "publish", run, "--to", "hf://ada/bert")
    other = write_run(tmp_path / "other", make_record(LATER))
    assert command("publish", other, "--to", MODEL).code == 0
    refused("there is another run; publish to a repository", "publish", run, "--to", MODEL)
    hub.made("ada/odd", {"record.json": b"{"})
    refused("there is another run", "publish", run, "--to", "hf://ada/odd")
    assert all(method in ("GET", "HEAD") for method, path in hub.requests[-2:])


def test_tokens_that_may_not_write_are_named(hub, run, refused, monkeypatch, tmp_path):
    hub.use(monkeypatch, tmp_path, token=None)
    refused("log in with: hf auth login, or set HF_TOKEN", "publish", run, "--to", MODEL)
    hub.use(monkeypatch, tmp_path, token="hf_revoked")
    refused("refuses the token of HF_TOKEN (401)", "publish", run, "--to", MODEL)
    hub.use(monkeypatch, tmp_path, token=READ_ONLY)
    refused("the token of HF_TOKEN may not write to ada (403)", "publish", run, "--to", MODEL)
    hub.use(monkeypatch, tmp_path)
    refused("may not write to bob (403)", "publish", run, "--to", "hf://bob/model")
    assert not hub.repos


def test_a_change_meanwhile_is_not_overwritten(hub, run, refused):
    hub.made("ada/model")
    hub.trouble = ("/commit/", 412)
    refused("it was changed meanwhile; publish again", "publish", run, "--to", MODEL)


def test_a_hub_that_fails_is_named(hub, run, refused, monkeypatch):
    hub.trouble = ("/commit/", 500)
    refused("a failure of its own (500)", "publish", run, "--to", MODEL)
    hub.trouble = ("/whoami", 429)
    refused("too many requests from here (429)", "publish", run, "--to", "hf://ada/more")


def test_a_card_that_the_hub_does_not_take_says_why(hub, run, refused):
    hub.refuses_card = True
    says = 'does not take it (Invalid metadata in README.md. - "license" must be one of [mit]'
    refused(says, "publish", run, "--to", MODEL, "--license", "mitt")


def test_an_unfinished_publication_says_what_is_left(hub, run, refused):
    hub.trouble = ("/commit/", 403)
    refused("the repository was made, and is empty", "publish", run, "--to", MODEL)


def test_no_network_is_one_line(hub, run, refused, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    refused("cannot be reached", "publish", run, "--to", MODEL)


@pytest.mark.parametrize("at", ["/whoami", "/commit/"])
def test_a_silent_hub_is_given_up(at, hub, run, refused, monkeypatch):
    monkeypatch.setattr(publishing, "_SILENCE_S", 0.5)
    hub.silent_at = at
    refused("does not answer", "publish", run, "--to", MODEL)
