"""Checks of verification notes: what a note concludes follows from its numbers and its record."""

import math
from collections.abc import Iterator

from leaderboard.attestations import Leaks, Rerun, Rescored, SecondHeldOut, Verification
from leaderboard.checks import reruns
from speedrun.records.summary import Summary

# Limits of a rescoring, see `leaderboard.verify.rescore`: rounding on another backend, and the
# noise draws of a bound, whose own error is at most twice the claimed one.
MAX_ROUNDING = 1e-3
_MAX_BOUND = 0.25  # of few documents
_CLOSE = 1e-6
# Two-sided, of a second held-out set: every entry may be verified, and 0.05 would doubt many.
SECOND_SIGNIFICANCE = 1e-3


def problems(note: Verification, run: Summary) -> list[str]:
    """Contradictions in a note on this run, a sentence each."""
    found: list[str] = []
    if note.record != run.id:
        return ["it is a note on another record"]
    for part in (note.rescored, note.leaks, note.rerun):
        if part is None:
            continue
        wrong = list(_CHECKS[type(part)](part, run))
        found += wrong
        if not wrong and part.agrees != follows(part, run):
            says, do = ("agrees", "do not") if part.agrees else ("does not agree", "do")
            found.append(f"its part {type(part).__name__.lower()} {says}, but its numbers {do}")
    return found + list(_second(note.second) if note.second else ())


def follows(part: Rescored | Leaks | Rerun, run: Summary) -> bool:
    """Whether the numbers of a part agree with the record, whatever its `agrees` says."""
    if isinstance(part, Leaks):
        # More may have been dropped than were found, not fewer; too many is for `verify` to say.
        holds = False not in (part.consumed_agrees, part.tokenizer_agrees)
        return part.agrees and holds and part.num_equal <= run.num_dropped
    if isinstance(part, Rescored):
        return not part.failed and part.difference is not None and _fits(part)
    if part.hardware_class != run.hardware_class:
        return True  # cannot refute
    return reruns.agrees(part.difference, 1.0 if part.p_value is None else part.p_value)


def _fits(part: Rescored) -> bool:
    assert part.difference is not None
    return abs(part.difference) <= part.allowed


def _rescored(part: Rescored, run: Summary) -> Iterator[str]:
    if not _close(part.claimed_nats, run.bits_per_byte * math.log(2) * run.num_bytes):
        yield f"it rescored {part.claimed_nats:.6g} nats, which the record does not claim"
    most = _MAX_BOUND if run.likelihood == "bound" else MAX_ROUNDING
    if not 0 <= part.allowed <= most:
        yield f"it allows a difference of {part.allowed:.2g}; the most is {most:g}"
    if part.found_nats is None:
        if part.difference is not None:
            yield "it has a difference from a score that it did not find"
    elif part.difference is None or not _close(
        part.found_nats, part.claimed_nats * (1 + part.difference)
    ):
        yield "its difference is not that of the nats claimed and found"


def _leaks(part: Leaks, run: Summary) -> Iterator[str]:
    if max(part.num_equal, part.num_near) > part.num_documents:
        yield f"it found more documents than the {part.num_documents} that it searched"


def _rerun(part: Rerun, run: Summary) -> Iterator[str]:
    if part.record == run.id:
        yield "its rerun is the record itself"
    if not _close(part.claimed_bits_per_byte, run.bits_per_byte):
        yield f"it reran {part.claimed_bits_per_byte:.6g} bits per byte, which nobody claims"
    if part.found_bits_per_byte <= 0 or not _close(
        part.found_bits_per_byte, part.claimed_bits_per_byte * (1 + part.difference)
    ):
        yield "its difference is not that of the bits per byte claimed and found"
    if part.p_value is not None and not 0 <= part.p_value <= 1:
        yield f"its p-value is {part.p_value:g}"


def _second(part: SecondHeldOut) -> Iterator[str]:
    if part.bits_per_byte <= 0 or part.adjusted_se < 0 or not 0 <= part.p_value <= 1:
        yield "the numbers of its second held-out set cannot be"
    elif part.is_explained != (part.p_value >= SECOND_SIGNIFICANCE):
        yield f"its second held-out set has p = {part.p_value:.2g} and says otherwise"
    # Of a t-test: a normal deviate's p-value is the lower limit for any number of documents.
    elif part.p_value < 0.5 * math.erfc(abs(part.adjusted) / max(part.adjusted_se, 1e-12) / 2**0.5):
        yield "the p-value of its second held-out set does not follow from its difference"


_CHECKS = {Rescored: _rescored, Leaks: _leaks, Rerun: _rerun}


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-12)
