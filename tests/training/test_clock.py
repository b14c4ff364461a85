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
    fake_time.advance(15)
    assert clock.share() == pytest.approx(0.25)
    clock.stop()
    fake_time.advance(100)
    assert clock.spent_s() == pytest.approx(15)


def test_share_never_exceeds_one_and_overshoot_is_kept(clock, fake_time):
    clock.start()
    fake_time.advance(61)
    clock.stop()
    assert clock.share() == 1.0
    assert clock.ledger()["overshoot_s"] == pytest.approx(1.0)


def test_a_step_fits_only_if_it_ends_inside_the_budget(clock, fake_time):
    clock.start()
    fake_time.advance(59)
    assert clock.fits(1.0)
    assert not clock.fits(1.01)


def test_train_account_is_what_the_budget_bought_besides_waiting(clock, fake_time):
    clock.start()
    with clock.account("data_wait"):
        fake_time.advance(2)
    fake_time.advance(8)
    clock.stop()
    assert clock.ledger()["train_s"] == pytest.approx(8)
    assert clock.ledger()["data_wait_s"] == pytest.approx(2)


def test_accounts_are_charged_even_when_the_block_raises(clock, fake_time):
    with pytest.raises(RuntimeError), clock.account("build"):
        fake_time.advance(3)
        raise RuntimeError
    assert clock.accounts["build"] == pytest.approx(3)


def test_unknown_account_is_refused(clock):
    with pytest.raises(LookupError, match="unknown account"), clock.account("coffee"):
        pass


def test_ledger_names_every_account_in_seconds(clock):
    assert set(clock.ledger()) == {f"{a}_s" for a in (*ACCOUNTS, "overshoot", "suspended")}


def test_sleep_shows_as_suspended(clock, fake_time):
    clock.start()
    fake_time.advance(1)
    clock.tick()
    fake_time.slept_s += 40  # the machine slept: the wall clock went on, ours stood still
    fake_time.advance(1)
    clock.tick()
    clock.stop()
    assert clock.suspended_s == pytest.approx(40)


def test_clocks_drifting_apart_slowly_is_no_sleep(clock, fake_time):
    clock.start()
    for _ in range(50):
        fake_time.advance(1)
        fake_time.slept_s += 1e-4
        clock.tick()
    clock.stop()
    assert clock.suspended_s == 0.0


def test_a_stall_far_longer_than_any_step_is_suspended(clock, fake_time):
    clock.start()
    for _ in range(5):
        fake_time.advance(0.2)
        clock.tick()
    fake_time.advance(20)
    clock.tick()
    clock.stop()
    assert clock.suspended_s == pytest.approx(19.8)


def test_waiting_for_data_is_no_stall(clock, fake_time):
    clock.start()
    for _ in range(5):
        fake_time.advance(0.2)
        clock.tick()
    fake_time.advance(20)
    assert clock.tick(data_wait_s=19.8) == pytest.approx(0.2)
    clock.stop()
    assert clock.suspended_s == 0.0


def test_slow_steps_are_no_stall(clock, fake_time):
    clock.start()
    for seconds in (3.0, 4.0, 9.0, 6.0):
        fake_time.advance(seconds)
        clock.tick()
    clock.stop()
    assert clock.suspended_s == 0.0
