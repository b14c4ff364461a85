"""Every mistake in a folder of one's own ends in one clear line, and leaves nothing behind."""

import re
import sys
from pathlib import Path

import pytest
from helpers import folders
from helpers.command_line import FAST, TINY, refused

from speedrun.backends import registry
from speedrun.cli import app

INIT, MODEL = "__init__.py", "torch_model.py"
RETURN = "return F.linear(torch.tanh(self.mix(recent)), self.embed.weight)"
LOGITS = RETURN.removeprefix("return ")


@pytest.fixture
def race(stories, tmp_path):
    """`race(arch)` is the one line that a refused race says."""

    def said(arch: object, *args: object, device: str = "cpu") -> str:
        out = tmp_path / "runs"
        where = ("--device", device, "--data", stories, "--out", out, "--minutes", "0.02")
        line = refused("--arch", arch, *where, *TINY, *FAST, *args)
        assert not out.exists() or not list(out.iterdir()), "a refused race leaves nothing behind"
        return line

    return said


def changed(files: dict[str, str], tmp_path: Path, file: str, old: str, new: str) -> Path:
    """A folder with these files, and one thing in them replaced."""
    assert old in files[file]
    return folders.write(tmp_path / "mine", files | {file: files[file].replace(old, new)})


# File, what is replaced, by what, and parts of what is said. Seen before anything is opened:
SAYS, DEF = "LIKELIHOOD =", "def initial"
FOR_PARAMS = "def for_params(target, vocab, **fixed):\n    "
RECIPES = "RECIPES = {'default': {'recipe': {'lrr': 1}}}\n"
IN_THE_FOLDER = {
    "no Config": (INIT, "class Config", "class Configuration", "lacks Config"),
    "no initial": (INIT, DEF, "def first", "lacks initial"),
    "no likelihood": (INIT, "LIKELIHOOD", "LIKELYHOOD", "lacks LIKELIHOOD"),
    "likelihood misspelt": (INIT, '"exact"', '"exakt"', "'exakt' & exact and bound"),
    "a bound without noise": (INIT, '"exact"', '"bound"', "lacks q_sample, p_sample"),
    "Config no dataclass": (INIT, "@dataclass(frozen=True)", "", "no dataclass"),
    "Config without vocab": (INIT, "    vocab: int = 4096\n", "", "Config lacks vocab"),
    "Config without context": (INIT, "    context: int = 128\n", "", "Config lacks context"),
    "Config without num_params": (INIT, "def num_params(", "def size(", "lacks num_params"),
    "a field without default": (INIT, "vocab: int = 4096", "vocab: int", "no default to vocab"),
    "no default": (INIT, SAYS, f"RECIPES = {{'fast': {{}}}}\n{SAYS}", "'default', only fast"),
    "a recipe misspelt": (INIT, SAYS, RECIPES + SAYS, "'lrr' & did you mean lr"),
    "a group misspelt": (
        INIT,
        SAYS,
        f"PARAM_GROUPS = [('*', 'matrices')]\n{SAYS}",
        "'matrices' & matrix, embedding, table, vector",
    ),
    "a size too far off": (
        INIT,
        DEF,
        f"{FOR_PARAMS}return Config(vocab=vocab, **fixed)\n\n\n{DEF}",
        "35,584 & -40.7% & 3%",
    ),
    "a size that cannot be counted": (
        INIT,
        "width: int",
        "breadth: int",
        "'mine' failed at __init__.py: & AttributeError & no attribute 'width'",
    ),
    "for_params gives nothing": (INIT, DEF, f"{FOR_PARAMS}pass\n\n\n{DEF}", "gave NoneType"),
    "an import that fails": (
        INIT,
        "import numpy",
        "import no_such_thing\nimport numpy",
        "__init__.py:3 & No module named 'no_such_thing'",
    ),
    "a syntax error": (INIT, "def initial(", "def initial((", "__init__.py: & SyntaxError"),
    "the model's import fails": (
        MODEL,
        "import torch\n",
        "import no_such_thing\nimport torch\n",
        "torch_model.py could not be imported & No module named 'no_such_thing'",
    ),
    "the model's syntax": (MODEL, "class Model(", "class Model((", "torch_model.py: & Syntax"),
    "no Model": (MODEL, "class Model", "class Modell", "torch_model.py has no class Model"),
}


@pytest.mark.parametrize("mistake", IN_THE_FOLDER)
def test_a_mistake_in_the_folder_is_said_before_anything_is_opened(mistake, race, tmp_path):
    *replaced, says = IN_THE_FOLDER[mistake]
    line = race(changed(folders.readme_example(), tmp_path, *replaced))
    assert all(part in line for part in says.split(" & ")), line
    assert "mine" in line and "unknown architecture" not in line
    assert not (tmp_path / "runs").exists()
    if mistake == "an import that fails":  # nothing half-made is left for when it was mended
        kept = [m for name, m in sys.modules.items() if name.startswith("speedrun_plugin_mine")]
        assert not [module for module in kept if str(tmp_path) in str(module.__file__)]


# Seen when the model is built and checked:
SHAPE, ROWS = "(D, config.num_words * D)}", "self.embed(tokens_BT[-1, :1]) @ self.embed.weight.T"
EXP = f"x = {LOGITS}.exp()\n        x *= 2\n        return x"
IN_THE_MODEL = {
    "initial has another shape": (INIT, "(config.vocab, D)", "(config.vocab, D + 1)", "numbers"),
    "shapes cancel out": (INIT, SHAPE, "(config.num_words * D, D)}", "'mix.weight' & shape"),
    "initial has another name": (INIT, '"mix.weight"', '"mixed.weight"', "'mix.weight'"),
    "three axes": (INIT, SHAPE, "(D, config.num_words, D)}", "mix.weight & two axes"),
    "initial gives no arrays": (INIT, '.astype("float32")', ".tolist()", "gave list"),
    "another vocabulary": (MODEL, RETURN, f"return {LOGITS}[..., 1:]", "299 & (4, 32, 300)"),
    "two axes only": (MODEL, RETURN, f"return {LOGITS}.flatten(0, 1)", "(128, 300) & (4, 32,"),
    "a tuple": (MODEL, RETURN, f"return {LOGITS}, None", "logits gave tuple"),
    "no way to logits": (MODEL, "def logits", "def forward", "features and output, or logits"),
    "looks ahead": (
        MODEL,
        "(0, 0, self.num_words - 1, 0))",
        "(0, 0, self.num_words - 2, 1))",
        "not causal & allowed is a difference of 0.001",
    ),
    "mixes rows": (MODEL, RETURN, f"return {LOGITS} + {ROWS}", "rows of a batch affect each other"),
    "not a number": (MODEL, RETURN, f"return {LOGITS}.log()", "nats of & not finite"),
    "dropout": (MODEL, RETURN, f"return F.dropout({LOGITS})", "not repeatable & dropout"),
    "raises": (
        MODEL,
        RETURN,
        "return torch.tanh(self.mix)",
        "'mine' failed at torch_model.py:17 & TypeError & SPEEDRUN_TRACEBACK=1",
    ),
    "raises where initial is": (
        INIT,
        "rng.normal(0, 0.1, shape)",
        "shapes[shape]",
        "'mine' failed at __init__.py: & KeyError",
    ),
    "backward fails": (MODEL, RETURN, EXP, "architecture 'mine' failed & RuntimeError"),
}


@pytest.mark.parametrize("mistake", IN_THE_MODEL)
def test_a_mistake_in_the_model_is_said_before_the_clock_starts(mistake, race, tmp_path):
    *replaced, says = IN_THE_MODEL[mistake]
    line = race(changed(folders.readme_example(), tmp_path, *replaced))
    assert all(part in line for part in says.split(" & ")), line


FEATURES = """x = torch.tanh(self.mix(recent))
        return x

    def output(self):
        return OUTPUT"""


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("self.embed.weight, None", "must give .* 2 things"),
        ("self.embed.weight", "must give .* Parameter"),
        ("self.embed.weight[1:], None, 0", r"\(299, .*\(300, "),
        ("self.embed.weight[:, 1:], None, 0", r"features has shape \(4, 32, .*expected rows"),
        ("self.embed.weight, self.embed.weight[0], 9", "tail entry has shape"),
        ("self.embed.weight, self.embed.weight[:1], 300", "not normalised.* nats"),
    ],
)
def test_a_mistake_in_features_and_output(output, says, race, tmp_path):
    files = folders.readme_example()
    files[MODEL] = files[MODEL].replace("def logits", "def features")
    code = FEATURES.replace("OUTPUT", output)
    line = race(changed(files, tmp_path, MODEL, RETURN, code))
    assert re.search(says, line), line


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ([MODEL], "no __init__.py there"),
        ([INIT], "lacks a model file (torch_model.py or mlx_model.py)"),
        ([], "no __init__.py there"),
        (None, "no such folder"),
    ],
)
def test_a_file_that_is_missing_is_named(left, says, race, tmp_path):
    files = folders.readme_example()
    if left is not None:
        folders.write(tmp_path / "mine", {name: files[name] for name in left})
    assert says in race(tmp_path / "mine")


def test_a_folder_given_without_a_slash_is_pointed_to(race, tmp_path, monkeypatch):
    folder = folders.write(tmp_path / "mine", folders.readme_example())
    monkeypatch.chdir(tmp_path)
    assert "--arch ./mine" in race("mine")
    line = race(folder, "--set", "model.width=8")
    assert "came to 2,656" in line and "--set model" in line, "a width that was fixed is varied"


def test_what_the_folder_says_to_a_person_keeps_its_words(race):
    assert race(folders.PLUGIN, "--set", "model.num_bags=0") == (
        "error: architecture 'recent_words': model.num_bags=0: must divide model.width=1"
    )


def test_the_whole_traceback_can_be_had(stories, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEEDRUN_TRACEBACK", "1")
    wrong = (MODEL, RETURN, "return torch.tanh(self.mix)")
    folder = changed(folders.readme_example(), tmp_path, *wrong)
    where = ["--arch", folder, "--device", "cpu", "--data", stories, "--out", tmp_path / "runs"]
    with pytest.raises(ValueError, match="torch_model") as caught:
        app.main([str(word) for word in (*where, *TINY, *FAST)])
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("return self.embed.weight, None, 0", "return self.embed.weight[1:], None, 0", "(299, "),
        ("return self.embed.weight,", "return self.embed.weight[:, 1:],", "features has shape (4"),
        ("return _rms_norm(x_BTD +", "return self.down @ _rms_norm(x_BTD +", "at mlx_model.py:"),
        ("def output", "def outputs", "features and output, or logits"),
        ("self.speeds =", "self.paces = mx.zeros(1)\n        self.speeds =", "'paces'"),
        ("ages_TT >= 0", "ages_TT >= -1", "not causal"),
    ],
)
def test_mistakes_in_mlx(old, new, says, race, tmp_path):
    if not any(row.backend == "mlx" and row.available for row in registry.devices()):
        pytest.skip("mlx: not here")
    files = {f.name: f.read_text(encoding="utf-8") for f in folders.PLUGIN.glob("*.py")}
    line = race(changed(files, tmp_path, "mlx_model.py", old, new), device="mlx")
    assert says in line, line
