"""One race from what was asked for to a record on disk: data, model, training, score."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psutil

from speedrun import text as text_
from speedrun.autotune import device as devices
from speedrun.autotune import tune
from speedrun.backends import coordinator, registry
from speedrun.config import Run
from speedrun.data import heldout, open, tokenizer
from speedrun.data.loader import TokenStream
from speedrun.distributed.group import ProcessGroup
from speedrun.evaluation import fairness, generate
from speedrun.evaluation import score as evaluate
from speedrun.models import loader
from speedrun.protocols import Architecture, Backend, Device, Engine, EngineSpec
from speedrun.records.schema import Record, seal
from speedrun.system import hardware, paths
from speedrun.training import distributed, run_dir, trainer
from speedrun.training import record as recording
from speedrun.training.clock import BudgetClock
from speedrun.training.request import RunRequest, resolve
from speedrun.training.signals import StopFlag
from speedrun.training.trainer import Tick, Training


class Watcher(Protocol):
    """Who is told how the race goes: `speedrun.ui.live`."""

    def notice(self, text: str) -> None: ...
    def phase(self, text: str) -> None: ...
    def start(self, run: Run, machine: str) -> None: ...
    def tick(self, tick: Tick) -> None: ...
    def scoring(self, share: float) -> None: ...


@dataclass(frozen=True)
class Finished:
    """A race that left a record."""

    folder: Path
    record: Record


def race(
    request: RunRequest,
    watcher: Watcher,
    stop: StopFlag,
    *,
    started_s: float = 0.0,
    group: ProcessGroup | None = None,
) -> Finished:
    """Run one race; `started_s` is what the process spent before it (imports, say).

    Of a `group` this is rank 0, and the others `follow`.

    Raises ValueError or LookupError for what a person can mend, before the clock starts, and
    UnfairModel for a model that no record may rest on.
    """
    clock = BudgetClock(request.budget_s)
    clock.accounts["startup"] = started_s
    with clock.account("startup"):
        architecture = loader.architecture(request.arch)
        device = registry.device(request.backend, architecture)
        backend = registry.backend(device.backend)
        architecture.model(device.backend)  # not written for it: said before anything is opened
        with architecture.plugin_errors():
            run = resolve(architecture, request, request.data.vocab)
        size = text_.format_size(run.model.num_params)
        folder = run_dir.RunDirectory(
            request.out, run_dir.run_name(run.arch, size, run.seed), 8 * run.model.num_params
        )
    try:
        entry = _Race(
            request,
            architecture,
            device,
            backend,
            clock,
            folder,
            watcher,
            stop,
            group or ProcessGroup(),
        )
        with architecture.plugin_errors():
            return entry.run()
    except BaseException:
        folder.discard()
        raise


class _Race:
    """The phases of one race, each charged to its account."""

    def __init__(
        self,
        request: RunRequest,
        architecture: Architecture,
        device: Device,
        backend: Backend,
        clock: BudgetClock,
        folder: run_dir.RunDirectory,
        watcher: Watcher,
        stop: StopFlag,
        group: ProcessGroup,
    ) -> None:
        self.request, self.architecture = request, architecture
        self.device, self.backend = device, backend
        self.clock, self.folder, self.watcher, self.stop = clock, folder, watcher, stop
        self.group = group

    def run(self) -> Finished:
        self._open_data()
        engine = self._build()
        training = self._train(engine)
        with self.clock.account("checkpoint"):
            weights = engine.weights()
            weights_sha256 = self.folder.save_weights(weights)
            numbers = recording.settings(self.settings, weights)
        score, sample = None, None
        if training.status != "diverged":
            score = self._score(engine)
            sample = self._sample(engine)
        content = self._content(engine, numbers, training, score, sample, weights_sha256)
        record = seal(recording.origin() | content)
        self.tokenizer.save(self.folder.partial / "tokenizer.json")
        self.folder.write("samples.txt", f"{sample['text']}\n" if sample else "")
        self.folder.write("record.json", record.to_json())
        return Finished(self.folder.publish(), record)

    def _open_data(self) -> None:
        watcher, data = self.watcher, self.request.data
        with self.clock.account("startup"):
            watcher.phase("opening the data")
            self.source = open.open_source(data.path, watcher.notice)
            self.heldout = heldout.pin(self.source, data.eval_docs)
            self.machine = hardware.machine()
        with self.clock.account("tokenizer"):
            watcher.phase("preparing the tokenizer")
            cache = paths.cache_dir() / "tokenizers"
            run = resolve(self.architecture, self.request, data.vocab)
            self.tokenizer = tokenizer.for_data(
                self.source, self.heldout, data.vocab, run.data.tokenizer, cache, watcher.notice
            )
        self.settings = resolve(self.architecture, self.request, self.tokenizer.vocab)
        if self.settings.model.vocab != self.tokenizer.vocab:  # of a record raced again
            raise ValueError(
                f"the tokenizer of this data has {self.tokenizer.vocab} tokens, the model"
                f" {self.settings.model.vocab}: is this the data that the record was raced on?"
            )

    def _build(self) -> Engine:
        run = self.settings
        with self.clock.account("build"):
            self._choose_device()
        self._tune()
        with self.clock.account("build"):
            self.watcher.phase("building the model")
            for remark in self.architecture.warnings(self.device):
                self.watcher.notice(f"{self.architecture.NAME} on {self.device.name}: {remark}")
            for remark in self.group.warnings:
                self.watcher.notice(remark)
            self.rates = {
                precision: self.backend.matmul_gflops(self.device, precision)
                for precision in ("fp32", "bf16")
            }
            engine = self.backend.engine(
                EngineSpec(
                    architecture=self.architecture,
                    config=run.model,
                    recipe=run.recipe,
                    device=self.device,
                    seed=run.seed,
                    group=self.group,
                    execution=self.tuned.settings,
                )
            )
            engine = distributed.assembled(engine, self.group, run)
            # Now, not after five minutes; and on random weights, because branches that start
            # at zero hide what they would leak.
            rng = np.random.default_rng(run.seed)
            initial = engine.weights()
            engine.load({n: rng.normal(0, 0.1, w.shape) for n, w in initial.items()})
            self._check(engine)
            engine.reset()
            return engine

    def _choose_device(self) -> None:
        """Where `auto` finds one accelerator under several frameworks, the faster one races."""
        self.step_s: devices.Times = {}
        candidates = devices.candidates(self.device, self.architecture)
        if self.request.backend != "auto" or len(candidates) == 1:
            return
        names = " and ".join(device.name for device in candidates)
        self.watcher.phase(f"timing a few steps on {names}")
        self.device, self.step_s = devices.fastest(candidates, self.architecture, self.settings)
        self.backend = registry.backend(self.device.backend)
        times = ", ".join(
            f"{name} {t * 1e3:.3g} ms a step" if isinstance(t, float) else f"{name} failed ({t})"
            for name, t in self.step_s.items()
        )
        self.watcher.notice(f"Racing on {self.device.name}: {times}.")

    def _tune(self) -> None:
        """The probe is off the budget, as the warm-up is that it makes shorter."""
        request = self.request
        # Processes that train together must not choose differently, and are not timed together.
        mode = request.tune if self.group.size == 1 else "off"
        with self.clock.account("warmup"):
            target = tune.Target(
                arch=request.arch,
                architecture=self.architecture,
                run=self.settings,
                backend=self.backend,
                device=self.device,
                machine=self.machine,
                chosen={setting.partition("=")[0] for setting in request.settings},
            )
            self.tuned = tune.tune(mode, target, self.watcher.notice)

    def _train(self, engine: Engine) -> Training:
        run, watcher = self.settings, self.watcher
        stream = TokenStream(
            self.source,
            self.heldout,
            self.tokenizer,
            paths.cache_dir() / "tokens",
            context=run.model.context,
            batch_rows=run.recipe.batch_rows,
        )

        def watch(tick: Tick) -> None:
            self.folder.log(
                {
                    "share": tick.share,
                    "loss_nats": tick.loss_nats,
                    "lr_scale": tick.lr_scale,
                    "num_tokens": tick.num_tokens,
                    "num_steps": tick.num_steps,
                    "spent_s": tick.spent_s,
                }
            )
            watcher.tick(tick)

        def stop_requested() -> bool:
            return self.stop.requested

        with stream:
            watcher.phase("compiling and warming up")
            watcher.start(run, self._describe())
            self.stop.arm()
            training = trainer.train(
                engine,
                stream,
                self.clock,
                run,
                max_epochs=self.architecture.EPOCHS,
                watch=watch,
                stop_requested=stop_requested,
            )
        if training.num_steps == 0:
            if self.stop.requested:
                raise KeyboardInterrupt
            raise ValueError(
                f"--minutes {run.budget_s / 60:g}: not one step fits into that here; give more, or"
                " a smaller --params or --set recipe.batch_rows"
            )
        self.peak_bytes = engine.peak_bytes()
        if stream.failure is not None:
            training.note(1.0, "documents_ended", f"the documents ended early: {stream.failure}")
            watcher.notice(f"The documents ended early ({stream.failure}); went round again.")
        self.num_dropped, self.epochs = stream.num_dropped, stream.epochs
        return training

    def _score(self, engine: Engine) -> evaluate.Score:
        run = self.settings
        with self.clock.account("evaluate"):
            self.watcher.phase("scoring the held-out documents")
            coordinator.share_weights(engine)
            self._check(engine)
            return evaluate.score(
                engine,
                self.heldout,
                self.tokenizer,
                context=run.model.context,
                stride=run.data.stride,
                likelihood=self.architecture.LIKELIHOOD,
                watch=self.watcher.scoring,
            )

    def _check(self, engine: Engine) -> None:
        model = self.settings.model
        fairness.check(engine, model.vocab, model.context, self.architecture.LIKELIHOOD)

    def _sample(self, engine: Engine) -> dict[str, Any]:
        sampling = generate.Sampling(seed=self.settings.seed)
        with self.clock.account("sample"):
            self.watcher.phase("telling a story")
            text = generate.tell(
                engine,
                self.architecture,
                self.settings.model,
                self.tokenizer,
                generate.PROMPT,
                sampling,
            )
        return {
            "prompt": generate.PROMPT,
            "text": text,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }

    def _describe(self) -> str:
        machine, device = self.machine, self.device
        where = device.accelerator or machine.cpu
        processes = f", {self.group.size} processes" if self.group.size > 1 else ""
        return f"{where}, {machine.cores} cores, {device.backend} on {device.name}{processes}"

    def _content(
        self,
        engine: Engine,
        settings: dict[str, Any],
        training: Training,
        score: evaluate.Score | None,
        sample: dict[str, Any] | None,
        weights_sha256: str,
    ) -> dict[str, Any]:
        facts = engine.metadata() | {"tuning": self.tuned.facts}
        facts |= {"auto_step_s": self.step_s} if self.step_s else {}
        return {
            "status": training.status,
            **settings,
            "argv": [],
            "backend": self.device.backend,
            "device": self.device.name,
            "data": recording.data(self.source, self.heldout, self.num_dropped),
            "tokenizer": {"vocab": self.tokenizer.vocab, "fingerprint": self.tokenizer.fingerprint},
            "hardware": recording.hardware(
                self.machine, self.device, self.rates, self.group.num_devices
            ),
            "versions": recording.versions(self.backend),
            "clock": self.clock.ledger(),
            "train": {
                **recording.training(training, self.clock.spent_s()),
                "epochs": self.epochs,
                "micro_batch_rows": facts.pop("micro_batch_rows"),
                "peak_bytes": self.peak_bytes,
                "engine": facts | {"remarks": self.architecture.warnings(self.device)},
            },
            "score": None if score is None else vars(score),
            "sample": sample,
            "weights_sha256": weights_sha256,
        }


def process_age_s() -> float:
    """Seconds since this process began: what start-up cost before anything could be timed."""
    return max(0.0, time.time() - psutil.Process().create_time())
