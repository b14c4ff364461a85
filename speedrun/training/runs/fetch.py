"""Published runs: `hf://user/name` becomes a folder of the cache.

A repository may be anyone's. Only the files of a run are fetched, none of them code, within the
sizes that its record allows, and they are those that the record names. The cache keeps some
gigabytes of them; those that were used longest ago go first.
"""

import contextlib
import hashlib
import os
import shutil
import time
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
_MAX_KEPT_BYTES = 4 << 30
_IN_USE_S = 3600.0  # another process may still read what was used in this time
_ABANDONED_S = 24 * 3600.0  # no fetch takes so long: it was killed


def folder_of(run: str | Path) -> Path:
    """The folder of a run; one at `hf://…` is fetched. ValueError where that is not possible."""
    text = str(run)
    return fetch(repos.parse(text)) if repos.is_address(text) else Path(run)


def fetch(repo: Repo) -> Path:
    """Folder of the cache with the published run, fetched unless it is there; ValueError."""
    own = cache_dir() / "published" / repo.id.replace("/", "--")
    if repos.COMMIT.fullmatch(repo.revision or "") and (own / str(repo.revision)).is_dir():
        return _used(own / str(repo.revision))
    if (switch := failures.offline()) is not None:
        kept = sorted(own.glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime)
        hint = f"; what was fetched before is in {kept[-1].parent}" if kept else ""
        raise ValueError(f"{repo}: the hub is not asked: {switch}{hint}")
    commit, sizes = _facts(repo)
    if (target := own / commit).is_dir():
        return _used(target)
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
    with contextlib.suppress(OSError):  # another process clears up, too
        _clear(own.parent)
    return target


def _used(folder: Path) -> Path:
    """The folder, marked as used now."""
    with contextlib.suppress(OSError):
        os.utime(folder)
    return folder


def _clear(published: Path) -> None:
    """Delete the runs that were used longest ago, above the limit, and fetches that were killed.

    A run to which something was added, such as a verification, stays.
    """
    now_s, fetched, num_bytes = time.time(), {RECORD, TOKENIZER, WEIGHTS, LOG, SAMPLES}, 0
    found = [path for path in published.glob("*/*") if path.is_dir()]
    ages = {folder: now_s - folder.stat().st_mtime for folder in found}
    for folder, age_s in sorted(ages.items(), key=lambda item: item[1]):
        if folder.name.startswith(PARTIAL):
            is_over = age_s > _ABANDONED_S
        else:
            sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
            num_bytes += sum(sizes.values())
            is_unchanged = sizes.keys() <= fetched
            is_over = num_bytes > _MAX_KEPT_BYTES and age_s > _IN_USE_S and is_unchanged
        if is_over:
            shutil.rmtree(folder, ignore_errors=True)


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
