"""The held-out documents scored anew from stored weights, and held against the claim."""

import math
from collections.abc import Callable

from leaderboard.attestations import Rescored
from speedrun.data.heldout import HeldOut
from speedrun.data.tokenizer import Tokenizer
from speedrun.evaluation import fairness
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.fairness import UnfairModelError
from speedrun.evaluation.scorer import Scorer
from speedrun.records.schema import Score
from speedrun.training.restore import Restored, in_one_line

# Relative differences of the nats that rounding explains.
SAME_BACKEND, OTHER_BACKEND = 1e-4, 1e-3
# Combined standard errors by which two estimates of one bound may differ.
DRAWS = 4.0
_LUCK_OF_CLAIM = 2.0  # times our own error: more than that a claim's error is not believed


def rescored(
    found: Restored, heldout: HeldOut, where: str, watch: Callable[[float], None]
) -> Rescored:
    """Score a restored run and try its model and tokenizer.

    What fails is a finding and stands in the result; ValueError is for what cannot be tried.
    """
    claim = found.record.score
    assert claim is not None  # looked at when the record was found
    if not 0 < claim.stride <= claim.window or claim.window != found.model.context:
        raise ValueError(
            f"{where}: no window of {claim.window} with a stride of {claim.stride} at a context"
            f" of {found.model.context}"
        )
    passed = [
        "the weights are those that the record names (SHA-256)",
        "the tokenizer is plain byte-level BPE, and the record's",
    ]
    failed: list[str] = []
    for fault, merit in (_tokenizer(found, heldout, claim), _model(found, where)):
        (failed if fault else passed).append(fault or merit)
    with in_one_line(found.architecture, where):
        config = evaluate.ScoringConfig(
            context=claim.window, stride=claim.stride, likelihood=found.architecture.LIKELIHOOD
        )
        documents = evaluate.encode(heldout, found.tokenizer)
        score = evaluate.score(Scorer(found.engine), documents, config, watch)
    difference = score.nats / claim.nats - 1 if claim.nats > 0 else math.inf
    limit = allowed(score, claim, is_same=_is_same(found))
    failed += _differences(score, claim, difference, limit)
    return Rescored(
        agrees=not failed,
        backend=found.device.backend,
        device=found.device.name,
        claimed_nats=claim.nats,
        found_nats=score.nats if math.isfinite(score.nats) else None,
        difference=difference if math.isfinite(difference) else None,
        allowed=limit,
        checks=passed,
        failed=failed,
    )


def _is_same(found: Restored) -> bool:
    record, device = found.record, found.device
    return (record.backend, record.device) == (device.backend, device.name)


def allowed(score: Score, claim: Score, *, is_same: bool) -> float:
    """Relative difference of the nats that proves nothing, either way."""
    rounding = SAME_BACKEND if is_same else OTHER_BACKEND
    own_se = score.bits_per_byte_mc_se
    if own_se is None or score.bits_per_byte <= 0 or not math.isfinite(own_se):
        return rounding
    # The claim's own error is a claim, too.
    claimed_se = claim.bits_per_byte_mc_se
    claimed_se = own_se if claimed_se is None else min(abs(claimed_se), _LUCK_OF_CLAIM * own_se)
    return max(rounding, DRAWS * math.hypot(own_se, claimed_se) / score.bits_per_byte)


def _differences(score: Score, claim: Score, difference: float, limit: float) -> list[str]:
    """Where the score found is not the claim."""
    out = []
    if not abs(difference) <= limit:  # nor if it is no number
        out.append(f"the nats differ by {difference:+.2e}, allowed are {limit:.1e}")
    for name in ("likelihood", "num_docs", "num_bytes"):
        if (said := getattr(claim, name)) != (true := getattr(score, name)):
            out.append(f"{name} is {true}, the record says {said}")
    if claim.num_bytes == score.num_bytes:  # else it is wrong already, by who knows how much
        headline = claim.nats / math.log(2) / claim.num_bytes
        if not math.isclose(headline, claim.bits_per_byte, rel_tol=1e-9):
            out.append(f"its nats make {headline:.6f} bits per byte, not {claim.bits_per_byte:.6f}")
    return out


def _tokenizer(found: Restored, heldout: HeldOut, claim: Score) -> tuple[str, str]:
    """A tokenizer that loses text makes it free."""
    lost, num_tokens = _lost(found.tokenizer, heldout)
    if lost:
        return f"the tokenizer does not give back {lost} of {claim.num_docs} documents", ""
    if num_tokens != claim.num_tokens:
        return f"the documents have {num_tokens} tokens, the record says {claim.num_tokens}", ""
    return "", "the tokenizer gives every held-out document back, in as many tokens as recorded"


def _lost(tokenizer: Tokenizer, heldout: HeldOut) -> tuple[int, int]:
    """Documents that do not come back; and tokens of all, their ends included."""
    lost = num_tokens = 0
    for document in heldout.documents:
        ids = tokenizer.encode(document)
        lost += tokenizer.decode(ids) != document
        num_tokens += len(ids) + 1
    return lost, num_tokens


def _model(found: Restored, where: str) -> tuple[str, str]:
    likelihood = found.architecture.LIKELIHOOD
    try:
        with in_one_line(found.architecture, where):
            fairness.check(found.engine, found.model.vocab, found.model.context, likelihood)
    except UnfairModelError as error:
        return f"the model is {error}", ""
    what = "causal, normalised" if likelihood == "exact" else "a bound, given tokens free"
    return "", f"the model is fair: {what}, rows apart"
