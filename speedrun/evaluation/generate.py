"""Text from a trained model: token by token, or by the reverse process of a diffusion model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speedrun.config import ModelConfig
from speedrun.data.tokenizer import EOT, Tokenizer
from speedrun.protocols import Architecture, Engine

PROMPT = "Once upon a time"
_STEPS = 128


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Sampling settings; temperature 0 takes the most likely token."""

    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 0
    max_tokens: int = 200
    steps: int | None = None  # of the reverse process of diffusion; None: 128

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 10:
            raise ValueError(f"--temperature {self.temperature}: allowed are 0 to 10")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"--top-p {self.top_p}: allowed are above 0 up to 1")
        if self.max_tokens < 1:
            raise ValueError(f"--max-tokens {self.max_tokens}: must be 1 or more")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"--steps {self.steps}: must be 1 or more")


def tell(
    engine: Engine,
    architecture: Architecture,
    model: ModelConfig,
    tokenizer: Tokenizer,
    prompt: str,
    sampling: Sampling,
) -> str:
    """The prompt and its continuation, by the method that fits the architecture's likelihood.

    Diffusion holds the prompt fixed; its text ends at end-of-text, `max_tokens`, or the model's
    context. Raises ValueError for a prompt or a setting that the model cannot take.
    """
    if architecture.LIKELIHOOD == "exact":
        if sampling.steps is None:
            return story(engine, tokenizer, prompt, sampling)
        raise ValueError(
            f"--steps {sampling.steps}: {architecture.NAME} draws one token after another;"
            " only diffusion takes steps"
        )
    given = [EOT, *tokenizer.encode(prompt).tolist()]
    num_given, room = len(given), model.context + 1 - len(given)
    if room < 1:
        raise ValueError(
            f"--prompt: {num_given - 1} tokens leave no room in a context of {model.context};"
            " give a shorter one"
        )
    tokens = np.array(given + [0] * min(room, sampling.max_tokens), dtype=np.int32)

    def probs(noisy: NDArray[np.int32], step: int) -> NDArray[np.float64]:
        logits_TV = engine.logits(noisy[None], np.array([step], dtype=np.int32))[0]
        return np.stack([_probs(logits_V, sampling) for logits_V in logits_TV])

    rng, steps = np.random.default_rng(sampling.seed), sampling.steps or _STEPS
    rest = architecture.p_sample(model, tokens, num_given, steps, probs, rng).tolist()[num_given:]
    return tokenizer.decode(given[1:] + rest[: [*rest, EOT].index(EOT)])


def story(engine: Engine, tokenizer: Tokenizer, prompt: str, sampling: Sampling) -> str:
    """The prompt and its continuation, up to end-of-text or `max_tokens` new tokens."""
    rng = np.random.default_rng(sampling.seed)
    tokens = [EOT, *tokenizer.encode(prompt).tolist()]
    reader, unread = engine.reader(), tokens
    for _ in range(sampling.max_tokens):
        logits_V = reader.feed(np.array(unread, dtype=np.int32))
        unread = [_draw(logits_V, sampling, rng)]
        if unread == [EOT]:
            break
        tokens += unread
    return tokenizer.decode(tokens)


def _draw(logits_V: NDArray[np.float32], sampling: Sampling, rng: np.random.Generator) -> int:
    if sampling.temperature == 0:
        return int(logits_V.argmax())
    cumulative_V = _probs(logits_V, sampling).cumsum()
    # As `rng.choice` draws it, which checks its arguments for longer than a draw takes.
    return int(cumulative_V.searchsorted(rng.random() * cumulative_V[-1], side="right"))


def _probs(logits_V: NDArray[np.float32], sampling: Sampling) -> NDArray[np.float64]:
    if sampling.temperature == 0:
        return np.eye(1, len(logits_V), int(logits_V.argmax()))[0]
    scaled = logits_V.astype(np.float64) / sampling.temperature
    probs = np.exp(scaled - scaled.max())
    if sampling.top_p < 1:
        total = probs.sum()
        # Only likely tokens are sorted, which is what a draw costs: those below `least` together
        # are at most half of what top-p cuts off.
        least = (1 - sampling.top_p) * total / (2 * len(probs))
        likely = np.flatnonzero(probs > least)
        order = likely[np.argsort(-probs[likely], kind="stable")]
        cumulative = np.cumsum(probs[order]) / total
        kept = order[: int(np.searchsorted(cumulative, sampling.top_p)) + 1]
        likeliest = np.zeros_like(probs)
        likeliest[kept] = probs[kept]
        probs = likeliest
    return probs / probs.sum()
