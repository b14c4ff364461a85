"""Compute, time and data of a plan: the arithmetic of 6·N·D."""

from collections.abc import Mapping
from dataclasses import dataclass

from speedrun.models import flops
from speedrun.plan.hardware import Hardware
from speedrun.plan.memory import MARGIN
from speedrun.plan.probe import Probe
from speedrun.plan.report import GO, NO_GO, Figure, Verdict
from speedrun.plan.request import PlanRequest
from speedrun.text import count, duration, flop, rate, size


@dataclass(frozen=True, kw_only=True)
class Work:
    """Tokens of a training, what they cost, and how fast they go."""

    num_params: int  # N
    num_tokens: float  # D: as requested, or what fits into the minutes
    tokens_per_s: float
    speed_source: str
    parts: Mapping[str, float]  # FLOP of a forward pass per token
    parts_source: str

    @property
    def flop(self) -> float:
        """6·N·D."""
        return flops.train_flop(self.num_params, self.num_tokens)

    @property
    def forward_flop(self) -> float:
        """FLOP of a forward pass per token, counted exactly."""
        return sum(self.parts.values())


def work(request: PlanRequest, hardware: Hardware, probe: Probe | None) -> Work:
    """The training of a plan, at the effective rate of a device or at a measured speed."""
    per_token = flops.train_flop(request.num_params, 1)
    tokens_per_s, source = hardware.effective_flop_s / per_token, "effective rate / 6·N"
    if probe is not None:
        tokens_per_s, source = probe.tokens_per_s, "measured just now"
    parts, parts_source = flops.forward_parts(
        request.architecture, request.model, is_processor=hardware.is_processor
    )
    is_timed = request.wanted == "minutes"
    return Work(
        num_params=request.num_params,
        num_tokens=tokens_per_s * request.budget_s if is_timed else request.num_tokens,
        tokens_per_s=tokens_per_s,
        speed_source=source,
        parts=parts,
        parts_source=parts_source,
    )


def compute_figures(work: Work, *, is_timed: bool) -> list[Figure]:
    """6·N·D beside the exact count."""
    D, total, forward = work.num_tokens, work.flop, work.forward_flop
    exact = flops.exact_flop(forward, D)
    shares = ", ".join(f"{name} {part / forward:.0%}" for name, part in work.parts.items())
    of_exact = f"3 · {forward:,.0f} FLOP per token forward · D: {work.parts_source} ({shares})"
    what = "below 1: weights in tables multiply nothing; above: products of attention"
    return [
        Figure("num_tokens", "tokens", D, count, "D, that fit the time" if is_timed else "D"),
        Figure("train_flop", "training", total, flop, "6·N·D (Kaplan et al. 2020)"),
        Figure("exact_flop", "exact count", exact, flop, of_exact),
        Figure("exact_over_6nd", "exact / 6·N·D", exact / total, "{:.2f}".format, what),
    ]


def time_figures(work: Work, hardware: Hardware, *, is_measured: bool) -> list[Figure]:
    """Rates of the device and hours of training."""
    spec, effective, D = hardware.spec_flop_s, hardware.effective_flop_s, work.num_tokens
    found = [
        Figure("spec_flop_s", "spec", spec, rate, hardware.source),
        Figure("effective_flop_s", "effective", effective, rate, hardware.effective_source),
        Figure("tokens_per_s", "speed", work.tokens_per_s, speed, work.speed_source),
        Figure("train_s", "training takes", D / work.tokens_per_s, duration, "D / speed"),
    ]
    if not is_measured:  # a measurement has every operation in it
        exact_s = flops.exact_flop(work.forward_flop, D) / effective
        how = "exact FLOP / effective rate"
        found.append(Figure("exact_s", "by the exact count", exact_s, duration, how))
    return found


def probe_figures(work: Work, probe: Probe, num_params: int) -> list[Figure]:
    """The results of ten seconds of training; `num_params` are those counted."""
    of_6n = flops.train_flop(num_params, probe.tokens_per_s)
    of_exact = flops.exact_flop(work.forward_flop, probe.tokens_per_s)
    how = (
        f"{probe.num_steps} steps of {probe.batch_rows} rows ({probe.micro_batch_rows} at a"
        f" time), {probe.optimizer}, {probe.precision} on {probe.device}"
    )
    matmul, share = probe.matmul_flop_s, "of the rate of matrix products"
    found = [
        Figure("probe_tokens_per_s", "measured", probe.tokens_per_s, speed, how),
        Figure("probe_flop_s_6n", "by 6·N", of_6n, rate, "6·N counted · tokens/s"),
        Figure("probe_flop_s_exact", "by the exact count", of_exact, rate, "FLOP · tokens/s"),
        Figure("probe_matmul_flop_s", "matrix products", matmul, rate, "best, measured"),
        Figure("probe_peak_bytes", "peak memory", probe.peak_bytes, size, "of the whole process"),
    ]
    if matmul:
        found += [
            Figure("probe_share_6n", "share reached, 6·N", of_6n / matmul, percent, share),
            Figure("probe_share_exact", "share, exact", of_exact / matmul, percent, share),
        ]
    return found


def judge(request: PlanRequest, hardware: Hardware, work: Work) -> list[Verdict]:
    """Compute: possible at all, at the full rate? Time: within the budget less the margin?"""
    wanted, budget_s = request.num_tokens, request.budget_s
    total = flops.train_flop(request.num_params, wanted)
    possible = hardware.spec_flop_s * budget_s
    budget = "five minutes" if budget_s == 300 else duration(budget_s)
    of_what = f"{count(wanted)} tokens ({wanted / request.num_params:.3g} per parameter)"
    full = f"{budget} at the full {rate(hardware.spec_flop_s)} are {flop(possible)}"
    seconds, usable_s = wanted / work.tokens_per_s, (1 - MARGIN) * budget_s
    usable = f"usable are {duration(usable_s)} ({1 - MARGIN:.0%} of {budget})"
    enough = f"{budget} are enough for {count(work.tokens_per_s * budget_s)} tokens"
    return [
        Verdict(
            "compute",
            GO if total <= possible else NO_GO,
            f"{of_what} need {flop(total)}; {full}",
            total,
            possible,
        ),
        Verdict(
            "time",
            GO if seconds <= usable_s else NO_GO,
            f"{of_what} take {duration(seconds)}, {usable}; {enough}",
            seconds,
            usable_s,
        ),
    ]


def percent(share: float) -> str:
    """A share as a whole percentage."""
    return f"{share:.0%}"


def speed(tokens_per_s: float) -> str:
    """Tokens per second."""
    return f"{tokens_per_s:,.0f} tokens/s"
