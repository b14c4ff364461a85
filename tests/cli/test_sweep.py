"""The options of `sweep`: each mistake is one line, exit code 2, and leaves nothing behind."""

import sys

import pytest
from helpers.command_line import refused

from speedrun.cli.sweep import Races


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--params", "40K,20K"], "larger than the one before"),
        (["--params", "40K,40K"], "larger than the one before"),
        (["--params", "40K,many"], "give a number"),
        (["--minutes", "2,1"], "larger than the one before"),
        (["--minutes", "0"], "above 0"),
        (["--seeds", "0"], "1 to 100"),
        (["--arch", "transfomer"], "did you mean transformer"),
        (["--arch", "lstm,lstm"], "different architectures"),
        (["--arch", ","], "different architectures"),
        (["--params", "1K,2M"], "ask for"),
        (["--recipe", "defualt"], "did you mean default"),
        (["--device", "gpu"], "unknown device"),
        (["--set", "recipe.lrr=1"], "did you mean recipe.lr"),
        (["--data", "no/such/place"], "no such file"),
        (["--eval-docs", "some"], "'all'"),
        (["--report", "no/such/folder"], "no such directory"),
        (["--report", "."], "no ranked run there"),
        (["--report", ".", "--hold-out-minutes", "soon"], "--hold-out-minutes"),
        (["--on", "slurm"], "allowed are local and ray"),
        (["--address", "127.0.0.1:6379"], "only with --on ray"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(args, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in refused("sweep", *args)
    assert not list(tmp_path.rglob("*"))


def test_without_ray_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert ".[ray]" in refused("sweep", "--on", "ray", "--out", tmp_path / "sweep")
    assert not list(tmp_path.iterdir())


def test_options_reach_every_race():
    races = Races(device="cpu", recipe="goedecke", set_=("recipe.lr=1",), tune="off", vocab=300)
    base = races.grid().base
    assert (base.backend, base.recipe, base.settings) == ("cpu", "goedecke", ("recipe.lr=1",))
    assert (base.tune, base.data.vocab, base.data.eval_docs) == ("off", 300, 2000)
    assert str(base.out) == "sweeps/transformer"
