"""The first signal asks, the second leaves."""

import os
import signal

import pytest

from speedrun.training.signals import StopFlag


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_there_is_something_to_keep_a_signal_leaves_at_once(number):
    with StopFlag(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_leaves(number):
    with StopFlag() as stop:
        stop.arm()
        os.kill(os.getpid(), number)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_the_handlers_before_come_back():
    before = signal.getsignal(signal.SIGINT)
    with StopFlag():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_signal_that_is_not_asked_for_keeps_its_meaning():
    before = signal.getsignal(signal.SIGTERM)
    with StopFlag([signal.SIGINT]):
        assert signal.getsignal(signal.SIGTERM) is before
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
