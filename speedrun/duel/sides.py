"""The two sides of a duel: what is asked for, looked up before anything is raced."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from speedrun.backends import registry
from speedrun.duel import checkout
from speedrun.duel.process import start
from speedrun.models import loader
from speedrun.models.code import code_digest
from speedrun.records.argv import option_pairs, without_seed
from speedrun.records.duel import DuelSide
from speedrun.system import hardware
from speedrun.system.git import code_version
from speedrun.training.request import RunRequest, resolve

_DEFAULTS = dict(zip(*[iter(RunRequest(tune="quick").argv())] * 2, strict=True))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A side as it is asked for: a request, whose seed and folder mean nothing, and its code."""

    letter: str  # A or B
    label: str
    request: RunRequest
    commit: str | None = None  # None: this code
    config_key: str | None = None  # of the entry that it is to repeat


@dataclass(frozen=True, kw_only=True)
class Side:
    """A side that can be raced: `words` start one of its races, but for seed, data and folder."""

    letter: str
    duel: DuelSide
    words: Sequence[str]
    folder: Path | None  # the checkout of its commit
    config_key: str | None


@contextlib.contextmanager
def opened(a: Asked, b: Asked) -> Iterator[tuple[Side, Side]]:
    """Both sides with their commits checked out. Raises ValueError or LookupError."""
    check(a, b)
    with contextlib.ExitStack() as stack:
        folders: dict[str, Path] = {}
        for commit in filter(None, (a.commit, b.commit)):
            if commit not in folders:
                folders[commit] = stack.enter_context(checkout.checked_out(commit))
        yield _side(a, folders), _side(b, folders)


def check(a: Asked, b: Asked) -> None:
    """Raise ValueError or LookupError for a side without a race, equal sides, or two tracks."""
    runs = [_resolved(side) for side in (a, b)]
    if a.request.budget_s != b.request.budget_s:
        minutes = [f"{side.letter} {side.request.budget_s / 60:g}" for side in (a, b)]
        raise ValueError(
            f"different tracks: {' and '.join(minutes)} minutes; --minutes M sets both"
        )
    if a.request.data.eval_docs != b.request.data.eval_docs:
        docs = [f"{side.letter} {side.request.data.eval_docs or 'all'}" for side in (a, b)]
        raise ValueError(
            f"different tracks: {' and '.join(docs)} held-out documents; --eval-docs N sets both"
        )
    head = code_version()
    here = None if head.dirty is not False else head.commit
    codes = [side.commit or here for side in (a, b)]
    words = [without_seed(side.request.argv()) for side in (a, b)]
    is_one_code = codes[0] == codes[1] is not None
    if (is_one_code and words[0] == words[1]) or (runs[0] == runs[1] is not None):
        raise ValueError(
            "A and B are the same: nothing to decide; change B with --set-b, --b or --at-b"
        )


def _resolved(asked: Asked) -> tuple[object, ...] | None:
    """Code and settings of a side of this code; its commit knows those of another."""
    request = asked.request
    if "auto" in (request.arch, request.params, request.tables):
        options = "--arch, --params and --tables"
        raise ValueError(f"{asked.letter}: a duel races a stated size: give {options}")
    if asked.commit is not None:
        return None
    with named(asked.letter):
        architecture = loader.architecture(request.arch)
        with architecture.plugin_errors():
            settings = resolve(architecture, request, request.data.vocab).as_dict()
    rest = {name: value for name, value in settings.items() if name not in ("seed", "recipe_name")}
    return code_digest(architecture), rest, request.backend, request.tune


@contextlib.contextmanager
def named(letter: str) -> Iterator[None]:
    """Context whose ValueError and LookupError name the side."""
    try:
        yield
    except (KeyError, IndexError):
        raise
    except (ValueError, LookupError) as error:
        raise ValueError(f"{letter}: {error}") from None


def on_this_machine(a: Asked, b: Asked) -> tuple[Asked, Asked, str]:
    """Both sides with their devices by name, and the class of this machine for both.

    Raises ValueError for two classes. A commit may have an architecture that this code lacks: it
    runs where the other side does.
    """
    devices = []
    for side in (a, b):
        with contextlib.suppress(*((ValueError, LookupError) if side.commit else ())):
            architecture = loader.architecture(side.request.arch)
            devices.append(registry.device(side.request.backend, architecture))
    if not devices:
        raise ValueError(f"--arch {a.request.arch}: this code has no such architecture")
    machine = hardware.machine()
    classes = [hardware.hardware_class(machine, d.name, d.accelerator) for d in devices]
    if len(set(classes)) > 1:
        on = f"A on {classes[0]} and B on {classes[1]}"
        raise ValueError(f"different tracks: {on}; --device NAME sets both")
    a, b = (
        replace(side, request=replace(side.request, backend=device.name))
        for side, device in ((a, devices[0]), (b, devices[-1]))
    )
    return a, b, classes[0]


def _side(asked: Asked, folders: dict[str, Path]) -> Side:
    argv = without_seed(asked.request.argv())
    folder = None
    if (commit := asked.commit) is None:
        source = code_digest(loader.architecture(asked.request.arch))
    else:
        folder, source = folders[commit], f"commit:{commit}"
        argv = _known(argv, checkout.options_of(folder, commit), commit)
    words = list(argv)
    if loader.is_path(asked.request.arch):
        words[words.index("--arch") + 1] = str(Path(asked.request.arch).resolve())
    return Side(
        letter=asked.letter,
        duel=DuelSide(label=asked.label, commit=commit, source=source, argv=argv),
        words=[*start(folder), *words],
        folder=folder,
        config_key=asked.config_key,
    )


def _known(argv: Sequence[str], options: set[str], commit: str) -> list[str]:
    """Words without the defaults of options that a commit does not have yet."""
    kept = []
    for option, value in option_pairs(argv):
        if option in options:
            kept += [option, value]
        elif value not in (_DEFAULTS.get(option), "off"):  # what it lacks is off
            raise ValueError(f"commit {commit[:12]} has no option {option} (given: {value})")
    return kept
