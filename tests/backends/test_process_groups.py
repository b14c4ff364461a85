"""Two real processes that train one model: the losses and scores of one process."""

import importlib.util
import json
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import rank_child
from helpers.process_groups import ROOT, TORCHRUN, launched

from speedrun.distributed.group import ProcessGroup

pytestmark = pytest.mark.slow
CHILD = str(ROOT / "tests" / "helpers" / "rank_child.py")
# Exchanges of gradients, clipped as a whole; pieces of two rows, of which the last is smaller
# where two share the eight; both optimizers.
PIECES = ["recipe.batch_rows=6", "recipe.micro_batch_rows=2", "recipe.grad_clip=0.5"]
TABLE = "model.input_bigrams=50"
CASES = {"transformer": [*PIECES, TABLE], "d3pm": ["recipe.batch_rows=6", TABLE]}


def two_processes(launcher: list[str], tmp_path: Path, *archs: str) -> dict:
    """The findings of two processes, by architecture."""
    out, cases = tmp_path / "found.json", json.dumps({arch: CASES[arch] for arch in archs})
    code, output, errors = launched(
        [*launcher, CHILD, str(out), cases], env={"PYTHONPATH": str(ROOT)}
    )
    assert code == 0, output + errors
    return json.loads(out.read_text())


def assert_same(found: dict, arch: str, backend: str) -> None:
    """Two processes found what one finds."""
    request = rank_child.request_of(arch, CASES[arch], backend)
    expected = rank_child.findings(request, ProcessGroup())
    losses = expected["losses"]
    assert np.ptp(losses) > 0.2, "nothing moved, so that nothing is shown"
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-5)
    for name, weight in expected["trained"].items():
        np.testing.assert_allclose(found["trained"][name], weight, atol=1e-4, err_msg=name)
    assert found["nats"] == expected["nats"], "the score depends on who took it"
    assert (found["facts"]["world_size"], found["apart"]) == (2, 0.0)


def test_two_gloo_processes_learn_and_score_as_one(tmp_path):
    pytest.importorskip("torch")
    for arch, found in two_processes([*TORCHRUN, "2"], tmp_path, *CASES).items():
        assert_same(found, arch, "cpu")
        assert found["facts"]["exchange"] == "gloo"


@pytest.mark.mlx
def test_two_mlx_processes_learn_and_score_as_one(tmp_path):
    if importlib.util.find_spec("mlx") is None:
        pytest.skip("MLX is not installed")
    command = [str(Path(sys.executable).with_name("mlx.launch")), "-n", "2", "--backend", "ring"]
    launcher = [*command, "--starting-port", str(free_port()), "--", sys.executable]
    assert_same(two_processes(launcher, tmp_path, "d3pm")["d3pm"], "d3pm", "mlx")


def free_port() -> int:
    """The first of two ports that are likely free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return min(probe.getsockname()[1], 65000)
