"""Stand-ins behind the seams: an engine that costs fake time, a stream that never ends."""

from typing import Any

import numpy as np

from architectures.transformer import Config
from speedrun.backends.reader import TextReader
from speedrun.config import Data, Recipe, Run
from speedrun.protocols import OutOfMemory

VOCAB, CONTEXT, ROWS = 16, 8, 4


def run_of(budget_s: float, **recipe) -> Run:
    shape: dict[str, Any] = {"width": 8, "depth": 1, "heads": 1, "hidden": 8}
    model = Config(vocab=VOCAB, context=CONTEXT, value_tables=0, num_common=0, **shape)
    chosen = Recipe(**{"batch_rows": ROWS, "schedule": "trapezoid", **recipe})
    return Run(
        arch="fake",
        recipe_name="default",
        budget_s=budget_s,
        seed=0,
        model=model,
        recipe=chosen,
        data=Data(),
    )


class FakeStream:
    """Rows of ones; each draw costs `wait_s` of fake time."""

    def __init__(self, fake_time, wait_s: float = 0.0, batches_per_epoch=None) -> None:
        self.fake_time, self.wait_s, self.num_drawn = fake_time, wait_s, 0
        self.batches_per_epoch = batches_per_epoch

    def next_rows(self, timeout_s=None):
        if timeout_s is not None and self.wait_s > timeout_s:
            self.fake_time.advance(timeout_s)
            return None
        self.fake_time.advance(self.wait_s)
        self.num_drawn += 1
        return np.ones((ROWS, CONTEXT + 1), dtype=np.int32)

    @property
    def epochs(self):
        return None if self.batches_per_epoch is None else self.num_drawn / self.batches_per_epoch


class _FakeEngine:
    """An engine whose steps run on the device until `sync` waits for them."""

    def __init__(self, fake_time, step_s: float) -> None:
        self.fake_time, self.step_s = fake_time, step_s
        self.pending_s = 0.0
        self.num_steps = 0  # since the last reset
        self.num_resets = 0
        self.scales: list[float] = []
        self.losses: list[float] = []
        self.micro_batch_rows = ROWS
        self.fits_rows = ROWS
        self.compiled = False
        self.last_s = 0.0  # what `finalize` takes, and for each step
        self.last_s_a_step = 0.0
        self.num_finishes = 0

    def step(self, rows, lr_scale):
        if self.micro_batch_rows > self.fits_rows:
            self.fake_time.advance(self.step_s)
            raise OutOfMemory("no room")
        self.pending_s += self.step_s
        self.num_steps += 1
        self.scales.append(lr_scale)

    def sync(self):
        self.fake_time.advance(self.pending_s)
        self.pending_s = 0.0

    def finalize_s(self):
        return self.last_s + self.last_s_a_step * self.num_steps

    def finalize(self):
        self.num_finishes += 1
        self.pending_s += self.finalize_s()

    def train_loss(self):
        self.sync()
        return self.losses.pop(0) if self.losses else 1.0

    def weights(self):
        return {"step": np.array([self.num_steps])}

    def reset(self):
        self.num_resets += 1
        self.num_steps = 0
        self.scales.clear()

    def halve_micro_batch(self):
        self.micro_batch_rows //= 2
        if self.micro_batch_rows == 0:
            raise OutOfMemory("one row does not fit")
        return self.micro_batch_rows

    def metadata(self):
        return {"compiled": self.compiled, "precision": "fp32"}


class _TableEngine:
    """An exact model from a table of logits [vocab, vocab] over the last token; `leak` looks ahead.

    `nats` and `logits` can be told to break one rule each.
    """

    def __init__(self, table, *, leak: int = 0, mix: float = 0.0, scale_nats: float = 1.0) -> None:
        self.table = np.asarray(table, dtype=np.float32)
        self.leak, self.mix, self.scale_nats = leak, mix, scale_nats
        self.shapes: list[tuple[int, int]] = []

    def logits(self, tokens):
        read = np.roll(tokens, -self.leak, axis=1) if self.leak else tokens
        return self.table[read] + self.mix * tokens.sum()

    def reader(self):
        return TextReader(lambda tokens, cache: self.logits(tokens[None])[0, -1], context=4)

    def nll(self, rows, seed, prefix_length=0, timesteps=None, where=None):
        self.shapes.append(rows.shape)
        logits = self.logits(rows[:, :-1]).astype(np.float64)
        if self.mix:
            logits = logits + self.mix * np.arange(logits.shape[-1]) * len(rows)
        log_sums = np.log(np.exp(logits).sum(-1))
        picked = np.take_along_axis(logits, rows[:, 1:, None].astype(int), -1)[..., 0]
        return (log_sums - picked) * self.scale_nats


class _BoundEngine:
    """A bound on the uniform model: each target costs ln(vocab) in the mean over draws; a draw
    costs it 1 / share as much where a token is hidden, and nothing elsewhere.

    It can be told to break one rule each.
    """

    def __init__(
        self, vocab, *, scale: float = 1.0, mix: float = 0.0, charge_given=False, num_logits=None
    ) -> None:
        self.vocab, self.scale, self.mix = vocab, scale, mix
        self.charge_given, self.num_logits = charge_given, num_logits or vocab
        self.calls: list[tuple] = []

    def nll(self, rows, seed, prefix_length=0, timesteps=None, where=None):
        self.calls.append((rows.shape, prefix_length, timesteps))
        assert timesteps is not None and np.all((timesteps > 0) & (timesteps <= 1))
        hidden = np.random.default_rng(seed).random(rows[:, 1:].shape) < timesteps[:, None]
        if not self.charge_given:
            hidden[:, :prefix_length] = False
        one = self.scale * np.log(self.vocab) / timesteps[:, None] + self.mix * len(rows)
        return np.where(hidden, one, 0.0)

    def logits(self, tokens, steps=None):
        return np.zeros((*tokens.shape, self.num_logits), dtype=np.float32)


# Each is the part of an engine that its tests reach, so the type checker is told nothing.
FakeEngine: Any = _FakeEngine
TableEngine: Any = _TableEngine
BoundEngine: Any = _BoundEngine


def uniform_engine(vocab: int) -> Any:
    return TableEngine(np.zeros((vocab, vocab)))
