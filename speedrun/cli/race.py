"""What the commands of the command line do."""

import dataclasses
import sys
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from speedrun import text as text_
from speedrun.config import Data
from speedrun.distributed import launcher
from speedrun.distributed.group import ProcessGroup
from speedrun.evaluation import generate
from speedrun.records.files import read_runs
from speedrun.records.schema import Record
from speedrun.records.summary import summarize
from speedrun.records.track import standing
from speedrun.scaling_laws import auto_size
from speedrun.training import distributed
from speedrun.training.race import process_age_s, race
from speedrun.training.request import RunRequest
from speedrun.training.restore import load_run
from speedrun.training.signals import StopFlag
from speedrun.ui import live, summary

MAX_SEEDS = 100


def race_command(
    *,
    minutes: str,
    arch: str,
    params: str,
    backend: str,
    recipe: str,
    seed: int,
    seeds: int,
    data: str | None,
    vocab: int,
    eval_docs: str,
    settings: list[str],
    tune: Literal["off", "quick", "full"],
    out: Path,
    as_json: bool,
) -> None:
    """Race one seed after another and show how each ended."""
    if not 1 <= seeds <= MAX_SEEDS:
        raise ValueError(f"--seeds {seeds}: allowed are 1 to {MAX_SEEDS}")
    if seed < 0:
        raise ValueError(f"--seed {seed}: must be 0 or more")
    request = RunRequest(
        arch=arch,
        params=params,
        budget_s=text_.parse_minutes(minutes),
        backend=backend,
        recipe=recipe,
        seed=seed,
        data=Data(path=data, vocab=vocab, eval_docs=parse_eval_docs(eval_docs)),
        settings=tuple(settings),
        tune=tune,
        out=out,
    )
    # With --json standard output carries the record alone.
    console = Console(stderr=as_json)
    if auto_size.AUTO in (arch, params):
        request = _picked(request, console)
    request, group = distributed.joined(request)
    if group.rank > 0:
        distributed.follow_and_exit(request, group)
    distributed.outlast_launcher(group)
    with distributed.leading(group):
        _exit_code(_race_seeds(request, seeds, group, console, as_json))


def _picked(request: RunRequest, console: Console) -> RunRequest:
    if (started := launcher.launched()) is not None:
        raise ValueError(
            f"auto knows one device, and {started.by} started {started.size} processes:"
            " name the architecture and give --params a size"
        )
    with live.view(console) as view:
        picked = auto_size.resolve_auto(request, view.notice)
    return dataclasses.replace(request, arch=picked.arch, params=picked.params)


def _race_seeds(
    request: RunRequest, seeds: int, group: ProcessGroup, console: Console, as_json: bool
) -> list[Record]:
    started_s, records = process_age_s(), []
    with StopFlag(group.stop_signals) as stop:
        for number in range(request.seed, request.seed + seeds):
            each = dataclasses.replace(request, seed=number)
            with live.view(console) as view:
                finished = race(each, view, stop, started_s=started_s, group=group)
            started_s = 0.0
            records.append(finished.record)
            if as_json:
                print(finished.record.to_json(), end="", flush=True)
            others = (summarize(record) for _, record in read_runs(request.out))
            place = standing(summarize(finished.record), others)
            summary.finished(console, finished.record, finished.folder, place)
            if stop.requested:
                break
    if len(records) > 1:
        summary.seeds(console, records)
    return records


def _exit_code(records: list[Record]) -> None:
    if any(record.status == "diverged" for record in records):
        sys.exit(1)
    if any(record.status == "interrupted" for record in records):
        sys.exit(130)


def parse_eval_docs(text: str) -> int | None:
    """`all` as None."""
    if text == "all":
        return None
    if not text.isdecimal():
        raise ValueError(f"--eval-docs {text}: give a number of 2 or more, or 'all'")
    return int(text)


def sample_command(
    run: Path,
    prompt: str,
    temperature: float,
    top_p: float,
    seed: int,
    max_tokens: int,
    steps: int | None,
    backend: str,
    arch: str | None,
) -> None:
    """Print a story told by a finished run."""
    sampling = generate.Sampling(
        temperature=temperature, top_p=top_p, seed=seed, max_tokens=max_tokens, steps=steps
    )
    restored = load_run(run, backend, arch)
    with restored.architecture.plugin_errors():
        text = generate.tell(
            restored.engine,
            restored.architecture,
            restored.model,
            restored.tokenizer,
            prompt,
            sampling,
        )
    Console().print(Text(text), soft_wrap=not sys.stdout.isatty())
