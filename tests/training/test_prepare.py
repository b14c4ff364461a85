"""The surroundings of a race: what is the matter is said before anything is opened."""

from typing import Any, cast

import pytest

from speedrun.system.git import CodeVersion
from speedrun.training import memory, prepare
from speedrun.training.callbacks import Silent
from speedrun.training.clock import BudgetClock
from speedrun.training.prepare import Context


class Hearing(Silent):
    """Callbacks that keep the notices."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def notice(self, text: str) -> None:
        self.heard.append(text)


@pytest.fixture
def said(monkeypatch):
    """`said(...)` is the notices and the kinds of events on such a machine."""

    def found(code: CodeVersion, cache: str | None, limits: str | None, short: str | None) -> Any:
        monkeypatch.setattr("speedrun.system.git.code_version", lambda: code)
        monkeypatch.setattr("speedrun.system.paths.cache_problem", lambda: cache)
        monkeypatch.setattr("speedrun.system.hardware.limits", lambda: limits)
        monkeypatch.setattr(memory.Fit, "check", lambda self: short)
        callbacks = Hearing()
        context = Context(clock=BudgetClock(1.0), callbacks=callbacks)
        entry = cast(Any, type("Entry", (), {"checked": None, "device": None}))
        assert prepare._surroundings(entry, context) == code
        return callbacks.heard, [event.kind for event in context.events]

    return found


def test_a_whole_machine_is_silent(said):
    assert said(CodeVersion("1", False), None, None, None) == ([], [])


def test_everything_that_is_the_matter_is_said_and_what_counts_is_marked(said):
    heard, kinds = said(CodeVersion(None, None, "git hangs"), "no cache", "1 core", "8 GB")
    assert heard == [
        "the record will not say which code made it, and cannot be submitted: git hangs",
        *("no cache", "1 core", "8 GB"),
    ]
    assert kinds == ["cache_unavailable", "limited"]
