"""Settings of strangers: typed, known, of the size claimed, and of one that fits."""

import dataclasses
import threading
from types import SimpleNamespace

import psutil
import pytest

from speedrun.models import loader
from speedrun.training.request import RunRequest, resolve
from speedrun.training.runs import restore

TRANSFORMER, NGRAM = loader.architecture("transformer"), loader.architecture("ngram")
SMALL = ("model.context=32",)
RUN = resolve(TRANSFORMER, RunRequest(params="60K", settings=SMALL), 300)
COUNTED = resolve(NGRAM, RunRequest(params="60K", settings=SMALL), 300)
HUGE = 2**31 - 1


@pytest.fixture
def record(make_record):
    """`record(model={"depth": 9})` is a record with its config changed so; `...` takes away."""

    def made(run=RUN, num_params=None, seed=0, budget_s=300.0, vocab=300, **changes):
        config = run.as_dict()
        for name, change in changes.items():
            if isinstance(change, dict):
                section = config[name] | change
                change = {key: value for key, value in section.items() if value is not ...}
            config[name] = change
        return make_record(
            {
                "num_params": num_params or run.model.num_params,
                "config": config,
                "seed": seed,
                "tokenizer.vocab": vocab,
                "budget_s": budget_s,
            }
        )

    return made


def refusal(do, *args) -> str:
    with pytest.raises(ValueError) as caught:
        do(*args)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 400
    return line


def model(record):
    return restore.model_of(TRANSFORMER, record, "there")


def test_a_race_s_own_settings_come_back(record):
    assert model(record()) == RUN.model
    again = restore.run_of(TRANSFORMER, record(), "a/path", "there")
    assert again == dataclasses.replace(RUN, data=dataclasses.replace(RUN.data, path="a/path"))


def test_a_counted_model_may_store_less_than_its_most(record):
    fewer = record(COUNTED, num_params=1000)
    assert restore.model_of(NGRAM, fewer, "there") == COUNTED.model
    more = record(COUNTED, num_params=60_001)
    assert "its config makes 60,000 parameters" in refusal(restore.model_of, NGRAM, more, "there")


WRONG = {
    "text for a number": ({"width": "16"}, "config.model.width"),
    "a list": ({"width": [16]}, "config.model.width"),
    "a fraction": ({"depth": 1.0}, "config.model.depth"),
    "a truth for a number": ({"depth": True}, "config.model.depth"),
    "a number for a truth": ({"tied": 1}, "config.model.tied"),
    "nothing": ({"width": None}, "config.model.width"),
    "no choice": ({"mlp": "relu"}, "config.model.mlp"),
    "a choice as a list": ({"mlp": ["relu2"]}, "config.model.mlp"),
    "huge": ({"width": 10**4000}, "config.model.width"),
    "deep": ({"depth": HUGE}, "allowed are 1 to 1024"),
    "wide": ({"width": HUGE, "heads": HUGE - 1}, "allowed are 1 to 65536"),
    "negative": ({"width": -16}, "must be 1 or more"),
    "zero heads": ({"heads": 0}, "must be 1 or more"),
    "unknown": ({"widht": 16}, "widht"),
    "missing": ({"width": ...}, "width"),
    "another size": ({"depth": 7}, "parameters, the record has"),
    "a billion parameters": ({"width": 2**15, "hidden": 2**15}, "parameters, the record has"),
    "a giant context": ({"context": HUGE}, "GiB of memory"),
    "another vocabulary": ({"vocab": 301}, "the tokenizer's 300"),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_a_config_that_cannot_be_is_one_line(record, case):
    change, says = WRONG[case]
    assert says in refusal(model, record(model=change))


def test_a_config_that_takes_forever_is_left(record, monkeypatch):
    made, done = record(), threading.Event()
    monkeypatch.setattr(restore, "SIZE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(restore, "_section", lambda *_: done.wait(20))
    assert "takes more than 0.05 s" in refusal(model, made)
    done.set()  # a thread cannot be ended


def test_no_model_section_and_a_giant_vocabulary_are_one_line(record):
    for value in (None, [], "model", 3):
        assert "config.model: expected settings" in refusal(model, record(model=value))
    wide = record(model={"vocab": 10**6, "num_common": 0}, vocab=10**6)
    assert "allowed are 257 to 65536" in refusal(model, wide)


def test_what_does_not_fit_the_memory_is_not_built(record, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1 << 20))
    assert "GiB are free" in refusal(model, record())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"recipe": {"lr": "fast"}}, "config.recipe.lr"),
        ({"recipe": {"lr": -1.0}}, "must be above 0"),
        ({"recipe": {"lr": ...}}, "is missing"),
        ({"recipe": {"batch_rows": 10**30}}, "config.recipe.batch_rows"),
        ({"recipe": {"batch_rows": 10**8}}, "GiB of memory"),
        ({"recipe": None}, "expected settings"),
        ({"data": {"eval_docs": 2.5}}, "config.data.eval_docs"),
        ({"data": {"stride": 33}}, "1 to the context"),
        ({"data": {"stride": 0}}, "1 to the context"),
        ({"data": []}, "expected settings"),
        ({"recipe_name": 3}, "no budget, seed and recipe"),
        ({"seed": -1}, "no budget, seed and recipe"),
        ({"budget_s": 0.0}, "no budget, seed and recipe"),
        ({"budget_s": 1e8}, "no budget, seed and recipe"),
    ],
    ids=str,
)
def test_a_run_that_cannot_be_raced_again_is_one_line(record, changes, says):
    assert says in refusal(restore.run_of, TRANSFORMER, record(**changes), None, "there")


def test_a_folder_without_a_record_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no record.json"):
        restore.load_run(tmp_path, "cpu")
