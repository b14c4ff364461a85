"""Embeddings under a compiler: the same values and gradients, summed outside its reach."""

import pytest
from helpers.engines import small_engine

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from speedrun.backends.torch import embedding  # noqa: E402

V, D = 40, 12


class Model(nn.Module):
    """Two tables, of which one is also a matrix elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.other = nn.Embedding(V, D), nn.Embedding(V, D)

    def forward(self, tokens_BT):
        return (self.embed(tokens_BT) * self.other(tokens_BT)) @ self.embed.weight.T


def tokens():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, V // 2, (3, 50), generator=generator)  # many of them more than once


def values_and_grads(model, run):
    values = run(tokens())
    values.square().sum().backward()
    grads = [param.grad.clone() for param in model.parameters()]
    model.zero_grad()
    return [values.detach(), *grads]


@pytest.mark.parametrize("is_compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_values_and_gradients_are_those_of_a_plain_embedding(is_compiled):
    torch.manual_seed(0)
    plain, eased = Model(), Model()
    embedding.keep_plain(eased)
    eased.load_state_dict(plain.state_dict())
    run = torch.compile(eased.forward, dynamic=False) if is_compiled else eased
    expected = values_and_grads(plain, plain)
    for mine, theirs in zip(values_and_grads(eased, run), expected, strict=True):
        torch.testing.assert_close(mine, theirs)
    with torch.profiler.profile() as seen:
        values_and_grads(eased, run)
    names = [event.name for event in seen.events()]
    assert names.count("speedrun::sum_by_row") == 2, "the compiler left the sums alone"
    assert any("Compiled" in name for name in names) == is_compiled


@pytest.mark.parametrize(
    "options",
    [{"padding_idx": 0}, {"max_norm": 1.0}, {"scale_grad_by_freq": True}, {"sparse": True}],
)
def test_embeddings_with_options_keep_their_own_gradient(options):
    model = nn.Sequential(nn.Embedding(V, D, **options))
    embedding.keep_plain(model)
    assert type(model[0]) is nn.Embedding


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_processor_that_compiles_takes_it(is_compiled):
    engine = small_engine(compile=is_compiled)
    kinds = {type(m) for m in engine.model.modules() if isinstance(m, nn.Embedding)}
    assert kinds == {embedding.Embedding if is_compiled else nn.Embedding}
