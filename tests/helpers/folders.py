"""Architectures in folders of their own: README's example, whole or with a mistake in it."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "tests" / "plugins" / "recent_words"
_BLOCK = re.compile(r'^```python title="four_words/(\w+\.py)"\n(.*?)^```', re.MULTILINE | re.DOTALL)


def readme_example() -> dict[str, str]:
    """The example's files as a newcomer would copy them."""
    text = (ROOT / "architectures" / "README.md").read_text(encoding="utf-8")
    return dict(_BLOCK.findall(text))


def looking_ahead() -> dict[str, str]:
    """The transformer with attention that sees what it has to predict."""
    folder, causal = ROOT / "architectures" / "transformer", "is_causal=kept is None"
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    assert causal in files["torch_model.py"]
    return files | {"torch_model.py": files["torch_model.py"].replace(causal, "is_causal=False")}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def write_stories(path: Path) -> Path:
    """A few hundred short documents in one .jsonl file."""
    who, what = ("Tom", "Lily", "Ben", "Mia"), ("a ball", "a cat", "the sun", "some cake")
    lines = [
        json.dumps({"text": f"{who[i % 4]} saw {what[i // 4 % 4]} on day {i}. It was good."})
        for i in range(800)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
