"""FLOP of the LSTM's forward pass."""

from architectures.flops import lm_head_flops
from architectures.lstm.config import Config


def forward_flops(config: Config, tail_share: float) -> dict[str, float]:
    """FLOP per token of every matrix product, by part: two for every weight.

    `tail_share` of the targets need the tail of a softmax of two levels.
    """
    D, H, L = config.width, config.hidden, config.depth
    return {
        "gates": L * 2.0 * 4 * H * (D + H),
        "projections": L * 2.0 * D * H,
        "output": lm_head_flops(D, config.vocab, config.num_common, tail_share),
    }
