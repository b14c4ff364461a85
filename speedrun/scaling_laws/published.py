"""The loss law L(N, D) = E + A / N^alpha + B / D^beta: the optimum, and how small is too small."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONSTANTS = ("E", "A", "B", "alpha", "beta")
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Law:
    """Loss in nats per token of N parameters after D tokens (Hoffmann et al. 2022, equation 2)."""

    E: float  # of the text itself, which no model gets below
    A: float
    B: float
    alpha: float
    beta: float
    source: str
    hardware_class: str | None = None

    def loss(self, num_params: float, num_tokens: float) -> float:
        return self.E + self.A / num_params**self.alpha + self.B / num_tokens**self.beta

    def optimum(self, flop: float) -> tuple[float, float]:
        """Parameters and tokens of least loss at 6·N·D = `flop` (Hoffmann et al., equation 4)."""
        a, b = self.alpha, self.beta
        g = (a * self.A / (b * self.B)) ** (1 / (a + b))
        return g * (flop / 6) ** (b / (a + b)), (flop / 6) ** (a / (a + b)) / g

    def data_factor(self, size_factor: float) -> float:
        """k_D: tokens, over the optimum's, that bring k_N times its parameters to its loss.

        At the optimum alpha·A/N^alpha = beta·B/D^beta, so that only the exponents are left (de
        Vries 2023, "Go smol or go home"). Infinite from `limit` down.
        """
        lost = (size_factor**-self.alpha - 1) * self.beta / self.alpha
        return (1 - lost) ** (-1 / self.beta) if lost < 1 else math.inf

    def extra_compute(self, size_factor: float) -> float:
        """Share of compute, k_N·k_D - 1, that k_N times the optimum's parameters cost more."""
        return size_factor * self.data_factor(size_factor) - 1

    def limit(self) -> float:
        """The k_N from which on no amount of tokens reaches the optimum's loss."""
        return (1 + self.alpha / self.beta) ** (-1 / self.alpha)

    def critical(self, extra: float = 1.0) -> float:
        """The k_N below 1 that costs `extra` more compute; at 1, twice, the critical size."""
        low, high = self.limit(), 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.extra_compute(middle) > extra else (low, middle)
        return high


CHINCHILLA = Law(
    E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28, source="Hoffmann et al. 2022, approach 3"
)


def read(path: Path) -> Law:
    """The law of a `laws.json`; ValueError in one line for a file that is none."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"--law {path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise ValueError(f"--law {path}: is no JSON; give a laws.json of a sweep") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise ValueError(f'--law {path}: has no "schema": {SCHEMA}; give a laws.json of a sweep')
    laws = found.get("laws")
    constants = laws.get("loss") if isinstance(laws, dict) else None
    if not isinstance(constants, dict):
        raise ValueError(f"--law {path}: holds no laws.loss (no L(N, D) was fitted)")
    values = {name: _constant(path, name, constants.get(name)) for name in CONSTANTS}
    hardware_class = found.get("hardware_class")
    if not isinstance(hardware_class, str):
        raise ValueError(f"--law {path}: hardware_class must be a text")
    law = Law(**values, source=f"{path.name} ({hardware_class})", hardware_class=hardware_class)
    if not _has_optimum(law):
        raise ValueError(f"--law {path}: these constants have no optimum; was the fit refused?")
    return law


def _has_optimum(law: Law) -> bool:
    """Whether sizes and losses of this law are numbers at all, from tiny to enormous compute."""
    try:
        found = [*law.optimum(1e10), *law.optimum(1e28), law.critical(), law.limit()]
        found += [law.loss(*law.optimum(flop)) for flop in (1e10, 1e28)]
    except (OverflowError, ZeroDivisionError):
        return False
    return all(0 < value < math.inf for value in found)


def _constant(path: Path, name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or (value <= 0 and (name != "E" or value < 0)):
        raise ValueError(f"--law {path}: laws.loss.{name} is {value!r}: must be a number above 0")
    return float(value)
