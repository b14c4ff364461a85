"""Client of the hub: the libraries' own, whose every wait is bounded and every failure named."""

import atexit
import contextlib
import functools
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from speedrun.data.hub import failures
from speedrun.data.hub.failures import REPO, REVISION
from speedrun.data.source import SourceUnavailable
from speedrun.system.timeout import CallTimedOut, call_with_timeout

TIMEOUT_S = 3.0  # for the first answer
TRIES = 2
WAIT_S = 10.0  # a busy hub that asks for more is not waited for
SILENCE_S = 5.0  # without one more byte a request is given up
EXIT_PATIENCE_S = 2.0  # for a read that is under way when the process ends
_THREAD = "hub"

Notice = Callable[[str], None]
T = TypeVar("T")


class _State:
    """Findings of all requests of this process."""

    given_up = threading.Event()
    token_refused: str | None = None  # the notice
    trouble: str | None = None  # of the last answer, unless it was a good one
    silence_s = SILENCE_S
    wait_s: float | None = None  # that a busy hub asked for last


def unreachable(notice: Notice = lambda text: None) -> str | None:
    """The reason that the hub cannot serve the data set now; None if it can. Takes seconds.

    A short wait that a busy hub asks for is waited out, once.
    """
    if (switch := failures.offline()) is not None:
        return switch
    why, num_left, has_waited = "", TRIES, False
    while num_left:
        resume()
        _State.wait_s, started_s = None, time.monotonic()
        try:
            within(TIMEOUT_S, _ask)
        except SourceUnavailable as error:
            why, wait_s = str(error), _State.wait_s
        else:
            if _State.token_refused is not None:
                notice(_State.token_refused)
            return None
        if wait_s is not None and wait_s <= WAIT_S and not has_waited:
            notice(f"Waiting {wait_s:.0f} s: {why}.")
            time.sleep(wait_s)
            has_waited = True
            continue
        num_left -= 1
        if num_left and time.monotonic() - started_s > 1:
            notice(f"Asking once more: {why}.")
    return why


def _ask() -> None:
    import huggingface_hub

    huggingface_hub.HfApi().dataset_info(REPO, revision=REVISION, timeout=TIMEOUT_S)


def within(seconds: float, do: Callable[[], T], *, silence_s: float | None = None) -> T:
    """The result of `do`, which asks the hub; SourceUnavailable with the cause where it fails.

    The libraries' own timeouts bound each wait, but not their sum, a silent name server or an
    answer that drips. A call that is given up ends at its next byte, or after `silence_s` without.
    """
    _State.trouble, _State.silence_s = None, silence_s or SILENCE_S
    try:
        _tame()  # and import, which takes as long as it takes
        return call_with_timeout(seconds, do, thread=_THREAD, stop=_State.given_up)
    except CallTimedOut:
        if _State.given_up.is_set():
            raise SourceUnavailable("given up") from None
        _State.given_up.set()
        subject = f"{_State.trouble}, no" if _State.trouble else f"{failures.server()} gave no"
        raise SourceUnavailable(f"{subject} whole answer within {seconds:g} s") from None
    except SourceUnavailable:
        raise
    except Exception as error:  # the libraries' errors are many and undocumented
        raise SourceUnavailable(failures.why(error)) from None


def give_up() -> None:
    """End whatever asks the hub now, in any thread, with SourceUnavailable."""
    _State.given_up.set()


def resume() -> None:
    """Ask the hub again after a call that was given up."""
    _State.given_up.clear()


@functools.cache
def _tame() -> None:
    """Have the libraries ask through `send` below, and say nothing themselves."""
    import huggingface_hub

    for library in ("datasets", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    example = huggingface_hub.get_session()
    kind = _client_class(type(example))
    huggingface_hub.set_client_factory(
        lambda: kind(event_hooks=example.event_hooks, follow_redirects=True, timeout=None)
    )
    atexit.register(settle)


def _client_class(base: Any) -> Any:
    """The libraries' client, of httpx or httpx2, with the rules of this module."""
    body = _body_class(sys.modules[base.__module__.partition(".")[0]].SyncByteStream)

    class Client(base):
        def build_request(self, *args: Any, headers: Any = None, **rest: Any) -> Any:
            token = (headers or {}).get("authorization", "")
            if not (token.isascii() and token.isprintable()):  # no header can have it
                _refuse_token("it holds characters that no token has")
                headers = {k: v for k, v in headers.items() if k != "authorization"}
            return super().build_request(*args, headers=headers, **rest)

        def send(self, request: Any, *, stream: bool = False, **rest: Any) -> Any:
            _go_on()
            waits = request.extensions.get("timeout") or {}
            names = ("connect", "read", "write", "pool")
            bounds = {n: min(waits.get(n) or math.inf, _State.silence_s) for n in names}
            request.extensions["timeout"] = bounds
            if _State.token_refused is not None:
                request.headers.pop("authorization", None)
            try:
                response = self._sent(request, **rest)
                response.stream = body(response.stream)
                with _closed_on_error(response):
                    _judge(response)
                    if not stream:
                        response.read()
            except SourceUnavailable:
                raise
            except Exception as error:  # kept: the libraries may try again until time is up
                _State.trouble = failures.why(error)
                raise
            return response

        def _sent(self, request: Any, **rest: Any) -> Any:
            response = super().send(request, stream=True, **rest)
            is_refused = response.status_code in (401, 403) and "authorization" in request.headers
            if not is_refused or request.method not in ("GET", "HEAD"):
                return response  # nothing is written without a token
            token = request.headers.pop("authorization")
            again = super().send(request, stream=True, **rest)
            if again.status_code in (401, 403):  # it was not the token
                request.headers["authorization"] = token
                again.close()
                return response
            _refuse_token(f"{response.status_code}: expired or revoked?")
            response.close()
            return again

    return Client


def _body_class(base: Any) -> Any:
    """The body of an answer, which ends where the call was given up."""

    class Body(base):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            for part in self._stream:
                _go_on()
                yield part

        def close(self) -> None:
            self._stream.close()

    return Body


def _go_on() -> None:
    if _State.given_up.is_set():
        raise SourceUnavailable("given up")


@contextlib.contextmanager
def _closed_on_error(response: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        response.close()
        raise


def _judge(response: Any) -> None:
    """Note an answer that is an error; raise SourceUnavailable where no further try would help."""
    status, wait_s = response.status_code, None
    if status < 300 and response.headers.get("content-type", "").startswith("text/html"):
        raise SourceUnavailable(failures.web_page())
    if status == 429 or status >= 500:
        _State.wait_s = wait_s = failures.wait_s(response.headers)
    is_trouble = status in (401, 403, 407, 429) or status >= 500
    _State.trouble = failures.refused(status, wait_s) if is_trouble else None
    if wait_s is not None and wait_s > WAIT_S:
        raise SourceUnavailable(failures.refused(status, wait_s))


def token_source() -> tuple[str, str]:
    """The place that the token comes from, and in words how it is put away or renewed there."""
    from huggingface_hub import constants

    names = [name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name)]
    where = names[0] if names else f"the login file {constants.HF_TOKEN_PATH}"
    return where, f"unset {names[0]}" if names else "log in again with: hf auth login"


def _refuse_token(reason: str) -> None:
    where, mend = token_source()
    _State.token_refused = (
        f"The hub refuses the token of {where} ({reason}): the public data is read without it."
        f" Renew the token, or {mend}."
    )


def settle() -> None:
    """Wait for reads under way: an interpreter that ends under a read in pyarrow may abort."""
    give_up()
    deadline_s = time.monotonic() + EXIT_PATIENCE_S
    while time.monotonic() < deadline_s and any(t.name == _THREAD for t in threading.enumerate()):
        time.sleep(0.05)
