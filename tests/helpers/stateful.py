"""Architectures that keep what they saw outside their weights, and honest ones of the same shapes.

Each is a folder of two files: a bigram model in PyTorch with parts put into it. The dishonest ones
count pairs of tokens in training and add the counts to their logits.
"""

from dataclasses import dataclass
from pathlib import Path

from helpers import folders

_INIT = """
from dataclasses import dataclass

import numpy as np

LIKELIHOOD = "exact"
{top}

@dataclass(frozen=True)
class Config:
    vocab: int = 4096
    context: int = 128
    width: int = 16

    @property
    def num_params(self):
        return sum(w.size for w in initial(self, 0).values())

    @property
    def num_params_non_embedding(self):
        return self.num_params - self.vocab * self.width


def initial(config, seed):
    V, D = config.vocab, config.width
    drawn = {{"embed.weight": np.random.default_rng(seed).normal(0, 0.1, (V, D))}}
    drawn |= {{{state}}}
    return {{name: value.astype("float32") for name, value in drawn.items()}}
"""

_MODEL = """
import functools

import torch
import torch.nn.functional as F
from torch import nn

from . import *

{top}

class Model(nn.Module):
    {body}

    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab, config.width)
        V, D, T = config.vocab, config.width, config.context
        {setup}

    def logits(self, tokens_BT{arguments}):
        x_BTD = self.embed(tokens_BT)
        {forward}
        if self.training:
            {learn}
        return F.linear(x_BTD, self.embed.weight){plus}
"""

_COUNT = """with torch.no_grad():
                before, after = tokens_BT[:, :-1].reshape(-1), tokens_BT[:, 1:].reshape(-1)
                {counts}.index_put_((before, after), torch.ones(len(after)), accumulate=True)"""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Source put into the places of the two files."""

    init: str = ""  # of __init__.py, at its top
    state: str = ""  # entries of what initial() gives besides the embedding
    top: str = ""  # of torch_model.py
    body: str = ""
    setup: str = ""
    arguments: str = ""
    forward: str = ""
    learn: str = "pass"
    plus: str = ""
    more: str | None = None  # content of another file, memory.py

    def write(self, folder: Path) -> Path:
        """The folder with these files."""
        files = {
            "__init__.py": _INIT.format(top=self.init, state=self.state),
            "torch_model.py": _MODEL.format(
                top=self.top,
                body=self.body or "kind = 1",
                setup=self.setup or "pass",
                arguments=self.arguments,
                forward=self.forward or "pass",
                learn=self.learn,
                plus=self.plus,
            ),
        }
        return folders.write(folder, files | ({"memory.py": self.more} if self.more else {}))


def _counting(counts: str, **parts: str) -> Parts:
    return Parts(
        learn=_COUNT.format(counts=counts), plus=f" + 3 * torch.log1p({counts}[tokens_BT])", **parts
    )


_ZEROS = "torch.zeros(32, 32)"
_CLOSURE = f"""
def _make():
    counts = {_ZEROS}
    return lambda: counts
remembered = _make()
"""
_CACHED = f"""
@functools.cache
def remembered():
    return {_ZEROS}
"""
_BY_PATH = """
import pathlib
import sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import memory
sys.path.pop(0)
"""

DISHONEST = {
    "a buffer": _counting("self.counts", setup='self.register_buffer("counts", torch.zeros(V, V))'),
    "a buffer that is not persistent": _counting(
        "self.counts", setup='self.register_buffer("counts", torch.zeros(V, V), persistent=False)'
    ),
    "an attribute": _counting("self.counts", setup="self.counts = torch.zeros(V, V)"),
    "an attribute of a submodule": _counting(
        "self.embed.extra[0]", setup="self.embed.extra = [torch.zeros(V, V)]"
    ),
    "an attribute of the class": _counting("Model.counts", body=f"counts = {_ZEROS}"),
    "a global of the model's file": _counting("MEMORY", top=f"MEMORY = {_ZEROS}"),
    "a global of the package": _counting("MEMORY", init=f"import torch\nMEMORY = {_ZEROS}"),
    "a closure": _counting("remembered()", top=_CLOSURE),
    "a cached function": _counting("remembered()", top=_CACHED),
    "a default argument": _counting("memory[0]", arguments=f", memory=[{_ZEROS}]"),
    "another file": _counting(
        "COUNTS", top="from .memory import COUNTS", more=f"import torch\nCOUNTS = {_ZEROS}"
    ),
    "another file found by its path": _counting(
        "memory.COUNTS", top=_BY_PATH, more=f"import torch\nCOUNTS = {_ZEROS}"
    ),
    "running statistics that are not saved": Parts(
        setup="self.norm = nn.BatchNorm1d(D)",
        forward="x_BTD = self.norm(x_BTD.transpose(1, 2)).transpose(1, 2)",
        state='"norm.weight": np.ones(D), "norm.bias": np.zeros(D)',
    ),
    "numbers drawn when built": Parts(
        setup="self.mix = torch.randn(D, D)", forward="x_BTD = x_BTD @ self.mix"
    ),
    "a number": Parts(
        setup="self.times = 0", learn="self.times = 1", forward="x_BTD = x_BTD * (1 + self.times)"
    ),
}

IN_A_GENERATOR = Parts(
    learn="torch.manual_seed(int(tokens_BT.sum()))",
    plus=" + torch.randn(self.embed.num_embeddings,"
    " generator=torch.Generator().manual_seed(torch.initial_seed()))",
)

HONEST = {
    "nothing": Parts(),
    "counts that are saved": _counting(
        "self.counts",
        setup='self.register_buffer("counts", torch.zeros(V, V))',
        state='"counts": np.zeros((V, V))',
    ),
    "running statistics that are saved": Parts(
        setup="self.norm = nn.BatchNorm1d(D)",
        forward="x_BTD = self.norm(x_BTD.transpose(1, 2)).transpose(1, 2)",
        state='"norm.weight": np.ones(D), "norm.bias": np.zeros(D), '
        '"norm.running_mean": np.zeros(D), "norm.running_var": np.ones(D)',
    ),
    "dropout": Parts(forward="x_BTD = F.dropout(x_BTD, 0.2, self.training)"),
    "noise in training": Parts(
        learn="x_BTD = x_BTD + 0.1 * torch.randn_like(x_BTD) * float(np.random.rand())",
        top="import numpy as np",
    ),
    "a constant table": Parts(
        setup='self.register_buffer("places", torch.linspace(0, 1, T)[:, None])',
        forward="x_BTD = x_BTD * (1 + self.places[: tokens_BT.shape[1]])",
    ),
    "a table that grows": Parts(
        top="def places(T):\n    return torch.arange(1.0, T + 1)[:, None].sqrt()",
        setup="self.places = {}",
        forward="T = tokens_BT.shape[1]\n"
        "        x_BTD = x_BTD * self.places.setdefault(T, places(T))",
    ),
    "a count of calls": Parts(setup="self.calls = 0", forward="self.calls += 1"),
}
