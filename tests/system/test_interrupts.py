"""Processes in native code that signals end, and the line that they leave."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.command_line import ROOT

from speedrun.system.interrupts import SAME_S, SIGNALS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to a process")
ANSWER_S = 0.5  # for the 1.6 of a race
# No handler of Python runs while `busy` does: it hashes in C, and holds no lock of Python.
CHILD = """
import hashlib, os, signal, sys, time
from speedrun.system import interrupts
from speedrun.system.interrupts import Stopping
interrupts.ANSWER_S = {answer_s}
def busy(): hashlib.pbkdf2_hmac("sha256", b"a", b"b", 10**10 % 2**31)
stopping = Stopping(until_exit=True)
with stopping:
    print("ready", flush=True)
    {body}
"""


@contextlib.contextmanager
def child(body: str, **options):
    code = CHILD.format(body=body, answer_s=ANSWER_S)
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes, **options) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", SIGNALS)
def test_native_code_is_left_in_time_with_one_line(number):
    with child("busy()") as process:
        time.sleep(0.2)
        started_s = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert time.monotonic() - started_s > ANSWER_S / 2, "the main thread has its chance"
    assert process.returncode == 128 + number
    assert errors == f"stopped ({number.name}); nothing was recorded\n"


def test_a_second_signal_leaves_at_once_while_the_first_waits_for_a_step():
    body = "signal.signal(2, lambda *_: None); stopping.postponed = 'waiting'; busy()"
    with child(body) as process:
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        time.sleep(ANSWER_S + 0.5)
        assert process.poll() is None, "it waits for the step"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors == "waiting\nstopped (SIGINT); nothing was recorded\n"
    assert process.returncode == 130


def test_what_is_answered_goes_on_and_a_request_sent_twice_is_one():
    body = "signal.signal(15, lambda *_: None); stopping.is_answered = True; busy()"
    with child(body) as process:
        time.sleep(0.2)
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(SAME_S / 10)
        time.sleep(ANSWER_S + 0.5)
        assert process.poll() is None


def test_an_end_that_hangs_is_cut_short():
    body = """
    import threading
    threading.Thread(target=time.sleep, args=[60]).start()
    try: busy()
    except KeyboardInterrupt: pass
"""
    with child(body.strip().replace("busy()", "time.sleep(60)")) as process:
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130


def test_an_interrupt_that_a_destructor_loses_is_no_traceback():
    body = """
    class Slow:
        def __del__(self): time.sleep(60)
    slow = Slow()
    del slow
    time.sleep(60)
"""
    with child(body.strip()) as process:
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "stopped (SIGINT); nothing was recorded\n")


def test_a_stopped_command_does_not_wait_for_the_interpreter_to_end():
    body = """import atexit; atexit.register(time.sleep, 60)
    try: time.sleep(60)
    except KeyboardInterrupt: print("said", file=sys.stderr); sys.exit(stopping.exit_code)
"""
    with child(body) as process:
        time.sleep(0.3)
        started_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (143, "said\n")
    assert time.monotonic() - started_s < 10


@pytest.mark.parametrize("launcher", [["nohup"], []])
def test_a_hang_up_that_nohup_ignores_stays_ignored(launcher):
    code = CHILD.format(body="time.sleep(0.4); print('on')", answer_s=ANSWER_S)
    command = [*launcher, sys.executable, "-c", code]
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        shown, _ = process.communicate(timeout=30)
    assert ("on" in shown) is bool(launcher)
