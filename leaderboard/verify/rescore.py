"""Held-out documents scored again from stored weights and compared with the claim."""

import math
from collections.abc import Callable

from leaderboard.attestations import Rescored, SecondHeldOut
from leaderboard.verify import second
from speedrun.data.heldout import HeldOut
from speedrun.data.tokenizer import Tokenizer
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.fairness import UnfairModelError, random_rows
from speedrun.evaluation.score import Documents, Measured, ScoringConfig
from speedrun.records.sections import Score
from speedrun.training.runs.restore import Restored, one_line_errors

# Relative differences of the nats that rounding explains.
SAME_BACKEND, OTHER_BACKEND = 1e-4, 1e-3
MAX_SE = 4.0  # combined standard errors by which two estimates of one bound may differ
_MAX_CLAIMED_SE = 2.0  # times our own: larger claims of a standard error are not believed


def rescore(
    found: Restored, heldout: HeldOut, where: str, watch: Callable[[float], None]
) -> tuple[Rescored, tuple[Documents, Measured]]:
    """Score a restored run and check its model and tokenizer; the documents' nats beside it.

    Failed checks are part of the result. Raises ValueError where the score cannot be computed.
    """
    claim = found.record.score
    assert claim is not None  # checked when the record was found
    context = found.model.context
    if not 0 < claim.stride <= claim.window or claim.window != context:
        windows = f"a window of {claim.window} with a stride of {claim.stride}"
        raise ValueError(f"{where}: {windows} is not possible with a context of {context}")
    model, likelihood, held_out = found.model, found.architecture.LIKELIHOOD, found.checks()

    def check_random() -> None:
        random_rows.check(found.engine, model.vocab, context, likelihood)

    checks = [
        ("the weights are those that the record names (SHA-256)", True),
        ("the tokenizer is plain byte-level BPE and the one that the record names", True),
        _check_tokenizer(found.tokenizer, heldout, claim),
        _check_model(found, where, check_random, "on random tokens"),
    ]
    with one_line_errors(found.architecture, where):
        config, documents = _config(found), evaluate.encode(heldout, found.tokenizer)
        measured = evaluate.measure(held_out.scorer(), documents, config, watch)
        score = evaluate.score_of(measured, documents, config)
    checks.append(_check_model(found, where, held_out.check, "on held-out text"))
    difference = score.nats / claim.nats - 1 if claim.nats > 0 else math.inf
    limit = _allowed(found, score)
    failed = [what for what, has_passed in checks if not has_passed]
    failed += _differences(score, claim, difference, limit)
    rescored = Rescored(
        agrees=not failed,
        backend=found.device.backend,
        device=found.device.name,
        claimed_nats=claim.nats,
        found_nats=score.nats if math.isfinite(score.nats) else None,
        difference=difference if math.isfinite(difference) else None,
        allowed=limit,
        checks=[what for what, has_passed in checks if has_passed],
        failed=failed,
    )
    return rescored, (documents, measured)


def on_second(
    found: Restored,
    first: tuple[Documents, Measured],
    later: HeldOut,
    where: str,
    watch: Callable[[float], None],
) -> SecondHeldOut:
    """The score on the second held-out set beside that on the first; ValueError for no score."""
    with one_line_errors(found.architecture, where):
        documents = evaluate.encode(later, found.tokenizer)
        measured = evaluate.measure(found.checks().scorer(), documents, _config(found), watch)
        evaluate.score_of(measured, documents, _config(found))  # raises for numbers without end
        return second.compare(first, (documents, measured))


def _config(found: Restored) -> ScoringConfig:
    claim = found.record.score
    assert claim is not None  # checked when the record was found
    likelihood = found.architecture.LIKELIHOOD
    return ScoringConfig(context=claim.window, stride=claim.stride, likelihood=likelihood)


def _allowed(found: Restored, score: Score) -> float:
    """Relative difference of the nats that rounding and the draws of a bound explain."""
    record, device = found.record, found.device
    is_same = (record.backend, record.device) == (device.backend, device.name)
    rounding = SAME_BACKEND if is_same else OTHER_BACKEND
    own_se = score.bits_per_byte_mc_se
    if own_se is None or score.bits_per_byte <= 0 or not math.isfinite(own_se):
        return rounding
    assert record.score is not None
    claimed_se = record.score.bits_per_byte_mc_se
    claimed_se = own_se if claimed_se is None else min(abs(claimed_se), _MAX_CLAIMED_SE * own_se)
    return max(rounding, MAX_SE * math.hypot(own_se, claimed_se) / score.bits_per_byte)


def _differences(score: Score, claim: Score, difference: float, limit: float) -> list[str]:
    """Claims that differ from the score found."""
    out = [
        f"{name} is {getattr(score, name)}; the record says {getattr(claim, name)}"
        for name in ("likelihood", "num_docs", "num_bytes")
        if getattr(claim, name) != getattr(score, name)
    ]
    if not abs(difference) <= limit:  # true for NaN
        out.append(f"the nats differ by {difference:+.2e}; allowed are {limit:.1e}")
    if claim.num_bytes == score.num_bytes:  # else the headline follows from wrong bytes
        headline = claim.nats / math.log(2) / claim.num_bytes
        if not math.isclose(headline, claim.bits_per_byte, rel_tol=1e-9):
            out.append(f"its nats give {headline:.6f} bits per byte, not {claim.bits_per_byte:.6f}")
    return out


def _check_tokenizer(tokenizer: Tokenizer, heldout: HeldOut, claim: Score) -> tuple[str, bool]:
    """Result of round-tripping every held-out document, and whether it is as claimed."""
    num_lost = num_tokens = 0
    for document in heldout.documents:
        ids = tokenizer.encode(document)
        num_lost += tokenizer.decode(ids) != document
        num_tokens += len(ids) + 1  # end-of-text
    if num_lost:
        return f"the tokenizer does not give back {num_lost} of {claim.num_docs} documents", False
    if num_tokens != claim.num_tokens:
        return f"the documents have {num_tokens} tokens; the record says {claim.num_tokens}", False
    return "the tokenizer gives back every held-out document, in as many tokens as recorded", True


def _check_model(
    found: Restored, where: str, check: Callable[[], None], on: str
) -> tuple[str, bool]:
    """Result of fairness checks, and whether the model passed."""
    is_exact = found.architecture.LIKELIHOOD == "exact"
    try:
        with one_line_errors(found.architecture, where):
            check()
    except UnfairModelError as error:
        return f"the model is, {on}, {error}", False
    what = "causal, normalised" if is_exact else "a bound, given tokens cost nothing"
    return f"the model passes the fairness checks {on}: {what}, rows independent", True
