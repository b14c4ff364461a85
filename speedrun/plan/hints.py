"""Recipe hints that scale with size and compute, data at hand, and smaller models of equal loss."""

import math
import time
from pathlib import Path

from speedrun.config import Data
from speedrun.data import open
from speedrun.models import flops
from speedrun.plan.compute import Work
from speedrun.plan.report import Figure, Verdict, plain
from speedrun.plan.request import PlanRequest
from speedrun.scaling_laws.law import CHINCHILLA, LossLaw
from speedrun.text import count, duration

# TinyStories-train.txt on the hub (Eldan & Li 2023): 2.1M stories.
TINYSTORIES_BYTES = 1.92e9
BYTES_PER_TOKEN = 3.95  # TinyStories at 4,096 ids: 31.2 MB in 7.9M tokens
READ_S = 5.0
WARMUP_STEPS = 2000  # Touvron et al. 2023; Bi et al. 2024
WARMUP_SHARE = 0.02  # of a short run, at most: as our recipe `goedecke`; no published rule
FACTORS = (0.75, 0.5, 0.25)
NEAR = 3.0  # a size within this factor of the optimum loses little
FEWEST_STEPS = 20  # of a race that teaches a model anything
KNOWN = "20 for Chinchilla 70B, 1,875 for Llama 3 8B, 6,471 for SmolLM2 1.7B"
_short, _factor = "{:.2g}".format, "{:.3g}".format


def _tokens(number: float) -> str:
    return f"{count(number)} tokens"


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


def data_figures(work: Work) -> list[Figure]:
    """Tokens per parameter against the optimum's, and epochs of the data at hand."""
    request, D, speed = work.request, work.num_tokens, work.tokens_per_s
    N, path, budget_s = request.num_params, request.options.data, request.budget_s
    num_bytes, what = TINYSTORIES_BYTES, "TinyStories, 1.92 GB"
    if path is not None:
        num_bytes, is_all = _num_bytes(path, request.options.text_field)
        what = f"{'' if is_all else 'at least '}{num_bytes / 1e6:,.1f} MB of {Path(path).name}"
    at_hand = num_bytes / BYTES_PER_TOKEN
    by_ratio = flops.params_by_ratio(speed, budget_s)
    optimum = f"D / N; {flops.RATIO:g} at the optimum (Hoffmann et al. 2022); {KNOWN}"
    per_token = f"{what} / {BYTES_PER_TOKEN} bytes per token (4,096 ids)"
    by_speed = f"{speed:,.0f} tokens/s · {duration(budget_s)} / {flops.RATIO:g}"
    return [
        Figure("ratio", "tokens / parameter", D / N, _factor, optimum),
        Figure("chinchilla_tokens", "at the optimum", flops.RATIO * N, _tokens, "20 · N"),
        Figure("params_by_ratio", "size by that rule", by_ratio, count, by_speed),
        Figure("tokens_at_hand", "at hand", at_hand, _tokens, per_token),
        Figure("epochs", "epochs", D / at_hand, _factor, "D / tokens at hand"),
    ]


def _num_bytes(path: str, text_field: str | None) -> tuple[int, bool]:
    """UTF-8 bytes of the training documents, and whether all were read in the time."""
    num_bytes, deadline_s = 0, time.monotonic() + READ_S
    wanted = Data(path=path, text_field=text_field)
    for text in open.open_source(wanted, lambda text: None).train():
        num_bytes += len(text.encode())
        if time.monotonic() > deadline_s:
            return num_bytes, False
    return max(1, num_bytes), True


def hint_figures(work: Work) -> list[Figure]:
    """Learning rate, tokens per step and warm-up, and how the default recipe differs."""
    recipe, model, rows = work.request.recipe, work.request.model, work.request.batch_rows
    by_size: float | None = lr_kaplan(max(1, model.num_params_non_embedding))
    by_compute, batch = lr_of_compute(work.flop), tokens_per_step(work.flop)
    own_batch, step = recipe.batch_rows * model.context, rows * model.context
    num_steps = work.num_tokens / step
    warmup = min(WARMUP_STEPS, WARMUP_SHARE * num_steps)
    rates = f"AdamW {recipe.lr:g}"
    if recipe.optimizer == "muon":
        rates = f"Muon {recipe.lr_matrix:g} for matrices, {rates} for the rest"
    kaplan = "0.003239 - 0.0001395 ln(N outside tables) (Kaplan et al. 2020, D.1)"
    bi_lr, bi_batch = "0.3118 C^-0.125 (Bi et al. 2024)", "0.2920 C^0.3271 (Bi et al. 2024)"
    of_steps = f"D / (batch {rows} · context {model.context} = {step:,} tokens)"
    of_warmup = f"{WARMUP_STEPS:,} (Touvron et al. 2023), at most {WARMUP_SHARE:.0%} of the steps"
    own = f"{rates}; {own_batch:,} tokens per step"
    by_size = by_size if by_size > 0 else None
    found = [
        Figure("lr_by_size", "learning rate, by size", by_size, _short, kaplan),
        Figure("lr_by_compute", "  by compute", by_compute, _short, bi_lr),
        Figure("tokens_per_step", "tokens per step", batch, count, bi_batch),
        Figure("num_steps", "steps", num_steps, plain, of_steps),
        Figure("warmup_steps", "warm-up steps", warmup, plain, of_warmup),
        Figure("our_lr", "default recipe", recipe.lr, "{:g}".format, own),
    ]
    none = f"{recipe.warmup:.0%} of the budget" if recipe.warmup else "none"
    how = (
        f"its AdamW rate to that by compute; its step is {own_batch / batch:.2g}x the formula's,"
        f" its warm-up {none}. They are fits to longer runs of plain AdamW; docs/log.md has"
        " measurements"
    )
    factor = recipe.lr / by_compute
    return [*found, Figure("differs", "  differs by", factor, "{:.1f}x".format, how)]


def judge_race(work: Work) -> list[Verdict]:
    """Whether a race of these minutes has steps to speak of, and a size near the optimum."""
    request, D = work.request, work.num_tokens
    num_steps = D / (request.batch_rows * request.model.context)
    budget = duration(request.budget_s)
    law, source = _law(request)
    best_n, _ = law.optimum(work.flop)
    factor = request.num_params / best_n
    off = max(factor, 1 / factor)
    times = f"{factor:,.0f}" if factor >= 10 else f"{factor:.2g}"
    what = f"{count(request.num_params)} is {times} times the optimum, {count(best_n)}"
    advice = "" if off <= NEAR else f": go {'smaller' if factor > 1 else 'larger'}"
    fits = f"{budget} are enough for {count(D)} tokens, {num_steps:,.0f} steps"
    return [
        Verdict("race", f"{fits}; {FEWEST_STEPS} are the least", FEWEST_STEPS, num_steps),
        Verdict("size", f"{what}, of the law at this compute ({source}){advice}", off, NEAR),
    ]


def _law(request: PlanRequest) -> tuple[LossLaw, str]:
    """The loss law of a plan, and where it comes from."""
    own, path = request.law, request.options.law
    if own is not None and path is not None:
        return own.laws.loss, f"{path.name} ({own.hardware_class})"
    return CHINCHILLA, "Hoffmann et al. 2022, approach 3"


def go_small_figures(work: Work) -> list[Figure]:
    """The law's optimum at this compute, and the cost of smaller models of equal loss."""
    N, (law, source) = work.request.num_params, _law(work.request)
    best_n, best_d = law.optimum(work.flop)
    chance = math.log(work.request.model.vocab)  # what the law says above it means nothing
    loss, critical = min(float(law(N, work.num_tokens)), chance), law.critical()
    constants = f"{law.E:g} + {law.A:g}/N^{law.alpha:g} + {law.B:g}/D^{law.beta:g}; {source}"
    constants += f"; at most chance, ln {work.request.model.vocab}"
    steep = (
        f"{count(critical * best_n)}: +100% compute; below it the cost rises steeply"
        " (de Vries 2023)"
    )
    least = "(1 + alpha/beta)^(-1/alpha): no amount of tokens reaches the loss"
    found = [
        Figure("loss_nats", "loss by the law", loss, _factor, constants),
        Figure("optimum_params", "optimal N", best_n, count, "of least loss at this 6·N·D"),
        Figure("optimum_tokens", "optimal D", best_d, _tokens, "with it"),
        Figure("size_factor", "this plan's k_N", N / best_n, "{:.2f}".format, "N / optimal N"),
    ]
    for factor in FACTORS:  # of the optimal size, at the optimum's loss
        extra, more = law.extra_compute(factor), law.data_factor(factor)
        how = f"same loss with {count(factor * best_n)} on k_D = {more:.2f}x the tokens"
        if factor == FACTORS[0]:
            how += "; k_N·k_D - 1, k_D = (1 - (k_N^-alpha - 1)·beta/alpha)^(-1/beta)"
        value = extra if math.isfinite(extra) else None
        if value is None:
            how = "impossible: below the lower limit"
        key, shown = f"extra_compute_{factor:g}", "{:+.0%} compute".format
        found.append(Figure(key, f"k_N {factor:g}", value, shown, how))
    return [
        *found,
        Figure("critical_size_factor", "critical size", critical, "k_N {:.2f}".format, steep),
        Figure("limit_size_factor", "lower limit", law.limit(), "k_N {:.3f}".format, least),
    ]
