"""Call a function with a timeout."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


class CallTimedOut(Exception):
    """The call has not returned; not TimeoutError, which the call itself may raise."""


def call_with_timeout(seconds: float, do: Callable[[], T], *, thread: str) -> T:
    """The result of `do`, or its exception; CallTimedOut after `seconds`.

    `do` runs on a daemon thread of this name, which cannot be ended and may go on.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(do())
        except BaseException as error:  # handed to whoever waits
            answer.set_exception(error)

    threading.Thread(target=work, name=thread, daemon=True).start()
    if wait([answer], seconds).not_done:
        raise CallTimedOut
    return answer.result()
