"""Validation: a valid record has no problems; one wrong number, and it has."""

from datetime import UTC, datetime, timedelta

import pytest
from helpers.made_records import BOUND, NUM_BYTES, NUM_TOKENS, made, older, resealed

from leaderboard.attestations import DataSet
from leaderboard.checks.validate import data_problems, problems
from speedrun.records.schema import parse
from speedrun.records.summary import summarize

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def found(changes, **kw) -> str:
    return "; ".join(problems(made(changes=changes), **kw))


def test_a_valid_record_has_nothing_against_it():
    assert problems(made()) == []
    assert problems(made(1.2, 7, BOUND)) == []
    assert problems(made(changes={"code.dirty": True})) == []


OF_NVML = {"energy.source": "nvml", "energy.joules": 9000.0, "energy.mean_watts": 30.0}
UNKNOWN = dict.fromkeys(
    f"energy.{name}" for name in ("source", "joules", "mean_watts", "peak_watts")
)


def test_energy_may_be_unknown_in_whole_or_that_of_the_heat():
    assert problems(made(changes=UNKNOWN)) == []
    heat = {"energy.temperature_max_c": None, "energy.throttled_share": None}
    assert problems(made(changes=heat)) == problems(made(changes=UNKNOWN | heat)) == []
    # The monitor and the clock begin and end within a moment.
    assert problems(made(changes={"energy.joules": 7600.0, "energy.peak_watts": 25.0})) == []


WORDS = "config.recipe_name backend device hardware.class data.name code.commit code.version"
WRONG = [
    ({"status": "interrupted"}, "does not rank: the run is interrupted"),
    ({"status": "diverged", "score": None}, "does not rank: the run is diverged"),
    ({"created": "soon"}, "not a date"),
    ({"created": "2026-01-02T03:04:05"}, "offset"),
    ({"created": "2024-12-31T23:59:59+00:00"}, "before the first race"),
    ({"created": "0001-01-01T00:00:00+23:59"}, "before the first race"),
    ({"created": "9999-12-31T23:59:59-23:59"}, "in the future"),
    ({"budget_s": 0.0, "config.budget_s": 0.0}, "its budget is 0"),
    ({"budget_s": 1e6, "config.budget_s": 1e6}, "at most a day"),
    ({"clock.train_s": 320.0, "train.tokens_per_s": 1e6 / 321}, "does not fit an overshoot"),
    ({"clock.overshoot_s": 0.5}, "does not fit an overshoot"),
    ({"resumes": [200.0, 100.0]}, "are not in order"),
    ({"resumes": [301.0]}, "not within its budget"),
    ({"resumes": [100.0]}, "resumed 1 times, and 0 events say so"),
    ({"train.tokens_per_s": 3400.0}, "tokens/s, not 3,400"),
    ({"train.num_tokens": 1_020_000}, "tokens/s, not 3,333"),
    ({"clock.train_s": 0.0, "clock.data_wait_s": 0.0, "clock.overshoot_s": 0.0}, "no step"),
    ({"train.num_steps": 0}, "no step was trained"),
    ({"train.num_steps": 480}, "cannot have seen 1000000 tokens"),
    ({"train.loss_curve": [[0.5, 2.0], [0.4, 2.0]]}, "do not run from 0 to 1"),
    ({"train.loss_curve": [[1.1, 2.0]]}, "do not run from 0 to 1"),
    ({"train.loss_curve": [[0.5, 1e308]]}, "loss curve leaves"),
    ({"train.epochs": 0.0}, "0 epochs"),
    ({"num_params": 0, "num_params_non_embedding": 0}, "0 of 0 parameters"),
    ({"num_params_non_embedding": 1_997_831}, "outside the embedding"),
    ({"arch": "lstm"}, "its config has arch 'transformer', its headline 'lstm'"),
    ({"seed": 1, "train.epochs": -1.0}, "-1 epochs; its config has seed 0, its headline 1"),
    ({"config.seed": False}, "its config has seed False"),
    ({"seed": -1, "config.seed": -1}, "not within 0"),
    ({"seed": 1 << 64, "config.seed": 1 << 64}, "not within 0"),
    ({"budget_s": 300.1}, "its config has budget_s 300.0"),
    ({"tokenizer.vocab": 257}, "model.vocab 4096, its headline 257"),
    ({"score.window": 128}, "model.context 256, its headline 128"),
    ({"score.stride": 64}, "data.stride 128, its headline 64"),
    *(
        ({f"energy.{name}": None}, "some are missing")
        for name in ("source", "joules", "peak_watts")
    ),
    ({**UNKNOWN, "energy.joules": 5.0}, "some are missing"),
    ({"energy.joules": 15_000.0}, "15000 J in 300.00 s are not 25 W"),
    ({"energy.joules": 7000.0}, "7000 J in 300.00 s are not 25 W"),
    ({"energy.joules": 0.0, "energy.mean_watts": 0.0}, "a mean power of 0 W by rapl cannot be"),
    ({"energy.joules": 3e8, "energy.mean_watts": 1e6}, "a mean power of 1e+06 W by rapl"),
    ({"energy.peak_watts": 24.0}, "a peak power of 24 W cannot be where the mean is 25 W"),
    ({"energy.peak_watts": 1e9}, "a peak power of 1e+09 W"),
    ({"energy.temperature_max_c": 451.0}, "451 °C hot"),
    (OF_NVML | {"energy.peak_watts": 40.0}, "measured by nvml, but it was trained on 'cpu'"),
    ({"config.model": {"x": {"y": ["z" * 99999] * 9}}}, "model.vocab None"),
    ({"config.arch": {"x": ["\x1b" * 99999]}}, "its config has arch"),
    ({"code.commit": None}, "which code made it"),
    ({"code.dirty": None}, "which code made it"),
    ({"arch": "x" * 201, "config.arch": "x" * 201}, "arch has 201 characters"),
    *(({name: "x" * 201}, f"{name} has 201") for name in WORDS.split()),
    ({"score.num_docs": 1}, "fewer than two documents"),
    ({"score.num_bytes": 0}, "fewer than two documents"),
    ({"score.num_tokens": 0}, "fewer than two documents"),
    ({"score.num_tokens": NUM_BYTES + 2001}, "cannot come from"),
    ({"score.nats": -1.0}, "must be above 0"),
    ({"score.stride": 0, "config.data.stride": 0}, "must be above 0"),
    ({"score.stride": 512, "config.data.stride": 512}, "at most the window"),
    ({"score.nats": 101.0 * NUM_TOKENS}, "more than any guess"),
    ({"score.bits_per_byte": 0.7499999}, "bits_per_byte is 0.7499999, but its parts give 0.75"),
    ({"score.perplexity": 8.0}, "perplexity is 8.0, but"),
    ({"score.nats_per_token": 2.0}, "nats_per_token is 2.0, but"),
    ({"score.nats": 800_000.0}, "bits_per_byte is 0.75, but"),
    ({"score.num_bytes": NUM_BYTES + 1}, "bits_per_byte is 0.75, but"),
    ({"score.num_tokens": NUM_TOKENS + 1}, "perplexity is"),
    ({"score.bits_per_byte_se": -0.1}, "a standard error is below 0"),
    ({"score.bits_per_byte_se": 1e300}, "larger than documents can make it"),
    ({"score.perplexity_se": 1e300}, "larger than documents can make it"),
    ({"score.num_draws": 4}, "an exact score has no noise draws"),
    ({"score.length_nats": 4.0}, "an exact score has no noise draws"),
    ({**BOUND, "score.num_draws": None}, "a bound needs its noise draws"),
    ({**BOUND, "score.bits_per_byte_mc_se": None}, "a bound needs its noise draws"),
    ({**BOUND, "score.length_nats": None}, "a bound needs its noise draws"),
    ({**BOUND, "score.length_nats": -1.0}, "a bound needs its noise draws"),
    ({**BOUND, "score.length_nats": 1e6}, "more than the whole score"),
]


@pytest.mark.parametrize(("changes", "says"), WRONG)
def test_one_wrong_number_is_objected_to(changes, says):
    line = found(changes, now=NOW)
    assert says in line
    assert line.isprintable() and len(line) < 1500


def test_a_date_in_the_future_is_objected_to_from_the_clocks_tolerance_on():
    for minutes, is_wrong in ((9, False), (11, True)):
        created = (NOW + timedelta(minutes=minutes)).isoformat()
        assert ("in the future" in found({"created": created}, now=NOW)) == is_wrong


def test_a_bound_of_the_first_schema_needs_no_draws():
    plain = made(changes={"score.likelihood": "bound", "train.events": []}).content()
    assert problems(parse(resealed(older(plain, 1)).encode(), "there")) == []


KNOWN = DataSet(
    name="tinystories",
    train_fingerprint=made().data.train_fingerprint,
    heldout_fingerprint=made().data.heldout_fingerprint,
    num_docs=2000,
    num_bytes=NUM_BYTES,
)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data.train_fingerprint": "e" * 64}, "is not known there"),
        ({"data.heldout_fingerprint": "e" * 64}, "are not those known of 'tinystories'"),
        ({"score.num_bytes": NUM_BYTES + 1}, f"divides by {NUM_BYTES + 1} bytes"),
        ({"score.num_docs": 1999}, "of 1999 documents"),
        ({"data.train_fingerprint": "e" * 64, "data.name": "\x1b" * 999}, "is not known"),
    ],
)
def test_other_data_are_objected_to(changes, says):
    assert data_problems(summarize(made()), [KNOWN]) == []
    (line,) = data_problems(summarize(made(changes=changes)), [KNOWN])
    assert says in line and line.isprintable() and len(line) < 400
