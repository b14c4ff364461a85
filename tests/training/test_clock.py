"""The budget clock, on a clock that moves only when told to."""

import pytest

from speedrun.training.clock import ACCOUNTS, BudgetClock


@pytest.fixture
def clock(fake_time):
    return BudgetClock(60.0, now=fake_time, wall=fake_time.wall)


def test_budget_counts_from_start_to_stop_only(clock, fake_time):
    fake_time.advance(30)
    assert clock.share() == 0.0
    clock.start()
    with clock.account("data_wait"):
        fake_time.advance(2)
    fake_time.advance(13)
    assert clock.share() == pytest.approx(0.25)
    clock.stop()
    fake_time.advance(100)
    assert clock.spent_s() == pytest.approx(15)
    ledger = clock.ledger()
    assert set(ledger) == {f"{a}_s" for a in (*ACCOUNTS, "overshoot", "suspended")}
    assert (ledger["train_s"], ledger["data_wait_s"]) == pytest.approx((13, 2))


def test_a_step_fits_if_it_ends_inside_the_budget_and_overshoot_is_kept(clock, fake_time):
    clock.start()
    fake_time.advance(59)
    assert clock.fits(1.0) and not clock.fits(1.01)
    fake_time.advance(2)
    clock.stop()
    assert clock.share() == 1.0
    assert clock.ledger()["overshoot_s"] == pytest.approx(1.0)


def test_accounts_are_charged_even_when_the_block_raises(clock, fake_time):
    with pytest.raises(RuntimeError), clock.account("build"):
        fake_time.advance(3)
        raise RuntimeError
    assert clock.accounts["build"] == pytest.approx(3)
    with pytest.raises(LookupError, match="unknown account"), clock.account("coffee"):
        pass


@pytest.mark.parametrize(
    ("steps_s", "asleep_s", "waited_s", "suspended_s"),
    [
        ([1, 1], 20, 0, 40),  # the machine slept: the wall clock went on, ours stood still
        ([1] * 50, 1e-4, 0, 0),  # two clocks drift apart
        ([0.2] * 5 + [20], 0, 0, 19.8),  # a stall far longer than any step
        ([0.2] * 5 + [20], 0, 19.8, 0),  # waiting for data is none
        ([3, 4, 9, 6], 0, 0, 0),  # nor are slow steps
    ],
)
def test_sleep_and_stalls_show_as_suspended(
    clock, fake_time, steps_s, asleep_s, waited_s, suspended_s
):
    clock.start()
    for step_s in steps_s:
        fake_time.advance(step_s)
        fake_time.slept_s += asleep_s
        in_wait_s = waited_s if step_s == 20 else 0.0
        assert clock.tick(data_wait_s=in_wait_s) == pytest.approx(step_s - in_wait_s)
    clock.stop()
    assert clock.suspended_s == pytest.approx(suspended_s)
