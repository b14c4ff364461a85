"""Architectures from outside the project race through the real command line, nothing edited."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import folders
from helpers.command_line import FAST, TINY, done_well, refused, runs

from speedrun.backends import registry
from speedrun.config import Recipe
from speedrun.evaluation.fairness import random_rows
from speedrun.models import loader, plugins
from speedrun.protocols import EngineSpec
from speedrun.records.schema import Record, load


@pytest.fixture
def race(stories, fixed_steps, tmp_path):
    """`race(arch)` is the record of a race of as many steps everywhere, which has to learn."""

    def raced(arch: object, *args: object, out: Path = tmp_path / "runs") -> Record:
        budget = ("--arch", arch, "--minutes", "0.05", "--data", stories, "--out", out)
        done_well(*budget, *TINY, *FAST, *args)
        (folder,) = runs(out)
        record = load(folder / "record.json")
        assert record.status == "complete" and record.train.num_steps > 100
        assert record.score is not None and record.score.bits_per_byte < 1.5
        return record

    return raced


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", pytest.param("mlx", marks=pytest.mark.mlx)])
def test_a_folder_outside_races_and_tells_stories(backend, race, tmp_path):
    here = [d.name for d in registry.devices() if d.backend == backend and d.available]
    if not here:
        pytest.skip(f"{backend}: not here")
    name = "cpu" if backend == "torch" else here[0]
    record = race(folders.PLUGIN, "--device", name)
    assert (record.arch, record.backend) == ("recent_words", backend)
    assert record.num_params == pytest.approx(60_000, rel=0.03)
    (folder,) = runs(tmp_path / "runs")
    assert str(folders.ROOT) not in (folder / "record.json").read_text()

    sampled = ("sample", folder, "--prompt", "Tom saw", "--max-tokens", "10")
    told = done_well(*sampled, "--arch", folders.PLUGIN, "--device", name)
    assert told.startswith("Tom saw")
    assert "--arch" in refused(*sampled)
    other = refused(*sampled, "--arch", "transformer")
    assert "another architecture than transformer" in other and "num_bags" in other


@pytest.mark.slow
def test_the_example_of_the_readme_is_short_and_runs(race, tmp_path, monkeypatch):
    files = folders.readme_example()
    assert files.keys() == {"__init__.py", "torch_model.py"}
    assert sum(text.count("\n") for text in files.values()) < 50
    # A folder name that is no identifier, seen from where it lies.
    folders.write(tmp_path / "four-words.v2", files)
    monkeypatch.chdir(tmp_path)
    record = race("./four-words.v2", "--set", "model.num_words=3")
    assert record.arch == "four-words.v2" and record.config["model"]["num_words"] == 3


@pytest.fixture
def install(tmp_path, monkeypatch):
    """`install(name, target, files)` is what pip leaves of a package with one architecture."""

    def installed(name: str, target: str, files: dict[str, dict[str, str]]) -> None:
        metadata = "Metadata-Version: 2.1\nName: word-models\nVersion: 1.0\n"
        points = f"[{plugins.ENTRY_POINTS}]\n{name} = {target}\n"
        info = {"METADATA": metadata, "entry_points.txt": points}
        for folder, content in {"word_models-1.0.dist-info": info, **files}.items():
            folders.write(tmp_path / "site" / folder, content)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))

    yield installed
    for module in [name for name in sys.modules if name.partition(".")[0] == "word_models"]:
        del sys.modules[module]


@pytest.mark.slow
def test_an_installed_package_offers_an_architecture(install, race, tmp_path):
    files = {"word_models": {"__init__.py": ""}, "word_models/four_words": folders.readme_example()}
    install("four_words", "word_models.four_words", files)
    assert race("four_words").arch == "four_words"
    (folder,) = runs(tmp_path / "runs")
    assert done_well("sample", folder, "--prompt", "Tom", "--max-tokens", "5").startswith("Tom")
    assert "did you mean four_words" in refused("--arch", "fuor_words", "--out", tmp_path / "none")


def test_an_installed_package_that_fails_shows_its_own_error(install, tmp_path):
    install("broken", "word_models", {"word_models": {"__init__.py": "import no_such_thing\n"}})
    line = refused("--arch", "broken", "--out", tmp_path / "runs")
    assert "'broken'" in line and "No module named 'no_such_thing'" in line
    assert "unknown architecture" not in line and not (tmp_path / "runs").exists()


def test_an_installed_package_cannot_take_a_name_of_the_projects(install):
    install("transformer", "word_models", {})
    assert loader.architecture("transformer").package.__name__ == "architectures.transformer"


@pytest.mark.parametrize(("written", "other"), [("mlx", "torch"), ("torch", "mlx")])
def test_written_for_one_framework_it_says_so_on_the_other(written, other, tmp_path):
    files = folders.readme_example()
    files[f"{written}_model.py"] = files.pop("torch_model.py")
    folder = str(folders.write(tmp_path / "mine", files))
    with pytest.raises(ValueError, match=f"no {other}_model.py: it runs on {written} only"):
        loader.architecture(folder).model(other)
    device = "cpu" if other == "torch" else other
    line = refused("--arch", folder, "--device", device, "--out", tmp_path / "runs")
    assert f"has no {other}_model.py, only {written}_model.py" in line
    assert not (tmp_path / "runs").exists()


def small_engine(folder: Path = folders.PLUGIN, **recipe: Any):
    """An engine on rows of 16 tokens out of 32, and its architecture."""
    architecture = loader.architecture(str(folder))
    config = architecture.for_params(20_000, 32, context=16)
    chosen, device = Recipe(compile=False, precision="fp32", **recipe), registry.device("cpu")
    return registry.engine(
        EngineSpec(architecture=architecture, config=config, recipe=chosen, device=device)
    )


@pytest.mark.parametrize("recipe", ["default", "adamw"])
def test_every_parameter_of_the_plugin_learns(recipe):
    settings = loader.architecture(str(folders.PLUGIN)).RECIPES[recipe]["recipe"]
    engine = small_engine(**settings)
    before, rng = engine.weights(), np.random.default_rng(0)
    for _ in range(5):
        engine.step(rng.integers(0, 32, (8, 17), dtype=np.int32), 1.0)
    assert all(np.any(value != before[name]) for name, value in engine.weights().items())
    random_rows.check(engine, 32, 16, "exact")


CACHED_LOGITS = """
    def new_cache(self):
        return []

    def logits(self, tokens_BT, cache=None):
        if cache is None:
            return self.all_logits(tokens_BT)
        cache.append(tokens_BT)
        return self.all_logits(torch.cat(cache, dim=1)[:, -self.num_words - tokens_BT.shape[1] :])[
            :, -tokens_BT.shape[1] :
        ]
"""


@pytest.mark.parametrize("has_cache", [False, True])
def test_a_plugin_reads_on_with_and_without_a_cache(has_cache, tmp_path):
    folder = folders.PLUGIN
    if has_cache:
        files = folders.readme_example()
        model = files["torch_model.py"].replace("def logits", "def all_logits")
        files["torch_model.py"] = model + CACHED_LOGITS
        folder = folders.write(tmp_path / "mine", files)
    engine = small_engine(folder)
    tokens = np.random.default_rng(0).integers(0, 32, 21, dtype=np.int32)
    reader = engine.reader()
    for stop in range(1, len(tokens) + 1):
        whole = engine.logits(tokens[None, max(0, stop - 16) : stop])[0, -1]
        np.testing.assert_allclose(reader.feed(tokens[stop - 1 : stop]), whole, atol=1e-5)


def test_the_twins_of_the_plugin_agree():
    mx = pytest.importorskip("mlx.core", reason="mlx: not installed")
    utils = pytest.importorskip("mlx.utils")
    engine, architecture = small_engine(), loader.architecture(str(folders.PLUGIN))
    weights = {name: value * 1.5 for name, value in engine.weights().items()}
    engine.load(weights)
    twin = architecture.model("mlx")(architecture.for_params(20_000, 32, context=16))
    shapes = {n: v.shape for n, v in dict(utils.tree_flatten(twin.parameters())).items()}
    assert shapes == {name: value.shape for name, value in weights.items()}
    twin.load_weights([(name, mx.array(value)) for name, value in weights.items()])
    tokens = np.random.default_rng(0).integers(0, 32, (4, 16), dtype=np.int32)
    logits = twin.features(mx.array(tokens)) @ twin.output()[0].T
    np.testing.assert_allclose(np.array(logits), engine.logits(tokens), atol=1e-5)
