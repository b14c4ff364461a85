"""A race that trained keeps its model, whatever happens after that."""

import json
import math
import os
import shutil

import pytest

from speedrun.evaluation import generate
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.fairness import UnfairModelError, random_rows
from speedrun.records import schema
from speedrun.system.interrupts import Stopping
from speedrun.training.callbacks import Silent
from speedrun.training.race import NotScored, race
from speedrun.training.runs import outcome, record, run_dir, run_names
from speedrun.training.runs.restore import load_run
from speedrun.training.runs.score_later import Request, score_later
from speedrun.training.signals import StopFlag


class Heard(Silent):
    """Callbacks that keep the notices."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text):
        self.notices.append(text)


def fails(error):
    """A function that raises."""

    def failing(*args, **options):
        raise error

    return failing


def the_run(request):
    (folder,) = request.out.iterdir()
    return folder


def trained_run(request, monkeypatch):
    """The folder of a race whose scoring was stopped, and what it says is kept."""
    stop = StopFlag(())
    with monkeypatch.context() as patched:
        patched.setattr(evaluate, "score", fails(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            race(request, Silent(), stop)
    return the_run(request), stop.kept


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("out of luck"), "RuntimeError: out of luck"),
        (MemoryError(), "MemoryError"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (KeyError("logits"), "logits"),
    ],
)
def test_a_model_that_cannot_be_scored_is_kept(counted, monkeypatch, error, says):
    monkeypatch.setattr(evaluate, "score", fails(error))
    with pytest.raises(NotScored, match=says) as caught:
        race(counted, Silent(), StopFlag(()))
    folder = the_run(counted)
    assert f"python run.py score {folder} finishes it" in str(caught.value)
    left = schema.load(folder / "record.json")
    assert left.status == "trained" and left.score is None and left.train.num_steps > 0
    assert load_run(folder, "auto").record == left


def test_a_model_that_became_unfair_is_kept(counted, monkeypatch):
    checks = iter([None, UnfairModelError("not causal: moved")])

    def check(*args):
        if (error := next(checks)) is not None:
            raise error

    monkeypatch.setattr(random_rows, "check", check)
    with pytest.raises(NotScored, match=r"not causal: moved\); .*: mend the architecture$"):
        race(counted, Silent(), StopFlag(()))
    assert schema.load(the_run(counted) / "record.json").status == "trained"


def test_a_stop_while_scoring_says_how_the_run_is_finished(counted, monkeypatch):
    folder, kept = trained_run(counted, monkeypatch)
    assert kept == f"the trained model is in {folder}: python run.py score {folder} finishes it"


def test_a_signal_while_the_model_is_written_waits_until_it_is(counted, monkeypatch):
    stop, published = StopFlag(()), []

    def publish(*args):
        published.append(write(*args))
        stop.signal_name = "SIGTERM"
        return published[0]

    write = outcome.publish
    monkeypatch.setattr(outcome, "publish", publish)
    with pytest.raises(KeyboardInterrupt):
        race(counted, Silent(), stop)
    assert schema.load(the_run(counted) / "record.json") == published[0]


def test_a_sample_that_fails_costs_the_sample_alone(counted, monkeypatch):
    heard = Heard()
    monkeypatch.setattr(generate, "tell", fails(RuntimeError("too few tokens")))
    finished = race(counted, heard, StopFlag(()))
    found = schema.load(finished.folder / "record.json")
    assert found == finished.record and found.status == "complete"
    assert found.score is not None and found.sample is None
    what = "there is no sample: RuntimeError: too few tokens"
    assert found.train.events[-1].what == what and f"{what}." in heard.notices
    assert (finished.folder / "samples.txt").read_text() == ""


def test_a_stop_while_sampling_costs_the_sample_alone(counted, monkeypatch):
    monkeypatch.setattr(generate, "tell", fails(KeyboardInterrupt()))
    with Stopping() as stopping, pytest.raises(KeyboardInterrupt):
        race(counted, Silent(), StopFlag(()))
    assert stopping.outcome == f"the run is scored and kept in {the_run(counted)}"
    found = schema.load(the_run(counted) / "record.json")
    assert found.status == "complete" and found.score is not None and found.sample is None


def test_numbers_and_names_that_json_does_not_take_cost_no_run(counted, monkeypatch):
    """Metadata of an engine and the name of a folder come from outside."""
    build = record.build

    def odd(trained, *rest):
        trained.facts.update(scale=math.nan, note="donn\udce9es", both=[math.inf, {"a": None}])
        trained.built.prepared.opened.source.name = "donn\udce9es"
        return build(trained, *rest)

    monkeypatch.setattr(record, "build", odd)
    finished = race(counted, Silent(), StopFlag(()))
    found = schema.load(finished.folder / "record.json")
    engine = found.train.engine
    assert (engine["scale"], engine["note"], engine["both"]) == (
        None,
        "donn?es",
        [None, {"a": None}],
    )
    assert found.data.name == "donn?es" and found.status == "complete"


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no folder in use")
def test_a_folder_that_is_deleted_while_scoring_is_made_again(counted, monkeypatch):
    score = evaluate.score

    def deleting(*args):
        shutil.rmtree(counted.out)
        return score(*args)

    monkeypatch.setattr(evaluate, "score", deleting)
    finished = race(counted, Silent(), StopFlag(()))
    assert load_run(finished.folder, "auto").record == finished.record
    assert finished.record.status == "complete"


def test_weights_are_kept_where_no_record_can_be_made(counted, monkeypatch):
    monkeypatch.setattr(record, "build", fails(RuntimeError("no such fact")))
    with pytest.raises(ValueError, match=r"no such fact.*; its weights are kept in"):
        race(counted, Silent(), StopFlag(()))
    names = {path.name for path in the_run(counted).iterdir()}
    assert {"model.safetensors", "tokenizer.json", "log.jsonl"} <= names


def test_a_disk_that_is_full_at_the_end_leaves_the_trained_run(counted, monkeypatch):
    monkeypatch.setattr(run_dir.RunDirectory, "replace", fails(OSError(28, "No space left")))
    with pytest.raises(NotScored, match=r"cannot be written \(No space left\)\); the trained"):
        race(counted, Silent(), StopFlag(()))
    assert schema.load(the_run(counted) / "record.json").status == "trained"


def test_a_run_is_scored_later_as_its_race_would_have_scored_it(counted, monkeypatch):
    folder, _ = trained_run(counted, monkeypatch)
    trained = schema.load(folder / "record.json")
    found = score_later(folder, Request(), Silent())
    assert schema.load(folder / "record.json") == found and found.status == "complete"
    shutil.rmtree(counted.out)
    at_once = race(counted, Silent(), StopFlag(())).record
    assert found.score == at_once.score and found.sample == at_once.sample
    assert [event.kind for event in found.train.events] == ["epochs_done", "scored_later"]
    assert found.clock.evaluate_s > 0 < found.clock.sample_s
    assert found.clock.train_s == trained.clock.train_s and found.created == trained.created


def test_an_interrupted_training_is_interrupted_when_it_is_scored_later(counted, monkeypatch):
    folder, _ = trained_run(counted, monkeypatch)
    path = folder / "record.json"
    content = json.loads(path.read_text())
    event = {"share": 0.4, "kind": "interrupted", "what": "stopped by SIGTERM at 40%"}
    content["train"]["events"].append(event)
    path.write_text(schema.seal(content).to_json())
    assert score_later(folder, Request(), Silent()).status == "interrupted"


def test_a_run_that_cannot_be_scored_later_says_why_and_stays(counted, stories, monkeypatch):
    folder, _ = trained_run(counted, monkeypatch)
    before = (folder / "record.json").read_bytes()

    def refused(**options):
        with pytest.raises(ValueError) as caught:
            score_later(folder, Request(**options), Silent())
        assert (folder / "record.json").read_bytes() == before
        return str(caught.value)

    whole = stories.read_text()
    try:
        stories.write_text(f'{whole.rstrip()}\n{{"text": "One more story."}}\n')
        assert "they were changed, or are others: give the right ones" in refused()
        stories.unlink()
        assert "its data are not where they were" in refused()
        assert "no such file" in refused(data=str(stories))
    finally:
        stories.write_text(whole)
    held = run_names.lock_run(folder)
    assert held is not None
    assert "a race or a command is at work on it" in refused()
    held.release(remove=True)
    score_later(folder, Request(), Silent())
    with pytest.raises(ValueError, match=r"the run is complete, .*run\.py verify"):
        score_later(folder, Request(), Silent())
    assert [path.name for path in counted.out.iterdir()] == [folder.name]
