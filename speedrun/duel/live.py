"""Console views of a duel: a line for each pair; in a terminal the race under way, too."""

import math
import time

from rich.console import Console
from rich.text import Text

from speedrun.duel.hold import State, judged
from speedrun.duel.verdict import Verdict
from speedrun.records.duel import Duel
from speedrun.records.sanitize import sanitize
from speedrun.text import clock
from speedrun.ui.live import PlainLines, Redrawn

REFRESH_S = 1.0
PLAIN_EVERY_S = 30.0


def percent(ln_ratio: float) -> str:
    """ln(b / a) as the change from A to B: `-1.21 %`."""
    return f"{100 * math.expm1(ln_ratio):+.2f} %" if math.isfinite(ln_ratio) else "?"


def interval(found: Verdict) -> str:
    """The 95 % interval of the difference: `-1.60 % to -0.82 %`."""
    return f"{percent(found.low)} to {percent(found.high)}"


def so_far(duel: Duel, found: Verdict | None) -> str:
    """`3 of 5 pairs: B - A = -1.21 % (95 %: -1.60 % to -0.82 %), p = 0.003 for B`."""
    done = f"{len(duel.counted)} of {duel.planned_pairs} pairs"
    if duel.num_disturbed:
        done += f", {duel.num_disturbed} disturbed"
    if found is None:
        return done
    if len(duel.counted) < 2:
        return f"{done}: B - A = {percent(found.mean)}"
    leader, p_value = ("B", found.p_value) if found.mean < 0 else ("A", found.p_value_a)
    difference = f"B - A = {percent(found.mean)} (95 %: {interval(found)})"
    return f"{done}: {difference}, p = {p_value:.2g} for {leader}"


def _outlook(state: State) -> str:
    left = "" if state.left_s is None else f"; at most {clock(state.left_s)} left"
    return so_far(state.duel, state.verdict) + left


def _racing(state: State) -> str:
    pair, side = len(state.duel.counted) + 1, state.racing.upper()
    return f"pair {pair}, {side}: {state.line}"


def _paired(duel: Duel) -> str:
    pair = duel.pairs[-1]
    scores = f"A {pair.a_bits_per_byte:.4f}, B {pair.b_bits_per_byte:.4f} bits per byte"
    if pair.disturbed is not None:
        return f"pair {pair.index + 1}: {scores}; does not count, raced again ({pair.disturbed})"
    return f"pair {pair.index + 1}: {scores}; {so_far(duel, judged(duel))}"


class PlainDuelView(PlainLines):
    """Plain lines alone."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._said_s = -math.inf
        self._racing: object = None

    def state(self, state: State) -> None:
        """Print each race that begins, and now and then how far it is."""
        self.stage.end()
        racing = len(state.duel.pairs), state.racing
        if racing == self._racing and time.monotonic() - self._said_s < PLAIN_EVERY_S:
            return
        is_new, self._racing, self._said_s = racing != self._racing, racing, time.monotonic()
        self._print(f"{_racing(state)}; {_outlook(state)}" if is_new else _racing(state))

    def paired(self, duel: Duel) -> None:
        """Print the pair and what is known now."""
        self._print(_paired(duel))


class LiveDuelView(Redrawn):
    """The difference so far and the race under way, below the pairs."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._drawn_s = -math.inf

    def state(self, state: State) -> None:
        """Draw it, at most once per `REFRESH_S`."""
        self.stage.end()
        if time.monotonic() - self._drawn_s >= REFRESH_S:
            self._drawn_s = time.monotonic()
            self._draw(Text(sanitize(f"{_outlook(state)}\n{_racing(state)}", lines=True)))

    def paired(self, duel: Duel) -> None:
        """Print the pair above."""
        self._console.print(Text(sanitize(_paired(duel))), soft_wrap=True)


def view(console: Console) -> PlainDuelView | LiveDuelView:
    """The view that suits where the console writes to."""
    return LiveDuelView(console) if console.is_terminal else PlainDuelView(console)
