"""One case, built and warm: a repeat of each measurement at a time.

Everything takes the path of a race: the engine's steps on rows of the loader, the score and the
sample of `evaluation`. Run as a module, it serves `bench.runner` in a child process.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from speedrun.backends import common, registry
from speedrun.bench.cases import Case
from speedrun.data import heldout, open, tokenizer
from speedrun.data.heldout import HeldOut
from speedrun.data.loader import TokenStream
from speedrun.data.tokenizer import Tokenizer
from speedrun.evaluation import generate
from speedrun.evaluation import score as scoring
from speedrun.evaluation.scorer import Scorer
from speedrun.models import flops, loader
from speedrun.protocols import EngineSpec, Profiled, Rows
from speedrun.records.sections import Score
from speedrun.system import hardware, paths, subprocesses
from speedrun.training import trainer
from speedrun.training.request import resolve

BURST_S = 1.0  # of training in a repeat
NUM_DOCS = 64  # scored in a repeat
STORY_TOKENS = 200
# Steps before scoring and sampling: the noise draws that a bound needs and the length of a story
# depend on the weights, which must be the same every time.
NUM_LEARNING_STEPS = 8
_NUM_WARM_UP_STEPS = 3
_LEAD_IN_S = 0.3  # before a repeat, to use up the rows that were queued meanwhile
_MIN_PROFILED, _MAX_PROFILED = 4, 64  # steps
_MAX_TRIES = 8  # of seeds, for a story that does not end early


class Workload:
    """An engine, its data, and the measurements made of them."""

    def __init__(
        self,
        case: Case,
        scratch: Path,
        notice: Callable[[str], None] = lambda text: None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._case, self._now = case, now
        self._architecture = loader.architecture(case.arch)
        self._device = registry.device(case.device, self._architecture)
        self._backend = registry.backend(self._device.backend)
        data = case.request.data
        source = open.open_source(data, notice)
        pinned = heldout.pin(source, data.eval_docs)
        self._docs = HeldOut(pinned.documents[:NUM_DOCS])
        self._tokenizer = tokenizer.for_data(
            source, pinned, data.vocab, data.tokenizer, paths.cache_dir() / "tokenizers", notice
        )
        run = resolve(self._architecture, case.request, self._tokenizer.vocab)
        self._run, shape = run, {"context": run.model.context, "batch_rows": run.recipe.batch_rows}
        # A cache of its own: text that was tokenized before would make training faster.
        self._stream = TokenStream(source, pinned, self._tokenizer, scratch, **shape)
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
        self._rates: dict[str, list[float]] = {"train": [], "score": [], "sample": []}
        self._waited_s = 0.0  # for rows
        self._trained = np.zeros(3)  # steps, seconds, seconds waited for rows: of all repeats
        self._num_draws: int | None = None
        self._profile: dict[str, Any] | None = None
        self._stream.__enter__()

    def close(self) -> None:
        """End the thread that reads ahead."""
        self._stream.__exit__(None, None, None)

    def prepare(self) -> None:
        """Compile, warm up, train a little, and take every path once."""
        self._steps(1 + _NUM_WARM_UP_STEPS)
        self._engine.reset()
        self._steps(NUM_LEARNING_STEPS)
        self._engine.finalize()
        self._engine.sync()
        self._evaluate()
        self._story_seed = self._choose_story()

    # -- one repeat of each measurement; tokens per second

    def train(self) -> float:
        """Train for about `BURST_S`."""
        self._train_for(_LEAD_IN_S)
        self._waited_s = 0.0
        num_steps, taken_s = self._train_for(BURST_S)
        self._trained += (num_steps, taken_s, self._waited_s)
        return self._noted("train", self._num_tokens(num_steps), taken_s)

    def learn(self, num_steps: int) -> float:
        """Take a number of training steps."""
        since_s = self._now()
        self._steps(num_steps)
        return self._num_tokens(num_steps) / (self._now() - since_s)

    def score(self) -> float:
        """Score the same documents again."""
        self._engine.finalize()
        taken_s, found = self._evaluate()
        self._num_draws = found.num_draws
        return self._noted("score", found.num_tokens, taken_s)

    def sample(self) -> float:
        """Generate the same story again."""
        self._engine.finalize()
        taken_s, num_tokens = self._tell(self._story_seed)
        return self._noted("sample", num_tokens, taken_s)

    def _noted(self, kind: str, num_tokens: int, taken_s: float) -> float:
        self._rates[kind].append(num_tokens / taken_s)
        return num_tokens / taken_s

    # -- the rest

    def profile(self) -> None:
        """Profile about a second of training steps; the wait for rows is that of `train`."""
        num_steps, taken_s, waited_s = self._trained.tolist()
        wanted = round(num_steps * BURST_S / taken_s) if num_steps else 0
        batches = [self._rows() for _ in range(min(max(_MIN_PROFILED, wanted), _MAX_PROFILED))]
        found = cast(Profiled, self._engine).profile(batches)
        parts_s = {"waiting for data": waited_s / max(1, num_steps), **found.parts_s}
        self._profile = {"parts_s": parts_s, "note": found.note}

    def row(self) -> dict[str, Any]:
        """A `result.Row` as plain values."""
        run, device, machine = self._run, self._device, hardware.machine()
        return {
            "arch": run.arch,
            "params": self._case.params,
            "device": device.name,
            "backend": device.backend,
            "hardware_class": hardware.hardware_class(machine, device.name, device.accelerator),
            "accelerator": device.accelerator,
            "versions": registry.versions(self._backend),
            "num_params": run.model.num_params,
            "context": run.model.context,
            "batch_rows": run.recipe.batch_rows,
            "engine": self._engine.metadata(),
            "matmul_gflops": self._matmul_gflops,
            "flop": self._flop(),
            **self._rates,
            "wait_share": float(self._trained[2] / max(1e-9, self._trained[1])),
            "num_draws": self._num_draws,
            "peak_bytes": self._engine.peak_bytes(),
            "profile": self._profile,
        }

    def _flop(self) -> dict[str, Any] | None:
        model, architecture = self._run.model, self._architecture
        if not architecture.initial(model, self._run.seed):  # counted: nothing is multiplied
            return None
        is_processor = self._device.accelerator is None
        parts, formula = flops.forward_parts(architecture, model, is_processor=is_processor)
        return {
            "train_6n": flops.train_flop(model.num_params, 1),
            "train_exact": flops.exact_flop(sum(parts.values()), 1),
            "formula": formula,
        }

    def _num_tokens(self, num_steps: int) -> int:
        return num_steps * self._run.recipe.batch_rows * self._run.model.context

    def _rows(self) -> Rows:
        rows = self._stream.next_rows()
        assert rows is not None, "it waits for ever"
        return rows

    def _train_for(self, seconds: float) -> tuple[int, float]:
        """Train for at least this long, waiting for the device as often as a race does."""
        since_s, num_steps, taken_s = self._now(), 0, 0.0
        while taken_s < seconds:
            wanted = num_steps * trainer.SYNC_EVERY_S / taken_s if num_steps else 1
            num = max(1, min(int(wanted), 2 * num_steps))
            self._steps(num)
            num_steps, taken_s = num_steps + num, self._now() - since_s
        return num_steps, taken_s

    def _steps(self, num_steps: int) -> None:
        """Take steps, with the wait for their rows, to their end."""
        for _ in range(num_steps):
            before_s = self._now()
            rows = self._rows()
            self._waited_s += self._now() - before_s
            common.step_with_retry(self._engine, rows)
        self._engine.sync()

    def _evaluate(self) -> tuple[float, Score]:
        since_s = self._now()
        config = scoring.ScoringConfig(
            context=self._run.model.context,
            stride=self._run.data.stride,
            likelihood=self._architecture.LIKELIHOOD,
        )
        documents = scoring.encode(self._docs, self._tokenizer)
        found = scoring.score(Scorer(self._engine), documents, config)
        return self._now() - since_s, found

    def _choose_story(self) -> int:
        """The first seed whose story has all its tokens, or that of the longest tried."""
        lengths: dict[int, int] = {}
        for seed in range(_MAX_TRIES):
            _, lengths[seed] = self._tell(seed)
            if lengths[seed] >= STORY_TOKENS:
                break
        return max(lengths, key=lambda seed: lengths[seed])

    def _tell(self, seed: int) -> tuple[float, int]:
        """Seconds of a story, and the number of tokens that were drawn for it."""
        own, lengths = self._tokenizer, [0]

        def decode(ids: Any) -> str:
            lengths.append(len(ids))
            return own.decode(ids)

        counting = cast(Tokenizer, SimpleNamespace(encode=own.encode, decode=decode))
        sampling = generate.Sampling(seed=seed, max_tokens=STORY_TOKENS)
        since_s, model = self._now(), self._run.model
        generate.tell(self._engine, self._architecture, model, counting, generate.PROMPT, sampling)
        taken_s = self._now() - since_s
        if self._architecture.LIKELIHOOD == "bound":  # all are drawn at once, wherever it ends
            return taken_s, STORY_TOKENS
        return taken_s, max(1, lengths[-1] - 1 - len(own.encode(generate.PROMPT)))


def _make(notice: Callable[[str], None], scratch: str, **case: Any) -> Workload:
    return Workload(Case(**case), Path(scratch), notice)


if __name__ == "__main__":
    subprocesses.serve(_make)
