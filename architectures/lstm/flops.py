"""What a forward pass of the LSTM multiplies."""

from architectures.lstm import Config
from architectures.products import output_flops


def count(config: Config, rare_share: float) -> dict[str, float]:
    """FLOP per token of every matrix product: two for every weight of gates and projections."""
    D, H, L = config.width, config.hidden, config.depth
    return {
        "gates": L * 2.0 * 4 * H * (D + H),
        "projections": L * 2.0 * D * H,
        "output": output_flops(D, config.vocab, config.num_common, rare_share),
    }
