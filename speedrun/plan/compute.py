"""Compute and time of a plan: the arithmetic of 6·N·D."""

from speedrun.models import flops
from speedrun.plan.hardware import Hardware
from speedrun.plan.memory import MARGIN
from speedrun.plan.probe import Probe
from speedrun.plan.report import Figure, Verdict
from speedrun.plan.request import PlanRequest
from speedrun.text import count, duration, flop, rate, size

_percent = "{:.0%}".format
_speed = "{:,.0f} tokens/s".format


class Work:
    """The training of a plan on a device, at its effective rate or at a measured speed."""

    def __init__(self, request: PlanRequest, hardware: Hardware, probe: Probe | None) -> None:
        self.request, self.hardware, self.probe = request, hardware, probe
        # FLOP of a forward pass per token, counted exactly, and the source of the count.
        self.parts, self.parts_source = flops.forward_parts(
            request.architecture, request.model, is_processor=hardware.is_processor
        )
        # 6·N counts rows of tables as if they were multiplied: a race is planned without it.
        per_token = flops.train_flop(request.num_params, 1)
        of_rate = hardware.effective_flop_s / (
            self.exact_flop(1.0) if request.is_race else per_token
        )
        self.tokens_per_s = of_rate if probe is None else probe.tokens_per_s
        fits = self.tokens_per_s * request.budget_s
        self.num_tokens = fits if request.is_timed else request.num_tokens  # D
        self.flop = flops.train_flop(request.num_params, self.num_tokens)  # 6·N·D

    def exact_flop(self, num_tokens: float) -> float:
        """The exact count of training on some tokens."""
        return flops.exact_flop(sum(self.parts.values()), num_tokens)


def compute_figures(work: Work) -> list[Figure]:
    """6·N·D beside the exact count."""
    D, total, exact = work.num_tokens, work.flop, work.exact_flop(work.num_tokens)
    forward, source = sum(work.parts.values()), work.parts_source
    shares = ", ".join(f"{name} {part / forward:.0%}" for name, part in work.parts.items())
    of_exact = f"3 · {forward:,.0f} FLOP per token forward · D: {source} ({shares})"
    what = "below 1: weights in tables multiply nothing; above: products of attention"
    fits = "D, that fit the time" if work.request.is_timed else "D"
    return [
        Figure("num_tokens", "tokens", D, count, fits),
        Figure("train_flop", "training", total, flop, "6·N·D (Kaplan et al. 2020)"),
        Figure("exact_flop", "exact count", exact, flop, of_exact),
        Figure("exact_over_6nd", "exact / 6·N·D", exact / total, "{:.2f}".format, what),
    ]


def time_figures(work: Work) -> list[Figure]:
    """Rates of the device and hours of training, estimated or measured."""
    on, D, probe = work.hardware, work.num_tokens, work.probe
    count_of = "exact count" if work.request.is_race else "6·N"
    source = "measured just now" if probe else f"effective rate / {count_of}"
    found = [
        Figure("spec_flop_s", "spec", on.spec_flop_s, rate, on.source),
        Figure("effective_flop_s", "effective", on.effective_flop_s, rate, on.effective_source),
        Figure("tokens_per_s", "speed", work.tokens_per_s, _speed, source),
        Figure("train_s", "training takes", D / work.tokens_per_s, duration, "D / speed"),
    ]
    if probe is None:
        exact_s, how = work.exact_flop(D) / on.effective_flop_s, "exact FLOP / effective rate"
        return [*found, Figure("exact_s", "by the exact count", exact_s, duration, how)]
    dense = work.request.model.num_params - work.request.num_tables
    of_6n = flops.train_flop(dense, probe.tokens_per_s)
    of_exact, matmul = work.exact_flop(probe.tokens_per_s), probe.matmul_flop_s
    found += [
        Figure("probe_tokens_per_s", "measured", probe.tokens_per_s, _speed, probe.how),
        Figure("probe_flop_s_6n", "by 6·N", of_6n, rate, "6·N counted · tokens/s"),
        Figure("probe_flop_s_exact", "by the exact count", of_exact, rate, "FLOP · tokens/s"),
        Figure("probe_matmul_flop_s", "matrix products", matmul, rate, "best, measured"),
        Figure("probe_peak_bytes", "peak memory", probe.peak_bytes, size, "of the whole process"),
    ]
    if matmul:
        share = "of the rate of matrix products"
        found += [
            Figure("probe_share_6n", "share reached, 6·N", of_6n / matmul, _percent, share),
            Figure("probe_share_exact", "share, exact", of_exact / matmul, _percent, share),
        ]
    return found


def judge(work: Work) -> list[Verdict]:
    """Compute: possible at all, at the full rate? Time: within the budget less the margin?"""
    wanted, N, budget_s = work.request.num_tokens, work.request.num_params, work.request.budget_s
    total, spec = flops.train_flop(N, wanted), work.hardware.spec_flop_s
    seconds, usable_s = wanted / work.tokens_per_s, (1 - MARGIN) * budget_s
    budget = "five minutes" if budget_s == 300 else duration(budget_s)
    tokens = f"{count(wanted)} tokens ({wanted / N:.3g} per parameter)"
    possible = f"{budget} at the full {rate(spec)} are {flop(spec * budget_s)}"
    usable = f"usable are {duration(usable_s)} ({1 - MARGIN:.0%} of {budget})"
    enough = f"{budget} are enough for {count(work.tokens_per_s * budget_s)} tokens"
    return [
        Verdict("compute", f"{tokens} need {flop(total)}; {possible}", total, spec * budget_s),
        Verdict(
            "time", f"{tokens} take {duration(seconds)}, {usable}; {enough}", seconds, usable_s
        ),
    ]
