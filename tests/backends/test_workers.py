"""Workers: threads that each compute pieces of a batch give the gradients of one pass, always."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from helpers.engines import assert_same_weights, load_random, losses_of, random_rows, small_engine

torch = pytest.importorskip("torch")

from speedrun.backends.torch import cpp_kernels, workers  # noqa: E402
from speedrun.device import ExecutionConfig  # noqa: E402
from speedrun.protocols import OutOfMemory  # noqa: E402

NUM_ROWS = 8


@pytest.fixture(autouse=True, scope="module")
def possible():
    if not workers.are_possible():
        pytest.skip("threads have no thread counts of their own here")


def engine_with(num_workers: int, arch: str = "transformer", **fields: Any) -> Any:
    engine = small_engine(arch, workers=num_workers, batch_rows=NUM_ROWS, **fields)
    assert engine.metadata()["workers"] == num_workers
    return engine


def gradients(engine: Any, rows: np.ndarray) -> tuple[float, dict[str, Any]]:
    load_random(engine)
    loss = float(engine._gradients(rows))
    named = engine.model.named_parameters()
    found = {name: param.grad.to_dense().numpy().copy() for name, param in named}
    engine._zero_grad()
    return loss, found


@pytest.mark.parametrize(
    ("arch", "model", "num_rows"),
    [
        ("transformer", {}, NUM_ROWS),
        ("transformer", {"input_bigrams": 64, "value_trigrams": 32}, 7),  # sparse; 2, 2, 2, 1
        ("lstm", {}, NUM_ROWS),
        ("d3pm", {}, 7),
    ],
)
def test_gradients_are_those_of_one_pass(arch, model, num_rows):
    rows = random_rows(num_rows=num_rows)
    loss, expected = gradients(engine_with(1, arch, model=model), rows)
    split = engine_with(2, arch, model=model)
    assert split.metadata()["micro_batch_rows"] == 2
    found = gradients(split, rows)
    assert found[0] == pytest.approx(loss, rel=1e-5)
    for name, grad in expected.items():
        size = np.abs(grad).max()
        np.testing.assert_allclose(found[1][name], grad, atol=1e-5 * size, err_msg=name)


def test_the_order_in_which_workers_end_does_not_count():
    """A worker held up at its first piece lets the other take all the rest."""
    engine, held_up, results = engine_with(2), [0], []
    loss = engine.losses.loss

    def slow(piece, forward):
        if threading.get_ident() == held_up[0]:
            time.sleep(0.05)
        return loss(piece, forward)

    losses_of(engine, 1)  # the first step goes piece by piece
    threads = workers._pool(2, max(1, torch.get_num_threads() // 2))._threads
    engine.losses.loss = slow
    for ident in (0, *(thread.ident or 0 for thread in threads)):
        held_up[0] = ident
        engine.reset()
        for seed in range(3):
            engine.step(random_rows(seed, NUM_ROWS), 1.0)
        results.append(engine.weights())
    for other in results[1:]:
        assert_same_weights(other, results[0])


@pytest.mark.parametrize("fields", [{}, {"precision": "bf16"}, {"grad_clip": 0.1}])
def test_training_goes_as_in_one_pass(fields):
    expected, found = (losses_of(engine_with(n, **fields), 5) for n in (1, 2))
    assert found == pytest.approx(expected, rel=2e-2 if "precision" in fields else 1e-4)


def test_a_step_that_runs_out_of_memory_changes_nothing_and_goes_on_in_smaller_pieces(monkeypatch):
    engine = engine_with(2)
    losses_of(engine, 1)
    before, loss = engine.weights(), engine.losses.loss

    def full(piece, forward):
        if len(piece) > 1:
            raise RuntimeError("out of memory")
        return loss(piece, forward)

    monkeypatch.setattr(engine.losses, "loss", full)
    with pytest.raises(OutOfMemory):
        engine.step(random_rows(num_rows=NUM_ROWS), 1.0)
    assert_same_weights(engine.weights(), before)
    assert engine.halve_micro_batch() == 1
    engine.step(random_rows(num_rows=NUM_ROWS), 1.0)
    assert any((engine.weights()[name] != value).any() for name, value in before.items())


@pytest.mark.parametrize("draws", [True, False])
def test_a_model_with_a_state_of_its_own_is_computed_in_order(draws):
    engine = engine_with(2)
    features = engine.model.features
    counted = torch.zeros(())
    engine.model.register_buffer("counted", counted, persistent=False)

    def changing(tokens):
        if draws:
            return torch.nn.functional.dropout(features(tokens), 0.5)
        counted.add_(1)
        return features(tokens)

    engine.forward.eager = engine.forward._chosen = changing
    losses_of(engine, 1)
    facts = engine.metadata()
    assert (facts["workers"], facts["micro_batch_rows"]) == (1, NUM_ROWS)
    assert "random numbers" in facts["workers_unfit"]
    assert np.isfinite(losses_of(engine, 2)).all()


def test_the_choice_of_a_search_wins():
    engine = small_engine(workers=1, execution=ExecutionConfig(workers=2))
    assert engine.metadata()["workers"] == 2


def test_workers_compute_alone_and_the_process_as_before():
    torch.set_num_threads(2)
    counts = workers._pool(2, 1).map(lambda _: torch.get_num_threads(), range(8))
    assert set(counts) == {1} and torch.get_num_threads() == 2
    counted: list[int] = []
    thread = threading.Thread(target=lambda: counted.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert counted == [2], "threads begun later"


@pytest.mark.slow
def test_a_compiled_kernel_lets_other_threads_run():
    cpp_kernels.install()
    function = torch.compile(lambda x: x.sin().exp().cos().sin().exp().sum(), dynamic=False)
    values, ticks, is_over = torch.randn(4_000_000), [], threading.Event()
    alone = workers._pool(1, 1)
    try:
        alone.submit(function, values).result()
    except Exception as error:
        pytest.skip(f"nothing compiles here: {error}")

    def tick():
        while not is_over.wait(0.001):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    for _ in range(8):
        alone.submit(function, values).result()
    end = time.perf_counter()
    is_over.set()
    thread.join()
    assert sum(start < at < end for at in ticks) > 40, "one or two at the ends of each otherwise"
