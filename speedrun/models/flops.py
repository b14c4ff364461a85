"""Compute, time and data: the arithmetic of 6·N·D."""

FORWARD, BACKWARD = 2, 4  # FLOP per parameter and token (Kaplan et al. 2020, table 1, §2.1)
RATIO = 20.0  # tokens per parameter at the optimum (Hoffmann et al. 2022)
PETAFLOP_DAY = 1e15 * 86400
# Share of its rate that training reaches, where nothing was measured: about what the rows of the
# device table reach (0.30 to 0.48).
USUAL_SHARE = 0.4
# Share of the targets beyond the first 1,024 of 4,096 ids: 8.7 % of TinyStories' first 2,000
# stories. On processors only they pay for the second of two levels; elsewhere all do.
RARE_SHARE = 0.09
KNOWN = (  # model, parameters, training tokens
    ("Chinchilla 70B", 70e9, 1.4e12),  # Hoffmann et al. 2022
    ("Llama 3 8B", 8e9, 15e12),  # Dubey et al. 2024
    ("SmolLM2 1.7B", 1.7e9, 11e12),  # Ben Allal et al. 2025
)


def train_flop(num_params: float, num_tokens: float) -> float:
    """FLOP of training: 2·N·D forward and 4·N·D backward."""
    return (FORWARD + BACKWARD) * num_params * num_tokens


def exact_flop(forward_flop: float, num_tokens: float) -> float:
    """FLOP of training, where a forward pass costs `forward_flop` a token: backward is twice."""
    return (1 + BACKWARD / FORWARD) * forward_flop * num_tokens


def hours(flop: float, flop_per_s: float) -> float:
    return flop / flop_per_s / 3600


def tokens_in(seconds: float, flop_per_s: float, num_params: float) -> float:
    """Tokens that a rate carries in a budget."""
    return seconds * flop_per_s / train_flop(num_params, 1)


def chinchilla_tokens(num_params: float) -> float:
    return RATIO * num_params


def params_by_ratio(tokens_per_s: float, budget_s: float) -> float:
    """The size whose 20 tokens per parameter a measured speed carries in the budget.

    The speed is that of the size it was measured at: a first step, not the answer.
    """
    return tokens_per_s * budget_s / RATIO
