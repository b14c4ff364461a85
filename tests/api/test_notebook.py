"""The notebook of the guides runs from its first cell to its last."""

import json
from pathlib import Path

import matplotlib.figure

from speedrun.data import tokenizer

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebook.ipynb"


def test_its_cells_run_with_a_short_budget(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEEDRUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tokenizer, "TRAINING_BYTES", 200_000)
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(sources) == 5 and sources[0].splitlines()[1].startswith("%pip install")
    namespace: dict[str, object] = {}
    for source in sources[1:]:
        short = source.replace("minutes=0.5", "minutes=0.02, eval_docs=20, tune='off'")
        short = short.replace('"recipe.lr": ', '"recipe.compile": False, "recipe.lr": ')
        short = short.replace("seed=0)", "seed=0, set={'recipe.compile': False})")
        *rest, last = short.splitlines()
        exec("\n".join(rest), namespace)
        namespace["shown"] = eval(last, namespace)
    assert isinstance(namespace["shown"], matplotlib.figure.Figure)
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == 2
