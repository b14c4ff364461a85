"""`--params auto` and `--arch auto`: the size, or the architecture, that known laws predict best.

Laws are looked for in the sweeps below `--out` and `sweeps/`, in the cache where sweeps leave
copies, and last among those that come with the project. They count if they are of this hardware
class, architecture, recipe and settings; those of the same data come first. Without one, a few
steps at three sizes measure this machine's speed, and the published loss law gives a guess.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from speedrun import text
from speedrun.autotune import device as autotune_device
from speedrun.backends import registry
from speedrun.config import Data
from speedrun.data import open
from speedrun.models import loader
from speedrun.protocols import Architecture
from speedrun.records.summary import data_id
from speedrun.scaling_laws import fit, law, laws_file
from speedrun.scaling_laws.law import SpeedLaw
from speedrun.scaling_laws.laws_file import LawsFile
from speedrun.system import hardware
from speedrun.text import format_size
from speedrun.training.request import RunRequest, resolve

AUTO = "auto"
SHIPPED = Path(__file__).with_name("laws")  # package data: a wheel has no docs/
FALLBACK_ARCH = "transformer"
PROBED = (500_000, 1_500_000, 4_000_000)
_REACH = 4.0  # a guess lies within this factor of the probed sizes
_NEARBY = (1.0, 1.1, 0.9, 1.25, 0.8, 1.6, 0.6, 2.0, 3.0, 5.0)  # sizes tried around the best

Notice = Callable[[str], None]


def resolve_auto(request: RunRequest, notice: Notice) -> RunRequest:
    """The request with every `auto` replaced; each choice is announced in one line."""
    if AUTO not in (request.arch, request.params, request.tables):
        return request
    if request.tables == AUTO != request.params:
        raise ValueError("--tables auto: only with --params auto; give a size such as 16M")
    notice = _once(notice)
    source = open.open_source(request.data, lambda text: None)
    fingerprint = data_id(source.train_fingerprint)
    if request.arch == AUTO:
        request = replace(request, arch=_arch(request, fingerprint, notice))
    if request.params == AUTO:
        request = _sized(request, fingerprint, notice)
    return request


def _once(notice: Notice) -> Notice:
    """A notice that says nothing twice: both choices may rest on one law."""
    told = set()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            notice(text)

    return tell


def _arch(request: RunRequest, fingerprint: str, notice: Notice) -> str:
    """The architecture whose law predicts the least for this budget; exact scores only."""
    predicted: dict[str, float] = {}
    warnings = []
    for name in loader.architecture_names():
        architecture = loader.architecture(name)
        if architecture.LIKELIHOOD == "exact":
            with contextlib.suppress(ValueError):  # not written for this backend
                if (known := _best_laws(request, architecture, fingerprint)) is not None:
                    predicted[name] = known[-1]
                    warnings.append(laws_file.misfit(known[1], architecture, request.settings))
    if len(predicted) < 2:
        known_laws = f"found one, of {next(iter(predicted))}" if predicted else "found none"
        notice(
            "--arch auto compares the laws of two architectures for this hardware class and data"
            f" and {known_laws}: racing the {FALLBACK_ARCH}; for the laws run"
            f" `sweep --arch {FALLBACK_ARCH},lstm`."
        )
        return FALLBACK_ARCH
    best = min(predicted, key=lambda name: predicted[name])
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in sorted(predicted.items()))
    notice(f"--arch auto: {best} (bits per byte predicted for this budget: {losses}).")
    for warning in filter(None, warnings):
        notice(f"Warning: {warning}.")
    return best


def _sized(request: RunRequest, fingerprint: str, notice: Notice) -> RunRequest:
    """The request with the predicted time-optimal size for its budget, and the tables beside it."""
    architecture = loader.architecture(request.arch)
    minutes = f"{request.budget_s / 60:g} min"
    if (known := _best_laws(request, architecture, fingerprint)) is not None:
        path, laws, size, loss = known
        other = "" if laws.track.train_fingerprint == fingerprint else ", of other data"
        tables = f" and {format_size(laws.tables)} in tables" if laws.tables else ""
        notice(
            f"--params auto: {format_size(size)}{tables}, time-optimal at {minutes} by the law of"
            f" {laws.num_runs} runs in {path}{other}; it predicts {loss:.4f} bits per byte."
        )
        if warning := laws_file.misfit(laws, architecture, request.settings):
            notice(f"Warning: {warning}.")
        return _buildable(architecture, replace(request, tables=str(laws.tables)), size)
    if architecture.EPOCHS is not None:
        raise ValueError(
            f"--params auto: {architecture.NAME} is counted, not trained step by step, and no sweep"
            " of it is known; give a size"
        )
    if request.tables == AUTO:
        request = replace(request, tables="0")
    speed = _probe(request, architecture)
    reach = (PROBED[0] / _REACH, PROBED[-1] * _REACH)
    size, _ = law.minimum(law.CHINCHILLA, speed, request.budget_s, *reach)
    notice(
        f"--params auto: {format_size(size)} is a guess for {minutes}: no sweep of this hardware"
        " class is known, so it rests on published constants and this machine's speed"
        f" ({float(speed.tokens_per_s(size)):,.0f} tokens/s); run `sweep` to measure it."
    )
    return _buildable(architecture, request, size)


def _best_laws(
    request: RunRequest, architecture: Architecture, fingerprint: str
) -> tuple[Path, LawsFile, float, float] | None:
    """The matching laws with their path, best size and its bits per byte.

    Those of the same data come first, then those that predict less for their tables; of the laws
    of equal tables those of most runs count.
    """
    device = registry.device(request.backend, architecture)
    hardware_class = hardware.hardware_class(hardware.machine(), device.name, device.accelerator)
    wanted = (hardware_class, architecture.NAME, request.recipe)
    tables = request.tables
    allowed = None if tables == AUTO else text.parse_size_or_0(tables, "--tables")
    found: dict[int, list[tuple[tuple, LawsFile]]] = {}
    for rank, path, known in known_laws(request):
        of = known.hardware_class, known.arch, known.recipe
        is_wanted = of == wanted and not known.variant
        if is_wanted and allowed in (None, known.tables):
            is_other = known.track.train_fingerprint != fingerprint
            order = (is_other, rank, -known.num_runs, str(path))
            found.setdefault(known.tables, []).append((order, known))
    best = [min(laws, key=lambda one: one[0]) for laws in found.values()]
    if not best:
        return None
    predicted = [(order, known, *_predicted(known, request.budget_s)) for order, known in best]
    order, known, size, loss = min(predicted, key=lambda one: (one[0][:2], one[3]))
    return Path(order[-1]), known, size, loss


def _predicted(known: LawsFile, budget_s: float) -> tuple[float, float]:
    """The best size of a law near those it is of, and the bits per byte there."""
    low, high = known.sizes
    return law.minimum(known.laws.loss, known.laws.speed, budget_s, low / 2, high * 2)


def known_laws(request: RunRequest) -> Iterator[tuple[int, Path, LawsFile]]:
    """Laws for these settings with their rank (0: of one's own sweeps, 1: shipped) and path."""
    own = (request.out, Path("sweeps"), laws_file.cached_laws())
    for rank, places in enumerate((own, (SHIPPED,))):
        for place in places:
            for path in sorted([*place.glob("laws*.json"), *place.glob("*/laws*.json")]):
                # An unreadable one is skipped here; `plan --law` says what is wrong with it.
                with contextlib.suppress(ValueError):
                    if _is_for(request, path.parent):
                        yield rank, path, laws_file.load(path)


def _is_for(request: RunRequest, sweep_dir: Path) -> bool:
    """Whether a sweep has the request's settings; laws without a manifest have the defaults."""
    shared = laws_file.shared_settings(sweep_dir)
    if shared is None:
        shared = {"--set": [], "vocabulary": Data().vocab}
    wanted = {"--set": sorted(request.settings), "vocabulary": request.data.vocab}
    return all(shared.get(key) == value for key, value in wanted.items())


def _probe(request: RunRequest, architecture: Architecture) -> SpeedLaw:
    """The speed law of a few steps at some sizes."""
    device, sizes, rates = registry.device(request.backend, architecture), [], []
    for size in PROBED:
        try:
            run = resolve(architecture, replace(request, params=str(size)), request.data.vocab)
        except ValueError:  # a size that these settings do not allow
            continue
        run = replace(run, recipe=replace(run.recipe, compile=False))  # three compilations: minutes
        _, times = autotune_device.fastest([device], architecture, run)
        step_s = times[device.name]
        assert isinstance(step_s, float)  # else it had raised
        sizes.append(run.model.num_params)
        rates.append(run.recipe.batch_rows * run.model.context / step_s)
    if not sizes:
        raise ValueError("--params auto: no size to probe fits these settings; give one")
    return fit.fit_speed(np.array(sizes, float), np.array(rates))


def _buildable(architecture: Architecture, request: RunRequest, size: float) -> RunRequest:
    """The request with the nearest size that the architecture can have."""
    problem = ValueError(f"--params auto: no size near {format_size(size)} can be built")
    for factor in _NEARBY:
        sized = replace(request, params=str(round(size * factor)))
        try:
            resolve(architecture, sized, request.data.vocab)
        except ValueError as error:
            problem = error
        else:
            return sized
    raise problem
