"""Settings that no model has are refused before a framework is imported, which takes seconds."""

import subprocess
import sys

_REFUSED = {
    "--set lr=1": "unknown --set key 'lr': did you mean recipe.lr?",
    "--set recipe.lr": "write it as key=value",
    "--set recipe.lr=fast": "--set recipe.lr=fast: expected a valid number",
    "--set recipe.lr=-1": "recipe.lr=-1.0: must be above 0",
    "--params 1K": "too small for a vocabulary of 4096",
    "--recipe defalt": "did you mean default?",
    "sweep --set lr=1": "unknown --set key 'lr'",
    "duel --set lr=1": "unknown --set key 'lr'",
}
_CALLS = """
import sys
from speedrun.cli import app
for words in sys.argv[1:]:
    try:
        app.main([*words.split(), "--data", "storybook", "--out", "out"])
    except SystemExit as error:
        assert error.code == 2, words
    assert not {"torch", "mlx"} & sys.modules.keys(), f"{words}: a framework was imported"
"""


def test_settings_that_are_none_wait_for_no_framework(tmp_path):
    command = [sys.executable, "-c", _CALLS, *_REFUSED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for error, (words, says) in zip(errors, _REFUSED.items(), strict=True):
        assert says in error, words
    assert not list(tmp_path.rglob("record.json"))
