"""FLOP of the matrix products that architectures share."""


def lm_head_flops(width: int, vocab: int, num_common: int, tail_share: float) -> float:
    """FLOP of a target's logits in a forward pass, two for every weight that is multiplied.

    With `num_common` the softmax has two levels: every target needs the common ids and the
    entry of the tail, only `tail_share` of them the ids of the tail too.
    """
    if not num_common:
        return 2.0 * width * vocab
    return 2.0 * width * (num_common + 1) + tail_share * 2.0 * width * (vocab - num_common)
