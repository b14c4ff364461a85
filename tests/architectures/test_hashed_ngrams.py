"""Tables of hashed n-grams: the hash, borders of documents, and the models that read them."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from helpers.engines import CONTEXT, VOCAB, load_random, random_rows, small_engine

from architectures import d3pm, hashed_ngrams, transformer
from speedrun.evaluation.fairness import random_rows as fairness
from speedrun.models import loader

ALL: dict[str, Any] = {
    "input_bigrams": 37,
    "input_trigrams": 64,
    "value_bigrams": 1 << 20,
    "value_trigrams": 5,
}
INPUT: dict[str, Any] = {"input_bigrams": 24, "input_trigrams": 40, "table_width": 8}
VALUES: dict[str, Any] = {
    "input_trigrams": 40,
    "value_bigrams": 24,
    "value_trigrams": 40,
    "value_tables": 1,
}
MODELS = [
    ("transformer", VALUES),
    ("transformer", {**INPUT, "value_trigrams": 9, "value_tables": 0, "norm": "layer"}),
    ("lstm", INPUT),
    ("d3pm", INPUT),
    ("d3pm", {**INPUT, "table_width": 0, "denoiser": "lstm", "transition": "uniform"}),
]


def tokens(seed: int = 0) -> np.ndarray:
    """Ids [3, 40] of which many are end-of-text, and the first of the second row is."""
    rng = np.random.default_rng(seed)
    ids = np.where(rng.random((3, 40)) < 0.2, 0, rng.integers(1, 4096, (3, 40)))
    ids[1, 0], ids[1, 7:10] = 0, 0
    return ids


def mixed(ids: Iterable[int]) -> int:
    """The hash written out in whole numbers, of the last id first."""
    h = sum(int(i) * m for i, m in zip(ids, (0x2C1B3C6D, 0x297A2D39, 0x1B56C4E9), strict=False))
    h %= 1 << 32
    h = (h ^ h >> 16) * 0x85EBCA6B % (1 << 32)
    h = (h ^ h >> 13) * 0xC2B2AE35 % (1 << 32)
    return h ^ h >> 16


def expected(row: np.ndarray, t: int, order: int, num_rows: int) -> int:
    """Row for the n-gram at t, found by walking back to the beginning of its document."""
    first = max((i for i in range(t + 1) if row[i] == 0), default=0)
    ids = [int(row[i]) if i >= first else 4096 for i in range(t, t - order, -1)]
    return mixed(ids) % num_rows


def framework(name: str) -> tuple[Any, Any]:
    """The module with the functions, and what makes its arrays of 64-bit integers."""
    if name == "numpy":
        return np, np.asarray
    if name == "torch":
        torch = pytest.importorskip("torch")
        return torch, torch.from_numpy
    mx = pytest.importorskip("mlx.core")
    return mx, lambda ids: mx.array(ids).astype(mx.int64)


@pytest.mark.parametrize("name", ["numpy", "torch", pytest.param("mlx", marks=pytest.mark.mlx)])
def test_rows_are_those_of_the_document_alone_in_every_framework(name):
    xp, array = framework(name)
    config, ids = transformer.Config(**ALL), tokens()
    recent = hashed_ngrams.no_recent(array(ids), 4096, xp)
    found = hashed_ngrams.index(config, array(ids), recent, 4096, xp)
    for field, num_rows in ALL.items():
        order = hashed_ngrams.ORDERS[field]
        rows = [[expected(row, t, order, num_rows) for t in range(len(row))] for row in ids]
        np.testing.assert_array_equal(np.asarray(found[field]), rows, err_msg=field)
    around = hashed_ngrams.index_around(d3pm.Config(**INPUT), array(ids), 4096, xp)
    left = np.where(ids == 0, 4096, np.pad(ids, ((0, 0), (1, 0)), constant_values=4096)[:, :-1])
    right = np.pad(ids, ((0, 0), (0, 1)), constant_values=4096)[:, 1:]
    by_hand = np.vectorize(lambda *gram: mixed(gram))
    pairs = np.stack([by_hand(ids, left, 4096), by_hand(ids, 4096, right)])
    np.testing.assert_array_equal(np.asarray(around["input_bigrams"]), pairs % 24)
    np.testing.assert_array_equal(
        np.asarray(around["input_trigrams"]), by_hand(ids, left, right) % 40
    )


@pytest.mark.parametrize(("arch", "settings"), MODELS)
def test_tables_start_at_nothing_and_change_no_other_weight(arch, settings):
    package = loader.architecture(arch)
    config: Any = package.for_params(30_000, VOCAB, context=CONTEXT, **settings)
    fields = {field: 0 for field in hashed_ngrams.ORDERS if field in settings}
    plain = dataclasses.replace(config, **fields)
    with_tables, without = package.initial(config, 3), package.initial(plain, 3)
    assert {name: v.tolist() for name, v in without.items()} == {
        name: v.tolist() for name, v in with_tables.items() if not name.startswith("ngram")
    }
    tables = {n: v for n, v in with_tables.items() if n.startswith(hashed_ngrams.TABLES)}
    assert tables and not any(table.any() for table in tables.values())
    assert config.num_params - plain.num_params == sum(
        v.size for name, v in with_tables.items() if name.startswith("ngram")
    )


@pytest.mark.parametrize(("arch", "settings"), MODELS)
def test_a_model_with_tables_is_fair_and_learns_them(arch, settings):
    engine = (
        small_engine(arch, model=settings, num_common=0)
        if False
        else small_engine(arch, model=settings)
    )
    before, rows = engine.weights(), random_rows()
    for _ in range(3):
        engine.step(rows, 1.0)
    moved = engine.weights()
    assert all((moved[name] != before[name]).any() for name in before if "ngram" in name)
    load_random(engine)
    likelihood = loader.architecture(arch).LIKELIHOOD
    fairness.check(engine, VOCAB, CONTEXT, likelihood)


@pytest.mark.parametrize(("arch", "settings"), MODELS[:3])
def test_a_text_read_in_pieces_has_the_rows_of_the_whole(arch, settings):
    engine = small_engine(arch, model=settings)
    load_random(engine)
    text = random_rows(num_rows=1)[0, :CONTEXT]
    text[[4, 9]] = 0
    whole, reader, start = engine.logits(text[None])[0], engine.reader(), 0
    for stop in (1, 2, 4, 5, 6, 9, 11, 14, CONTEXT):
        found = reader.feed(text[start:stop])
        np.testing.assert_allclose(found, whole[stop - 1], atol=1e-4, err_msg=str(stop))
        start = stop
