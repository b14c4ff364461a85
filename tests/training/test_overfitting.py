"""A small text that was read dozens of times is spoken of, before and after it is scored."""

import re

import pytest
from helpers.made_records import made

from speedrun.training import overfitting


@pytest.mark.parametrize(
    ("epochs", "kept", "says"),
    [
        (None, None, None),
        (3.9, None, None),
        (37.2, None, "read 37 times: .* fewer --params, or keep the best weights: --keep best"),
        (37.2, 0.23, "read 37 times: .* scored are the weights that validated best, at 23%"),
    ],
)
def test_many_epochs_are_spoken_of(epochs, kept, says):
    found = overfitting.of_epochs(epochs, kept)
    assert (found is None) == (says is None)
    assert says is None or re.search(says, str(found))


@pytest.mark.parametrize(
    ("epochs", "share", "says"),
    [
        (1.0, 0.25, None),
        (0.98, 0.1, "about 10 times: a token of it is worth 0.79 of"),
        (2.0, 0.05, "about 40 times: a token of it is worth 0.38 of"),
    ],
)
def test_readings_to_come_are_foreseen_with_their_worth(epochs, share, says):
    found = overfitting.forecast(epochs, share)
    assert (found is None) == (says is None)
    assert says is None or says in str(found)


@pytest.mark.parametrize(
    ("epochs", "factor", "speaks"), [(9.0, 2.0, 1), (9.0, 1.05, 0), (2.0, 2.0, 0)]
)
def test_a_gap_to_held_out_text_is_spoken_of(epochs, factor, speaks):
    record = made(changes={"train.epochs": epochs})
    assert record.score is not None
    last = record.score.nats_per_token / factor
    record = made(changes={"train.epochs": epochs, "train.loss_curve": [[1.0, last]]})
    assert record.score is not None
    event = overfitting.of_score(record, record.score)
    assert (event is not None) == bool(speaks)
    if event is not None:
        assert (
            event.kind == "overfitting" and f"the training text {last:.2f} at the end" in event.what
        )
