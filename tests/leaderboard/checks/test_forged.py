"""Forged records of many kinds: each is refused in a line by submit and check, honest ones not."""

import copy

import pytest
from helpers.made_records import BOUND, CONTENT, add, made, rescore, resealed, write_run

from leaderboard.checks.learning import problems as of_learning
from speedrun.data.heldout import NONE_DROPPED
from speedrun.records.files import OWN_RECORDS
from speedrun.records.sanitize import is_sanitized
from speedrun.records.schema import Record, load, parse

CURVE = [[i / 30, 8.3 if i == 0 else 2.1] for i in range(31)]
CUDA = {"device": "cuda", "hardware.accelerator": "NVIDIA H200"}
NGRAM = {
    **dict.fromkeys(("arch", "config.arch"), "ngram"),
    **dict.fromkeys(("backend", "device"), "numpy"),
    "config.model": {"vocab": 4096, "context": 256, "order": 6, "max_params": 2_000_000},
}
SIZES = {"num_params": 1_999_999, "num_params_non_embedding": 1_999_999}
RATES = {"fp32": 900_000.0, "bf16": None}
KINDS = {
    # machine
    "an H200 in a class of two cores": ({"hardware.accelerator": "NVIDIA H200"}, "hardware class"),
    "a device that is not of the class": (CUDA, "hardware class"),
    "a card of another class": ({**CUDA, "hardware.class": "cuda-a100"}, "hardware class"),
    "more cores than the class": ({"hardware.cores": 64}, "hardware class"),
    "a class of another generation": ({"hardware.class": "cpu-x86_64-2c-avx2"}, "hardware class"),
    "a class that is none": ({"hardware.class": "quantum"}, "hardware class"),
    "threads beyond cores": ({"train.engine": {"num_threads": 128}}, "128 threads on 2 cores"),
    "memory beyond the machine": ({"train.peak_bytes": 1 << 40}, "of a machine that has"),
    "no memory for the weights": ({"train.peak_bytes": 1000}, "parameters do not fit"),
    "no memory at all": ({"hardware.memory_bytes": 4096, "train.peak_bytes": 0}, "4096 bytes"),
    "no cores": ({"hardware.cores": 0}, "0 cores"),
    "the rate of a card": ({"hardware.matmul_gflops": RATES}, "900000 GFLOP/s"),
    "the rate of a card before": ({"host.matmul_before": 9e5}, "900000 GFLOP/s"),
    "a rate below 0": ({"host.matmul_after": -1.0}, "-1 GFLOP/s"),
    "more time stolen than there is": ({"host.stolen_share": 1.5}, "shares are from 0 to 1"),
    "time given back by others": ({"host.others_share": -0.5}, "shares are from 0 to 1"),
    "three years of building": ({"clock.build_s": 1e8}, "its account of build is 1e+08 s"),
    "a week of compiling": ({"clock.compile_s": 6e5}, "its account of compile"),
    # model
    "seven parameters": ({"num_params": 7, "num_params_non_embedding": 7}, "num_params is 7"),
    "a third of the parameters": ({"num_params": 640_000}, "of its configuration has 1997830"),
    "more counts than allowed": ({**NGRAM, "num_params": 2_000_001}, "more than the 2000000"),
    "faster than the machine": (
        {
            "train.tokens_per_s": 1e8,
            "train.num_tokens": 30_000_000_000,
            "train.num_steps": 20_000_000,
        },
        "but the machine multiplies matrices at",
    ),
    # training
    "no loss curve": ({"train.loss_curve": []}, "its loss curve is empty"),
    "no loss that is a number": ({"train.loss_curve": [[0.5, None]]}, "its loss curve is empty"),
    "more points than steps": (
        {"train.loss_curve": [[0.1, 2.1]] * 501},
        "501 points, but only 500",
    ),
    # origin
    "a commit that is none": ({"code.commit": "main"}, "'main' is no commit"),
    "a commit cut short": ({"code.commit": "0" * 39}, "is no commit"),
    "a stranger's model as ours": (
        {**dict.fromkeys(("arch", "config.arch"), "mine"), "source.is_outside": False},
        "'mine' is no architecture of the project",
    ),
    "digests that are one": ({"source.digest": "b" * 64}, "of its architecture alone"),
    "no hash of the tokens": ({"data.consumed_sha256": None}, "tokens that it was trained on"),
    "no hash of the dropped": ({"data.num_dropped_duplicates": 0}, "of their text contradicts"),
    "text lost by the tokenizer": ({"data.num_round_trips": 1999}, "gave back 1999 of 2000"),
    "a stride of one": ({"score.stride": 1, "config.data.stride": 1}, "not by half"),
    # score
    "tokens of a thousand bytes": ({"score.num_tokens": 3_602}, "tokens cannot come from"),
    "merges without a vocabulary": (
        dict.fromkeys(("tokenizer.vocab", "config.model.vocab"), 257),
        "cannot come from 1602449 bytes with a vocabulary of 257",
    ),
    "no spread at all": ({"score.bits_per_byte_se": 0.0}, "are not of the same documents"),
    "a spread of other documents": ({"score.perplexity_se": 1.5}, "are not of the same documents"),
}


def half(content: dict) -> None:
    """Half a score, with everything that follows from it."""
    rescore(content, content["score"]["bits_per_byte"] / 2)


def forged(name: str) -> Record:
    return made(changes=KINDS[name][0])


def test_a_score_does_not_fall_below_what_training_reached():
    for curve in (CURVE, CURVE[-3:], CURVE[-1:]):
        content = copy.deepcopy(CONTENT)
        half(content)
        content["train"]["loss_curve"] = curve
        (line,) = of_learning(parse(resealed(content).encode(), ""))
        assert "does not follow from a training loss that ended at 2.1" in line
    for bits, changes in ((0.5, BOUND), (0.62, {}), (2.0, {}), (0.75, NGRAM)):  # overfitting, too
        honest = made(bits, 0, {"train.loss_curve": CURVE, **changes})
        assert not list(of_learning(honest)), bits


@pytest.mark.parametrize("path", sorted(OWN_RECORDS.glob("*.json")), ids=lambda path: path.stem[:8])
def test_half_of_a_recorded_score_is_refused(path):
    if len(path.stem) != 64:
        return
    content = load(path).content()
    half(content)
    content["train"]["loss_curve"] = load(path).content()["train"]["loss_curve"]
    found = list(of_learning(parse(resealed(content).encode(), "")))
    # The training loss of the uniform transition is not that of its bound.
    knows = content["arch"] != "ngram" and content["config"]["model"].get("transition") != "uniform"
    assert bool(found) == knows


@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_record_is_refused_in_a_line(refused, tmp_path, kind):
    run = write_run(tmp_path / "run", forged(kind))
    refused(KINDS[kind][1], "submit", run, "--to", tmp_path / "store")


def test_check_tells_every_forged_record_of_a_store(command, tmp_path):
    records = {kind: forged(kind) for kind in KINDS}
    for record in records.values():
        add(tmp_path, record)
    add(tmp_path, honest := made(0.8, 9))
    done = command("leaderboard", "--from", tmp_path, "--check", "--format", "json")
    assert done.code == 2 and "Traceback" not in done.err
    lines = done.err.splitlines()
    for kind, record in records.items():
        (line,) = (line for line in lines if line.startswith("left out") and record.id in line)
        assert KINDS[kind][1] in line and is_sanitized(line)
    assert not any(honest.id in line for line in lines if line.startswith("left out"))


HONEST = {
    "a plug-in of any size": {
        **dict.fromkeys(("arch", "config.arch"), "mine"),
        "num_params": 7,
        "num_params_non_embedding": 7,
    },
    "the project's name, from outside": {"source.is_outside": True, "num_params": 3_000_000},
    "a later version of a built-in": {"num_params": 2_100_000, "config.model.new": 3},
    "a card": {
        **CUDA,
        "hardware.class": "cuda-h200",
        "hardware.matmul_gflops": {"fp32": 5e4, "bf16": 7e5},
        "train.peak_bytes": 100 << 30,
    },
    "counts": {**NGRAM, **SIZES, "train.loss_curve": [[0.001, 4.0]]},
    "a slow first race": {"clock.startup_s": 900.0, "clock.compile_s": 1200.0},
    "a rate measured beside other work": {"hardware.matmul_gflops.fp32": 20.0},
    "no duplicates": {"data.num_dropped_duplicates": 0, "data.dropped_sha256": NONE_DROPPED},
    "a system that tells little": dict.fromkeys(
        ("host.stolen_share", "host.others_share", "host.matmul_before", "host.matmul_after")
    ),
    "overfitting": {"train.loss_curve": [[0.1, 3.0], [1.0, 0.9]]},
}


@pytest.mark.parametrize("kind", HONEST)
def test_an_honest_record_of_the_same_shape_is_accepted(command, tmp_path, kind):
    run = write_run(tmp_path / "run", made(changes=HONEST[kind]))
    done = command("submit", run, "--to", tmp_path / "store")
    assert done.code == 0, done.err
