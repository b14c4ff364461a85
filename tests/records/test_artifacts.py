"""Weights of strangers: read by what they are, never by what they claim."""

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


HOSTILE = {
    "pickle": (pickle.dumps(Bomb()), "not a safetensors file"),
    "nothing": (b"", "not a safetensors file"),
    "header cut": (saved(a=nan(1.0))[:20], "not a safetensors file"),
    "body cut": (saved(a=nan(1.0))[:-1], "not a whole safetensors file"),
    "body too long": (saved(a=nan(1.0)) + b"0", "not a whole safetensors file"),
    "huge header": (
        forged.safetensors_bytes({}, length=2**63),
        "header claims 9223372036854775808",
    ),
    "negative header": (b"\xff" * 8 + b"{}", "not a safetensors file"),
    "header no JSON": (forged.safetensors_bytes(b"{"), "its header"),
    "header deep": (forged.safetensors_bytes(b"[" * 100_000), "its header"),
    "header a list": (forged.safetensors_bytes([]), "not one JSON object"),
    "a name twice": (forged.safetensors_bytes(b'{"a": 1, "a": 1}'), "stands twice"),
    "terabytes": (forged.safetensors_bytes(entry([2**20, 2**20])), "holds 1099511627776 numbers"),
    "terabytes that come round": (
        forged.safetensors_bytes(entry([2**32, 2**32, 6], offsets=(0, 24)), bytes(24)),
        "numbers, the record has 6",
    ),
    "offsets beyond": (
        forged.safetensors_bytes(entry([6], offsets=(2**60, 2**60 + 24)), bytes(24)),
        "not a whole safetensors file",
    ),
    "offsets overlap": (
        forged.safetensors_bytes(
            {**entry([3], offsets=(0, 12)), "b": entry([3], offsets=(6, 18))["a"]}, bytes(18)
        ),
        "not a whole safetensors file",
    ),
    "half precision": (saved(a=np.ones(6, np.float16)), "type 'F16'"),
    "no type": (forged.safetensors_bytes({"a": {"shape": [6]}}), "type None"),
    "type a list": (forged.safetensors_bytes(entry([6], dtype=["F32"])), "the type ['F32']"),
    "no entry": (forged.safetensors_bytes({"a": 6}), "type None"),
    "shape of text": (forged.safetensors_bytes(entry("6")), "has no shape"),
    "shape below 0": (forged.safetensors_bytes(entry([-2, -3])), "has no shape"),
    "fewer numbers": (saved(a=np.ones(5, np.float32)), "holds 5 numbers"),
    "NaN": (saved(a=nan()), "not finite"),
    "infinity": (saved(a=nan(np.inf)), "not finite"),
    "a name that acts": (saved(**{"a\x1b[31m": nan(1.0)}), "no plain name"),
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
