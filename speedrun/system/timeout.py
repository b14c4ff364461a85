"""Waiting for what may never come back."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


class OutOfPatience(Exception):
    """The call goes on still."""


def within(seconds: float, do: Callable[[], T], *, thread: str) -> T:
    """What `do` returns or raises; OutOfPatience where it goes on and on.

    It runs on a thread of this name, which cannot be ended, only left.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(do())
        except BaseException as error:  # handed to whoever waits
            answer.set_exception(error)

    threading.Thread(target=work, name=thread, daemon=True).start()
    if wait([answer], seconds).not_done:
        raise OutOfPatience
    return answer.result()
