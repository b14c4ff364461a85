"""What can be asked of a plan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from speedrun.text import StrictInt


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What was typed; None where nothing was.

    Parameters
    ----------
    params
        Parameters, such as 250K, 2M or 7B; or a preset: tiny, small, medium.
    tokens
        Tokens to train on, such as 200M. Default: 20 for each parameter.
    minutes
        Train for so long instead, on as many tokens as that carries.
    ratio
        Tokens for each parameter.
    arch
        Name of an architecture, or the path of a folder with one.
    dtype
        fp32, bf16 or fp16. Default: fp32, or what the rates of --device are for.
    optimizer
        adamw, adamw8bit, sgd or muon. Default: adamw; with --measure the recipe's.
    batch
        Rows in one step. Default: the architecture's recipe.
    context
        Tokens of a row.
    depth
        Layers.
    width
        Channels of the stream.
    vocab
        Size of the vocabulary.
    device
        Plan for a device by name: m2-cpu, m2-pro-mps, t4, a100, h100 and others.
    tflops
        Plan for a device that reaches so many TFLOP/s in training.
    measure
        Train for ten seconds on this machine first, and plan by what it reached.
    law
        A laws.json of a sweep; its constants instead of the published ones.
    data
        The text at hand, as for a race, to count epochs; TinyStories without it.
    cluster
        Plan a sweep on so many machines, too: time, idle tail, and the limits of hub and records.
    races
        With --cluster: races of --minutes, five without, one at a time on each machine. Default:
        1000.
    price
        With --cluster: of an hour of one machine, in any currency.
    """

    params: str = "2M"
    tokens: str | None = None
    minutes: str | None = None
    ratio: float | None = None
    arch: str = "transformer"
    dtype: str | None = None
    optimizer: str | None = None
    batch: StrictInt | None = None
    context: StrictInt | None = None
    depth: StrictInt | None = None
    width: StrictInt | None = None
    vocab: StrictInt = 4096
    device: str | None = None
    tflops: float | None = None
    measure: Annotated[bool, Parameter(negative="")] = False
    law: Path | None = None
    data: Path | None = None
    cluster: StrictInt | None = None
    races: StrictInt | None = None
    price: float | None = None
