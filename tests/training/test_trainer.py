"""The loop against a fake engine on a fake clock."""

import math

import pytest
from helpers.fakes import CONTEXT, ROWS, FakeEngine, FakeStream, run_of

from speedrun.protocols import OutOfMemory, UnfairModelError
from speedrun.records.curves import thinned
from speedrun.records.sections import Event
from speedrun.training.clock import BudgetClock
from speedrun.training.trainer import TrainingJob, train


@pytest.fixture
def clock(fake_time):
    return BudgetClock(60.0, now=fake_time, wall=fake_time.wall)


@pytest.fixture
def trained(clock, fake_time):
    """`trained(engine)` trains on a stream; `before(stream)` happens before each of its draws."""

    def training(engine, wait_s=0.0, *, clock=clock, before=None, epoch=None, recipe=None, **job):
        stream = FakeStream(fake_time, wait_s, batches_per_epoch=epoch)
        draw = stream.next_rows
        if before is not None:
            stream.next_rows = lambda timeout_s=None: (before(stream), draw(timeout_s))[1]
        run = run_of(clock.budget_s, **(recipe or {}))
        return train(engine, TrainingJob(run=run, clock=clock, stream=stream, **job))

    return training


def kinds(training):
    return [event.kind for event in training.events]


def test_warm_up_is_undone_and_off_the_clock(trained, clock, fake_time):
    engine = FakeEngine(fake_time, step_s=1.0)
    engine.compiled = True
    training = trained(engine)
    assert engine.num_resets == 1
    assert engine.num_steps == training.num_steps, "a warm-up step was kept: a free step"
    assert clock.accounts["compile"] == pytest.approx(1.0) and clock.accounts["warmup"] > 0
    assert clock.ledger()["train_s"] == pytest.approx(training.num_steps * 1.0)
    assert training.num_tokens == training.num_steps * ROWS * CONTEXT
    assert training.num_steps > 50 and not training.events, "the documents go round"


@pytest.mark.parametrize("step_s", [0.001, 0.01, 0.3, 0.7, 7.0])
def test_budget_is_used_and_never_overshot(trained, fake_time, step_s):
    budget_s = min(60.0, 5000 * step_s)
    clock = BudgetClock(budget_s, now=fake_time, wall=fake_time.wall)
    trained(FakeEngine(fake_time, step_s), clock=clock)
    assert clock.overshoot_s == 0.0
    assert clock.spent_s() > budget_s - 2.2 * step_s


@pytest.mark.parametrize(("first", "is_refused"), [(2.1, False), (2.0, True), (math.nan, False)])
def test_weights_that_come_trained_are_refused_at_the_first_loss(
    trained, fake_time, first, is_refused
):
    engine = FakeEngine(fake_time, step_s=0.3)
    engine.losses = [2.8, first]  # of the warm-up; of the first steps
    if not is_refused:
        trained(engine, least_first_nats=0.75 * math.log(16))  # later losses are 1
        return
    with pytest.raises(UnfairModelError, match=r"initial .* trained, .* 2\.000 .* ln 16"):
        trained(engine, least_first_nats=0.75 * math.log(16))
    assert engine.num_steps <= 2


def test_overshoot_stays_small_when_steps_slow_down(trained, clock, fake_time):
    engine = FakeEngine(fake_time, step_s=0.2)

    def slow_down(stream):
        engine.step_s = 0.2 + 0.1 * clock.share()

    trained(engine, before=slow_down)
    assert clock.overshoot_s < 0.005 * 60


def test_slow_data_is_noticed_before_many_steps_were_taken(trained, fake_time):
    """Steps that took nothing in warm-up must not be taken by the thousand between two looks."""
    clock = BudgetClock(10.0, now=fake_time, wall=fake_time.wall)
    trained(FakeEngine(fake_time, 1e-5), 0.1, clock=clock)
    assert clock.overshoot_s == 0.0


def test_data_that_stalls_near_the_end_is_not_waited_for_past_it(trained, clock, fake_time):
    def stall(stream):
        stream.wait_s = 20.0 if clock.spent_s() > 50 else 0.0

    training = trained(FakeEngine(fake_time, 0.5), before=stall)
    assert clock.overshoot_s == 0.0 and clock.spent_s() > 58
    assert training.status == "complete"
    (event,) = training.events
    assert event.kind == "data_ended"
    assert (
        event.what
        == "the budget was spent before the next rows came: 9.0 s went on waiting for data"
    )


def test_time_kept_for_the_last_work_is_said_where_data_come_too_late(trained, clock, fake_time):
    engine = FakeEngine(fake_time, 0.5)
    engine.last_s = 40.0

    def stall(stream):
        stream.wait_s = 9.0 if clock.spent_s() > 15 else 0.0

    (event,) = trained(engine, before=stall).events
    assert event.what.endswith(" data, 40.0 s are kept to turn the counts into a model")


def test_waiting_for_data_is_on_the_clock_in_its_own_account(trained, clock, fake_time):
    training = trained(FakeEngine(fake_time, 0.5), 0.5)
    assert training.num_steps == pytest.approx(60, abs=2)
    assert clock.accounts["data_wait"] == pytest.approx(training.num_steps * 0.5)
    assert clock.suspended_s == 0.0


@pytest.mark.parametrize("step_s", [0.5, 1.5])
def test_schedules_see_the_share_of_the_budget_not_the_step(trained, fake_time, step_s):
    engine = FakeEngine(fake_time, step_s)
    trained(engine, recipe={"cooldown": 0.5})
    assert engine.scales[len(engine.scales) // 2 - 1] == 1.0
    assert engine.scales[-1] == pytest.approx(2 * step_s / 60, abs=0.06)


def test_fast_steps_are_waited_for_in_groups_but_singly_at_the_end(trained, fake_time):
    engine, waits = FakeEngine(fake_time, step_s=0.01), []
    sync = engine.sync
    engine.sync = lambda: (waits.append(engine.pending_s), sync())
    training = trained(engine, clock=BudgetClock(10.0, now=fake_time, wall=fake_time.wall))
    waited = [w for w in waits[5:] if w > 0]
    assert len(waited) < training.num_steps / 5
    assert max(waited) == pytest.approx(0.2, abs=0.02)
    assert waited[-1] == pytest.approx(0.01)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_training(trained, fake_time, bad):
    engine = FakeEngine(fake_time, 1.0)
    engine.losses = [9.0, 1.0, 1.0, bad]  # the first is the warm-up's
    training = trained(engine)
    assert (training.status, training.num_steps) == ("diverged", 3)
    assert kinds(training) == ["diverged"] and str(bad) in training.events[0].what


def test_a_stop_request_ends_training_after_the_step(trained, clock, fake_time):
    training = trained(FakeEngine(fake_time, 1.0), stop_requested=lambda: clock.spent_s() >= 10)
    assert (training.status, training.num_steps) == ("interrupted", 10)


def test_compiling_again_after_out_of_memory_is_no_stall(trained, clock, fake_time):
    """Smaller pieces have another shape: the step that is taken again compiles for seconds."""

    class Compiled(FakeEngine):
        def halve_micro_batch(self):
            self.pending_s += 20.0
            fake_time.advance(20.0)
            return super().halve_micro_batch()

    engine = Compiled(fake_time, step_s=0.2)

    def shrink(_):
        engine.fits_rows = 2 if clock.share() > 0.3 else ROWS

    training = trained(engine, before=shrink)
    assert kinds(training) == ["out_of_memory"] and training.status == "complete"
    assert clock.suspended_s == 0.0 and clock.accounts["train"] > 50


def test_out_of_memory_halves_the_micro_batch_on_the_clock(trained, clock, fake_time):
    engine = FakeEngine(fake_time, 1.0)

    def shrink(stream):
        engine.fits_rows = 1 if clock.share() > 0.5 else ROWS

    training = trained(engine, before=shrink)
    assert engine.micro_batch_rows == 1
    assert [event.what for event in training.events] == [
        "out of memory (no room); micro-batch now 2 rows",
        "out of memory (no room); micro-batch now 1 rows",
    ]
    assert kinds(training) == ["out_of_memory"] * 2
    assert training.status == "complete"
    assert training.num_steps == pytest.approx(57, abs=1), "the failed tries must cost time"
    engine.fits_rows = 0
    with pytest.raises(OutOfMemory):
        trained(engine)


def test_sleep_is_noted(trained, clock, fake_time):
    def sleep(stream):
        fake_time.slept_s = 33.0 if stream.num_drawn >= 5 else 0.0

    training = trained(FakeEngine(fake_time, 1.0), before=sleep)
    assert clock.suspended_s == pytest.approx(33)
    assert kinds(training) == ["suspended"]


def test_data_that_ends_keeps_what_was_trained(trained, fake_time):
    def end(stream):
        if stream.num_drawn == 5:
            raise OSError("disk gone")

    training = trained(FakeEngine(fake_time, 1.0), before=end)
    assert (training.status, training.num_steps) == ("interrupted", 5)
    assert kinds(training) == ["data_ended"] and "disk gone" in training.events[0].what


def test_data_that_never_begins_is_its_own_error(trained, fake_time):
    def end(stream):
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        trained(FakeEngine(fake_time, 1.0), before=end)
    with pytest.raises(ValueError, match="the budget was spent before"):
        trained(FakeEngine(fake_time, 0.5), 1e6)


def test_thinning_keeps_ends_and_means():
    curve = [(i / 1000, float(i)) for i in range(1001)]
    thin = thinned(curve, 100)
    assert len(thin) == 100
    assert sum(loss for _, loss in thin) / 100 == pytest.approx(500, rel=0.01)
    assert thinned(curve[:7], 100) == curve[:7]


def test_training_ends_when_the_documents_were_read_often_enough(trained, clock, fake_time):
    training = trained(FakeEngine(fake_time, 0.01), epoch=70, max_epochs=1)
    assert (training.status, training.num_steps) == ("complete", 70)
    (event,) = training.events
    assert event.kind == "epochs_done" and event.share == pytest.approx(0.0117, abs=1e-3)
    assert event.what == "every document was read once: ended at 1.2% of the budget"
    assert clock.spent_s() == pytest.approx(0.7)


def test_what_is_left_after_the_last_step_is_on_the_clock_and_fits(trained, clock, fake_time):
    engine = FakeEngine(fake_time, 0.5)
    engine.last_s = 10.0
    training = trained(engine, epoch=7)
    assert engine.num_finishes == 1
    assert training.num_steps == pytest.approx(99, abs=1)
    assert clock.spent_s() == pytest.approx(training.num_steps * 0.5 + 10.0)
    assert clock.overshoot_s == 0.0 and clock.suspended_s == 0.0


def test_what_grows_with_every_step_fits_where_steps_are_fast(trained, clock, fake_time):
    """As the counts of an n-gram do: between two synchronisations they may double."""
    engine = FakeEngine(fake_time, 0.001)
    engine.last_s_a_step = 0.2
    training = trained(engine)
    assert engine.num_finishes == 1 and clock.overshoot_s == 0.0
    assert clock.spent_s() > 50 and training.num_steps > 200


def test_a_compiler_that_failed_is_said_and_marked_before_the_clock(trained, fake_time):
    class Eager(FakeEngine):
        def metadata(self):
            return super().metadata() | {"compile_cache": "it is full", "compile_error": "no g++"}

    heard = []
    earlier = Event(share=0.0, kind="limited", what="limited to 1 core")
    training = trained(Eager(fake_time, 1.0), notice=heard.append, events=[earlier])
    assert kinds(training) == ["limited", "cache_unavailable", "not_compiled"]
    assert heard == ["it is full", "training without compilation: no g++"]
    assert {event.share for event in training.events} == {0.0}
