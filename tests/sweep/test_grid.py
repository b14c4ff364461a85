"""The races of a grid, their order and settings, and which records complete them."""

from dataclasses import replace

import pytest
from helpers.sweeps import FakeRace

from speedrun.sweep.grid import plan, variants
from speedrun.sweep.sweep_dir import records


def test_seeds_are_outermost_and_every_second_goes_backwards(planned):
    order = [(race.key.params, race.key.seed) for race in planned.races]
    assert order == [(20_000, 0), (40_000, 0), (60_000, 0), (60_000, 1), (40_000, 1), (20_000, 1)]
    assert planned.races[1].label == "transformer 40K, 0.02 min, seed 0"


def test_a_race_has_every_option_of_the_grid(planned, small_grid):
    base = planned.grid.base
    for race in planned.races:
        _, params, minutes, seed, *_ = race.key
        wanted = replace(base, params=str(params), budget_s=60 * minutes, seed=seed)
        assert race.request == wanted
        assert race.config["seed"] == seed and race.config["budget_s"] == 60 * minutes
    assert base == replace(small_grid.base, out=base.out)


def test_tables_are_an_axis_beside_the_sizes(small_grid):
    grid = replace(small_grid, params=(20_000, 40_000), tables=(0, 256_000), num_seeds=1)
    races = plan(grid, print).races
    assert [(r.key.params, r.key.tables) for r in races] == [
        *[(20_000, 0), (20_000, 256_000), (40_000, 0), (40_000, 256_000)]
    ]
    assert races[1].label == "transformer 20K + 256K in tables, 0.02 min, seed 0"
    dense, tables = (race.config["model"] for race in races[:2])
    rows = {name: tables.pop(name) for name in ("input_bigrams", "value_bigrams")}
    assert dense == tables and len(set(rows.values())) == 1
    assert sum(rows.values()) * dense["width"] == pytest.approx(256_000, rel=0.01)


def test_settings_that_vary_are_an_axis_too(small_grid):
    varied = variants(["recipe.lr=0.01,0.02", "model.depth=2,3"])
    assert len(varied) == 4 and varied[1] == "recipe.lr=0.01 model.depth=3"
    grid = replace(small_grid, params=(40_000,), variants=varied, num_seeds=1)
    races = plan(grid, print).races
    assert [race.key.variant for race in races] == sorted(varied)
    assert {race.config["recipe"]["lr"] for race in races} == {0.01, 0.02}
    assert races[0].label == "transformer 40K, recipe.lr=0.01 model.depth=2, 0.02 min, seed 0"
    assert races[0].request.settings[-2:] == ("recipe.lr=0.01", "model.depth=2")
    with pytest.raises(LookupError, match=r"recipe\.lrr"):
        plan(replace(grid, variants=("recipe.lrr=1",)), print)
    for wrong in ("recipe.lr", "recipe.lr=", "recipe.lr=1,,2", "recipe.lr=1, 2"):
        with pytest.raises(ValueError, match="write it as key=value,value"):
            variants([wrong])


@pytest.mark.parametrize("wrong", [["recipe.lr=1,1"], ["recipe.lr=1", "recipe.lr=2"]])
def test_a_setting_or_a_value_that_is_varied_twice_is_refused(wrong):
    with pytest.raises(ValueError, match="each setting once, and each value once"):
        variants(wrong)


def test_a_size_that_cannot_be_is_refused_before_data_is_opened(small_grid):
    base = replace(small_grid.base, data=replace(small_grid.base.data, path="nowhere"))
    with pytest.raises(ValueError, match="too small"):
        plan(replace(small_grid, params=(1_000, 40_000), base=base), print)


def test_architectures_of_two_hardware_classes_are_refused(small_grid, monkeypatch):
    names = iter(("cpu-a", "cuda-b"))
    monkeypatch.setattr("speedrun.system.hardware.hardware_class", lambda *_: next(names))
    with pytest.raises(ValueError, match="cpu-a and cuda-b, which are different tracks"):
        plan(replace(small_grid, archs=("transformer", "lstm")), print)


def test_paths_are_absolute_for_other_working_directories(small_grid, stories, monkeypatch):
    monkeypatch.chdir(stories.parent)
    base = replace(small_grid.base, data=replace(small_grid.base.data, path=stories.name))
    there = replace(small_grid, archs=("./mine", "lstm"), base=base).absolute()
    assert there.archs == (str(stories.parent / "mine"), "lstm")
    assert there.base.data == small_grid.base.data


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"status": "diverged", "score": None}, None),
        ({"hardware__class": "cuda-h200"}, "hardware class is cuda-h200, the sweep's"),
        ({"data__train_fingerprint": "0" * 64}, "train data is 000000000000, the sweep's"),
        ({"data__heldout_fingerprint": "0" * 64}, "held-out data is 000000000000"),
        ({"status": "interrupted"}, "interrupted"),
        ({"clock__suspended_s": 3.0}, "slept"),
    ],
)
def test_a_record_completes_its_race_only_in_the_track_of_the_sweep(planned, changes, problem):
    for _ in FakeRace(planned, **changes)(planned.races[0].request):
        pass
    ((record,), _) = records(planned.grid.base.out)
    found = planned.problem(record)
    assert found is None if problem is None else problem in str(found)
    assert planned.done([record]).keys() == ({planned.races[0].key} if problem is None else set())
