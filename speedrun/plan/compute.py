"""The compute, time and data of a plan."""

from collections.abc import Mapping
from dataclasses import dataclass

from speedrun.config import ModelConfig
from speedrun.models import flops
from speedrun.plan.hardware import Hardware
from speedrun.plan.memory import MARGIN
from speedrun.plan.probe import Probe
from speedrun.plan.request import Question
from speedrun.plan.sheet import GO, NO_GO, Sheet, Verdict
from speedrun.protocols import Architecture
from speedrun.text import count, duration, flop, rate, size


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast training goes, by table or by measurement."""

    tokens_per_s: float
    formula: str


def speed(question: Question, hardware: Hardware, probe: Probe | None) -> Speed:
    if probe is not None:
        return Speed(tokens_per_s=probe.tokens_per_s, formula="measured just now")
    tokens_per_s = flops.tokens_in(1.0, hardware.effective_flop_s, question.num_params)
    return Speed(tokens_per_s=tokens_per_s, formula="effective rate / 6·N")


def num_tokens(question: Question, speed: Speed) -> float:
    """D: what was asked for, or what the minutes carry."""
    if question.wanted == "minutes":
        return speed.tokens_per_s * question.budget_s
    return question.num_tokens


def forward_parts(question: Question, hardware: Hardware) -> tuple[Mapping[str, float], str]:
    return parts_of(question.architecture, question.model, is_processor=hardware.is_processor)


def parts_of(
    architecture: Architecture, model: ModelConfig, *, is_processor: bool
) -> tuple[Mapping[str, float], str]:
    """FLOP of a forward pass per token by part, and where that is from."""
    rare_share = flops.RARE_SHARE if is_processor else 1.0
    parts = architecture.forward_flops(model, rare_share)
    if parts is not None:
        return parts, f"products of the {architecture.NAME}'s own weights"
    return (
        {"weights": flops.FORWARD * float(model.num_params_non_embedding)},
        "2 · weights without tables: the architecture does not say more",
    )


def add_compute(sheet: Sheet, question: Question, hardware: Hardware, D: float) -> None:
    """6·N·D beside the exact count, in FLOP, PetaFLOP-days and device hours."""
    N = question.num_params
    of_carried = "that the minutes carry" if question.wanted == "minutes" else "to train on"
    sheet.add("compute", "num_tokens", "tokens", D, count(D), f"D, {of_carried}")
    total = flops.train_flop(N, D)
    for key, label, part, formula in (
        ("forward_flop", "forward", flops.FORWARD, "2·N·D"),
        ("backward_flop", "backward", flops.BACKWARD, "4·N·D"),
    ):
        sheet.add("compute", key, label, part * N * D, flop(part * N * D), formula)
    sheet.add("compute", "train_flop", "training", total, flop(total), "6·N·D (Kaplan et al. 2020)")
    parts, origin = forward_parts(question, hardware)
    forward = sum(parts.values())
    exact = flops.exact_flop(forward, D)
    shares = ", ".join(f"{name} {part / forward:.0%}" for name, part in parts.items())
    sheet.add(
        "compute",
        "exact_flop",
        "exact count",
        exact,
        flop(exact),
        f"3 · {forward:,.0f} FLOP a token forward · D: {origin} ({shares})",
    )
    sheet.add(
        "compute",
        "exact_over_6nd",
        "exact / 6·N·D",
        exact / total,
        f"{exact / total:.2f}",
        "below 1: weights in tables multiply nothing; above: attention's own products",
    )
    for name, part in parts.items():
        sheet.add("compute", f"forward_{name}_flop_per_token", "", part, "", "2 per weight")
    days = total / flops.PETAFLOP_DAY
    sheet.add("compute", "petaflop_days", "PetaFLOP-days", days, f"{days:.3g}", "6·N·D / 8.64e19")
    hours = flops.hours(total, hardware.effective_flop_s)
    sheet.add(
        "compute",
        "device_hours",
        "GPU-hours",
        hours,
        f"{hours:.3g}",
        f"6·N·D / {rate(hardware.effective_flop_s)} on {hardware.title}",
    )


def add_probe(sheet: Sheet, question: Question, probe: Probe, forward: float) -> None:
    """What ten seconds of training showed."""
    of_6n = flops.train_flop(question.model.num_params, probe.tokens_per_s)
    of_exact = flops.exact_flop(forward, probe.tokens_per_s)
    how = (
        f"{probe.num_steps} steps of {probe.batch_rows} rows ({probe.micro_batch_rows} at a"
        f" time), {probe.optimizer}, {probe.precision} on {probe.device}"
    )
    add = sheet.add
    speed = probe.tokens_per_s
    add("time", "probe_tokens_per_s", "measured", speed, f"{speed:,.0f} tokens/s", how)
    add("time", "probe_flop_s_6n", "by 6·N", of_6n, rate(of_6n), "6·N counted · tokens/s")
    add("time", "probe_flop_s_exact", "by exact count", of_exact, rate(of_exact), "tokens/s")
    matmul = probe.matmul_flop_s
    add("time", "probe_matmul_flop_s", "matrix products", matmul, rate(matmul), "best, measured")
    if matmul:
        for key, label, reached in (
            ("probe_share_6n", "share reached, 6·N", of_6n),
            ("probe_share_exact", "share reached, exact", of_exact),
        ):
            add("time", key, label, reached / matmul, f"{reached / matmul:.0%}", "of the products")
    first, peak = probe.first_step_s, float(probe.peak_bytes)
    add("time", "probe_first_step_s", "first step", first, duration(first), "compiles; off clock")
    add("time", "probe_peak_bytes", "peak memory", peak, size(peak), "of this process, all told")


def add_time(
    sheet: Sheet,
    question: Question,
    hardware: Hardware,
    speed: Speed,
    D: float,
    forward: float,
    *,
    is_measured: bool,
) -> None:
    """Hours by the device's rates, and whether the budget holds what is wanted."""
    spec, effective = hardware.spec_flop_s, hardware.effective_flop_s
    sheet.add("time", "spec_flop_s", "spec", spec, rate(spec), hardware.spec_formula)
    sheet.add(
        "time",
        "effective_flop_s",
        "effective",
        effective,
        rate(effective),
        hardware.effective_formula,
    )
    sheet.add(
        "time",
        "spec_share",
        "share of spec",
        effective / spec,
        f"{effective / spec:.0%}",
        "effective / spec",
    )
    tokens_per_s = speed.tokens_per_s
    sheet.add(
        "time",
        "tokens_per_s",
        "speed",
        tokens_per_s,
        f"{tokens_per_s:,.0f} tokens/s",
        speed.formula,
    )
    seconds = D / tokens_per_s
    sheet.add("time", "train_s", "training takes", seconds, duration(seconds), "D / speed")
    if not is_measured:  # which counts every operation there is
        exact_s = flops.exact_flop(forward, D) / effective
        text = duration(exact_s)
        formula = "exact FLOP / effective rate"
        sheet.add("time", "exact_s", "by the exact count", exact_s, text, formula)
    _judge(sheet, question, hardware, tokens_per_s)


def _judge(sheet: Sheet, question: Question, hardware: Hardware, tokens_per_s: float) -> None:
    """Compute: possible at all, at the full rate? Time: within the budget less the margin?"""
    wanted, budget_s = question.num_tokens, question.budget_s
    total = flops.train_flop(question.num_params, wanted)
    possible = hardware.spec_flop_s * budget_s
    per_param = wanted / question.num_params
    of_what = f"{count(wanted)} tokens ({per_param:.3g} a parameter)"
    if question.wanted == "minutes":
        of_what = f"the {flops.RATIO:g} tokens a parameter of the optimum, {count(wanted)},"
    sheet.verdicts.append(
        Verdict(
            "compute",
            GO if total <= possible else NO_GO,
            f"{of_what} are {flop(total)}; {duration(budget_s)} at the full"
            f" {rate(hardware.spec_flop_s)} are {flop(possible)}",
            total,
            possible,
        )
    )
    seconds, usable_s = wanted / tokens_per_s, (1 - MARGIN) * budget_s
    carried = tokens_per_s * budget_s
    sheet.verdicts.append(
        Verdict(
            "time",
            GO if seconds <= usable_s else NO_GO,
            f"{of_what} take {duration(seconds)}, usable are {duration(usable_s)}"
            f" ({1 - MARGIN:.0%} of {duration(budget_s)}); all of it carries {count(carried)}",
            seconds,
            usable_s,
        )
    )


def add_data(sheet: Sheet, question: Question, speed: Speed, D: float) -> None:
    """Tokens per parameter against the optimum's and against known models."""
    N, budget_s = question.num_params, question.budget_s
    best = flops.chinchilla_tokens(N)
    sheet.add(
        "data",
        "ratio",
        "tokens / parameter",
        D / N,
        f"{D / N:.3g}",
        f"D / N; the optimum's is {flops.RATIO:g} (Hoffmann et al. 2022)",
    )
    sheet.add(
        "data",
        "chinchilla_tokens",
        "at that ratio",
        best,
        f"{count(best)} tokens",
        f"{flops.RATIO:g} · N",
    )
    for name, params, tokens in flops.KNOWN:
        key = "known_" + "".join(c if c.isalnum() else "_" for c in name.lower())
        sheet.add(
            "data",
            key,
            name,
            tokens / params,
            f"{tokens / params:,.0f}",
            f"{count(tokens)} tokens / {count(params)}",
        )
    by_ratio = flops.params_by_ratio(speed.tokens_per_s, budget_s)
    sheet.add(
        "data",
        "params_by_ratio",
        "size by that rule",
        by_ratio,
        count(by_ratio),
        f"{speed.tokens_per_s:,.0f} tokens/s · {duration(budget_s)} / {flops.RATIO:g}, at this"
        " size's speed",
    )
