"""FLOP of a forward pass in training."""

from architectures.d3pm.config import TIME_FEATURES, Config
from architectures.flops import lm_head_flops


def forward_flops(config: Config, tail_share: float) -> dict[str, float]:
    """FLOP per target of every matrix product, by part, the output where the loss has a term.

    All T + 1 positions are read, each seeing all of them. The absorbing transition has terms at
    the noisy ones, (S + 1) / 2S of them in the mean over S even steps, the uniform one at all.
    `tail_share` of the targets need the tail of a softmax of two levels.
    """
    D, H, L, T = config.width, config.hidden, config.depth, config.context
    if config.denoiser == "transformer":
        parts = {
            "projections": L * 2.0 * 4 * D * D,
            "attention": L * 4.0 * D * (T + 1),
            "mlp": L * 2.0 * 2 * D * H,
        }
    else:
        parts = {"gates": L * 2.0 * 2 * 4 * H * (D + H), "projections": L * 2.0 * 2 * D * H}
    read = {name: flop * (T + 1) / T for name, flop in parts.items()}
    read["time"] = (L + 1) * 2.0 * TIME_FEATURES * D / T  # once a row
    return read | {"output": _output(config, tail_share)}


def _output(config: Config, tail_share: float) -> float:
    steps = config.num_steps
    active = (steps + 1) / (2 * steps) if config.transition == "absorbing" else 1.0
    flop = 0.0
    if config.auxiliary:
        flop += lm_head_flops(config.width, config.vocab, config.num_common, tail_share)
    if config.bound_weight:  # its terms need the probabilities of all ids
        flop += lm_head_flops(config.width, config.vocab, config.num_common, 1.0)
    return active * flop
