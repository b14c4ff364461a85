"""The storybook as a source: the project's own seeded stories."""

from typing import Any

from speedrun.data import storybook
from speedrun.data.source import Counted, Documents


class Storybook:
    """Stories from the project's own seeded grammar: endless, offline, another data set."""

    name, origin = "storybook", "storybook"

    def __init__(self) -> None:
        self.train_fingerprint = storybook.fingerprint("train")

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        start = state["doc"] if state else 0
        return Counted(storybook.stories("train", start), start)

    def heldout(self, limit: int | None) -> list[str]:
        return [storybook.story(i, "validation") for i in range(2000 if limit is None else limit)]
