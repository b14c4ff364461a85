"""Activation checkpointing (Chen et al. 2016): blocks keep their inputs, and nothing between.

The backward pass computes a block again before it goes through it. Only its activations are then
in memory, and those of no other block.
"""

from collections.abc import Callable, Iterator
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_blocks(model: nn.Module) -> None:
    """Checkpoint every block of a model; parameters keep their names.

    Blocks are the modules in the outermost `nn.ModuleList`s or `nn.Sequential`s that have modules
    of their own. ValueError where there is none.
    """
    blocks = list(_blocks(model))
    if not blocks:
        raise ValueError(
            "recipe.activation_checkpointing=true: the model has no blocks in an nn.ModuleList or"
            " nn.Sequential; leave it out"
        )
    for block in blocks:
        block.forward = _checkpointed(block.forward)


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        is_list = isinstance(child, nn.ModuleList | nn.Sequential)
        found = [one for one in child.children() if is_list and any(one.children())]
        yield from found or _blocks(child)


def _checkpointed(forward: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return call
