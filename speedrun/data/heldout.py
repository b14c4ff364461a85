"""The held-out split: pinned, fingerprinted, and kept out of the training stream."""

import hashlib
from collections.abc import Sequence

from speedrun.data.source import Source

# Data without a held-out split of its own: this share of documents is held out by hash.
ONE_IN = 20
NONE_DROPPED = hashlib.sha256().hexdigest()  # the hash of the documents dropped, where none is


def is_held_out_by_hash(document: str) -> bool:
    """Whether a document of a data set without splits is held out: decided by its text alone."""
    return int.from_bytes(_digest(document)[:8], "big") % ONE_IN == 0


def _digest(document: str) -> bytes:
    """SHA-256 of the document with white space and case folded."""
    folded = " ".join(document.split()).casefold()
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).digest()


def after(dropped: str, document: str) -> str:
    """The hash of the documents dropped so far and one more, in this order."""
    raw = document.encode("utf-8", "surrogatepass")
    return hashlib.sha256(bytes.fromhex(dropped) + raw).hexdigest()


class HeldOut:
    """Documents that are scored, and a filter that keeps them out of training."""

    def __init__(self, documents: Sequence[str]) -> None:
        self.documents = documents
        raw = [document.encode("utf-8") for document in documents]
        framed = b"".join(len(document).to_bytes(8, "big") + document for document in raw)
        self.fingerprint = hashlib.sha256(framed).hexdigest()
        self.num_bytes = sum(map(len, raw))
        self._digests = frozenset(map(_digest, documents))

    def has(self, document: str) -> bool:
        """Whether a document equals a held-out one, white space and case folded."""
        return _digest(document) in self._digests


def pin(source: Source, limit: int | None) -> HeldOut:
    """The first `limit` held-out documents of a source (all for None)."""
    documents = source.heldout(limit)
    if len(documents) < 2:
        raise ValueError(
            f"data {source.name!r} has {len(documents)} held-out document(s): scoring needs at"
            " least 2; give more documents or a validation file"
        )
    pinned = HeldOut(documents)
    if source.origin == "local" and all(
        not text.strip() or pinned.has(text) for text in source.train()
    ):
        raise ValueError(
            f"data {source.name!r} has no training document that is not a held-out one, too:"
            " give other documents for training"
        )
    return pinned
