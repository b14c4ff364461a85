"""Floating-point operations of training: 6·N·D, and the exact count of an architecture."""

from collections.abc import Mapping

from speedrun.config import ModelConfig
from speedrun.protocols import Architecture

FORWARD, BACKWARD = 2, 4  # FLOP per parameter and token (Kaplan et al. 2020, table 1, §2.1)
RATIO = 20.0  # tokens per parameter at the optimum (Hoffmann et al. 2022)
# Share of the targets beyond the first 1,024 of 4,096 ids: 8.7 % of TinyStories' first 2,000
# stories. On processors only they pay for the tail of an adaptive softmax; elsewhere all do.
RARE_SHARE = 0.09


def train_flop(num_params: float, num_tokens: float) -> float:
    """FLOP of training: 2·N·D forward and 4·N·D backward."""
    return (FORWARD + BACKWARD) * num_params * num_tokens


def exact_flop(forward_flop: float, num_tokens: float) -> float:
    """FLOP of training where a forward pass costs `forward_flop` a token: backward is twice."""
    return (1 + BACKWARD / FORWARD) * forward_flop * num_tokens


def forward_parts(
    architecture: Architecture, model: ModelConfig, *, is_processor: bool
) -> tuple[Mapping[str, float], str]:
    """FLOP of a forward pass per token by part, and their source."""
    tail_share = RARE_SHARE if is_processor else 1.0
    if (parts := architecture.forward_flops(model, tail_share)) is not None:
        return parts, f"matrix products of the {architecture.NAME}"
    weights = FORWARD * float(model.num_params_non_embedding)
    formula = "2 · weights outside tables, for lack of a count by the architecture"
    return {"weights": weights}, formula


def params_by_ratio(tokens_per_s: float, budget_s: float) -> float:
    """The size that gets 20 tokens per parameter at a speed, were it that of every size."""
    return tokens_per_s * budget_s / RATIO
