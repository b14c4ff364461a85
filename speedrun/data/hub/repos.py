"""Model repositories of the hub: their addresses, and the reason why one cannot be used."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from speedrun.data.hub import client, failures
from speedrun.data.source import SourceUnavailable
from speedrun.records.sanitize import brief

SCHEME = "hf://"
ASK_S = 20.0  # for facts, in one request or two
TRANSFER_S = 6 * 3600.0  # for one file, or all files of a commit; silence ends it long before
_ID = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}")
COMMIT = re.compile(r"[0-9a-f]{40}")

T = TypeVar("T")


@dataclass(frozen=True)
class Repo:
    """A model repository, at a revision where one is given."""

    id: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{SCHEME}{self.id}" + (f"@{self.revision}" if self.revision else "")

    @property
    def owner(self) -> str:
        """The user, or the organization, whose repository it is."""
        return self.id.partition("/")[0]

    @property
    def page(self) -> str:
        """The address of its web page."""
        return f"{failures.endpoint()}/{self.id}"


def is_address(text: str) -> bool:
    """Whether a text names a repository; it may be malformed all the same."""
    return text.startswith("hf:")


def looks_like(text: str) -> bool:
    """Whether the path of a folder may be meant as the name of a repository."""
    return re.fullmatch(r"[\w-]+/[\w.-]+", text) is not None


def parse(text: str) -> Repo:
    """The repository of `hf://user/name` or `hf://user/name@revision`; ValueError."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    name, at, revision = text.removeprefix(SCHEME).partition("@")
    problem = "" if text.startswith(SCHEME) and _ID.fullmatch(name) else "not an address of a model"
    try:
        validate_repo_id(name)
    except HFValidationError:
        problem = problem or "the hub allows no such name"
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        problem = problem or "not a revision after the @"
    if problem:
        raise ValueError(
            f"{brief(text)}: {problem}; give hf://user/name or hf://user/name@revision"
        )
    return Repo(name, revision or None)


def ask(repo: Repo, seconds: float, do: Callable[[], T], *, silence_s: float | None = None) -> T:
    """The result of `do`, which asks the hub about a repository; ValueError with the cause."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import disable_progress_bars

    if (switch := failures.offline()) is not None:
        raise ValueError(f"{repo}: the hub is not asked: {switch}")

    def asked() -> T:
        try:
            return do()
        except HfHubHTTPError as error:
            if (why := _why(error, repo)) is None:
                raise
            raise SourceUnavailable(why) from None

    client.resume()
    disable_progress_bars()
    try:
        return client.within(seconds, asked, silence_s=silence_s)
    except SourceUnavailable as error:
        raise ValueError(f"{repo}: {error}") from None


def _why(error: Any, repo: Repo) -> str | None:
    """The cause of an answer that is about this repository; None for one that is about the hub."""
    from huggingface_hub import errors, get_token

    server, log_in = failures.server(), "" if get_token() else " (log in with: hf auth login)"
    if isinstance(error, errors.GatedRepoError):
        return f"{server} asks for its authors' permission: request it on {repo.page}{log_in}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{server} has no revision {repo.revision} of it"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{server} has no such model, or it is private{log_in}"
    status = error.response.status_code
    if status == 404:
        return f"{server} does not have it (404)"
    if status == 401:
        return f"{server} asks for a login (401){log_in or '; the token may not read it'}"
    if status == 403:
        return f"{server} refuses access (403){log_in or '; the token may not read it'}"
    return None
