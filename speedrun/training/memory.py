"""Memory of a race against what is free, before anything is built."""

import dataclasses
import functools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psutil

from speedrun.backends import common, registry
from speedrun.config import ModelConfig, Recipe, num_params_tables
from speedrun.device import Device
from speedrun.distributed.group import ProcessGroup
from speedrun.models import memory
from speedrun.text import format_size, size
from speedrun.training.request import CheckedRequest, shape

# Races took 0.55 to 1.1 times the estimate (measured): one is refused only where the least of
# that does not fit, and what is proposed fits by the whole of it.
LEAST, MOST = 0.55, 1.1
_SMALLEST = 10_000  # parameters of a proposal


@dataclass(frozen=True)
class Fit:
    """A race with the vocabulary that was asked for, and the device that must hold it."""

    checked: CheckedRequest
    device: Device
    group: ProcessGroup

    def check(self) -> str | None:
        """A remark where memory may run out; ValueError where it must. Both say what fits.

        A counted model needs what the text fills, which nobody knows before: it has no check.
        """
        request, fields = self.checked.request, self.checked.architecture.RECIPE_FIELDS
        if fields is not None and "optimizer" not in fields:
            return None
        model, free = self.checked.run(request.data.vocab).model, self._free
        # In fp32 first: the precision that pays takes a measurement to know.
        if MOST * self._needs(model, self._rows, "fp32") <= free:
            return None
        needed = self._needs(model, self._rows)
        if MOST * needed <= free:
            return None
        short = f"about {size(needed)} of memory are needed, {size(free)} are free"
        if request.again is not None:
            fitting = "give it a machine with more, or close other programs"
        else:
            options = (
                self._largest_tables(model),
                self._largest_rows(model),
                self._largest_size(model.num_params),
            )
            fitting = (
                f"what fits: {' or '.join(filter(None, options)) or 'a smaller --vocab or context'}"
            )
            tables = "" if request.tables == "0" else f" --tables {request.tables}"
            short = f"--params {request.params}{tables}: {short}"
        if LEAST * needed <= free:
            return f"{short}, it may run out; {fitting}"
        raise ValueError(f"{short}; {fitting}")

    @cached_property
    def _free(self) -> float:
        """Bytes for one process, with what it has taken already where it shares them."""
        free = float(registry.backend(self.device.backend).free_bytes(self.device))
        if not self._is_shared:
            return free
        here = max(1, self.group.size // self.group.num_devices)  # processes of this machine
        return free / here + psutil.Process().memory_info().rss

    @property
    def _is_shared(self) -> bool:
        """Whether the device's memory is the machine's, where too much of it ends the process."""
        return self.device.accelerator is None or self.device.shared is not None

    @property
    def _rows(self) -> int:
        """Rows that must fit at once: one, where a device refuses and smaller pieces follow."""
        return common.rows_at_once(self.checked.recipe, self.group) if self._is_shared else 1

    @cached_property
    def _precision(self) -> str:
        wanted, driver = self.checked.recipe.precision, registry.backend(self.device.backend)
        return common.precision(
            wanted, self.device, lambda name: driver.matmul_gflops(self.device, name)
        )

    def _needs(
        self,
        model: ModelConfig,
        num_rows: int,
        precision: str | None = None,
        recipe: Recipe | None = None,
    ) -> float:
        is_processor = self.device.accelerator is None
        precision, recipe = precision or self._precision, recipe or self.checked.recipe
        found = memory.of_race(model, recipe, num_rows, precision, is_processor=is_processor)
        return found.total

    def _largest_tables(self, model: Any) -> str | None:
        """The tables halved until the model fits, and its size with them."""
        fields = [name for name in getattr(model, "TABLE_FIELDS", ()) if getattr(model, name, 0)]
        while any(getattr(model, name) > 1 for name in fields):
            halves = {name: -(-getattr(model, name) // 2) for name in fields}
            model = dataclasses.replace(model, **halves)
            if MOST * self._needs(model, self._rows) <= self._free:
                if self.checked.request.tables != "0":
                    return f"--tables {format_size(num_params_tables(model))}"
                options = [f"--set model.{name}={number}" for name, number in halves.items()]
                if self.checked.request.params not in self.checked.architecture.PRESETS:
                    options.insert(0, f"--params {format_size(model.num_params)}")
                return " ".join(options)
        return None

    def _largest_rows(self, model: ModelConfig) -> str | None:
        """The most rows of one pass that fit, in pieces that make up a batch.

        Where not one fits, with activation checkpointing, which costs time.
        """
        recipe = self.checked.recipe
        pieces = [n for n in range(self._rows - 1, 0, -1) if recipe.batch_rows % n == 0]
        for num_rows in pieces:
            if MOST * self._needs(model, num_rows) <= self._free:
                return f"--set recipe.micro_batch_rows={num_rows}"
        less = dataclasses.replace(recipe, activation_checkpointing=True)
        try:
            registry.backend(self.device.backend).check(less, self.device)
        except ValueError:  # the framework has none
            return None
        for num_rows in [] if less == recipe else [self._rows, *pieces]:
            if MOST * self._needs(model, num_rows, recipe=less) <= self._free:
                rows = f" --set recipe.micro_batch_rows={num_rows}" if num_rows in pieces else ""
                return f"--set recipe.activation_checkpointing=true{rows}"
        return None

    def _largest_size(self, too_large: int) -> str | None:
        """The largest size that fits with the rows that were asked for, to two digits."""
        checked, fitting, low, high = self.checked, None, _SMALLEST, too_large
        vocab = checked.request.data.vocab
        make = functools.partial(shape, checked.architecture, vocab=vocab)
        while high > 1.02 * low:
            middle = int((low * high) ** 0.5)
            try:
                sizes = str(middle), checked.request.tables
                model = make(sizes, of_recipe=checked.of_recipe, chosen=checked.chosen)
            except ValueError:  # too small for its vocabulary, or for the fields that were chosen
                low = middle
                continue
            if MOST * self._needs(model, self._rows) <= self._free:
                fitting, low = middle, middle
            else:
                high = middle
        if fitting is None:
            return None
        digits = 10 ** (len(str(fitting)) - 2)
        return f"--params {format_size(fitting // digits * digits)}"
