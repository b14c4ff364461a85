"""A blow-up is told from a spike, with its step and its likely cause."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from helpers.fakes import FakeEngine, FakeStream, run_of

from speedrun.models import loader
from speedrun.training import divergence
from speedrun.training.clock import BudgetClock
from speedrun.training.divergence import LossWatch
from speedrun.training.trainer import TrainingJob, train

CHANCE = math.log(4096)


def watched(losses, initial=CHANCE):
    """Findings on losses evenly spread over a budget, and at its end."""
    watch = LossWatch(4096, initial)
    found = [watch.problem((n + 1) / len(losses), nats) for n, nats in enumerate(losses)]
    return found, watch.problem_at_end()


@pytest.mark.parametrize(
    "losses",
    [
        [8.3, *[3000.0] * 24, 8.0, *[5.0] * 74],  # a spike of just under a quarter of the budget
        [8.3, *[5.0] * 97, 3000.0, 3000.0],  # two odd batches at the end
        [16.0] * 100,  # bad, but no blow-up: it gets the score that it deserves
        [300.0, 40.0, 9.0, 7.0],
    ],
)
def test_a_run_that_recovers_or_is_only_bad_has_not_diverged(losses):
    found, at_end = watched(losses)
    assert not any(found) and at_end is None


def test_a_poor_start_is_measured_against_itself():
    found, at_end = watched([400.0, 500.0, 390.0, *[350.0] * 97], initial=400.0)
    assert not any(found) and at_end is None


def test_losses_blown_up_for_a_quarter_of_the_budget_end_it():
    found, _ = watched([8.3] * 4 + [3000.0] * 12)
    first = next(n for n, problem in enumerate(found) if problem)
    assert first == 7, "the last sane one came at 25 %, this one at 50 %"
    assert found[first] == (
        "the loss is 3,000 nats a token where chance is 8.32, and was above 16.6 since 25% of the"
        " budget"
    )


@pytest.mark.parametrize("losses", [[2000.0, 1900.0], [8.0] * 50 + [70.0, 700.0, 7e30], [1e37]])
def test_a_training_that_ends_in_a_blow_up_has_diverged(losses):
    found, at_end = watched(losses)
    assert not any(found) and at_end is not None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_found_at_once(bad):
    assert watched([8.3, bad])[0] == [None, f"the loss is {bad}"]


def trained(fake_time, losses):
    """A training whose first loss is that of the initial weights, and its ticks."""
    engine, ticks = FakeEngine(fake_time, 1.0), []
    engine.losses = losses
    job = TrainingJob(
        run=run_of(60.0),
        clock=BudgetClock(60.0, now=fake_time, wall=fake_time.wall),
        stream=FakeStream(fake_time),
        advice="try less",
        on_tick=ticks.append,
    )
    return train(engine, job), ticks


def test_the_trainer_ends_early_and_names_step_and_cause(fake_time):
    training, _ = trained(fake_time, [3.0, 2.0, *[500.0] * 60])
    assert (training.status, training.num_steps) == ("diverged", 16)
    (event,) = training.events
    assert event.kind == "diverged" and event.what.endswith(" (step 16); try less")


def test_the_trainer_notices_a_blow_up_of_the_last_steps(fake_time):
    training, _ = trained(fake_time, [3.0, *[2.0] * 55, *[500.0] * 9])
    assert training.status == "diverged" and training.num_steps == 59


def test_weights_that_are_no_numbers_are_found():
    weights = {"a": np.zeros(3, np.float32), "b": np.array([1.0, np.nan, np.inf], np.float32)}
    assert divergence.of_weights(weights) == "2 of 3 numbers of the weight 'b' are not finite"
    assert divergence.of_weights({"a": np.zeros(3), "n": np.zeros(0), "c": np.ones(2, int)}) is None


def test_a_failed_check_is_a_blow_up_only_where_loss_or_weights_show_one():
    small, large = {"w": np.full(3, 90.0)}, {"w": np.array([0.0, -1e5])}

    def found(weights, last_nats):
        initial = {name: np.ones(3) for name in weights if name != "counts"}
        losses = [(0.5, 9.0), (1.0, last_nats)]
        return divergence.of_failed_check(weights, initial, 16, losses)

    assert found(small, 1.0) is None, "an unfair model is called unfair"
    assert "the largest weight is 1e+05" in str(found(large, 1.0))
    assert found({"counts": np.array([10**12])}, 9.0) is None, "counts do not blow up"
    assert "the loss is 4 nats a token where chance is 2.77" in str(found(small, 4.0))


@pytest.mark.parametrize(
    ("arch", "recipe", "says"),
    [
        (
            "transformer",
            {"lr": 100.0, "lr_matrix": 0.03},
            "recipe.lr=100 is 7,143 times the usual rate; try --set recipe.lr=0.014",
        ),
        (
            "lstm",
            {"lr": 0.014, "lr_matrix": 5.0},
            "recipe.lr_matrix=5 is 250 times the usual rate; try --set recipe.lr_matrix=0.02",
        ),
        ("d3pm", {"optimizer": "adamw", "lr": 30.0}, "try --set recipe.lr=0.003"),
        (
            "transformer",
            {"lr": 0.014, "lr_matrix": 0.03},
            "the learning rate; try --set recipe.lr=0.0047 --set recipe.lr_matrix=0.01",
        ),
        (
            "transformer",
            {"lr": 0.014, "weight_decay": 1e3},
            "recipe.weight_decay=1000 times the rate is above 1; try --set recipe.weight_decay=0",
        ),
        ("ngram", {}, ""),
    ],
)
def test_the_advice_names_the_rate_that_is_out_of_line(arch, recipe, says):
    assert says in divergence.advice(run_of(60.0, **recipe), loader.architecture(arch))


def test_the_advice_names_the_rate_of_tables():
    transformer: Any = loader.architecture("transformer")
    run = run_of(60.0, lr=0.014, lr_matrix=0.03, lr_table=5.0)
    run = dataclasses.replace(run, model=transformer.Config(input_bigrams=8))
    assert "recipe.lr_table=5 is 357 times" in divergence.advice(run, transformer)
