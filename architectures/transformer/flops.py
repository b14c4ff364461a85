"""FLOP of the transformer's forward pass."""

from architectures.flops import lm_head_flops
from architectures.transformer.config import Config


def forward_flops(config: Config, tail_share: float) -> dict[str, float]:
    """FLOP per token of every matrix product, by part, averaged over a full context.

    Two for every weight. Attention's own products, queries by keys and weights by values, cost
    4 D for each position that is seen, and a causal position sees (T + 1) / 2 of T in the mean.
    Table lookups cost nothing; norms, shifts and rotations are not products. `tail_share` of
    the targets need the tail of a softmax of two levels.
    """
    D, L = config.width, config.depth
    num_mlp = 3 if config.mlp == "swiglu" else 2
    return {
        "projections": L * 2.0 * 4 * D * D,
        "attention": L * 4.0 * D * (config.context + 1) / 2,
        "mlp": L * 2.0 * num_mlp * D * config.hidden,
        "output": lm_head_flops(D, config.vocab, config.num_common, tail_share),
    }
