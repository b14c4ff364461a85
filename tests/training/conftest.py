"""A race that is over in seconds."""

from pathlib import Path

import pytest

from speedrun.config import Data
from speedrun.training.request import RunRequest


@pytest.fixture
def counted(stories: Path, tmp_path: Path) -> RunRequest:
    """A request for a model that is counted in a fraction of a second."""
    return RunRequest(
        arch="ngram",
        params="60K",
        budget_s=3.0,
        data=Data(path=str(stories), vocab=300, eval_docs=20),
        settings=("model.context=32",),
        out=tmp_path / "runs",
    )
