"""The held-out split: pinned, fingerprinted, and kept out of the training stream."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from speedrun.data.source import Source

# Data without a held-out split of its own: this share of documents is held out by hash.
_HELD_OUT_ONE_IN = 20


def is_held_out_by_hash(document: str) -> bool:
    """Whether a document of a data set without splits is held out: decided by its text alone."""
    digest = hashlib.sha256(_folded(document)).digest()
    return int.from_bytes(digest[:8], "big") % _HELD_OUT_ONE_IN == 0


def _folded(document: str) -> bytes:
    """The document with white space and case folded, as bytes: equal documents give the same."""
    return " ".join(document.split()).casefold().encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class HeldOut:
    """Documents that are scored, and a filter that keeps them out of training."""

    documents: Sequence[str]
    fingerprint: str = field(init=False)
    num_bytes: int = field(init=False)
    _digests: frozenset[bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        raw = [document.encode("utf-8") for document in self.documents]
        digest = hashlib.sha256()
        for document in raw:
            digest.update(len(document).to_bytes(8, "big") + document)
        folded = frozenset(hashlib.sha256(_folded(d)).digest() for d in self.documents)
        object.__setattr__(self, "fingerprint", digest.hexdigest())
        object.__setattr__(self, "num_bytes", sum(map(len, raw)))
        object.__setattr__(self, "_digests", folded)

    def has(self, document: str) -> bool:
        """Whether a document equals a held-out one, white space and case folded."""
        return hashlib.sha256(_folded(document)).digest() in self._digests


def pin(source: Source, limit: int | None) -> HeldOut:
    """The first `limit` held-out documents of a source (all for None)."""
    documents = source.heldout(limit)
    if len(documents) < 2:
        raise ValueError(
            f"data {source.name!r} has {len(documents)} held-out document(s): scoring needs at"
            " least 2; give more documents or a validation file"
        )
    return HeldOut(documents)
