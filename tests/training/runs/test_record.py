"""A record can be written at the end of every race that starts."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import pytest

from speedrun.config import Recipe, Run
from speedrun.training.runs import record


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of somebody's model."""

    vocab: int = 300
    context: int = 32
    clip: Any = 1.0
    num_params = num_params_non_embedding = 0


RUN = Run(arch="mine", recipe_name="default", budget_s=1, seed=0, model=Config(), recipe=Recipe())


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (math.inf, "model.clip is inf: a record takes finite numbers only"),
        ([1.0, (2, math.nan)], "model.clip.1.1 is nan: a record takes finite numbers only"),
        ("donn\udce9es", "model.clip 'donn\\udce9es': its bytes are not UTF-8 text"),
        (object(), "model.clip is a object: a record takes numbers, text, lists and None"),
    ],
)
def test_settings_that_no_record_can_hold_are_refused(value, says):
    record.check_settings(RUN)
    with pytest.raises(ValueError) as caught:
        record.check_settings(dataclasses.replace(RUN, model=Config(clip=value)))
    assert str(caught.value).startswith(says)
