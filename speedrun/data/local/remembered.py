"""Facts about files that took a reading of them, kept in the cache while the files stay."""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from speedrun.system.files import write_atomic
from speedrun.system.paths import cache_dir

_VERSION = 1  # of the rules by which files are read
_SETTLED_S = 2.0  # a clock of a file system may stand still so long

T = TypeVar("T")


def stamp(file: Path) -> tuple[int, tuple[int, int], int]:
    """Size, times and inode of a file: they stay while nobody writes to it. Raises ValueError.

    Windows has no time of change but the one that anybody may set.
    """
    try:
        s = file.stat()
    except OSError as error:
        raise ValueError(f"--data {file}: cannot be read ({error.strerror})") from None
    return s.st_size, (s.st_mtime_ns, s.st_ctime_ns), s.st_ino


def of(files: Sequence[Path], what: str, find: Callable[[], T]) -> T:
    """`find()`, or the JSON value that it gave for these very files in an earlier process.

    Files are the same while path, size, inode and times are. The value of a file that was
    written just now is not kept: an edit in the same tick of the clock would not show.
    """
    facts = [[str(file.resolve()), *stamp(file)] for file in files]
    written_s = max(max(changed_ns) for *_, changed_ns, _ in facts) / 1e9
    key = hashlib.sha256(json.dumps([_VERSION, what, facts]).encode()).hexdigest()
    kept = cache_dir() / "files" / f"{key[:32]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # new, or torn
        return json.loads(kept.read_text(encoding="utf-8"))["found"]
    found = find()
    if time.time() - written_s > _SETTLED_S:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs a reading
            write_atomic(kept, json.dumps({"found": found}))
    return found
