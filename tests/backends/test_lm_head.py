"""The output layer on every framework: normalised, and scores that are those of its logits."""

import importlib
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from speedrun.backends.contract import LMHead

V, D, N = 40, 12, 1100  # more tokens than one chunk in PyTorch


@pytest.fixture(params=["torch", pytest.param("mlx", marks=pytest.mark.mlx)])
def framework(request) -> Any:
    """Its head, and its arrays from NumPy's."""
    module = pytest.importorskip("mlx.core" if request.param == "mlx" else "torch")
    head = importlib.import_module(f"speedrun.backends.{request.param}.lm_head")
    return head, module.array if request.param == "mlx" else module.from_numpy


@pytest.mark.parametrize("head_size", [0, 10, None], ids=["one-level", "two-levels", "logits"])
def test_scores_are_those_of_normalised_logits(framework, head_size):
    lm_head, array = framework
    rng = np.random.default_rng(0)
    x, weight, tail = (rng.normal(size=s).astype(np.float32) for s in ((N, D), (V, D), (1, D)))
    targets = rng.integers(0, V, N)
    head = LMHead(array(weight), array(tail) if head_size else None, head_size or 0)
    if head_size is None:  # the model's own logits
        x, head = x @ weight.T, None
    logits = np.asarray(lm_head.logits(array(x), head))
    assert logits.shape == (N, V)
    expected = -np.take_along_axis(log_softmax(logits, axis=1), targets[:, None], 1)[:, 0]
    found = np.asarray(lm_head.token_nll(array(x), head, array(targets)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)
    if head_size:  # the tail shares out exactly what its entry has
        first = x @ np.concatenate((weight[:head_size], tail)).T
        np.testing.assert_allclose(logsumexp(logits, 1), logsumexp(first, 1), rtol=1e-5)
