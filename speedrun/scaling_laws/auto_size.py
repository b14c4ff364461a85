"""`--params auto` and `--arch auto`: the size, or architecture, that the best law known predicts.

Laws are looked for in the sweeps below `--out` and `sweeps/`, then among the copies that sweeps
leave in the cache, then among those that come with the project. They count if they are of this
machine class, architecture, recipe and settings; those of the same data come first. Without one a
few steps at three sizes show how fast this machine is, and published constants do: a guess.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from speedrun.autotune import device as quickest
from speedrun.backends import registry
from speedrun.config import Data
from speedrun.data import open
from speedrun.models import loader
from speedrun.protocols import Architecture, Device
from speedrun.scaling_laws import fit, law
from speedrun.scaling_laws.law import LossLaw, SpeedLaw
from speedrun.sweep import report as sweep_report
from speedrun.sweep import results as sweep_laws
from speedrun.sweep import sweep_dir as sweep_folder
from speedrun.sweep.results import KnownLaws
from speedrun.system import hardware
from speedrun.text import format_size
from speedrun.training.request import RunRequest, resolve

AUTO = "auto"
SHIPPED = Path(__file__).with_name("laws")  # package data: a wheel has no docs/
FALLBACK_ARCH = "transformer"
PROBED = (500_000, 1_500_000, 4_000_000)
_REACH = 4.0  # how far beyond the probed sizes a guess may lie
# Hoffmann et al. 2022, approach 3; nats per token of other text, but where its minimum lies
# depends on the two falling terms alone.
PUBLISHED = LossLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
Notice = Callable[[str], None]


def chosen(request: RunRequest, notice: Notice) -> RunRequest:
    """What was asked for with every `auto` replaced; each choice is told in one line."""
    if AUTO not in (request.arch, request.params):
        return request
    fingerprint = open.open_source(request.data.path, lambda text: None).train_fingerprint
    if request.arch == AUTO:
        request = replace(request, arch=_arch(request, fingerprint, notice))
    if request.params == AUTO:
        request = replace(request, params=str(_params(request, fingerprint, notice)))
    return request


def _arch(request: RunRequest, fingerprint: str, notice: Notice) -> str:
    """The architecture whose law predicts the least for this budget; exact scores only."""
    predicted = {}
    for name in loader.architecture_names():
        architecture = loader.architecture(name)
        if architecture.LIKELIHOOD != "exact":
            continue
        device = _device(request, architecture)
        known = None if device is None else _best(request, name, device, fingerprint)
        if known is not None:
            predicted[name] = _minimum(known, request.budget_s)[1]
    if len(predicted) < 2:
        have = f"only one, of {next(iter(predicted))}" if predicted else "none"
        notice(
            "--arch auto needs laws of two architectures for this machine class and data and has"
            f" {have}: racing the {FALLBACK_ARCH}; `sweep --arch {FALLBACK_ARCH},lstm` makes them."
        )
        return FALLBACK_ARCH
    best = min(predicted, key=lambda name: predicted[name])
    told = ", ".join(f"{name} {loss:.4f}" for name, loss in sorted(predicted.items()))
    notice(f"--arch auto: {best} (bits per byte predicted for this budget: {told}).")
    return best


def _device(request: RunRequest, architecture: Architecture) -> Device | None:
    try:
        return registry.device(request.backend, architecture)
    except ValueError:  # not written for this backend
        return None


def _params(request: RunRequest, fingerprint: str, notice: Notice) -> int:
    """The predicted time-optimal size for this budget."""
    architecture = loader.architecture(request.arch)
    device = registry.device(request.backend, architecture)
    minutes = f"{request.budget_s / 60:g} min"
    known = _best(request, architecture.NAME, device, fingerprint)
    if known is not None:
        size, loss = _minimum(known, request.budget_s)
        other = "" if known.train_fingerprint == fingerprint else ", of other data"
        notice(
            f"--params auto: {format_size(size)}, time-optimal at {minutes} by the law of"
            f" {known.num_runs} runs in {known.path}{other}; it predicts {loss:.4f} bits per byte."
        )
        return _buildable(architecture, request, size)
    if architecture.EPOCHS is not None:
        raise ValueError(
            f"--params auto: {architecture.NAME} is counted, not trained step by step, and no sweep"
            " of it is known; give a size"
        )
    speed = _probe(request, architecture, device)
    sizes = (PROBED[0] / _REACH, PROBED[-1] * _REACH)
    size, _ = law.minimum(PUBLISHED, speed, request.budget_s, *sizes)
    notice(
        f"--params auto: {format_size(size)} is a guess for {minutes}: no sweep of this machine"
        f" class is known, so published constants and a probe of this machine's speed"
        f" ({float(speed.tokens_per_s(size)):,.0f} tokens/s) have to do; `sweep` measures it."
    )
    return _buildable(architecture, request, size)


def _minimum(known: KnownLaws, budget_s: float) -> tuple[float, float]:
    low, high = known.sizes
    return law.minimum(known.loss, known.speed, budget_s, low / 2, high * 2)


def _best(request: RunRequest, arch: str, device: Device, fingerprint: str) -> KnownLaws | None:
    """The law of most runs that fits; those of the same data come first."""
    hardware_class = hardware.hardware_class(hardware.machine(), device.name, device.accelerator)
    candidates = []
    for rank, known in _known(request):
        if (known.hardware_class, known.arch, known.recipe) == (
            hardware_class,
            arch,
            request.recipe,
        ):
            is_same = known.train_fingerprint == fingerprint
            candidates.append((not is_same, rank, -known.num_runs, str(known.path), known))
    return min(candidates, key=lambda entry: entry[:4])[-1] if candidates else None


def _known(request: RunRequest) -> Iterator[tuple[int, KnownLaws]]:
    """Laws for these settings, those of one's own sweeps and their copies first."""
    own = (request.out, Path("sweeps"), sweep_report.kept_laws())
    for rank, places in enumerate((own, (SHIPPED, SHIPPED / "sweeps"))):
        for place in places:
            for path in sorted([*place.glob("laws*.json"), *place.glob("*/laws*.json")]):
                # One that cannot be read is not ours to judge: `plan --law` says what is wrong.
                with contextlib.suppress(ValueError):
                    if _is_for(request, path.parent):
                        yield rank, sweep_laws.load(path)


def _is_for(request: RunRequest, folder: Path) -> bool:
    """Whether a sweep's settings are those asked for; laws alone are taken to be."""
    if not (folder / sweep_folder.MANIFEST).exists():
        return not request.settings and request.data.vocab == Data().vocab
    shared = sweep_folder.manifest(folder)["shared"]
    wanted = {"--set": sorted(request.settings), "vocabulary": request.data.vocab}
    return all(shared.get(key) == value for key, value in wanted.items())


def _probe(request: RunRequest, architecture: Architecture, device: Device) -> SpeedLaw:
    """How fast a few steps at some sizes are."""
    sizes, rates = [], []
    for size in PROBED:
        try:
            run = resolve(architecture, replace(request, params=str(size)), request.data.vocab)
        except ValueError:  # a size that these settings do not allow
            continue
        run = replace(run, recipe=replace(run.recipe, compile=False))  # three compilations: minutes
        _, times = quickest.quickest([device], architecture, run)
        step_s = times[device.name]
        assert isinstance(step_s, float)  # else it had raised
        sizes.append(run.model.num_params)
        rates.append(run.recipe.batch_rows * run.model.context / step_s)
    if not sizes:
        raise ValueError("--params auto: no size to probe fits these settings; give one")
    return fit.fit_speed(np.array(sizes, float), np.array(rates))


def _buildable(architecture: Architecture, request: RunRequest, size: float) -> int:
    """The nearest size that the architecture can have, to two digits and then wider around."""
    problem = ValueError(f"--params auto: no size near {format_size(size)} can be built")
    for factor in (1.0, 1.1, 0.9, 1.25, 0.8, 1.6, 0.6, 2.0, 3.0, 5.0):
        target = round(size * factor)
        try:
            resolve(architecture, replace(request, params=str(target)), request.data.vocab)
        except ValueError as error:
            problem = error
        else:
            return target
    raise problem
