"""Published runs: `hf://user/name` becomes a folder of the cache.

A repository may be anyone's. Only the files of a run are fetched, none of them code, within the
sizes that its record allows, and they are those that the record names.
"""

import hashlib
import shutil
import uuid
from pathlib import Path
from typing import Any

from speedrun.data.hub import client, failures, repos
from speedrun.data.hub.repos import Repo
from speedrun.records import artifacts, schema
from speedrun.records.files import RECORD, TOKENIZER, WEIGHTS
from speedrun.records.schema import MAX_RECORD_BYTES, Record
from speedrun.system.files import PARTIAL
from speedrun.system.paths import cache_dir
from speedrun.training.runs.run_dir import LOG, SAMPLES

_MAX_LOG_BYTES = 64 << 20
_NEEDED = (RECORD, TOKENIZER, WEIGHTS)


def folder_of(run: str | Path) -> Path:
    """The folder of a run; one at `hf://…` is fetched. ValueError where that is not possible."""
    text = str(run)
    return fetch(repos.parse(text)) if repos.is_address(text) else Path(run)


def fetch(repo: Repo) -> Path:
    """Folder of the cache with the published run, fetched unless it is there; ValueError."""
    own = cache_dir() / "published" / repo.id.replace("/", "--")
    if repos.COMMIT.fullmatch(repo.revision or "") and (own / str(repo.revision)).is_dir():
        return own / str(repo.revision)
    if (switch := failures.offline()) is not None:
        kept = sorted(own.glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime)
        hint = f"; what was fetched before is in {kept[-1].parent}" if kept else ""
        raise ValueError(f"{repo}: the hub is not asked: {switch}{hint}")
    commit, sizes = _facts(repo)
    if (target := own / commit).is_dir():
        return target
    partial = own / f"{PARTIAL}{uuid.uuid4().hex}"
    try:
        partial.mkdir(parents=True)
        _download(repo, commit, sizes, partial)
        shutil.rmtree(partial / ".cache", ignore_errors=True)  # the library's notes
        if not target.is_dir():  # another process was faster
            partial.rename(target)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ValueError(f"{repo}: cannot be kept in {own} ({why})") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _facts(repo: Repo) -> tuple[str, dict[str, int]]:
    """The commit of a repository and the sizes of its files; ValueError for one without a run."""
    from huggingface_hub import HfApi

    def ask() -> Any:
        return HfApi().model_info(
            repo.id, revision=repo.revision, files_metadata=True, timeout=client.TIMEOUT_S
        )

    found = repos.ask(repo, repos.ASK_S, ask)
    sizes = {file.rfilename: file.size for file in found.siblings or ()}
    if missing := [name for name in _NEEDED if not isinstance(sizes.get(name), int)]:
        raise ValueError(
            f"{repo}: no run is published there (no {missing[0]}); `publish RUN --to hf://…` makes"
            " such a repository"
        )
    if not repos.COMMIT.fullmatch(found.sha or ""):
        raise ValueError(f"{repo}: the answer of {failures.server()} has no commit")
    return found.sha, sizes


def _download(repo: Repo, commit: str, sizes: dict[str, int], folder: Path) -> None:
    """Fetch the files of a run, its record first; ValueError for others than it names."""
    _one(repo, commit, RECORD, sizes, MAX_RECORD_BYTES, folder)
    record = schema.parse((folder / RECORD).read_bytes(), f"{repo}: {RECORD}")
    limits = {TOKENIZER: artifacts.MAX_TOKENIZER_BYTES, LOG: _MAX_LOG_BYTES, SAMPLES: 1 << 20}
    limits[WEIGHTS] = artifacts.max_weights_bytes(record)
    for name, limit in limits.items():
        if name in sizes:
            _one(repo, commit, name, sizes, limit, folder)
    _check(repo, folder, record)


def _one(
    repo: Repo, commit: str, name: str, sizes: dict[str, int], limit: int, folder: Path
) -> None:
    from huggingface_hub import hf_hub_download

    size, free = sizes[name], shutil.disk_usage(folder).free
    if size > limit:
        raise ValueError(f"{repo}: {name} is larger than it may be ({size} bytes, at most {limit})")
    if size > free:
        raise ValueError(f"{repo}: {name} has {size >> 20} MiB, {free >> 20} MiB are free")

    def download() -> str:
        return hf_hub_download(repo.id, name, revision=commit, local_dir=folder)

    repos.ask(repo, repos.TRANSFER_S, download)


def _check(repo: Repo, folder: Path, record: Record) -> None:
    named = {WEIGHTS: record.weights_sha256, TOKENIZER: record.tokenizer.fingerprint}
    for name, expected in named.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise ValueError(f"{repo}: {name} is not the one that its record names (SHA-256)")
