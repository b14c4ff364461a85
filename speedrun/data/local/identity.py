"""Identity of documents by their content, and all else that one reading of files tells.

The files are read whole before the clock starts, once: a bad row at their end is found before a
race, not by it, and the fingerprint covers every byte. It is not put off until after the race,
because it names the tokens in the cache that the race reads. What is hashed is close to what a
text file holds, so that the disk and SHA-256 bound the speed: about 3 s a gigabyte of lines.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np

from speedrun.data.local import remembered
from speedrun.data.local.readers.reader import DOCUMENT_END, Reader


@dataclass(frozen=True)
class Survey:
    """Facts about the documents of files."""

    fingerprint: str
    num_docs: list[int]  # of each file
    partings: list[str]  # the different ways in which documents are parted


def survey(
    readers: Sequence[Reader], *, by_hash: bool, reading: Callable[[], None] = lambda: None
) -> Survey:
    """Read all files, or remember what was found in them. Raises ValueError for a bad row.

    `reading` is called before they are read.

    The fingerprint is the SHA-256 of the documents in order, each as UTF-8 and followed by the
    byte FF (blank documents are none). Files, folders and formats have no part in it; the way
    in which documents are held out has one, as it decides which of them are trained on.
    """

    digest = hashlib.sha256(b"documents 1, held out by hash\n" if by_hash else b"documents 1\n")

    def take(block: bytes) -> int:
        digest.update(block)
        return int(np.count_nonzero(np.frombuffer(block, np.uint8) == DOCUMENT_END[0]))

    def read() -> dict:
        reading()
        num_docs, partings = [], []
        with ThreadPoolExecutor(1) as other:  # one block is hashed while the next one is read
            for reader in readers:
                count, taken = 0, other.submit(int)
                for block in reader.canonical():
                    count += taken.result()
                    taken = other.submit(take, block)
                num_docs.append(count + taken.result())
                partings.append(reader.parting())
        return asdict(Survey(digest.hexdigest(), num_docs, list(dict.fromkeys(partings))))

    files = [reader.file for reader in readers]
    return Survey(**remembered.of(files, f"documents {by_hash} {readers[0].way}", read))
