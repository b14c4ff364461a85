"""Identity of documents by their content, and all else that one reading of files tells.

The files are read whole before the clock starts, once: a bad row at their end is found before a
race, not by it, and the fingerprint covers every byte. It is not put off until after the race,
because it names the tokens in the cache that the race reads. What is hashed is close to what a
text file holds, so that the disk and SHA-256 bound the speed: about 3 s a gigabyte of lines.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from speedrun.data.local import remembered
from speedrun.data.local.readers.reader import DOCUMENT_END, Reader


@dataclass(frozen=True)
class Survey:
    """Facts about the documents of files."""

    fingerprint: str
    num_docs: list[int]  # of each file
    partings: list[str]  # the different ways in which documents are parted


def survey(readers: Sequence[Reader], *, by_hash: bool) -> Survey:
    """Read all files, or remember what was found in them. Raises ValueError for a bad row.

    The fingerprint is the SHA-256 of the documents in order, each as UTF-8 and followed by the
    byte FF (blank documents are none). Files, folders and formats have no part in it; the way
    in which documents are held out has one, as it decides which of them are trained on.
    """

    def read() -> dict:
        digest = hashlib.sha256(b"documents 1, held out by hash\n" if by_hash else b"documents 1\n")
        num_docs, partings = [], []
        for reader in readers:
            count = 0
            for block in reader.canonical():
                digest.update(block)
                count += block.count(DOCUMENT_END)
            num_docs.append(count)
            partings.append(reader.parting())
        return asdict(Survey(digest.hexdigest(), num_docs, list(dict.fromkeys(partings))))

    files = [reader.file for reader in readers]
    return Survey(**remembered.of(files, f"documents {by_hash} {readers[0].way}", read))
