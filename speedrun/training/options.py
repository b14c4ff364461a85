"""Options that several commands have, with their help and what a shell offers for them.

What is offered runs at every press of the tab key: nothing heavy is imported, and no architecture
from outside the project is opened.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cyclopts import Parameter
from cyclopts.completion import CompletionContext


def _architectures(context: CompletionContext) -> Iterable[str]:
    from speedrun.models import loader

    return [*loader.own_names(), *(_paths(context) if "/" in context.incomplete else ())]


def _architecture(context: CompletionContext) -> Any:
    """The architecture that the words before name, if it is the project's own."""
    from speedrun.models import loader

    name = _given(context, "arch") or "transformer"
    return loader.architecture(name) if name in loader.own_names() else None


def _recipes(context: CompletionContext) -> Iterable[str]:
    architecture = _architecture(context)
    return architecture.RECIPES if architecture else ["default"]


def _sizes(context: CompletionContext) -> Iterable[str]:
    architecture = _architecture(context)
    presets = architecture.PRESETS if architecture else ()
    return ["250K", "500K", "1M", "2M", "4M", *presets]


def _settings(context: CompletionContext) -> Iterable[str]:
    """Every setting with the value that it has at the size and the recipe before it."""
    from speedrun.config import Data, Recipe, settings_of
    from speedrun.training.request import RunRequest, resolve

    architecture = _architecture(context)
    if architecture is None:
        return [f"recipe.{field.name}=" for field in dataclasses.fields(Recipe)]
    usual = RunRequest()
    size, recipe = _given(context, "params"), _given(context, "recipe")
    request = RunRequest(params=size or usual.params, recipe=recipe or usual.recipe)
    try:
        run = resolve(architecture, request, Data.vocab)
    except (ValueError, LookupError):  # of a list of sizes, or of a mistake
        run = resolve(architecture, usual, Data.vocab)
    read = architecture.RECIPE_FIELDS
    values = {f"recipe.{n}": v for n, v in vars(run.recipe).items() if read is None or n in read}
    values |= {f"model.{n}": v for n, v in vars(run.model).items() if n != "vocab"}
    return settings_of(values)


def _given(context: CompletionContext, name: str) -> str | None:
    """The value of an option among the words before."""
    option = context.get(f"--{name}")
    return option.raw if option else None


def _paths(context: CompletionContext) -> list[str]:
    """Files and folders that begin as the word does; folders end in a slash."""
    typed = context.incomplete
    folder, _, start = typed.rpartition("/")
    place = Path(f"{folder}/").expanduser() if "/" in typed else Path()
    prefix = f"{folder}/" if "/" in typed else ""
    found = place.iterdir() if place.is_dir() else ()
    return sorted(
        f"{prefix}{path.name}{'/' if path.is_dir() else ''}"
        for path in found
        if path.name.startswith(start) and (start or not path.name.startswith("."))
    )


def _data(context: CompletionContext) -> Iterable[str]:
    return ["storybook", *_paths(context)]


FLAG = Parameter(negative="", show_default=False)
ARCH = Parameter(
    help="Name of an architecture, or a folder with one (its code is run).",
    completer=_architectures,
)
PARAMS = Parameter(
    help="Trainable parameters (250K, 2M, 2000000), or a preset (tiny, small, medium).",
    completer=_sizes,
)
_OR_AUTO = "or auto: what scaling laws predict best for the budget."
ARCH_OR_AUTO = Parameter(
    help=f"Name of an architecture, a folder with one (its code is run), {_OR_AUTO}",
    completer=lambda context: ["auto", *_architectures(context)],
)
PARAMS_OR_AUTO = Parameter(
    help=f"Trainable parameters (250K, 2M, 2000000), a preset (tiny, small, medium), {_OR_AUTO}",
    completer=lambda context: ["auto", *_sizes(context)],
)
RECIPE = Parameter(
    help="A recipe of the architecture: default, or goedecke, a published laptop run.",
    completer=_recipes,
)
SET = Parameter(
    name="--set",
    help="Change one setting, such as recipe.lr=0.002 or model.depth=4. Repeatable.",
    negative="",
    show_default=False,
    completer=_settings,
)
DEVICE = Parameter(
    name=("--device", "--backend"),
    help="auto, or a device that doctor lists, such as cpu; auto times mlx and mps on Apple"
    " silicon.",
    completer=lambda _: ("auto", "cpu", "cuda", "mps", "mlx", "numpy"),
)
TUNE = Parameter(
    help="Time real steps under different settings before the clock starts: off, quick (8 s), full."
)
DATA = Parameter(
    help="A folder in the hub's layout, or a parquet, arrow, jsonl, json, csv or txt file, or"
    " storybook for the built-in stories (a folder of that name is ./storybook). Default:"
    " TinyStories, streamed from the hub; where it cannot be read, the storybook.",
    completer=_data,
)
TEXT_FIELD = Parameter(
    help="Column or key of --data that holds the documents, nested ones with dots (meta.story)."
    " Default: text, or the only one of strings."
)
VOCAB = Parameter(help="Size of the vocabulary; any but 4096 is trained on the data.")
EVAL_DOCS = Parameter(
    help="Number of held-out documents to score, or all. Scores compare only at the same number."
)
