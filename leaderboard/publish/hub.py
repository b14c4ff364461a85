"""Publication to the Hugging Face hub: one commit to a model repository of its own."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from leaderboard.publish.contents import CARD, NAMES
from speedrun.data.hub import client, failures, repos
from speedrun.data.hub.repos import Repo
from speedrun.data.source import SourceUnavailable
from speedrun.records import schema
from speedrun.records.files import RECORD
from speedrun.records.sanitize import sanitize
from speedrun.records.schema import MAX_RECORD_BYTES
from speedrun.system.paths import private_dir

_SILENCE_S = 120.0  # of a hub that takes in a commit
_OF_NEW = (".gitattributes", CARD)  # what the hub itself puts into a new repository
T = TypeVar("T")


class Published(NamedTuple):
    """Address of a model's page, and its commit."""

    page: str
    commit: str


def check(repo: Repo) -> None:
    """Raise ValueError where nothing can be published: the hub is not asked, or has no user."""
    from huggingface_hub import HfApi, get_token

    if repo.revision is not None:
        raise ValueError(f"--to {repo}: publishing takes no revision; give hf://{repo.id}")
    if (switch := failures.offline()) is not None:
        raise ValueError(f"{repo}: the hub is not asked: {switch}")
    if not get_token():
        raise ValueError(
            f"{repo}: publishing needs a token with write access ({failures.endpoint()}"
            "/settings/tokens): log in with: hf auth login, or set HF_TOKEN"
        )
    _write(repo, repos.ASK_S, lambda: HfApi().whoami())


def publish(
    repo: Repo, record_id: str, files: Mapping[str, bytes], *, private: bool, message: str
) -> Published:
    """Put the files into a repository, which is made; ValueError where it has other content."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    head = _head(repo, private)
    parent = None if head is None else head.sha
    if head is not None and (problem := _problem(repo, head, record_id)) is not None:
        raise ValueError(
            f"{repo}: {problem}; publish to a repository of another name, which is made for you"
        )
    if head is None:
        wanted = private or None  # None: as the owner's organization has it
        _write(repo, repos.ASK_S, lambda: api.create_repo(repo.id, exist_ok=True, private=wanted))
    operations = [CommitOperationAdd(name, content) for name, content in files.items()]

    def commit() -> Any:
        try:
            return api.create_commit(
                repo.id, operations, commit_message=message, parent_commit=parent
            )
        except ValueError as error:
            if type(error) is not ValueError:  # of the connection, or of an answer
                raise
            why = " ".join(str(error).split())[:300]
            raise SourceUnavailable(f"the hub does not take it ({sanitize(why)})") from None

    try:
        done = _write(repo, repos.TRANSFER_S, commit)
    except ValueError as error:
        made = "; the repository was made, and is empty" if head is None else ""
        raise ValueError(f"{error}{made}") from None
    return Published(repo.page, str(done.oid))


def _head(repo: Repo, private: bool) -> Any:
    """Facts about a repository as it is now; None where it is not there."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    def ask() -> Any:
        try:
            return HfApi().model_info(repo.id, timeout=client.TIMEOUT_S)
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return None

    found = repos.ask(repo, repos.ASK_S, ask)
    if found is not None and private and not found.private:
        raise ValueError(
            f"{repo}: is there already and public; change that on {repo.page}/settings, or leave"
            " out --private"
        )
    return found


def _problem(repo: Repo, head: Any, record_id: str) -> str | None:
    """The reason why a repository must not be written to; None where it may be."""
    names = [file.rfilename for file in head.siblings or ()]
    if all(name in _OF_NEW for name in names):
        return None
    if others := sorted(set(names) - {*NAMES, *_OF_NEW}):
        return f"there is other content ({', '.join(others[:3])})"
    return None if _record_id(repo, head) == record_id else "there is another run"


def _record_id(repo: Repo, head: Any) -> str | None:
    """The id of the record that is published in a repository; None where there is none."""
    from huggingface_hub import hf_hub_download

    if RECORD not in [file.rfilename for file in head.siblings or ()]:
        return None
    folder = private_dir("speedrun-record-")

    def download() -> str:
        return hf_hub_download(repo.id, RECORD, revision=head.sha, local_dir=folder)

    repos.ask(repo, repos.ASK_S, download)
    try:
        with (folder / RECORD).open("rb") as file:
            return schema.parse(file.read(MAX_RECORD_BYTES + 1), str(repo)).id
    except ValueError:
        return None


def _write(repo: Repo, seconds: float, do: Callable[[], T]) -> T:
    """The result of `do`, which needs a token that may write; ValueError with the cause."""
    from huggingface_hub.errors import HfHubHTTPError

    def told() -> T:
        try:
            return do()
        except HfHubHTTPError as error:
            where, _ = client.token_source()
            status, page = error.response.status_code, f"{failures.endpoint()}/settings/tokens"
            if status == 401:
                raise SourceUnavailable(
                    f"the hub refuses the token of {where} (401): make a new one on {page}"
                ) from None
            if status == 403:
                raise SourceUnavailable(
                    f"the token of {where} may not write to {repo.owner} (403): make one with write"
                    f" access on {page}"
                ) from None
            if status in (409, 412):
                raise SourceUnavailable("it was changed meanwhile; publish again") from None
            raise

    return repos.ask(repo, seconds, told, silence_s=_SILENCE_S)
