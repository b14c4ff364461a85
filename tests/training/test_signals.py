"""The first signal asks, the second leaves."""

import os
import signal

import pytest

from speedrun.training.signals import StopFlag


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_leaves(number):
    before = signal.getsignal(number)
    with StopFlag(), pytest.raises(KeyboardInterrupt):  # before there is something to keep
        os.kill(os.getpid(), number)
    with StopFlag() as stop:
        stop.arm()
        os.kill(os.getpid(), number)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_signal_that_is_not_asked_for_keeps_its_meaning():
    before = signal.getsignal(signal.SIGTERM)
    with StopFlag([signal.SIGINT]):
        assert signal.getsignal(signal.SIGTERM) is before
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
