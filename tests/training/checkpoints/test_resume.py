"""Races that are stopped or killed and go on from a checkpoint."""

import functools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from helpers.command_line import done_well

from speedrun import api
from speedrun.backends.torch.engine import TorchEngine
from speedrun.config import Data
from speedrun.records import schema
from speedrun.records.files import CHECKPOINT, RECORD, WEIGHTS
from speedrun.training import race as race_
from speedrun.training.callbacks import Silent
from speedrun.training.checkpoints import checkpoint, resume
from speedrun.training.clock import BudgetClock
from speedrun.training.race import race
from speedrun.training.request import RunRequest
from speedrun.training.runs.run_names import settle_abandoned
from speedrun.training.signals import StopFlag

STEP_S, NUM_STEPS = 1.0, 40
SMALL = ("model.context=32", "model.depth=1", "recipe.compile=false", "recipe.precision=fp32")


class Killed(BaseException):
    """The end of a process, as far as one process can tell it."""


@pytest.fixture
def steps(monkeypatch):
    """Steps of an engine take a second each; `steps.kill_at` raises Killed in one of them."""

    class Steps:
        now_s = 0.0
        num = 0
        kill_at: int | None = None

    def counted(step):
        @functools.wraps(step)
        def taken(engine, rows, lr_scale):
            Steps.num += 1
            if Steps.num == Steps.kill_at:
                raise Killed
            Steps.now_s += STEP_S
            return step(engine, rows, lr_scale)

        return taken

    clock = functools.partial(BudgetClock, now=lambda: Steps.now_s, wall=lambda: Steps.now_s)
    monkeypatch.setattr(race_, "BudgetClock", clock)
    monkeypatch.setattr(TorchEngine, "step", counted(TorchEngine.step))
    return Steps


@pytest.fixture
def wanted(stories: Path, tmp_path: Path) -> RunRequest:
    return RunRequest(
        params="20K",
        budget_s=NUM_STEPS * STEP_S,
        data=Data(path=str(stories), vocab=300, eval_docs=20),
        settings=SMALL,
        out=tmp_path / "runs",
        checkpoint_every_s=7.0,
    )


def raced(request, resumed=None):
    return race(request, Silent(), StopFlag(()), resumed=resumed)


def killed(steps, request, at: int, resumed=None) -> resume.Resumption:
    """The resumption of a race that ended in this step after its warm-up."""
    steps.num, steps.kill_at = 0, at
    with pytest.raises(Killed):
        raced(request, resumed)
    steps.kill_at = None
    (folder,) = request.out.iterdir()
    return resume.load(folder)


def weights(folder: Path) -> dict[str, np.ndarray]:
    return safetensors.numpy.load_file(folder / WEIGHTS)


@pytest.mark.parametrize("settings", [(), ("model.input_bigrams=64", "recipe.optimizer=adamw")])
def test_a_race_that_is_killed_and_resumed_is_the_race_unbroken(steps, wanted, tmp_path, settings):
    changed = {"settings": (*SMALL, *settings)}
    request = RunRequest(**vars(wanted) | changed)
    whole = raced(RunRequest(**vars(request) | {"out": tmp_path / "whole"}))
    resumption = killed(steps, request, at=20)
    assert resumption.progress.spent_s == 14.0 and resumption.progress.num_steps == 14
    again = killed(steps, resumption.request(), at=20, resumed=resumption)
    assert again.progress.spent_s == 28.0 and again.progress.resumes == [14.0]
    finished = raced(again.request(), again)
    assert finished.folder == again.folder and finished.record.status == "complete"
    one, other = whole.record, finished.record
    assert other.train.num_steps == one.train.num_steps == NUM_STEPS - 1
    assert other.train.num_tokens == one.train.num_tokens
    assert other.train.loss_curve == one.train.loss_curve
    assert other.data.consumed_sha256 == one.data.consumed_sha256
    assert other.clock.train_s == one.clock.train_s and other.resumes == [14.0, 28.0]
    before, after = weights(whole.folder), weights(finished.folder)
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array, err_msg=name)
    assert other.score == one.score
    shares = [json.loads(line)["share"] for line in (finished.folder / "log.jsonl").open()]
    assert shares == sorted(set(shares)) == [share for share, _ in one.train.loss_curve]
    assert [e.kind for e in other.train.events] == ["resumed", "resumed"]
    assert not list(request.out.glob(".*")) and not (finished.folder / CHECKPOINT).exists()


def test_a_stopped_race_is_scored_and_goes_on(steps, wanted):
    class Stopping(StopFlag):
        def take(self) -> bool:
            self.signal_name = "SIGINT" if steps.now_s > 20 else ""
            return super().take()

    stopped = race(wanted, Silent(), Stopping(()))
    assert stopped.record.status == "interrupted" and stopped.record.score is not None
    resumption = resume.load(stopped.folder)
    assert resumption.progress.num_steps == stopped.record.train.num_steps
    finished = raced(resumption.request(), resumption)
    assert finished.folder == stopped.folder and finished.record.status == "complete"
    assert finished.record.train.num_steps == NUM_STEPS - 1
    assert schema.load(finished.folder / RECORD) == finished.record
    with pytest.raises(ValueError, match="the run is complete: nothing is left to resume"):
        resume.load(finished.folder)


def test_what_is_left_of_the_whole_command_is_shown(steps, wanted, capsys):
    shown = done_well("resume", killed(steps, wanted, at=20).folder)
    assert "This takes about" in shown and "0:26 of training" in shown
    other = RunRequest(**vars(wanted) | {"out": wanted.out.with_name("other")})
    api.resume(killed(steps, other, at=20).folder)
    for text in (shown, capsys.readouterr().out):
        assert re.search(r"^ 4\d% .*; in all \d+%, about .* left$", text, re.M), text


def test_the_best_weights_so_far_are_kept(steps, wanted, tmp_path):
    request = RunRequest(**vars(wanted) | {"keep": "best"})
    resumption = killed(steps, request, at=30)
    finished = raced(resumption.request(), resumption)
    facts, earlier = finished.record.train.engine, resumption.progress.validation
    assert earlier is not None and earlier["curve"]
    curve = [tuple(point) for point in facts["validation_curve"]]
    assert curve[: len(earlier["curve"])] == [(round(s, 4), n) for s, n in earlier["curve"]]


def test_a_process_that_was_killed_leaves_a_run_that_resumes(steps, wanted):
    resumption = killed(steps, wanted, at=20)
    hidden = resumption.folder.with_name(f".{resumption.folder.name}.partial")
    resumption.folder.rename(hidden)  # as SIGKILL leaves it
    hidden.with_suffix(".racing").touch()
    (hidden / "reserve").write_bytes(b"0" * 100)
    notices: list[str] = []
    settle_abandoned(wanted.out, notices.append)
    assert notices == [
        f"The checkpoint of a race that was killed is kept: python run.py resume"
        f" {resumption.folder}"
    ]
    assert not (resumption.folder / "reserve").exists()
    assert raced(wanted, resume.load(resumption.folder)).record.status == "complete"


def test_without_checkpoints_nothing_is_left(steps, wanted):
    request = RunRequest(**vars(wanted) | {"checkpoint_every_s": 0.0})
    steps.kill_at = 20
    with pytest.raises(Killed):
        raced(request)
    assert not list(wanted.out.iterdir())


def test_a_race_that_ends_before_its_first_checkpoint_leaves_nothing(steps, wanted):
    steps.kill_at = 6  # four of warm-up
    with pytest.raises(Killed):
        raced(wanted)
    assert not list(wanted.out.iterdir())


def test_only_a_race_with_a_checkpoint_says_that_it_resumes(steps, wanted, monkeypatch):
    said: list[float] = []
    monkeypatch.setattr(StopFlag, "can_resume", lambda self, how: said.append(steps.now_s))
    raced(RunRequest(**vars(wanted) | {"checkpoint_every_s": 1000.0}))
    assert said == [], "one that was tried out is gone again"
    raced(wanted)
    assert len(said) == 5


def test_a_full_disk_costs_the_checkpoint_alone(steps, wanted, monkeypatch):
    def full(self, raw):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("speedrun.training.runs.run_dir.RunDirectory.checkpoint", full)
    notices: list[str] = []

    class Heard(Silent):
        def notice(self, text: str) -> None:
            notices.append(text)

    assert race(wanted, Heard(), StopFlag(())).record.status == "complete"
    assert "A checkpoint could not be written (No space left on device)." in notices


def edited(resumption: resume.Resumption, **identity) -> resume.Resumption:
    """The resumption with another identity in its file."""
    facts = resumption.checkpoint.facts
    facts = facts.model_copy(update={"identity": facts.identity.model_copy(update=identity)})
    made = checkpoint.Checkpoint(facts=facts, arrays=resumption.checkpoint.arrays)
    (resumption.folder / CHECKPOINT).write_bytes(made.to_bytes())
    return resume.load(resumption.folder)


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        ({"program": "0" * 64}, "the code of the harness or of the architecture was changed"),
        ({"train_fingerprint": "0" * 64}, "its training data were changed"),
        ({"hardware_class": "h200"}, "another kind of machine .h200, now cpu"),
        ({"num_ranks": 2}, "another number of processes"),
    ],
)
def test_another_race_is_refused_and_stays_as_it_was(steps, wanted, identity, why):
    resumption = edited(killed(steps, wanted, at=20), **identity)
    before = (resumption.folder / CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match=f"cannot go on: .*{why}"):
        raced(resumption.request(), resumption)
    assert (resumption.folder / CHECKPOINT).read_bytes() == before
    assert not list(wanted.out.glob(".*"))


def test_tokens_that_are_not_those_trained_on_are_refused(steps, wanted):
    resumption = killed(steps, wanted, at=20)
    facts = resumption.checkpoint.facts
    progress = facts.progress.model_copy(update={"consumed_sha256": "0" * 64})
    facts = facts.model_copy(update={"progress": progress})
    changed = checkpoint.Checkpoint(facts=facts, arrays=resumption.checkpoint.arrays)
    with pytest.raises(ValueError, match="its tokens are not the same"):
        raced(wanted, checkpoint.Resumption(resumption.folder, changed))


def test_files_that_are_no_checkpoint_are_refused_in_one_line(steps, wanted, refused):
    resumption = killed(steps, wanted, at=20)
    path, folder = resumption.folder / CHECKPOINT, resumption.folder
    whole = path.read_bytes()
    refused("no such folder", "resume", folder / "nowhere")
    path.write_bytes(whole[:-10])
    refused("not a whole checkpoint", "resume", folder)
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(2)}))
    refused("it has no facts of a race", "resume", folder)
    facts = resumption.checkpoint.facts.content()
    for text, why in (
        (json.dumps(facts | {"format": 2}), "a checkpoint of format 2"),
        (json.dumps(facts | {"request": facts["request"] | {"new": 1}}), "other options than"),
        ("[1]", "not a checkpoint (not one JSON object)"),
        ("{", "not a checkpoint"),
    ):
        metadata = {"speedrun": text}
        path.write_bytes(safetensors.numpy.save({"a": np.zeros(2)}, metadata=metadata))
        refused(why, "resume", folder)
    path.unlink()
    refused("no checkpoint there", "resume", folder)
    shutil.rmtree(folder)


def test_an_option_that_is_none_is_refused(refused):
    refused("--checkpoint-every x: give minutes", "--checkpoint-every", "x")
    refused("--checkpoint-every -1: give minutes", "--checkpoint-every", "-1")
