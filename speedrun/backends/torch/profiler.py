"""A training step taken apart: which part of the model and of the engine takes how long.

The step's time is cut at marks, and each piece belongs to the part that its mark names: so the
parts add up to the step. A module is marked on its way in and out; in the backward pass marks
stand around every node of the graph that the module made.

A compiled model is one piece: its modules are fused into each other. How that piece divides is
measured on the same model with its modules compiled one by one, and said to be so.
"""

import contextlib
import itertools
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from speedrun.backends.torch.devices import DeviceRow
from speedrun.protocols import Profile

# What a step consists of besides the model's own parts.
DATA, MODEL, OUTPUT = "data", "rest of the model", "output and loss"
EXCHANGE, OPTIMIZER, REST = "exchange", "optimizer", "the rest"
# A module's part by its own name or that of its class.
_KNOWN = (
    (re.compile(r".*(attention|attn)"), "attention"),
    (re.compile(r".*(mlp|ffn|feed_?forward)"), "MLP"),
    (re.compile(r".*embed(ding|dings|s)?"), "embedding"),
)

Run = Callable[..., Tensor]
Mark = Callable[[str], None]
Steps = Callable[[Run, Mark], int]  # trains that way and marks; returns the number of steps


class Timeline:
    """Marks on the device's own time, each the beginning of a piece that belongs to a part."""

    def __init__(self, row: DeviceRow) -> None:
        self._row = row
        self._has_events = row.name == "cuda"  # elsewhere the device is waited for at each mark
        self._part = ""
        self._marks: list[tuple[str, Any]] = []

    def mark(self, part: str) -> None:
        """From now on the time is that part's."""
        if part == self._part:
            return
        self._part = part
        self._marks.append((part, self._now()))

    def _now(self) -> Any:
        if self._has_events:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            return event
        self._row.synchronize()
        return time.perf_counter()

    def parts_s(self) -> dict[str, float]:
        """Seconds of each part from the first mark to the last."""
        self._row.synchronize()
        parts_s: dict[str, float] = defaultdict(float)
        for (part, start), (_, stop) in itertools.pairwise(self._marks):
            between_s = 1e-3 * start.elapsed_time(stop) if self._has_events else stop - start
            parts_s[part] += between_s
        return dict(parts_s)


def profile(
    model: nn.Module, run: Run, eager: Run, row: DeviceRow, steps: Steps, *, is_compiled: bool
) -> Profile:
    """Steps taken apart; `run` is how the engine runs the model, `eager` is that not compiled."""
    modules = parts_of(model)
    if not is_compiled:
        with _marked(modules, timeline := Timeline(row)):
            return Profile(parts_s=_timed(eager, timeline, steps))
    whole_s = _timed(run, Timeline(row), steps)
    with _compiled_apart(modules):
        with _marked(modules, unused := Timeline(row)):
            _timed(eager, unused, steps)  # compiles
        with _marked(modules, timeline := Timeline(row)):
            apart_s = _timed(eager, timeline, steps)
    inside_s = {part: apart_s[part] for part in (*modules.values(), MODEL) if part in apart_s}
    model_s, total_s = whole_s.pop(MODEL), sum(inside_s.values())
    divided_s = {part: model_s * part_s / total_s for part, part_s in inside_s.items()}
    note = (
        "the compiled model is one piece; it is divided in the proportion that its modules have"
        f" compiled one by one, when it takes {total_s / model_s:.2f} times as long"
    )
    return Profile(parts_s=divided_s | whole_s, note=note)


def parts_of(model: nn.Module) -> dict[nn.Module, str]:
    """Modules with the part that their time belongs to; none of them inside another.

    Attentions, MLPs and embeddings wherever they are; of the rest the model's children that
    hold matrices, under their own name.
    """
    found: dict[nn.Module, str] = {}
    for name, child in model.named_children():
        is_list = isinstance(child, nn.ModuleList | nn.Sequential)
        for element in child.children() if is_list else (child,):
            known = _known(name, element)
            holds_matrices = any(param.ndim > 1 for param in element.parameters())
            found |= known or ({element: name} if holds_matrices else {})
    return found


def _known(name: str, module: nn.Module) -> dict[nn.Module, str]:
    for spelt in (name, type(module).__name__):
        for pattern, part in _KNOWN:
            if pattern.fullmatch(spelt.lower()):
                return {module: part}
    inside = [_known(inner, child) for inner, child in module.named_children()]
    return {module: part for found in inside for module, part in found.items()}


def _timed(run: Run, timeline: Timeline, steps: Steps) -> dict[str, float]:
    """Seconds of one step by part, the mean over `steps`."""

    def marked_run(*inputs: Tensor) -> Tensor:
        timeline.mark(MODEL)
        values = run(*inputs)
        # In the backward pass the output layer is over when the gradient of these is there.
        values.register_hook(lambda grad: timeline.mark(MODEL))
        timeline.mark(OUTPUT)
        return values

    timeline.mark(REST)
    num_steps = steps(marked_run, timeline.mark)
    timeline.mark("end")
    return {part: part_s / num_steps for part, part_s in timeline.parts_s().items()}


@contextlib.contextmanager
def _marked(modules: dict[nn.Module, str], timeline: Timeline) -> Iterator[None]:
    """Within it these modules mark the timeline, forward and backward."""
    with contextlib.ExitStack() as hooks:
        for module, part in modules.items():
            before, after = _hooks(part, timeline)
            for handle in (
                module.register_forward_pre_hook(before, with_kwargs=True),
                module.register_forward_hook(after, with_kwargs=True),
            ):
                hooks.callback(handle.remove)
        yield


def _hooks(part: str, timeline: Timeline) -> tuple[Callable[..., None], Callable[..., None]]:
    def before(module: nn.Module, args: Any, kwargs: Any) -> None:
        timeline.mark(part)

    def after(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        timeline.mark(REST)  # finding the nodes is not the model's time
        for node in _nodes_between((args, kwargs), output):
            node.register_prehook(lambda grads: timeline.mark(part))
            node.register_hook(lambda grads_in, grads_out: timeline.mark(MODEL))
        timeline.mark(MODEL)

    return before, after


def _nodes_between(inputs: Any, outputs: Any) -> set[Any]:
    """Nodes of the graph that were made on the way from inputs to outputs."""
    known: set[Any] = {tensor.grad_fn for tensor in _tensors(inputs)} | {None}
    todo: list[Any] = [tensor.grad_fn for tensor in _tensors(outputs)]
    found: set[Any] = set()
    while todo:
        node = todo.pop()
        if node not in known and node not in found:
            found.add(node)
            todo.extend(before for before, _ in node.next_functions)
    return found


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


@contextlib.contextmanager
def _compiled_apart(modules: dict[nn.Module, str]) -> Iterator[None]:
    """Within it each of these modules is compiled on its own."""
    own = {module: vars(module).get("forward") for module in modules}
    for module in modules:
        module.forward = torch.compile(module.forward, dynamic=False)
    try:
        yield
    finally:
        for module, forward in own.items():
            del module.forward  # the class's shows again
            if forward is not None:
                module.forward = forward
