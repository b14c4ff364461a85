"""The memory of a race is checked against what is free, before anything is built."""

import dataclasses
import re
from typing import Any

import psutil
import pytest

from speedrun.backends import registry
from speedrun.config import Data
from speedrun.device import Device
from speedrun.distributed.group import ProcessGroup
from speedrun.models import loader
from speedrun.models import memory as estimated
from speedrun.training import memory, request
from speedrun.training.request import RunRequest

GB = 1e9
# Most resident memory of whole races and of trials of an engine, PyTorch 2.13 on a processor in
# fp32: architecture, --params, settings, bytes.
MEASURED: list[tuple[str, str, tuple[str, ...], float]] = [
    ("transformer", "2M", (), 0.78e9),
    ("transformer", "10M", (), 1.55e9),
    ("transformer", "69.1M", ("model.input_bigrams=524288", "model.depth=3"), 2.13e9),
    ("transformer", "10M", ("recipe.batch_rows=2",), 0.77e9),
    ("transformer", "10M", ("recipe.batch_rows=6",), 0.92e9),
    ("transformer", "10M", ("recipe.batch_rows=6", "recipe.compile=true"), 1.04e9),
    ("transformer", "medium", ("recipe.batch_rows=1",), 3.57e9),
    ("transformer", "medium", ("recipe.batch_rows=3",), 5.33e9),
    ("d3pm", "10M", ("recipe.batch_rows=2",), 0.79e9),
    ("d3pm", "10M", ("recipe.batch_rows=6",), 1.02e9),
    ("lstm", "2M", (), 0.71e9),
    ("lstm", "10M", ("recipe.batch_rows=2",), 0.81e9),
    ("lstm", "10M", ("recipe.batch_rows=6",), 0.88e9),
    ("lstm", "10M", ("recipe.batch_rows=6", "recipe.compile=true"), 1.00e9),
]


@pytest.fixture
def on(monkeypatch):
    """`on(free, arch, params, *settings)` is the check of a race on a machine in fp32."""

    def made(
        free: float, arch: str, params: str, *settings: str, tables: str = "0", **device: Any
    ) -> memory.Fit:
        driver = registry.backend("numpy" if arch == "ngram" else "torch")
        own = psutil.Process().memory_info().rss
        shared = device.get("accelerator") is None or device.get("shared") is not None
        monkeypatch.setattr(
            type(driver), "free_bytes", lambda self, device: free - (own if shared else 0)
        )
        architecture = loader.architecture(arch)
        if arch != "ngram":
            settings = ("recipe.precision=fp32", *settings)
        data = Data(vocab=4096)
        asked = RunRequest(arch=arch, params=params, tables=tables, settings=settings, data=data)
        row = Device(name="cpu", backend="torch", available=True, detail="", precisions=("fp32",))
        if arch == "ngram":
            row = registry.device("numpy")
        checked = request.check(architecture, asked)
        return memory.Fit(checked, dataclasses.replace(row, **device), ProcessGroup())

    return made


@pytest.mark.parametrize(("arch", "params", "settings", "peak"), MEASURED)
def test_the_estimate_is_about_what_races_took(on, arch, params, settings, peak):
    fit = on(1e12, arch, params, *settings)
    needed = fit._needs(fit.checked.run(4096).model, fit._rows)
    assert memory.LEAST < peak / needed < memory.MOST, f"{peak / needed:.2f}"


@pytest.mark.parametrize(("arch", "params", "settings", "peak"), MEASURED)
def test_a_race_that_fits_is_not_refused(on, arch, params, settings, peak):
    on(1.02 * peak, arch, params, *settings).check()


def test_plenty_is_silent_and_little_is_a_remark(on):
    assert on(64 * GB, "transformer", "2M").check() is None
    short = on(1.5 * GB, "transformer", "10M").check()
    pattern = (
        r"--params 10M: about 1\.\d+ GB of memory are needed, 1\.50 GB are free, it may run out;"
        r" what fits: --set recipe\.micro_batch_rows=\d+ or --params [\d.]+[KM]"
    )
    assert short and re.fullmatch(pattern, short)


def test_a_refusal_names_the_rows_and_the_size_that_fit(on):
    def needs(*asked: str) -> float:
        fit = on(5 * GB, "transformer", *asked)
        return memory.MOST * fit._needs(fit.checked.run(4096).model, fit._rows)

    with pytest.raises(ValueError) as refused:
        on(5 * GB, "transformer", "150M").check()
    found = re.fullmatch(
        r"--params 150M: about ([\d.]+) GB of memory are needed, 5\.00 GB are free; what fits:"
        r" --set recipe\.micro_batch_rows=(\d+) or --params (\d+)M",
        str(refused.value),
    )
    assert found, str(refused.value)
    rows, size = int(found[2]), int(found[3])
    assert 16 % rows == 0
    assert needs("150M", f"recipe.micro_batch_rows={rows}") <= 5 * GB
    assert needs("150M", f"recipe.micro_batch_rows={2 * rows}") > 5 * GB
    assert needs(f"{size}M") <= 5 * GB < needs(f"{size * 1.1:.0f}M")


TABLES = ("model.input_bigrams=4000000", "model.value_trigrams=2000000", "model.depth=2")


@pytest.mark.parametrize("params", ["780M", "tiny"])
def test_a_refusal_names_the_tables_that_fit(on, params):
    def needs(size: str, *fields: str) -> float:
        fit = on(5 * GB, "transformer", size, *fields, TABLES[-1])
        return memory.MOST * fit._needs(fit.checked.run(4096).model, fit._rows)

    with pytest.raises(ValueError) as refused:
        on(5 * GB, "transformer", params, *TABLES).check()
    found = re.search(
        r"free; what fits: (--params (\S+) )?--set (model\.input_bigrams=(\d+)) --set"
        r" (model\.value_trigrams=(\d+))( or|$)",
        str(refused.value),
    )
    assert found, str(refused.value)
    assert bool(found[1]) == (params != "tiny"), "a preset keeps its name"
    bigrams, trigrams = int(found[4]), int(found[6])
    assert bigrams == 2 * trigrams
    assert needs(found[2] or params, found[3], found[5]) <= 5 * GB
    larger = (f"model.input_bigrams={2 * bigrams}", f"model.value_trigrams={2 * trigrams}")
    assert needs(params, *larger) > 5 * GB


def test_tables_beside_a_size_are_refused_with_those_that_fit_beside_it(on):
    fit = on(5 * GB, "transformer", "2M", tables="4B")
    with pytest.raises(
        ValueError, match=r"2M --tables 4B: .*what fits: --tables \d+M( or|$)"
    ) as refused:
        fit.check()
    (fits,) = re.findall(r"--tables (\d+)M", str(refused.value))
    assert on(5 * GB, "transformer", "2M", tables=f"{fits}M").check() is None
    with pytest.raises(ValueError, match="what fits"):
        on(5 * GB, "transformer", "2M", tables=f"{4 * int(fits)}M").check()


def test_tables_have_no_gradient_and_no_moments():
    whole, tables = estimated.states(1000, 100, "fp32", "muon", 800), 800
    dense = estimated.states(200, 100, "fp32", "muon")
    assert whole.gradients == dense.gradients
    assert whole.weights == dense.weights + 4 * tables
    assert whole.optimizer == dense.optimizer + tables / 8


def test_where_no_row_fits_only_a_size_is_named(on):
    with pytest.raises(ValueError, match=r"what fits: --params [\d.]+M$"):
        on(4 * GB, "transformer", "2B").check()


def test_where_no_row_fits_checkpointing_is_named_if_it_helps(on):
    deep = ("model.depth=24", "model.context=4096", "recipe.batch_rows=2")
    fit = on(6.5 * GB, "transformer", "30M", *deep)
    less = "recipe.activation_checkpointing=true"
    found = r"what fits: --set recipe\.activation_checkpointing=true( or|$)"
    with pytest.raises(ValueError, match=found):
        fit.check()
    assert on(6.5 * GB, "transformer", "30M", *deep, less).check() is None


def test_nothing_that_fits_is_said(on):
    with pytest.raises(ValueError, match=r"what fits: a smaller --vocab or context$"):
        on(0.1 * GB, "lstm", "2M").check()


def test_counts_have_no_check(on):
    assert on(8 * GB, "ngram", "1B").check() is None


@pytest.mark.slow
def test_an_accelerator_of_its_own_takes_smaller_pieces_by_itself(on):
    """It refuses memory and the step is taken in halves: only one row must fit."""
    card = {"name": "cuda", "accelerator": "NVIDIA H200"}
    assert on(12 * GB, "transformer", "medium", **card).check() is None
    with pytest.raises(ValueError, match="--params 2B"):
        on(12 * GB, "transformer", "2B", **card).check()
    with pytest.raises(ValueError, match="--params medium"):
        on(12 * GB, "transformer", "medium", accelerator="Apple M2", shared="apple-gpu").check()


def test_ranks_of_one_machine_share_its_memory(on):
    fit = on(20 * GB, "transformer", "medium", "recipe.batch_rows=4")
    group = ProcessGroup()
    group.size = 4
    assert fit.check() is None
    with pytest.raises(ValueError, match="are free"):
        dataclasses.replace(on(6 * GB, "transformer", "medium"), group=group).check()


def test_half_precision_keeps_fp32_weights():
    model: Any = request.resolve(loader.architecture("transformer"), RunRequest(), 4096).model
    recipe = request.resolve(loader.architecture("transformer"), RunRequest(), 4096).recipe
    full, half = (
        estimated.of_race(model, recipe, 16, precision, is_processor=True)
        for precision in ("fp32", "bf16")
    )
    assert full.activations and half.activations == full.activations / 2
    assert half.states == full.states


def test_checks_of_a_large_vocabulary_count(on):
    """They hold all logits of a few rows, which small steps never do."""
    settings = ("model.context=1024", "recipe.batch_rows=1")
    fit = on(8 * GB, "transformer", "20M", *settings)
    asked = dataclasses.replace(fit.checked.request, data=Data(vocab=65_536))
    with pytest.raises(ValueError, match=r"about 1[67][.0-9]* GB"):
        dataclasses.replace(fit, checked=dataclasses.replace(fit.checked, request=asked)).check()
