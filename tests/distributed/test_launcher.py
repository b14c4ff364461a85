"""Launchers are known by the environment that they set."""

import pytest
from helpers.process_groups import VARIABLES as TORCHRUN

from speedrun.distributed import launcher


def test_torchrun():
    found = launcher.launched(TORCHRUN)
    assert found is not None
    assert (found.by, found.backend) == ("torchrun", "torch")
    assert (found.rank, found.size, found.local_rank, found.local_size) == (3, 4, 1, 2)


@pytest.mark.parametrize(
    "environment",
    [{**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"}, {"RANK": "3", "WORLD_SIZE": "4"}, {}],
    ids=["one process", "variables of something else", "none"],
)
def test_a_single_process_has_no_launcher(environment):
    assert launcher.launched(environment) is None


def test_mlx_launch(tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text('[["127.0.0.1:32323"], ["127.0.0.1:32324"], ["127.0.0.1:32325"]]')
    found = launcher.launched({"MLX_RANK": "2", "MLX_HOSTFILE": str(hosts)})
    assert found is not None
    assert (found.by, found.backend, found.rank, found.size) == ("mlx.launch", "mlx", 2, 3)
    by_number = launcher.launched({"MLX_RANK": "1", "MLX_WORLD_SIZE": "2"})
    assert by_number is not None and by_number.size == 2
    hosts.write_text("\n")  # for one process it leaves the file empty
    assert launcher.launched({"MLX_RANK": "0", "MLX_HOSTFILE": str(hosts)}) is None


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({**TORCHRUN, "RANK": "first"}, "RANK is 'first', not a number"),
        ({"MLX_RANK": "0", "MLX_HOSTFILE": "/no/such/file"}, "cannot be read"),
    ],
)
def test_variables_that_cannot_be_read_are_named(environment, says):
    with pytest.raises(ValueError, match=says):
        launcher.launched(environment)
