"""Weights of strangers: read by what they are, never by what they claim."""

import json
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from helpers import forged

from speedrun.records import artifacts

HERE = "there"


@pytest.fixture
def record(make_record):
    return make_record({"num_params": 6})


def saved(**arrays) -> bytes:
    return safetensors.numpy.save({name: np.asarray(array) for name, array in arrays.items()})


def entry(shape, dtype: Any = "F32", offsets=(0, 24)):
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}}


def test_plain_arrays_come_back(record):
    raw = saved(a=np.ones((2, 2), np.float32), b=np.arange(2))
    found = artifacts.arrays(raw, record, HERE)
    assert found["a"].tolist() == [[1, 1], [1, 1]] and found["b"].dtype == np.int64


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was executed",)


def nan(value=np.nan):
    return np.full(6, value, np.float32)


NO_FILE = "not a whole safetensors file"
made = forged.safetensors_bytes
HOSTILE = {
    "pickle": (pickle.dumps(Bomb()), NO_FILE),
    "nothing": (b"", NO_FILE),
    "header cut": (saved(a=nan(1.0))[:20], NO_FILE),
    "body cut": (saved(a=nan(1.0))[:-1], NO_FILE),
    "body too long": (saved(a=nan(1.0)) + b"0", NO_FILE),
    "huge header": (made({}, length=2**63), NO_FILE),
    "negative header": (b"\xff" * 8 + b"{}", NO_FILE),
    "header no JSON": (made(b"{"), NO_FILE),
    "header deep": (made(b"[" * 100_000), NO_FILE),
    "header a list": (made([]), NO_FILE),
    "a name twice": (made(b'{"a": 1, "a": 1}'), NO_FILE),
    "a weight twice": (
        made(b'{"a": %s, "a": %s}' % ((json.dumps(entry([6])["a"]).encode(),) * 2), bytes(48)),
        NO_FILE,
    ),
    "terabytes": (made(entry([2**20, 2**20])), NO_FILE),
    "terabytes that come round": (made(entry([2**32, 2**32, 6]), bytes(24)), NO_FILE),
    "offsets beyond": (made(entry([6], offsets=(2**60, 2**60 + 24)), bytes(24)), NO_FILE),
    "offsets overlap": (
        made({**entry([3], offsets=(0, 12)), "b": entry([3], offsets=(6, 18))["a"]}, bytes(18)),
        NO_FILE,
    ),
    "half precision": (saved(a=np.ones(6, np.float16)), "type float16"),
    "no type": (made({"a": {"shape": [6]}}), NO_FILE),
    "type a list": (made(entry([6], dtype=["F32"])), NO_FILE),
    "no entry": (made({"a": 6}), NO_FILE),
    "shape of text": (made(entry("6")), NO_FILE),
    "shape below 0": (made(entry([-2, -3])), NO_FILE),
    "fewer numbers": (saved(a=np.ones(5, np.float32)), "holds 5 numbers"),
    "NaN": (saved(a=nan()), "not finite"),
    "infinity": (saved(a=nan(np.inf)), "not finite"),
    "a name that acts": (saved(**{"a\x1b[31m": nan(1.0)}), "no plain name"),
    "an unknown type": (made(entry([6], dtype="F32\x1b[31m"), bytes(24)), NO_FILE),
}


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_what_is_no_plain_file_is_one_line(record, case):
    raw, says = HOSTILE[case]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            artifacts.arrays(raw, record, HERE)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert line.startswith(f"{HERE}: ") and says in line
    assert "\n" not in line and "\x1b" not in line


def test_files_are_read_no_further_than_they_may_reach(record, tmp_path):
    limit = artifacts.max_weights_bytes(record)
    with (tmp_path / artifacts.WEIGHTS).open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of holes
    with (tmp_path / artifacts.TOKENIZER).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="larger than it may be"):
        artifacts.read_weights(tmp_path, record)
    with pytest.raises(ValueError, match="larger than it may be"):
        artifacts.read_tokenizer(tmp_path)
    assert limit < 2 << 20


def test_weights_that_the_record_does_not_name_are_refused(record, tmp_path):
    (tmp_path / artifacts.WEIGHTS).write_bytes(saved(a=nan(1.0)))
    with pytest.raises(ValueError, match="SHA-256 differs"):
        artifacts.read_weights(tmp_path, record)
