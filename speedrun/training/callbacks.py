"""Callbacks of a race; nothing heavy is imported for them."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from speedrun.config import Run
    from speedrun.training.progress import Tick


class Callbacks(Protocol):
    """Progress callbacks of a race: `speedrun.ui.live`. A subclass inherits silence."""

    def notice(self, text: str) -> None:
        """A sentence to keep on the screen."""

    def phase(self, text: str) -> None:
        """The start of a stage."""

    def account(self, name: str) -> None:
        """Time is charged to this account off the clock: `records.sections.OFF_CLOCK`."""

    def opened(self, run: "Run", train_fingerprint: str, hardware_class: str) -> None:
        """The data are opened and all settings known, before anything is built."""

    def start(self, run: "Run", machine: str) -> None:
        """The start of training, after all settings are known."""

    def tick(self, tick: "Tick") -> None:
        """Some steps were taken."""

    def scoring(self, share: float) -> None:
        """This share of the held-out documents is scored."""


class Silent(Callbacks):
    """Callbacks that show nothing."""


class Several(Callbacks):
    """Callbacks that tell all of these, in their order."""

    def __init__(self, *callbacks: Callbacks) -> None:
        self._all = callbacks

    def notice(self, text: str) -> None:
        """Tell all of them."""
        for one in self._all:
            one.notice(text)

    def phase(self, text: str) -> None:
        """Tell all of them."""
        for one in self._all:
            one.phase(text)

    def account(self, name: str) -> None:
        """Tell all of them."""
        for one in self._all:
            one.account(name)

    def opened(self, run: "Run", train_fingerprint: str, hardware_class: str) -> None:
        """Tell all of them."""
        for one in self._all:
            one.opened(run, train_fingerprint, hardware_class)

    def start(self, run: "Run", machine: str) -> None:
        """Tell all of them."""
        for one in self._all:
            one.start(run, machine)

    def tick(self, tick: "Tick") -> None:
        """Tell all of them."""
        for one in self._all:
            one.tick(tick)

    def scoring(self, share: float) -> None:
        """Tell all of them."""
        for one in self._all:
            one.scoring(share)
