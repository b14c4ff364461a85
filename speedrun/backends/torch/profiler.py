"""Time of each part of a training step: modules, loss, optimizer, exchange, data.

The engine is wrapped from outside. A module is marked on its way in and out; in the backward
pass marks stand around every node of the graph that the module made.

A compiled model is one piece: its modules are fused into each other. How that piece divides is
measured on the same model with its modules compiled one by one, and the profile's note says so.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.utils._pytree as pytree
from torch import Tensor, nn

from speedrun.backends.timeline import (
    DATA,
    EXCHANGE,
    MODEL,
    OPTIMIZER,
    OUTPUT,
    REST,
    Timeline,
    replaced,
)
from speedrun.backends.torch.devices import DeviceRow
from speedrun.device import Profile
from speedrun.protocols import Rows

# A module's part by its own name or that of its class.
_KNOWN = (
    (re.compile(r".*(attention|attn)"), "attention"),
    (re.compile(r".*(mlp|ffn|feed_?forward)"), "MLP"),
    (re.compile(r".*embed(ding|dings|s)?"), "embedding"),
)

Forward = Callable[..., Tensor]


def profile(engine: Any, batches: Sequence[Rows]) -> Profile:
    """Train on these batches with a `TorchEngine`, a step each, and time the parts of a step."""
    if engine.workers is None:
        return _profile(engine, batches)
    engine.step(batches[0], 1.0)  # compiles
    start = time.perf_counter()
    for rows in batches:
        engine.step(rows, 1.0)
    step_s = (time.perf_counter() - start) / len(batches)
    with replaced(engine.workers, in_turn=True):
        return _side_by_side(_profile(engine, batches), step_s, engine.workers.num_workers)


def _side_by_side(in_turn: Profile, step_s: float, num_workers: int) -> Profile:
    """The profile of a step of several workers, from one whose pieces went in turn."""
    outside_s = {part: in_turn.parts_s.get(part, 0.0) for part in (DATA, OPTIMIZER)}
    inside_s = {part: s for part, s in in_turn.parts_s.items() if part not in outside_s}
    share = max(0.0, step_s - sum(outside_s.values())) / sum(inside_s.values())
    note = (
        f"{num_workers} workers share a step; its parts were timed piece after piece and shortened"
        f" to {share:.2f} of that, which is how long the workers take side by side"
    )
    parts_s = {part: s * share for part, s in inside_s.items()} | outside_s
    return Profile(parts_s=parts_s, note="; ".join(filter(None, (in_turn.note, note))))


def _profile(engine: Any, batches: Sequence[Rows]) -> Profile:
    modules = parts_of(engine.model)
    if not engine.metadata()["compiled"]:
        return Profile(parts_s=_parts_s(engine, engine.forward.eager, batches, modules))
    whole_s = _parts_s(engine, engine.forward, batches, {})
    with _compiled_one_by_one(modules):
        _parts_s(engine, engine.forward.eager, batches, modules)  # compiles
        apart_s = _parts_s(engine, engine.forward.eager, batches, modules)
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


def _timeline(row: DeviceRow) -> Timeline:
    if row.name != "cuda":  # the device is waited for at each mark
        return Timeline(lambda: (row.synchronize(), time.perf_counter())[1])

    def event() -> Any:
        made = torch.cuda.Event(enable_timing=True)
        made.record()
        return made

    return Timeline(event, lambda start, stop: 1e-3 * start.elapsed_time(stop))


def _parts_s(
    engine: Any, forward: Forward, batches: Sequence[Rows], modules: dict[nn.Module, str]
) -> dict[str, float]:
    """Seconds of one step by part, the mean over the batches, with the model run by `forward`."""
    timeline = _timeline(engine.device_row)

    def marked_forward(*inputs: Tensor) -> Tensor:
        timeline.mark(MODEL)
        values = forward(*inputs)
        # In the backward pass the output layer is over when the gradient of these is there.
        values.register_hook(lambda grad: timeline.mark(MODEL))
        timeline.mark(OUTPUT)
        return values

    with contextlib.ExitStack() as stack:
        stack.enter_context(_marked(modules, timeline))
        stack.enter_context(timeline.charging(engine.losses, {"batch": DATA, "place": DATA}))
        parts = {"_exchange": EXCHANGE, "_update": OPTIMIZER}
        stack.enter_context(timeline.charging(engine, parts))
        stack.enter_context(replaced(engine, forward=marked_forward))
        for rows in batches:
            timeline.mark(REST)
            engine.step(rows, 1.0)
        timeline.mark("end")
        engine.device_row.synchronize()
    return {part: part_s / len(batches) for part, part_s in timeline.parts_s().items()}


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
    leaves, _ = pytree.tree_flatten(value)
    return (leaf for leaf in leaves if isinstance(leaf, Tensor))


@contextlib.contextmanager
def _compiled_one_by_one(modules: dict[nn.Module, str]) -> Iterator[None]:
    """Within it each of these modules is compiled on its own."""
    with contextlib.ExitStack() as stack:
        for module in modules:
            compiled = torch.compile(module.forward, dynamic=False)
            stack.enter_context(replaced(module, forward=compiled))
        yield
