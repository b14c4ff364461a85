"""The cases of a bench: every size on every device, without those that cannot run."""

import pytest

from speedrun.backends import registry
from speedrun.bench.cases import cases
from speedrun.models import loader


def test_cases_are_every_size_on_every_device_requested():
    found, left_out = cases("lstm,ngram", "250K,1M", "auto", None)
    assert not left_out
    for arch in ("lstm", "ngram"):
        device = registry.device("auto", loader.architecture(arch)).name
        sizes = [c.params for c in found if (c.arch, c.device) == (arch, device)]
        assert sizes == [250_000, 1_000_000]
    every = {c.device for c in cases("lstm", "1M", "all", None)[0]}
    assert every == {d.name for d in registry.devices() if d.available and d.backend != "numpy"}
    assert [c.name for c in cases("lstm", "1M", "cpu", None)[0]] == ["lstm 1M cpu"]


def test_what_a_backend_cannot_run_is_left_out_unless_requested_by_name():
    found, left_out = cases(None, "1M", "numpy", None)
    assert {c.arch for c in found} == {"ngram"}
    assert len(left_out) >= 3 and all("numpy" in line for line in left_out)
    with pytest.raises(ValueError, match=r"numpy_model\.py"):
        cases("lstm", "1M", "numpy", None)
