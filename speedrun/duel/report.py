"""Result of a duel: plain values for JSON, and a summary in Markdown."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from speedrun.duel.hold import judged
from speedrun.duel.live import interval, percent
from speedrun.duel.sequential import SIGNIFICANCE
from speedrun.duel.verdict import Verdict
from speedrun.records.curves import curve, time_to_equal_loss
from speedrun.records.duel import SIDES, Duel, DuelSide, SideName
from speedrun.records.schema import Record
from speedrun.text import clock, counted

RESULT, SUMMARY = "result.json", "summary.md"


def result(duel: Duel, records: Mapping[str, Record]) -> dict[str, Any]:
    """The verdict and the facts about both sides, as plain values."""
    found = judged(duel)
    runs = {side: [records[getattr(pair, side)] for pair in duel.counted] for side in SIDES}
    out: dict[str, Any] = {"duel": duel.id, "decision": "open", "verdict": None}
    if found is not None:
        values = dataclasses.asdict(found)
        finite = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in values.items()
        }
        out |= {"decision": found.decision, "verdict": finite}
    out["sentence"] = sentence(duel, found)
    out["num_pairs"], out["num_disturbed"] = len(duel.counted), duel.num_disturbed
    out |= {side: _facts(getattr(duel, side), runs[side]) for side in SIDES}
    out["time_to_equal_loss"] = _equal(runs["a"], runs["b"])
    return out


def sentence(duel: Duel, found: Verdict | None) -> str:
    """The outcome in one sentence."""
    pairs = counted(len(duel.counted), "pair")
    if found is None or found.decision == "open":
        disturbed = counted(duel.num_disturbed, "pair")
        return (
            f"Undecided after {pairs} of {duel.planned_pairs}, and {disturbed} during which the"
            " machine was disturbed; on a quieter one the same command resumes."
        )
    if found.decision == "none":
        return f"No difference shown after {pairs}, at p < {SIGNIFICANCE:g} either way."
    side: SideName = found.decision
    p_value = found.p_value if side == "b" else found.p_value_a
    return f"{side.upper()} is better: p = {p_value:.2g} after {pairs}."


def lines(duel: Duel, records: Mapping[str, Record]) -> list[str]:
    """The result as lines for a terminal."""
    found, values = judged(duel), result(duel, records)
    out = [values["sentence"]]
    if found is not None and len(duel.counted) > 1:
        out += [
            f"bits per byte  B - A = {percent(found.mean)} (95 %: {interval(found)})",
            f"B is better    with probability {found.probability:.4g}"
            f" (one-sided p = {found.p_value:.2g})",
        ]
    for side in SIDES:
        if (facts := values[side])["bits_per_byte"] is not None:
            out.append(
                f"{side.upper()}              {facts['bits_per_byte']:.4f} bits per byte,"
                f" {facts['tokens_per_s']:,.0f} tokens/s: {facts['label']}"
            )
    return out + [f"equal loss     {line}" for line in _equal_lines(duel, values)]


def markdown(duel: Duel, records: Mapping[str, Record]) -> str:
    """The summary that stands beside a duel's runs."""
    found, values = judged(duel), result(duel, records)
    out = [f"# {_cell(duel.a.label)} against {_cell(duel.b.label)}", "", values["sentence"], ""]
    if found is not None and len(duel.counted) > 1:
        out += [
            f"B - A: **{percent(found.mean)}** bits per byte, 95 % interval {interval(found)};"
            f" B is better with probability {found.probability:.4g} (one-sided p ="
            f" {found.p_value:.2g}, paired t-test on ln bits per byte).",
            "",
        ]
    out += ["| | A | B |", "|---|---|---|"]
    rows = {
        "side": lambda f: _cell(f["label"]),
        "code": lambda f: (f["commit"] or f["source"])[:12],
        "bits per byte": lambda f: _number(f["bits_per_byte"], ".4f"),
        "tokens/s": lambda f: _number(f["tokens_per_s"], ",.0f"),
        "tokens": lambda f: _number(f["num_tokens"], ",.0f"),
        "command": lambda f: f"`{_cell(' '.join(f['argv']))}`",
    }
    out += [
        f"| {name} | {cell(values['a'])} | {cell(values['b'])} |" for name, cell in rows.items()
    ]
    out += ["", *(f"{line}\n" for line in _equal_lines(duel, values))]
    out += ["| pair | first | seed | A | B | B - A | |", "|---|---|---|---|---|---|---|"]
    out += [
        f"| {pair.index + 1} | {pair.first.upper()} | {pair.seed} | {pair.a_bits_per_byte:.4f}"
        f" | {pair.b_bits_per_byte:.4f} | {percent(pair.ln_ratio)}"
        f" | {'' if pair.disturbed is None else _cell('disturbed: ' + pair.disturbed)} |"
        for pair in duel.pairs
    ]
    rule = "all pairs" if duel.stop == "fixed" else "a look after each pair"
    out += [
        "",
        f"{clock(duel.budget_s)} a race on {duel.hardware_class}; {duel.planned_pairs} pairs"
        f" planned, {rule}; duel {duel.id[:12]}, begun {duel.created}.",
    ]
    return "\n".join(out) + "\n"


def _facts(side: DuelSide, runs: Sequence[Record]) -> dict[str, Any]:
    def mean(values: list[float]) -> float | None:
        return statistics.fmean(values) if values else None

    return {
        **side.content(),
        "bits_per_byte": mean([run.score.bits_per_byte for run in runs if run.score is not None]),
        "tokens_per_s": mean([run.train.tokens_per_s for run in runs]),
        "num_tokens": mean([run.train.num_tokens for run in runs]),
        "num_params": runs[0].num_params if runs else None,
    }


def _equal(a: Sequence[Record], b: Sequence[Record]) -> dict[str, float | None] | None:
    """Seconds to equal training loss; None where two losses do not compare or there is none."""
    if not a or a[0].tokenizer.fingerprint != b[0].tokenizer.fingerprint:
        return None
    scores = a[0].score, b[0].score
    if None in scores or scores[0].likelihood != scores[1].likelihood:  # type: ignore[union-attr]
        return None
    x, y = curve(a), curve(b)
    return time_to_equal_loss(x, y) if len(x.nats) and len(y.nats) else None


def _equal_lines(duel: Duel, values: Mapping[str, Any]) -> list[str]:
    if (equal := values["time_to_equal_loss"]) is None:
        return []
    pairs = [("B", "A", equal["b_reached_a_final_s"]), ("A", "B", equal["a_reached_b_final_s"])]
    return [
        f"{who} reached {of}'s final training loss after {clock(at_s)} of {clock(duel.budget_s)}"
        for who, of, at_s in pairs
        if at_s is not None
    ]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("`", "'")
