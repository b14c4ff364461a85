"""Interfaces of sensors, and the one way in which they fail."""

from pathlib import Path
from typing import Protocol

SYSFS = Path("/sys")


class NotAvailable(Exception):
    """A sensor is not here, or cannot be read (any more); the text is the reason, a phrase."""


class Meter(Protocol):
    """A source of energy readings."""

    source: str  # as records name it
    title: str  # for people

    def joules(self) -> float:
        """Joules since the first call; NotAvailable where they cannot be told any more.

        Sources that give power sum it over the time between calls.
        """
        ...


class Heat(Protocol):
    """Temperature and slowing for heat."""

    def sample(self) -> None:
        """Look at the sensors; called about once a second."""

    def result(self, elapsed_s: float) -> tuple[float | None, float | None]:
        """Highest temperature in °C, and the share of the time since the first sample slowed."""
        ...


def text(path: Path) -> str:
    """The text of a file of the kernel; NotAvailable where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise NotAvailable(f"{path}: {error.strerror}") from None


def number(path: Path) -> int:
    """The whole number in a file of the kernel; NotAvailable where there is none."""
    try:
        return int(text(path))
    except ValueError:
        raise NotAvailable(f"{path}: no number in it") from None
