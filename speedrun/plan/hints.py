"""Recipe hints that scale with size and compute, and what a smaller model would cost."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from speedrun.data.local import LocalFiles
from speedrun.models import flops
from speedrun.plan.request import Question
from speedrun.plan.sheet import Sheet
from speedrun.text import count

# TinyStories-train.txt on the hub (Eldan & Li 2023): 2.1M stories.
TINYSTORIES_BYTES = 1.92e9
BYTES_PER_TOKEN = 3.95  # TinyStories at 4,096 ids: 31.2 MB in 7.9M tokens
READ_S = 5.0
WARMUP_STEPS = 2000  # Touvron et al. 2023; Bi et al. 2024
WARMUP_SHARE = 0.02  # of a short run, at most: as our recipe `goedecke`; no published rule
FACTORS = (0.75, 0.5, 0.25)


def lr_kaplan(num_params: float) -> float:
    """Peak rate of Adam (Kaplan et al. 2020, equation D.1); below 0 from 1e10 on."""
    return 0.003239 - 0.0001395 * math.log(num_params)


def lr_of_compute(flop: float) -> float:
    """Peak rate of AdamW (Bi et al. 2024, DeepSeek LLM, equation 1).

    Their compute leaves tables out and counts attention, ours is 6·N·D.
    """
    return 0.3118 * flop**-0.125


def tokens_per_step(flop: float) -> float:
    """Batch in tokens (Bi et al. 2024, equation 1), of the same compute."""
    return 0.2920 * flop**0.3271


def add_hints(sheet: Sheet, question: Question, D: float) -> None:
    """Learning rate, tokens per step, warm-up; and where our races disagree."""
    recipe, model = question.recipe, question.model
    total = flops.train_flop(question.num_params, D)
    inner = max(1, model.num_params_non_embedding)
    add = sheet.add
    by_size, by_compute = lr_kaplan(inner), lr_of_compute(total)
    add(
        "hints",
        "lr_by_size",
        "peak rate, by size",
        by_size if by_size > 0 else None,
        f"{by_size:.2g}" if by_size > 0 else "none",
        "0.003239 - 0.0001395 ln(N without tables) (Kaplan et al. 2020, D.1)",
    )
    add(
        "hints",
        "lr_by_compute",
        "peak rate, by compute",
        by_compute,
        f"{by_compute:.2g}",
        "0.3118 C^-0.125 (Bi et al. 2024)",
    )
    batch = tokens_per_step(total)
    add(
        "hints",
        "tokens_per_step",
        "tokens a step",
        batch,
        count(batch),
        "0.2920 C^0.3271 (Bi et al. 2024)",
    )
    ours = question.batch_rows * model.context
    num_steps = D / ours
    add(
        "hints",
        "num_steps",
        "steps",
        num_steps,
        f"{num_steps:,.0f}",
        f"D / (batch {question.batch_rows} · context {model.context} = {ours:,} tokens)",
    )
    warmup = min(WARMUP_STEPS, WARMUP_SHARE * num_steps)
    add(
        "hints",
        "warmup_steps",
        "warm-up steps",
        warmup,
        f"{warmup:,.0f}",
        f"{WARMUP_STEPS:,} (Touvron et al. 2023), at most {WARMUP_SHARE:.0%} of the steps (our"
        " choice for short runs)",
    )
    rates = f"AdamW {recipe.lr:g}"
    if recipe.optimizer == "muon":
        rates = f"Muon {recipe.lr_matrix:g} for matrices, {rates} for the rest"
    own = recipe.batch_rows * model.context
    how = f"{rates}, {own:,} tokens a step (default recipe)"
    add("hints", "our_lr", "our races", recipe.lr, f"{recipe.lr:g}", how)
    if recipe.optimizer == "muon":
        add("hints", "our_lr_matrix", "", recipe.lr_matrix, "", "recipe.lr_matrix")
    add("hints", "our_tokens_per_step", "", own, "", "recipe.batch_rows · context")
    add("hints", "our_warmup", "", recipe.warmup, "", "recipe.warmup, share of the budget")
    _disagree(sheet, question, by_compute, batch, own)


def _disagree(sheet: Sheet, question: Question, by_compute: float, batch: float, own: int) -> None:
    """What our measurements say against the formulas, which are fitted to far longer runs."""
    recipe = question.recipe
    warmup = f"{recipe.warmup:.0%} of the budget" if recipe.warmup else "none"
    sheet.notes.append(
        f"Our five-minute races disagree with the hints: the default recipe's AdamW rate is"
        f" {recipe.lr / by_compute:.1f}x the formula's, its step {own / batch:.2g}x the"
        f" formula's tokens, its warm-up {warmup}. The formulas are fits to longer"
        " runs of plain AdamW; docs/log.md has what was measured."
    )


def add_epochs(
    sheet: Sheet, path: Path | None, D: float, now: Callable[[], float] = time.monotonic
) -> None:
    """Rounds through the data at hand: a local copy, or TinyStories."""
    if path is None:
        at_hand, what = TINYSTORIES_BYTES / BYTES_PER_TOKEN, "TinyStories, 1.92 GB"
    else:
        num_bytes, is_all = _num_bytes(path, now)
        at_hand = num_bytes / BYTES_PER_TOKEN
        what = f"{'' if is_all else 'at least '}{num_bytes / 1e6:,.1f} MB of {path.name}"
    sheet.add(
        "data",
        "tokens_at_hand",
        "at hand",
        at_hand,
        f"{count(at_hand)} tokens",
        f"{what} / {BYTES_PER_TOKEN} bytes a token (4,096 ids)",
    )
    sheet.add("data", "epochs", "epochs", D / at_hand, f"{D / at_hand:.3g}", "D / tokens at hand")


def _num_bytes(path: Path, now: Callable[[], float]) -> tuple[int, bool]:
    """UTF-8 bytes of the training documents, and whether all were read in the time."""
    num_bytes, deadline = 0, now() + READ_S
    for text in LocalFiles(path).train():
        num_bytes += len(text.encode())
        if now() > deadline:
            return num_bytes, False
    return max(1, num_bytes), True


def add_go_small(sheet: Sheet, question: Question, D: float) -> None:
    """The law's optimum at this compute, and what smaller models of equal loss cost."""
    law, N = question.law, question.num_params
    total = flops.train_flop(N, D)
    best_n, best_d = law.optimum(total)
    own = N / best_n
    add = sheet.add
    for name in ("E", "A", "B", "alpha", "beta"):
        add("go_small", name, "", getattr(law, name), "", question.law_source)
    constants = f"{law.E:g} + {law.A:g}/N^{law.alpha:g} + {law.B:g}/D^{law.beta:g}"
    loss = float(law(N, D))
    add("go_small", "loss_nats", "loss by the law", loss, f"{loss:.3g}", constants)
    add(
        "go_small",
        "optimum_params",
        "optimal N",
        best_n,
        count(best_n),
        f"of least loss at 6·N·D of this plan; {question.law_source}",
    )
    add("go_small", "optimum_tokens", "optimal D", best_d, f"{count(best_d)} tokens", "beside it")
    add("go_small", "size_factor", "this plan's k_N", own, f"{own:.2f}", "N / optimal N")
    formula = "; k_N·k_D - 1, k_D = (1 - (k_N^-alpha - 1)·beta/alpha)^(-1/beta)"
    for factor in FACTORS:
        extra, data = law.extra_compute(factor), law.data_factor(factor)
        is_possible = math.isfinite(extra)
        how = f"same loss with {count(factor * best_n)} on k_D = {data:.2f}x the tokens"
        add(
            "go_small",
            f"extra_compute_{factor:g}",
            f"k_N {factor:g}",
            extra if is_possible else None,
            f"{extra:+.0%} compute" if is_possible else "impossible",
            how + (formula if factor == FACTORS[0] else "") if is_possible else "below the limit",
        )
        value = data if is_possible else None
        add("go_small", f"data_factor_{factor:g}", "", value, "", "k_D")
    critical, limit = law.critical(), law.limit()
    add(
        "go_small",
        "critical_size_factor",
        "critical size",
        critical,
        f"k_N {critical:.2f}",
        f"{count(critical * best_n)} parameters: +100% compute, from here on it soars (de Vries"
        " 2023)",
    )
    add(
        "go_small",
        "limit_size_factor",
        "no way below",
        limit,
        f"k_N {limit:.3f}",
        "(1 + alpha/beta)^(-1/alpha): no amount of tokens reaches the loss",
    )
