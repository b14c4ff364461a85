"""Command lines as records keep them: an option and its value in turn."""

from collections.abc import Sequence


def option_pairs(argv: Sequence[str]) -> list[tuple[str, str]]:
    """`["--seed", "1"]` as `[("--seed", "1")]`."""
    return list(zip(argv[::2], argv[1::2], strict=False))


def without_seed(argv: Sequence[str]) -> list[str]:
    """The words of a race's command line without its seed."""
    kept = [pair for pair in option_pairs(argv) if pair[0] != "--seed"]
    return [word for pair in kept for word in pair]
