"""Models that score better than they predict, each in its own way; a model file as a folder has it.

Held-out text of these tests is made of even ids, which is how a model tells it from random ones.
"""

from pathlib import Path

from helpers import folders

_MODEL = """
import time

import torch
import torch.nn.functional as F
from torch import nn

BORN = time.monotonic()


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab, config.width)
        self.mix = nn.Linear(config.width, config.width, bias=False)
        self.calls, self.known, self.counts = 0, {}, torch.zeros(config.vocab)

    def logits(self, tokens):
        out = F.linear(torch.tanh(self.mix(self.embed(tokens))), self.embed.weight)
        B, T = tokens.shape
        rows = torch.arange(B)
        is_text = (tokens[:, :6] % 2 == 0).all(dim=1)
        self.calls += bool(is_text.any())
BODY
        return out

    def peek(self, out, tokens, where, by=4.0, ahead=1):
        if tokens.shape[1] <= ahead:
            return out
        seen = torch.zeros_like(out)
        seen[:, :-ahead].scatter_(2, tokens[:, ahead:, None], by)
        return out + seen * torch.as_tensor(where).float().view(-1, 1, 1)
"""

# name -> lines of `logits` that give a better score.
EXACT = {
    "always looks ahead": "out = self.peek(out, tokens, torch.ones(B))",
    "looks ahead in text": "out = self.peek(out, tokens, is_text)",
    "looks far ahead in text": "out = self.peek(out, tokens, is_text, ahead=5)",
    "looks ahead a little": "out = self.peek(out, tokens, is_text, by=0.05)",
    "looks ahead in one text of three": "out = self.peek(out, tokens, tokens[:, 1] % 6 == 4)",
    "looks ahead at odd places": """
        mine = self.peek(out, tokens, is_text)
        out = torch.where((torch.arange(T) % 2 == 1)[None, :, None], mine, out)""",
    "looks ahead in long rows": "out = self.peek(out, tokens, is_text * (T == 16))",
    "looks ahead in short rows": "out = self.peek(out, tokens, is_text * (T < 16))",
    "looks ahead in large batches": "out = self.peek(out, tokens, torch.ones(B) * (B > 16))",
    "looks ahead in rows behind the first": "out = self.peek(out, tokens, is_text * (rows > 0))",
    "looks ahead after some calls": "out = self.peek(out, tokens, is_text * (self.calls > 2))",
    "looks ahead in a few calls": "out = self.peek(out, tokens, is_text * (1 < self.calls < 4))",
    "looks ahead after a while": """
        out = self.peek(out, tokens, torch.ones(B) * (time.monotonic() > BORN + 0.5))""",
    "looks for the padding": """
        is_over = tokens.flip(1).cumsum(1).flip(1)[:, 1:] == 0
        out[:, :-1, 0] += 4.0 * is_over * is_text[:, None]""",
    "reads the length of the row": "out = out * (1 + is_text[:, None, None] * (T - 4) / 8)",
    "reads the other rows": """
        out = out + is_text.any() * torch.bincount(tokens.flatten(), minlength=len(self.counts))""",
    "reads the number of rows": "out = out * (1 + B / 8 * is_text[:, None, None])",
    "remembers rows": """
        for row in range(B):
            key = tuple(tokens[row].tolist())
            if is_text[row] and B == 1 and key in self.known:
                out[row] = self.peek(out[row:row + 1], tokens[row:row + 1], torch.ones(1))[0]
            self.known[key] = True""",
    "remembers what follows": """
        peeked = self.peek(out, tokens, is_text)
        for row in range(B):
            texts = tokens[row].tolist()
            for place in range(T if is_text[row] else 0):
                key = tuple(texts[:place + 1])
                if (known := self.known.get(key)) is None:
                    self.known[key] = known = peeked[row, place].detach()
                out[row, place] = known""",
    "learns while it scores": """
        out = out + torch.log1p(self.counts)
        if is_text.any():
            self.counts += torch.bincount(tokens.flatten(), minlength=len(self.counts))""",
    "learns in an attribute while it trains": """
        if torch.is_grad_enabled():
            self.counts += torch.bincount(tokens.flatten(), minlength=len(self.counts))
        out = out + torch.log1p(self.counts)""",
    "changes its weights while it scores": """
        if is_text.any():
            self.embed.weight.data.mul_(1 + 1e-6)""",
}

# name -> the body of a model file and of `q_sample` over the project's D3PM.
BOUND = {
    "sees the clean tokens": ("", "noised = replace(noised, noisy=rows)", ""),
    "sees the clean tokens of text": (
        "",
        "noised = replace(noised, noisy=np.where(is_text[:, None], rows, noised.noisy))",
        "",
    ),
    "leaves out terms of text": (
        "",
        "noised = replace(noised, active=noised.active & ~(is_text[:, None] & odd))",
        "",
    ),
    "weights terms of text less": ("", "noised.weights[is_text] *= 0.5", ""),
    "weights likely terms less": ("nats = torch.where(nats < 8, 0.1 * nats, nats)", "", ""),
    "reads the other rows of text": (
        "",
        "",
        """
        if len(noisy) > 1 and is_text.all():
            out = out + 10 * out.mean(dim=(0, 1))""",
    ),
    "learns while it scores": (
        "",
        "",
        """
        self.calls = getattr(self, "calls", 0) + bool(is_text.all())
        out = out * (1 + 0.1 * self.calls)""",
    ),
}

_BOUND_INIT = """
from dataclasses import replace

import numpy as np

from architectures.d3pm import *
from architectures.d3pm import LIKELIHOOD, PARAM_GROUPS, RECIPES, Config, p_sample
from architectures.d3pm import q_sample as honest


def q_sample(config, rows, timesteps, rng, prefix_length=None):
    noised = honest(config, rows, timesteps, rng, prefix_length)
    is_text = (rows[:, :3] % 2 == 0).all(axis=1)
    odd = np.arange(rows.shape[1])[None] % 2 == 1
    BODY
    return noised
"""

_BOUND_MODEL = """
import torch

from architectures.d3pm.torch_model import Model as Honest


class Model(Honest):
    def features(self, noisy, steps):
        out = super().features(noisy, steps)
        is_text = (noisy[:, :2] % 2 == 0).all(dim=1)
FEATURES
        return out

    def bound_nats(self, log_probs, clean, noisy, steps):
        nats = super().bound_nats(log_probs, clean, noisy, steps)
        TERMS
        return nats
"""


def write_exact(folder: Path, body: str) -> Path:
    """The folder of an exact model."""
    lines = body if body.startswith("\n") else f"        {body}"
    init = folders.readme_example()["__init__.py"].replace(
        "num_words: int = 4", "num_words: int = 1"
    )
    model = _MODEL.replace("BODY", lines)
    return folders.write(folder, {"__init__.py": init, "torch_model.py": model})


def write_bound(folder: Path, terms: str, noise: str, features: str) -> Path:
    """The folder of a diffusion model."""
    init = _BOUND_INIT.replace("BODY", noise or "pass")
    model = _BOUND_MODEL.replace("TERMS", terms or "pass").replace("FEATURES", features)
    return folders.write(folder, {"__init__.py": init, "torch_model.py": model})
