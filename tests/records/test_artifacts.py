"""Weights of strangers: read by what they are, never by what they claim."""

import json
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from helpers.forged import safetensors_bytes as file
from helpers.made_records import made

from speedrun.records import artifacts

HERE = "there"


RECORD = made(changes={"num_params": 6})


def saved(**arrays) -> bytes:
    return safetensors.numpy.save({name: np.asarray(array) for name, array in arrays.items()})


def entry(shape, dtype: Any = "F32", offsets=(0, 24)):
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}}


def test_plain_arrays_come_back():
    raw = saved(a=np.ones((2, 2), np.float32), b=np.arange(2))
    found = artifacts.arrays(raw, RECORD, HERE)
    assert found["a"].tolist() == [[1, 1], [1, 1]] and found["b"].dtype == np.int64


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was executed",)


def nan(value=np.nan):
    return np.full(6, value, np.float32)


WHOLE = saved(a=nan(1.0))
ONE = json.dumps(entry([6])["a"]).encode()
OVERLAPPING = entry([3], offsets=(0, 12)) | {"b": entry([3], offsets=(6, 18))["a"]}
NO_FILES = {
    "pickle": pickle.dumps(Bomb()),
    "nothing": b"",
    "header cut": WHOLE[:20],
    "body cut": WHOLE[:-1],
    "body too long": WHOLE + b"0",
    "huge header": file({}, length=2**63),
    "negative header": b"\xff" * 8 + b"{}",
    "header no JSON": file(b"{"),
    "header deep": file(b"[" * 100_000),
    "header a list": file([]),
    "a name twice": file(b'{"a": 1, "a": 1}'),
    "a weight twice": file(b'{"a": %s, "a": %s}' % (ONE, ONE), bytes(48)),
    "terabytes": file(entry([2**20, 2**20])),
    "terabytes that come round": file(entry([2**32, 2**32, 6]), bytes(24)),
    "offsets beyond": file(entry([6], offsets=(2**60, 2**60 + 24)), bytes(24)),
    "offsets overlap": file(OVERLAPPING, bytes(18)),
    "no type": file({"a": {"shape": [6]}}),
    "type a list": file(entry([6], dtype=["F32"])),
    "no entry": file({"a": 6}),
    "shape of text": file(entry("6")),
    "shape below 0": file(entry([-2, -3])),
    "an unknown type": file(entry([6], dtype="F32\x1b[31m"), bytes(24)),
}
HOSTILE = {name: (raw, "not a whole safetensors file") for name, raw in NO_FILES.items()} | {
    "half precision": (saved(a=np.ones(6, np.float16)), "type float16"),
    "fewer numbers": (saved(a=np.ones(5, np.float32)), "holds 5 numbers"),
    "NaN": (saved(a=nan()), "not finite"),
    "infinity": (saved(a=nan(np.inf)), "not finite"),
    "a name that acts": (saved(**{"a\x1b[31m": nan(1.0)}), "no plain name"),
}


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_what_is_no_plain_file_is_one_line(case):
    raw, says = HOSTILE[case]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            artifacts.arrays(raw, RECORD, HERE)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert line.startswith(f"{HERE}: ") and says in line
    assert "\n" not in line and "\x1b" not in line


def test_files_are_read_no_further_than_they_may_reach(tmp_path):
    assert artifacts.max_weights_bytes(RECORD) < 2 << 20
    for name in (artifacts.WEIGHTS, artifacts.TOKENIZER):
        with (tmp_path / name).open("wb") as holes:
            holes.truncate(1 << 40)
    with pytest.raises(ValueError, match="larger than it may be"):
        artifacts.read_weights(tmp_path, RECORD)
    with pytest.raises(ValueError, match="larger than it may be"):
        artifacts.read_tokenizer(tmp_path, RECORD)


def test_weights_that_the_record_does_not_name_are_refused(tmp_path):
    (tmp_path / artifacts.WEIGHTS).write_bytes(WHOLE)
    with pytest.raises(ValueError, match="SHA-256 differs"):
        artifacts.read_weights(tmp_path, RECORD)


@pytest.mark.parametrize(
    "header", [bytes(8), b"\xff" * 8, file({}), file(entry([6])), file(b"[" * 9000), file([6])]
)
def test_a_file_of_holes_is_refused_before_it_is_read(tmp_path, header):
    """The record of a stranger can claim as many parameters as its file is large."""
    claims = made(changes={"num_params": 1 << 37})
    with (tmp_path / artifacts.WEIGHTS).open("wb") as holes:
        holes.write(header)
        holes.truncate(1 << 40)
    with pytest.raises(ValueError, match="not of its size"):
        artifacts.read_weights(tmp_path, claims)
    (tmp_path / artifacts.WEIGHTS).write_bytes(file(entry([1 << 37], offsets=(0, 1 << 39))))
    with (tmp_path / artifacts.WEIGHTS).open("r+b") as holes:
        holes.truncate((tmp_path / artifacts.WEIGHTS).stat().st_size + (1 << 39))
    with pytest.raises(ValueError, match="bytes of memory are free"):
        artifacts.read_weights(tmp_path, claims)
