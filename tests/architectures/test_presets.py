"""Shapes by name: exactly those, in a plan and in a race."""

from typing import Any

import pytest

from speedrun.models import loader
from speedrun.plan.plan import make_plan
from speedrun.plan.request import Options
from speedrun.training.request import RunRequest, resolve


@pytest.mark.parametrize(
    ("name", "shape", "tied", "untied", "published"),
    [
        ("tiny", (192, 6, 6, 256), 3_443_340, 4_229_772, 5e6),
        ("small", (384, 6, 8, 512), None, None, 17e6),
        ("medium", (768, 12, 12, 1024), None, None, 85e6),
    ],
)
def test_presets_have_their_shape_and_counts(name, shape, tied, untied, published):
    architecture = loader.architecture("transformer")
    config: Any = architecture.preset(name, 4096)
    assert (config.width, config.heads, config.depth, config.context) == shape
    D, L = config.width, config.depth
    small = D + 2 * L * D + 2 * L + D  # shifts, mixes, the entry for rare tokens
    plain = 12 * L * D * D + 4096 * D + small
    sheet = make_plan(Options(params=name, tflops=20.0))
    assert sheet.value("model", "num_params_tied") == plain == (tied or plain)
    assert (
        sheet.value("model", "num_params_untied")
        == plain + 4096 * D
        == (untied or plain + 4096 * D)
    )
    assert sheet.value("model", "published_params") == published
    assert sheet.value("model", "num_params") == config.num_params


def test_what_is_set_wins_over_a_preset_and_a_preset_over_a_recipe():
    architecture = loader.architecture("transformer")
    run = resolve(
        architecture, RunRequest(params="tiny", recipe="goedecke", settings=("model.heads=3",)), 300
    )
    model: Any = run.model
    assert (model.depth, model.heads, model.mlp, model.num_common) == (6, 3, "swiglu", 0)


def test_another_vocabulary_keeps_the_shape():
    config: Any = loader.architecture("transformer").preset("tiny", 300)
    assert (config.vocab, config.width, config.num_common) == (300, 192, 0)


def test_a_folder_may_give_fields_alone(monkeypatch):
    architecture = loader.architecture("lstm")
    monkeypatch.setattr(architecture.package, "PRESETS", {"one": {"depth": 3}}, raising=False)
    architecture = loader.architecture("lstm")
    config: Any = architecture.preset("one", 4096, width=80)
    assert (config.depth, config.width, config.vocab) == (3, 80, 4096)


@pytest.mark.parametrize("arch", ["lstm", "d3pm", "ngram"])
def test_others_say_that_they_have_none(arch):
    with pytest.raises(ValueError, match=r"250K.*has no presets"):
        resolve(loader.architecture(arch), RunRequest(params="tiny"), 300)
