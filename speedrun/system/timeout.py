"""Call a function with a timeout."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.05  # between two looks at `stop`


class CallTimedOut(Exception):
    """The call has not returned; not TimeoutError, which the call itself may raise."""


def call_with_timeout(
    seconds: float, do: Callable[[], T], *, thread: str, stop: threading.Event | None = None
) -> T:
    """The result of `do`, or its exception; CallTimedOut after `seconds`, or once `stop` is set.

    `do` runs on a daemon thread of this name, which cannot be ended and may go on.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(do())
        except BaseException as error:  # handed to whoever waits
            answer.set_exception(error)

    threading.Thread(target=work, name=thread, daemon=True).start()
    deadline_s = time.monotonic() + seconds
    while (left_s := deadline_s - time.monotonic()) > 0 and not (stop and stop.is_set()):
        if not wait([answer], left_s if stop is None else min(left_s, _POLL_S)).not_done:
            return answer.result()
    raise CallTimedOut
