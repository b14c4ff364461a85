"""Stories from a trained model, one token after another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speedrun.data.tokenizer import EOT, Tokenizer
from speedrun.protocols import Engine

PROMPT = "Once upon a time"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is drawn; temperature 0 takes the likeliest."""

    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 0
    max_tokens: int = 200

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 10:
            raise ValueError(f"--temperature {self.temperature}: allowed are 0 to 10")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"--top-p {self.top_p}: allowed are above 0 up to 1")
        if self.max_tokens < 1:
            raise ValueError(f"--max-tokens {self.max_tokens}: must be 1 or more")


def story(
    engine: Engine, tokenizer: Tokenizer, prompt: str, context: int, sampling: Sampling
) -> str:
    """The prompt and its continuation, up to end-of-text or `max_tokens` new tokens."""
    rng = np.random.default_rng(sampling.seed)
    tokens = [EOT, *tokenizer.encode(prompt).tolist()]
    for _ in range(sampling.max_tokens):
        seen = np.array([tokens[-context:]], dtype=np.int32)
        token = _draw(engine.logits(seen)[0, -1], sampling, rng)
        if token == EOT:
            break
        tokens.append(token)
    return tokenizer.decode(tokens)


def _draw(logits_V: NDArray[np.float32], sampling: Sampling, rng: np.random.Generator) -> int:
    if sampling.temperature == 0:
        return int(logits_V.argmax())
    scaled = logits_V.astype(np.float64) / sampling.temperature
    probs = np.exp(scaled - scaled.max())
    order = np.argsort(-probs, kind="stable")
    cumulative = np.cumsum(probs[order]) / probs.sum()
    kept = order[: int(np.searchsorted(cumulative, sampling.top_p)) + 1]
    return int(rng.choice(kept, p=probs[kept] / probs[kept].sum()))
