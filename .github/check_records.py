#!/usr/bin/env python3
"""Check of the records that a pull request adds, with the code of this checkout.

    .github/check_records.py HEAD COMMENT

HEAD is the pull request's commit, fetched and not checked out; COMMENT is the file that the comment
is written to. Of HEAD only new files of leaderboard/records are taken, under names that a
leaderboard gives, and their bytes alone: no links, no attributes, nothing that runs.
"""

import re
import subprocess
import sys
from pathlib import Path

from comment import cut

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "leaderboard/records"
MAX_FILE_BYTES, MAX_FILES = 64 << 20, 20_000
NAME = re.compile(
    rf"{FOLDER}/([0-9a-f]+(\.[a-z]+)?(\.[0-9a-f]+)?\.json"
    r"|weights/[0-9a-f]{64}\.safetensors|tokenizers/[0-9a-f]{64}\.json)"
)
_FOUND_BYTES, _TABLE_BYTES = 8_000, 50_000
_TITLE_LINES = 4  # the table's own title and introduction are of no use in a comment


def git(*args: str) -> bytes:
    """Output of a git command in this checkout."""
    return subprocess.run(["git", "-C", ROOT, *args], stdout=subprocess.PIPE, check=True).stdout


def take(head: str) -> list[str]:
    """Write the new record files of a commit here; a line for each change that is refused."""
    changed = git("diff", "--name-status", "--no-renames", "-z", f"HEAD...{head}", "--", FOLDER)
    words = [word.decode("utf-8", "backslashreplace") for word in changed.split(b"\0")[:-1]]
    refused, wanted, files = [], {}, _files(head)
    for status, path in list(zip(words[::2], words[1::2], strict=True))[:MAX_FILES]:
        if status != "A":
            refused.append(f"{path!a}: a record is never changed or taken away")
        elif not NAME.fullmatch(path) or path not in files:
            refused.append(f"{path!a}: no file of a leaderboard")
        elif (size := files[path][1]) > MAX_FILE_BYTES:
            refused.append(f"{path}: {size} bytes; at most {MAX_FILE_BYTES} are allowed")
        else:
            wanted[path] = files[path][0]
    if len(words) > 2 * MAX_FILES:
        refused.append(f"{len(words) // 2} changes; at most {MAX_FILES} are looked at")
    _write(wanted)
    return refused


def _files(head: str) -> dict[str, tuple[str, int]]:
    """Object and size of the plain files among a commit's records; links are none."""
    found = {}
    for line in git("ls-tree", "-r", "-l", "-z", head, "--", FOLDER).split(b"\0")[:-1]:
        facts, _, path = line.partition(b"\t")
        mode, _, name, size = facts.decode().split()
        if mode in ("100644", "100755"):
            found[path.decode("utf-8", "backslashreplace")] = (name, int(size))
    return found


def _write(wanted: dict[str, str]) -> None:
    """Write the content of objects under their paths, all with one process of git."""
    words = ["git", "-C", ROOT, "cat-file", "--batch"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as batch:
        assert batch.stdin is not None and batch.stdout is not None
        for path, name in wanted.items():
            batch.stdin.write(f"{name}\n".encode())
            batch.stdin.flush()
            size = int(batch.stdout.readline().split()[-1])
            content = batch.stdout.read(size + 1)[:-1]
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_bytes(content)


def main(head: str, comment: Path) -> int:
    """Write the comment; 1 where a record does not hold."""
    refused = take(head)
    words = [sys.executable, "run.py", "leaderboard", "--check", "--format", "markdown"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True)
    said = [*refused, *done.stderr.decode("utf-8", "replace").splitlines()]
    holds = done.returncode == 0 and not refused
    found = cut("\n".join(f"    {line}" for line in said), _FOUND_BYTES)
    lines = done.stdout.decode("utf-8", "replace").splitlines()[_TITLE_LINES:]
    table = cut("\n".join(lines), _TABLE_BYTES)
    verdict = "Every record holds." if holds else "**Not every record holds.**"
    text = f"{verdict} What was found:\n\n{found}\nThe table with these records:\n\n{table}"
    comment.write_text(text, encoding="utf-8")
    print(text.encode("ascii", "backslashreplace").decode())
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
