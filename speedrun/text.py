"""Whole numbers on the command line."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter


def _whole(kind: type, tokens: Sequence[Any]) -> int:
    """Without it 1.5 would be rounded in silence."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is not a whole number") from None


Whole = Annotated[int, Parameter(converter=_whole)]
