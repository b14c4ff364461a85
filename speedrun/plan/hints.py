"""Recipe hints that scale with size and compute, data at hand, and smaller models of equal loss."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from speedrun.data.local import LocalFiles
from speedrun.models import flops
from speedrun.plan.compute import Work
from speedrun.plan.report import Figure, plain
from speedrun.plan.request import PlanRequest
from speedrun.text import count, duration

# TinyStories-train.txt on the hub (Eldan & Li 2023): 2.1M stories.
TINYSTORIES_BYTES = 1.92e9
BYTES_PER_TOKEN = 3.95  # TinyStories at 4,096 ids: 31.2 MB in 7.9M tokens
READ_S = 5.0
WARMUP_STEPS = 2000  # Touvron et al. 2023; Bi et al. 2024
WARMUP_SHARE = 0.02  # of a short run, at most: as our recipe `goedecke`; no published rule
FACTORS = (0.75, 0.5, 0.25)
KNOWN = "20 for Chinchilla 70B, 1,875 for Llama 3 8B, 6,471 for SmolLM2 1.7B"


def lr_kaplan(num_params: float) -> float:
    """Peak learning rate of Adam (Kaplan et al. 2020, equation D.1); below 0 from 1e10 on."""
    return 0.003239 - 0.0001395 * math.log(num_params)


def lr_of_compute(flop: float) -> float:
    """Peak learning rate of AdamW (Bi et al. 2024, DeepSeek LLM, equation 1).

    Their compute leaves tables out and counts attention, ours is 6·N·D.
    """
    return 0.3118 * flop**-0.125


def tokens_per_step(flop: float) -> float:
    """Batch in tokens (Bi et al. 2024, equation 1), of the same compute."""
    return 0.2920 * flop**0.3271


def data_figures(
    request: PlanRequest, work: Work, now: Callable[[], float] = time.monotonic
) -> list[Figure]:
    """Tokens per parameter against the optimum's, and epochs of the data at hand."""
    N, D, path = request.num_params, work.num_tokens, request.options.data
    if path is None:
        at_hand, what = TINYSTORIES_BYTES / BYTES_PER_TOKEN, "TinyStories, 1.92 GB"
    else:
        num_bytes, is_all = _num_bytes(path, now)
        at_hand = num_bytes / BYTES_PER_TOKEN
        what = f"{'' if is_all else 'at least '}{num_bytes / 1e6:,.1f} MB of {path.name}"
    by_ratio = flops.params_by_ratio(work.tokens_per_s, request.budget_s)
    optimum = f"D / N; {flops.RATIO:g} at the optimum (Hoffmann et al. 2022); {KNOWN}"
    per_token = f"{what} / {BYTES_PER_TOKEN} bytes per token (4,096 ids)"
    by_speed = f"{work.tokens_per_s:,.0f} tokens/s · {duration(request.budget_s)} / {flops.RATIO:g}"
    return [
        Figure("ratio", "tokens / parameter", D / N, "{:.3g}".format, optimum),
        Figure("chinchilla_tokens", "at the optimum", flops.RATIO * N, _tokens, "20 · N"),
        Figure("params_by_ratio", "size by that rule", by_ratio, count, by_speed),
        Figure("tokens_at_hand", "at hand", at_hand, _tokens, per_token),
        Figure("epochs", "epochs", D / at_hand, "{:.3g}".format, "D / tokens at hand"),
    ]


def _tokens(number: float) -> str:
    return f"{count(number)} tokens"


def _num_bytes(path: Path, now: Callable[[], float]) -> tuple[int, bool]:
    """UTF-8 bytes of the training documents, and whether all were read in the time."""
    num_bytes, deadline_s = 0, now() + READ_S
    for text in LocalFiles(path).train():
        num_bytes += len(text.encode())
        if now() > deadline_s:
            return num_bytes, False
    return max(1, num_bytes), True


def hint_figures(request: PlanRequest, work: Work) -> tuple[list[Figure], str]:
    """Learning rate, tokens per step and warm-up, and how the default recipe differs."""
    recipe, model, total = request.recipe, request.model, work.flop
    by_size = lr_kaplan(max(1, model.num_params_non_embedding))
    by_compute, batch = lr_of_compute(total), tokens_per_step(total)
    own_batch, step = recipe.batch_rows * model.context, request.batch_rows * model.context
    num_steps = work.num_tokens / step
    warmup = min(WARMUP_STEPS, WARMUP_SHARE * num_steps)
    rates = f"AdamW {recipe.lr:g}"
    if recipe.optimizer == "muon":
        rates = f"Muon {recipe.lr_matrix:g} for matrices, {rates} for the rest"
    of_steps = f"D / (batch {request.batch_rows} · context {model.context} = {step:,} tokens)"
    of_warmup = f"{WARMUP_STEPS:,} (Touvron et al. 2023), at most {WARMUP_SHARE:.0%} of the steps"
    kaplan = "0.003239 - 0.0001395 ln(N outside tables) (Kaplan et al. 2020, D.1)"
    bi = "(Bi et al. 2024)"
    found = [
        Figure(
            "lr_by_size",
            "learning rate, by size",
            by_size if by_size > 0 else None,
            "{:.2g}".format,
            kaplan,
        ),
        Figure(
            "lr_by_compute", "  by compute", by_compute, "{:.2g}".format, f"0.3118 C^-0.125 {bi}"
        ),
        Figure("tokens_per_step", "tokens per step", batch, count, f"0.2920 C^0.3271 {bi}"),
        Figure("num_steps", "steps", num_steps, plain, of_steps),
        Figure("warmup_steps", "warm-up steps", warmup, plain, of_warmup),
        Figure(
            "our_lr",
            "default recipe",
            recipe.lr,
            "{:g}".format,
            f"{rates}; {own_batch:,} tokens per step",
        ),
    ]
    own_warmup = f"{recipe.warmup:.0%} of the budget" if recipe.warmup else "none"
    note = (
        f"The default recipe differs from these formulas: its AdamW rate is"
        f" {recipe.lr / by_compute:.1f}x, its step {own_batch / batch:.2g}x theirs, its warm-up"
        f" {own_warmup}. They are fits to longer runs of plain AdamW; docs/log.md has measurements."
    )
    return found, note


def go_small_figures(request: PlanRequest, work: Work) -> list[Figure]:
    """The law's optimum at this compute, and the cost of smaller models of equal loss."""
    law, source = request.law, request.law_source
    best_n, best_d = law.optimum(work.flop)
    own, loss = work.num_params / best_n, float(law(work.num_params, work.num_tokens))
    critical, limit = law.critical(), law.limit()
    constants = f"{law.E:g} + {law.A:g}/N^{law.alpha:g} + {law.B:g}/D^{law.beta:g}"
    steep = f"{count(critical * best_n)}: +100% compute; below it the cost rises steeply"
    least = "(1 + alpha/beta)^(-1/alpha): no amount of tokens reaches the loss"
    return [
        Figure("loss_nats", "loss by the law", loss, "{:.3g}".format, f"{constants}; {source}"),
        Figure("optimum_params", "optimal N", best_n, count, "of least loss at this 6·N·D"),
        Figure("optimum_tokens", "optimal D", best_d, _tokens, "with it"),
        Figure("size_factor", "this plan's k_N", own, "{:.2f}".format, "N / optimal N"),
        *(_smaller(request, factor, best_n) for factor in FACTORS),
        Figure(
            "critical_size_factor",
            "critical size",
            critical,
            "k_N {:.2f}".format,
            f"{steep} (de Vries 2023)",
        ),
        Figure("limit_size_factor", "lower limit", limit, "k_N {:.3f}".format, least),
    ]


def _smaller(request: PlanRequest, factor: float, best_n: float) -> Figure:
    """Extra compute of a model of `factor` times the optimal size at the optimum's loss."""
    extra, data = request.law.extra_compute(factor), request.law.data_factor(factor)
    key, label = f"extra_compute_{factor:g}", f"k_N {factor:g}"
    if not math.isfinite(extra):
        return Figure(key, label, None, str, "impossible: below the lower limit")
    how = f"same loss with {count(factor * best_n)} on k_D = {data:.2f}x the tokens"
    if factor == FACTORS[0]:
        how += "; k_N·k_D - 1, k_D = (1 - (k_N^-alpha - 1)·beta/alpha)^(-1/beta)"
    return Figure(key, label, extra, "{:+.0%} compute".format, how)
