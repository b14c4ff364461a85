"""Memory of a plan: its parts, its margin, and what recorded races took."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from helpers.plans import on

from speedrun.models import memory
from speedrun.records.schema import load

ROOT = Path(__file__).resolve().parents[2]
RECENT_WORDS = str(ROOT / "tests" / "plugins" / "recent_words")


def test_activations_are_a_product_with_a_factor():
    model = dataclasses.make_dataclass("Model", ["context", "width", "depth"])(256, 120, 3)
    assert memory.activations(8, model, "bf16") == 8 * 256 * 120 * 3 * 2 * memory.ACTIVATION_FACTOR


def test_recorded_races_took_the_memory_that_is_estimated():
    """Within a factor 1.5, whole process, of every network raced on a processor in fp32."""
    seen = 0
    for path in (ROOT / "leaderboard" / "records").glob("*.json"):
        if "train" not in json.loads(path.read_text(encoding="utf-8")):
            continue
        record = load(path)
        model: dict[str, Any] = record.config["model"]
        if record.device != "cpu" or "width" not in model:
            continue
        shape = dataclasses.make_dataclass("Shape", model)(**model)
        states = memory.states(record.num_params, record.num_params_non_embedding, "fp32", "muon")
        active = memory.activations(record.config["recipe"]["batch_rows"], shape, "fp32")
        assert active is not None
        ratio = record.train.peak_bytes / (memory.PROGRAM_BYTES + states.total + active)
        assert 1 / 1.5 < ratio < 1.5, f"{record.arch}: {ratio:.2f}"
        seen += 1
    assert seen >= 3


def test_memory_keeps_a_margin_of_thirty_percent():
    found = on("a100", params="7B", batch=1)
    verdict = found.verdict("memory")
    assert verdict.usable == pytest.approx(0.7 * 40e9) and verdict.answer == "no-go"
    assert found.value("memory", "states_least_bytes") / 1e9 == pytest.approx(98)
    parts = ("weights", "gradients", "optimizer", "activations", "logits")
    total = sum(found.value("memory", f"{part}_bytes") for part in parts)
    assert verdict.needed == pytest.approx(total)
    assert found.value("memory", "inference_bytes") == pytest.approx(1.2 * 14e9)


def test_the_program_counts_where_it_shares_the_memory():
    found = on("m2-cpu", params="1M", batch=4)
    assert found.value("memory", "program_bytes") == memory.PROGRAM_BYTES
    active = found.value("memory", "activations_bytes")
    assert found.verdict("memory").needed == pytest.approx(16e6 + active + memory.PROGRAM_BYTES)
    assert found.value("memory", "accumulated_bytes") == pytest.approx(0.75 * active)
    kept = (memory.ACTIVATION_FACTOR + memory.CHECKPOINT_FACTOR * 3) / (
        3 * memory.ACTIVATION_FACTOR
    )
    assert found.value("memory", "checkpointed_bytes") == pytest.approx((1 - kept) * active)


def test_checkpointing_keeps_one_block_and_the_inputs_of_all():
    plain = on("m2-cpu", params="1M", depth=6)
    less = on("m2-cpu", params="1M", depth=6, set_=("recipe.activation_checkpointing=true",))
    saved = plain.value("memory", "checkpointed_bytes")
    assert 0.5 < saved / plain.value("memory", "activations_bytes") < 0.7
    assert plain.verdict("memory").needed - less.verdict("memory").needed == pytest.approx(saved)
    assert not [f for f in less.sections["memory"] if f.key == "checkpointed_bytes"]
    (formula,) = (f.formula for f in less.sections["memory"] if f.key == "activations_bytes")
    assert "(46 + depth 6 · 12) (measured)" in formula


def test_a_setting_with_an_option_of_its_own_is_refused():
    with pytest.raises(ValueError, match=r"--set recipe\.batch_rows: a plan takes --batch instead"):
        on("m2-cpu", set_=("recipe.batch_rows=4",))
    with pytest.raises(LookupError, match="activation_checkpointing"):
        on("m2-cpu", set_=("recipe.activation_checkpointin=true",))


def test_settings_of_the_model_count():
    assert on("m2-cpu", set_=("model.mlp=swiglu",)).value("model", "num_params") == 2_000_000
    small = on("m2-cpu", params="tiny", set_=("model.tied=false",))
    assert small.value("model", "num_params") > on("m2-cpu", params="tiny").value(
        "model", "num_params"
    )


def test_the_largest_batch_just_fits():
    few = on("t4", params="medium", batch=64)
    rows = few.value("memory", "largest_batch")
    assert f"--batch {rows} fits" in few.verdict("memory").why
    for batch, answer in ((rows, "go"), (rows + 1, "no-go")):
        assert on("t4", params="medium", batch=batch).verdict("memory").answer == answer
    assert "not even one row" in on("t4", params="7B").verdict("memory").why


def test_what_is_not_known_is_no_go_only_where_the_rest_is_too_much():
    for batch, answer in ((1, "unknown"), (4096, "no-go")):  # whose logits are 34 GB
        found = on("t4", params="289K", arch=RECENT_WORDS, batch=batch)
        assert found.verdict("memory").answer == answer
        assert any("activations are left out" in note for note in found.notes)
