"""Causes in words of what goes wrong between this machine and the hub.

The client libraries' errors are many, differ by version and quote addresses with their
credentials: they are told apart by what lies under them, and their text is never shown.
"""

import contextlib
import email.utils
import json
import os
import re
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from speedrun.data.source import SourceUnavailable

REPO = "roneneldan/TinyStories"
REVISION = "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64"

_DEFAULT = "huggingface.co"
_SWITCHES = ("1", "ON", "YES", "TRUE")
_REFUSED_CONNECT = re.compile(r"\s*(\d{3})\b")  # the answer of a proxy


def offline() -> str | None:
    """The environment variable that forbids to ask the hub, as the libraries read them."""
    pair = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    hub = next((name for name in pair if os.environ.get(name)), None)
    for name in filter(None, (hub, "HF_DATASETS_OFFLINE")):
        if os.environ.get(name, "").upper() in _SWITCHES:
            return f"{name} is set"
    return None


def refused(status: int, wait_s: float | None = None) -> str:
    """An answer that is an error, by its HTTP status."""
    wait = f", asks to wait {wait_s:.0f} s" if wait_s is not None else ""
    through = f", or the proxy {name}" if (name := proxy()) else ""
    if status == 407:
        return f"the proxy {name or 'on the way'} asks for a name and password (407)"
    if status == 429:
        return f"{server()} has had too many requests from here (429){wait}"
    if status == 404:
        return f"{server()} has no {REPO} at revision {REVISION[:8]} (404)"
    if status in (401, 403):
        what = "asks for a login" if status == 401 else "refuses access"
        return f"{server()}{through} {what} ({status})"
    if status >= 500:
        return f"{server()}{through} has a failure of its own ({status}){wait}"
    return f"{server()}{through} answers with the error {status}"


def web_page() -> str:
    """An answer in HTML where data was expected."""
    return f"a web page came instead of an answer of {server()} (the login page of a network?)"


def why(error: BaseException) -> str:
    """The cause of an error of the client libraries, in one clause."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, SourceUnavailable):
            return str(one)
        answer = getattr(one, "response", None)
        if answer is not None and isinstance(status := getattr(answer, "status_code", None), int):
            return refused(status, wait_s(answer.headers))
    kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
    name = proxy()
    if "ProxyError" in kinds:
        status = next(filter(None, (_REFUSED_CONNECT.match(str(one)) for one in chain)), None)
        if status is not None and status[1] == "407":
            return refused(407)
        return f"the proxy {name} refuses the connection{f' ({status[1]})' if status else ''}"
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {server()} is not trusted here ({one.verify_message}): a"
                " proxy that reads along, or a wrong clock?"
            )
        if isinstance(one, ssl.SSLError):
            return f"no secure connection to {server()} (TLS: {_plain(one.reason)})"
        if isinstance(one, json.JSONDecodeError):
            return f"the answer of {server()} is not that of a Hugging Face hub"
    if kinds & {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError"}:
        return f"HF_ENDPOINT={endpoint()} is no address; give one such as https://{_DEFAULT}"
    target = f"the proxy {name}" if name else _asked(chain)
    for one in chain:
        if isinstance(one, socket.gaierror):
            return f"{target} cannot be found: its name is not known here (no network?)"
        if isinstance(one, OSError) and one.filename:  # of the libraries' own cache
            cause = (one.strerror or "fails").lower()
            return f"{one.filename} cannot be used ({cause}); HF_HOME names another folder"
        if isinstance(one, OSError) and one.errno and one.strerror:
            return f"{target} cannot be reached ({one.strerror.lower()})"
    if "TimeoutException" in kinds or "TimeoutError" in kinds:
        return f"{target} does not answer"
    if kinds & {"RemoteProtocolError", "ReadError", "WriteError"}:
        return f"{target} cut the connection"
    # Before any request: the libraries' client takes every proxy that is set, or none.
    is_unusable = "ImportError" in kinds or any(type(one) is ValueError for one in chain)
    if is_unusable and (name := _set_proxy("all", "https", "http")):
        return f"the proxy {name} cannot be used; give one such as http://host:3128"
    return f"the answer of {server()} is not that of a Hugging Face hub"


def wait_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that a busy hub asks to wait, if it says so."""
    if match := re.search(r";\s*t=(\d+)", headers.get("ratelimit", "")):
        return float(match[1])
    asked = headers.get("retry-after", "").strip()
    if asked.isdigit():
        return float(asked)
    when = email.utils.parsedate_tz(asked)
    return None if when is None else max(0.0, email.utils.mktime_tz(when) - time.time())


def endpoint() -> str:
    """The address of the hub, without credentials."""
    from huggingface_hub import constants

    return _bare(constants.ENDPOINT)


def proxy() -> str | None:
    """The proxy between here and the hub and where it is set: `HTTPS_PROXY=http://host:3128`."""
    parts = urlsplit(endpoint())
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return _set_proxy(parts.scheme, "all")


def _set_proxy(*schemes: str) -> str | None:
    for name in (cased for s in schemes for cased in (f"{s}_proxy", f"{s}_proxy".upper())):
        if value := os.environ.get(name):
            return f"{name}={_bare(value)}"
    found = urllib.request.getproxies().get(schemes[0])  # of macOS and Windows
    return f"{_bare(found)} of this system's settings" if found else None


def server() -> str:
    """The hub in a sentence; another address than the usual one by what sets it."""
    found = urlsplit(endpoint())
    return "the hub" if found.hostname == _DEFAULT else f"HF_ENDPOINT={endpoint()}"


def _asked(chain: Sequence[BaseException]) -> str:
    """The server of a request that failed: the hub, or one that it sent us to for a file."""
    for one in chain:
        with contextlib.suppress(AttributeError, RuntimeError):  # an error without its request
            host = one.request.url.host  # type: ignore[attr-defined]
            return (
                server()
                if host == urlsplit(endpoint()).hostname
                else f"{host}, sent to by the hub,"
            )
    return server()


def _bare(url: str) -> str:
    """An address without name, password, query."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
    except ValueError:
        return "(no address)"
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return scheme + parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")


def _plain(reason: object) -> str:
    return str(reason or "refused").replace("_", " ").lower()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
