"""The command `sample`."""

import sys
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from speedrun.records.sanitize import sanitize
from speedrun.text import StrictInt, check_utf8
from speedrun.training.options import DEVICE


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """Options of `sample`.

    Parameters
    ----------
    prompt
        Beginning of the story.
    temperature
        0 takes the most likely token every time; higher is more random.
    top_p
        Draw from the most likely tokens that together have this probability.
    seed
        Seed of the draws.
    max_tokens
        Most tokens to add to the prompt.
    steps
        Diffusion only: steps from noise to text; more are better and slower. Default 128.
    arch
        Folder of the architecture, where the run was raced with --arch ./folder.
    """

    prompt: str = "Once upon a time"
    temperature: float = 0.8
    top_p: float = 0.95
    seed: StrictInt = 0
    max_tokens: StrictInt = 200
    steps: StrictInt | None = None
    device: Annotated[str, DEVICE] = "auto"
    arch: str | None = None


_DEFAULTS = SampleOptions()
_RUN = (
    "Folder of the run, hf://user/name of a published one, or the first digits of the id of a"
    " record, or of an entry, whose best run is taken."
)
_FROM = "Leaderboard in which ids are looked up. Default: the project's own."


def sample(
    run: Annotated[str, Parameter(help=_RUN)],
    /,
    options: SampleOptions = _DEFAULTS,
    *,
    from_: Annotated[str | None, Parameter(name="--from", help=_FROM)] = None,
) -> None:
    """Continue a prompt with the model of a run."""
    from rich.console import Console
    from rich.text import Text

    check_utf8(options.prompt, "--prompt")
    from speedrun import api
    from speedrun.evaluation import generate
    from speedrun.ui.live import waiting

    names = ("temperature", "top_p", "seed", "max_tokens", "steps")
    sampling = generate.Sampling(**{name: getattr(options, name) for name in names})
    with waiting("loading the model"):
        loaded = api.restored(run, from_, options.device, options.arch)
    with waiting("telling a story"), loaded.architecture.plugin_errors():
        of_run = (loaded.engine, loaded.architecture, loaded.model, loaded.tokenizer)
        text = generate.tell(*of_run, options.prompt, sampling)
    shown = sanitize(text, lines=True)  # vocabulary and weights may be a stranger's
    Console().print(Text(shown), soft_wrap=not sys.stdout.isatty())
