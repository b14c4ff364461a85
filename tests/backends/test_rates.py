"""The usual rate of matrix products: low on a disturbed machine, the same after a hiccup."""

import pytest

from speedrun.backends import common, registry

QUICK_S = 2e-3  # of a product
SUSTAINED_S = common.SUSTAINED_S  # before tests shorten it


class Machine:
    """A clock that products turn forward; `slow(now)` is how much longer one takes at a time."""

    def __init__(self, slow) -> None:
        self.now, self.slow, self.sizes = 0.0, lambda now: 1.0, set()
        self._then = slow

    def multiplier(self, size):
        self.sizes.add(size)

        def multiply():
            self.now += QUICK_S * (size / 512) ** 3 * self.slow(self.now)

        return multiply

    def rate(self, monkeypatch) -> float:
        """The rate that is measured, as a share of that of an undisturbed machine."""
        monkeypatch.setattr(common, "SUSTAINED_S", SUSTAINED_S)
        monkeypatch.setattr(common.time, "perf_counter", lambda: self.now)
        measure = common.sustained_gflops(self.multiplier)
        self.slow, self.now = self._then, 0.0
        found = measure()
        assert found is not None
        return found / (2e-9 * 512**3 / QUICK_S)


@pytest.mark.parametrize(
    ("slow", "share"),
    [
        (lambda now: 1.0, 1.0),
        (lambda now: 50.0 if 0.1 < now < 0.2 else 1.0, 1.0),  # a hiccup
        (lambda now: 3.0 if now % 0.02 < 0.01 else 1.0, 0.5),  # a core is shared, in turns
        (lambda now: 4.0, 0.25),
    ],
)
def test_what_slows_products_all_the_while_counts_and_a_hiccup_does_not(slow, share, monkeypatch):
    machine = Machine(slow)
    assert machine.rate(monkeypatch) == pytest.approx(share, rel=0.25)
    assert max(machine.sizes) == 512


def test_memory_that_is_short_is_no_rate():
    is_short = False

    def multiplier(size):
        if is_short:
            raise MemoryError
        return lambda: None

    measure = common.sustained_gflops(multiplier)
    is_short = True
    assert measure() is None


def test_every_device_here_has_a_rate():
    for device in (one for one in registry.devices() if one.available):
        found = registry.backend(device.backend).sustained_gflops(device)()
        assert found is None or found > 0
