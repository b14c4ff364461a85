"""What a forward pass of the transformer multiplies."""

from architectures.products import output_flops
from architectures.transformer import Config


def count(config: Config, rare_share: float) -> dict[str, float]:
    """FLOP per token of every matrix product, averaged over the places of a full context.

    Two for every weight. Attention's own products, queries by keys and weights by values, cost
    4 D for each place that is seen, and a causal place sees (T + 1) / 2 of T in the mean. What
    is looked up in tables costs nothing; norms, shifts and rotations are not products.
    """
    D, L = config.width, config.depth
    num_mlp = 3 if config.mlp == "swiglu" else 2
    return {
        "projections": L * 2.0 * 4 * D * D,
        "attention": L * 4.0 * D * (config.context + 1) / 2,
        "mlp": L * 2.0 * num_mlp * D * config.hidden,
        "output": output_flops(D, config.vocab, config.num_common, rare_share),
    }
