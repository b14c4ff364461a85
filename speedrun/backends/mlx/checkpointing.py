"""Activation checkpointing (Chen et al. 2016): blocks are computed again in the backward pass.

See `speedrun.backends.torch.checkpointing`.
"""

import functools
from collections.abc import Iterator
from typing import Any

import mlx.core as mx
import mlx.nn as nn


def checkpoint_blocks(model: nn.Module) -> None:
    """Checkpoint every block of a model; parameters keep their names.

    Blocks are the modules in the outermost lists that have modules of their own. ValueError
    where there is none.
    """
    blocks = list(_blocks(model))
    if not blocks:
        raise ValueError(
            "recipe.activation_checkpointing=true: the model has no list of blocks; leave it out"
        )
    for block in blocks:
        block.__class__ = _checkpointed(type(block))


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children().values():
        if isinstance(child, list):
            yield from (one for one in child if isinstance(one, nn.Module) and one.children())
        elif isinstance(child, nn.Module):
            yield from _blocks(child)


@functools.cache
def _checkpointed(block: type[Any]) -> type[Any]:
    """The class of a block that is checkpointed in training."""

    def call(self: Any, *args: Any) -> Any:
        if not self.training:
            return block.__call__(self, *args)

        def with_params(params: Any, *args: Any) -> Any:
            self.update(params)
            return block.__call__(self, *args)

        return mx.checkpoint(with_params)(self.trainable_parameters(), *args)

    return type(block.__name__, (block,), {"__call__": call})
