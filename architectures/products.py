"""FLOP of matrix products that architectures share: the output layer's."""


def output_flops(width: int, vocab: int, num_common: int, rare_share: float) -> float:
    """FLOP of a target's logits in a forward pass, two for every weight that is multiplied.

    With `num_common` the softmax has two levels: every target needs the common ids and the
    entry for "a rarer one", only the share `rare_share` of them the rare ids too.
    """
    if not num_common:
        return 2.0 * width * vocab
    return 2.0 * width * (num_common + 1) + rare_share * 2.0 * width * (vocab - num_common)
