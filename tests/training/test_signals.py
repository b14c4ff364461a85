"""The first signal asks, the second leaves."""

import os
import signal
import time

import pytest

from speedrun.system.interrupts import SAME_S, SIGNALS, Stopping
from speedrun.training.signals import StopFlag

KEPT = "the trained model is in runs/RUN"


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_leaves(number):
    before = signal.getsignal(number)
    with StopFlag(), pytest.raises(KeyboardInterrupt):  # before there is something to keep
        send(number)
    with StopFlag() as stop:
        stop.arm()
        send(number)
        send(number)  # the same request: shells and launchers send it twice
        assert stop.requested and stop.signal_name == number.name
        time.sleep(SAME_S)
        with pytest.raises(KeyboardInterrupt):
            send(number)
    assert signal.getsignal(number) is before


def test_a_signal_that_is_not_asked_for_keeps_its_meaning():
    before = signal.getsignal(signal.SIGTERM)
    with StopFlag([signal.SIGINT]):
        assert signal.getsignal(signal.SIGTERM) is before
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler


def test_once_trained_a_signal_leaves_and_says_how_to_go_on():
    with Stopping() as stopping, StopFlag() as stop:
        stop.begin("nothing was recorded")
        stop.arm()
        assert not stop.take()
        stop.training_is_over(KEPT)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
        assert stopping.claim() == f"stopped (SIGTERM); {KEPT}" and not stopping.claim()
        assert stopping.exit_code == 128 + signal.SIGTERM


def test_a_request_that_ends_training_is_answered_by_scoring():
    with Stopping() as stopping, StopFlag() as stop:
        stop.arm()
        assert stopping.postponed and not stopping.is_answered
        send(signal.SIGINT)
        assert stop.take() and stopping.is_answered
        stop.training_is_over(KEPT)


def test_a_request_too_late_to_end_training_still_ends_the_race():
    with Stopping(), StopFlag() as stop:
        stop.arm()
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            stop.training_is_over(KEPT)


def test_a_new_race_is_not_worth_keeping_yet():
    with StopFlag() as stop:
        stop.arm()
        stop.begin("seed 0 is recorded, and nothing of seed 1")
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
