"""One variant, built and warm: a repeat of each measurement at a time, whenever it is asked for.

Everything goes the way that a race goes: the engine's steps on rows of the stream, `evaluate`'s
score, `generate`'s story.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from speedrun.backends import common, registry
from speedrun.bench.cases import Variant
from speedrun.data import heldout as splits
from speedrun.data import open, tokenizer
from speedrun.data.heldout import HeldOut
from speedrun.data.loader import TokenStream
from speedrun.data.tokenizer import Tokenizer
from speedrun.evaluation import generate
from speedrun.evaluation import score as evaluate
from speedrun.models import flops, loader
from speedrun.plan import compute as work
from speedrun.protocols import EngineSpec, Profiled, Rows
from speedrun.system import hardware, paths
from speedrun.training import record, trainer
from speedrun.training.request import resolve

BURST_S = 1.0  # of training in a repeat
NUM_DOCS = 64  # scored in a repeat
STORY_TOKENS = 200
# Scored and sampled are weights that have learnt for so long: how many noise draws a bound
# needs, and where a story ends, depends on them, so they must be the same every time.
NUM_LEARNING_STEPS = 8
_NUM_WARM_UP_STEPS = 3
_LEAD_IN_S = 0.3  # before a repeat: rows that had time to pile up are no speed
_FEWEST_PROFILED, _MOST_PROFILED = 4, 64  # steps
_MAX_TRIES = 8  # of seeds, for a story that does not end early


class Burst(NamedTuple):
    """A repeat of training."""

    num_steps: int
    taken_s: float
    waited_s: float  # for data


@dataclass
class _Counting:
    """A tokenizer that remembers how many tokens it made text of."""

    inner: Tokenizer
    num_decoded: int = 0

    def encode(self, text: str) -> Any:
        return self.inner.encode(text)

    def decode(self, ids: Any) -> str:
        self.num_decoded = len(ids)
        return self.inner.decode(ids)


class Subject:
    """An engine, its data, and what is measured of them."""

    def __init__(
        self,
        variant: Variant,
        scratch: Path,
        notice: Callable[[str], None] = lambda text: None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._variant, self._now = variant, now
        self._architecture = loader.architecture(variant.arch)
        self._device = registry.device(variant.device, self._architecture)
        self._backend = registry.backend(self._device.backend)
        data = variant.request.data
        source = open.open_source(data.path, notice)
        heldout = splits.pin(source, data.eval_docs)
        self._docs = HeldOut(heldout.documents[:NUM_DOCS])
        self._tokenizer = tokenizer.for_data(
            source, heldout, data.vocab, data.tokenizer, paths.cache_dir() / "tokenizers", notice
        )
        self._run = resolve(self._architecture, variant.request, self._tokenizer.vocab)
        run = self._run
        # A cache of its own: what was tokenized before would make training faster than it is.
        self._stream = TokenStream(
            source,
            heldout,
            self._tokenizer,
            scratch,
            context=run.model.context,
            batch_rows=run.recipe.batch_rows,
        )
        self._matmul_gflops = {
            precision: self._backend.matmul_gflops(self._device, precision)
            for precision in ("fp32", "bf16")
        }
        self._engine = self._backend.engine(
            EngineSpec(
                architecture=self._architecture,
                config=run.model,
                recipe=run.recipe,
                device=self._device,
                seed=run.seed,
            )
        )
        self._train: list[float] = []
        self._score: list[float] = []
        self._sample: list[float] = []
        self._waited_s = 0.0
        self._trained: list[Burst] = []
        self._num_draws: int | None = None
        self._profile: dict[str, Any] | None = None
        self._stream.__enter__()

    def close(self) -> None:
        self._stream.__exit__(None, None, None)

    def prepare(self) -> None:
        """Compile, warm up, learn a little, and take every path once."""
        self._steps(1 + _NUM_WARM_UP_STEPS)
        self._engine.reset()
        self._steps(NUM_LEARNING_STEPS)
        self._engine.finalize()
        self._engine.sync()
        self._evaluate()
        self._choose_story()

    # -- one repeat of each

    def train(self) -> float:
        """Train for about `BURST_S`; tokens per second."""
        self._train_for(_LEAD_IN_S)
        self._waited_s = 0.0
        num_steps, taken_s = self._train_for(BURST_S)
        self._trained.append(Burst(num_steps, taken_s, self._waited_s))
        self._train.append(self._num_tokens(num_steps) / taken_s)
        return self._train[-1]

    def learn(self, num_steps: int) -> float:
        """Take so many training steps, however long they last; tokens per second."""
        since_s = self._now()
        self._steps(num_steps)
        return self._num_tokens(num_steps) / (self._now() - since_s)

    def score(self) -> float:
        """Score the same documents again; tokens per second."""
        self._engine.finalize()
        taken_s, score = self._evaluate()
        self._num_draws = score.num_draws
        self._score.append(score.num_tokens / taken_s)
        return self._score[-1]

    def sample(self) -> float:
        """Tell the same story again; tokens per second."""
        self._engine.finalize()
        taken_s, num_tokens = self._tell(self._story_seed)
        self._sample.append(num_tokens / taken_s)
        return self._sample[-1]

    def profile(self) -> None:
        """Take about a second of training steps apart; the wait for rows is that of `train`."""
        num_steps = sum(burst.num_steps for burst in self._trained)
        taken_s = sum(burst.taken_s for burst in self._trained)
        wanted = round(num_steps * BURST_S / taken_s) if num_steps else 0
        batches = [self._rows() for _ in range(min(max(_FEWEST_PROFILED, wanted), _MOST_PROFILED))]
        found = cast(Profiled, self._engine).profile(batches)
        wait_s = sum(burst.waited_s for burst in self._trained) / max(1, num_steps)
        parts_s = {"waiting for data": wait_s, **found.parts_s}
        self._profile = {"parts_s": parts_s, "note": found.note}

    # -- what was found

    def row(self) -> dict[str, Any]:
        """A `result.Row` as plain values."""
        run, device, machine = self._run, self._device, hardware.machine()
        return {
            "arch": run.arch,
            "params": self._variant.params,
            "device": device.name,
            "backend": device.backend,
            "hardware_class": hardware.hardware_class(machine, device.name, device.accelerator),
            "accelerator": device.accelerator,
            "versions": record.versions(self._backend),
            "num_params": run.model.num_params,
            "context": run.model.context,
            "batch_rows": run.recipe.batch_rows,
            "engine": self._engine.metadata(),
            "matmul_gflops": self._matmul_gflops,
            "flop": self._flop(),
            "train": self._train,
            "wait_share": sum(b.waited_s for b in self._trained)
            / max(1e-9, sum(b.taken_s for b in self._trained)),
            "score": self._score,
            "num_draws": self._num_draws,
            "sample": self._sample,
            "peak_bytes": self._engine.peak_bytes(),
            "profile": self._profile,
        }

    def _flop(self) -> dict[str, Any] | None:
        run = self._run
        if not self._architecture.initial(run.model, run.seed):  # counted: nothing is multiplied
            return None
        is_processor = self._device.accelerator is None
        parts, formula = work.parts_of(self._architecture, run.model, is_processor=is_processor)
        return {
            "train_6n": flops.train_flop(run.model.num_params, 1),
            "train_exact": flops.exact_flop(sum(parts.values()), 1),
            "formula": formula,
        }

    # -- how it is measured

    def _num_tokens(self, num_steps: int) -> int:
        return num_steps * self._run.recipe.batch_rows * self._run.model.context

    def _rows(self) -> Rows:
        rows = self._stream.next_rows()
        assert rows is not None, "it waits for ever"
        return rows

    def _train_for(self, seconds: float) -> tuple[int, float]:
        """Steps for at least so long, waiting for the device as often as a race does."""
        since_s, num_steps, taken_s = self._now(), 0, 0.0
        while taken_s < seconds:
            wanted = num_steps * trainer.SYNC_EVERY_S / taken_s if num_steps else 1
            num = max(1, min(int(wanted), 2 * num_steps))
            self._steps(num)
            num_steps, taken_s = num_steps + num, self._now() - since_s
        return num_steps, taken_s

    def _steps(self, num_steps: int) -> None:
        """So many steps, with the wait for their rows, to their end."""
        for _ in range(num_steps):
            before_s = self._now()
            rows = self._rows()
            self._waited_s += self._now() - before_s
            common.step_with_retry(self._engine, rows)
        self._engine.sync()

    def _evaluate(self) -> tuple[float, evaluate.Score]:
        run = self._run
        since_s = self._now()
        score = evaluate.score(
            self._engine,
            self._docs,
            self._tokenizer,
            context=run.model.context,
            stride=run.data.stride,
            likelihood=self._architecture.LIKELIHOOD,
        )
        return self._now() - since_s, score

    def _choose_story(self) -> None:
        """The first seed whose story has all its tokens, or that of the longest tried."""
        lengths: dict[int, int] = {}
        for seed in range(_MAX_TRIES):
            _, lengths[seed] = self._tell(seed)
            if lengths[seed] >= STORY_TOKENS:
                break
        self._story_seed = max(lengths, key=lambda seed: lengths[seed])

    def _tell(self, seed: int) -> tuple[float, int]:
        """Seconds of a story, and how many tokens were drawn for it."""
        sampling = generate.Sampling(seed=seed, max_tokens=STORY_TOKENS)
        counting = _Counting(self._tokenizer)
        since_s = self._now()
        generate.tell(
            self._engine,
            self._architecture,
            self._run.model,
            cast(Tokenizer, counting),
            generate.PROMPT,
            sampling,
        )
        taken_s = self._now() - since_s
        if self._architecture.LIKELIHOOD == "bound":  # all are drawn at once, wherever it ends
            return taken_s, STORY_TOKENS
        given = 1 + len(self._tokenizer.encode(generate.PROMPT))
        return taken_s, max(1, counting.num_decoded - given)
