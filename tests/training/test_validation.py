"""The slice of `--keep best`, its price on the clock, and the weights that it keeps."""

import numpy as np
import pytest
from helpers.engines import CONTEXT, VOCAB, assert_same_weights, random_rows, small_engine
from helpers.fakes import FakeEngine, FakeStream, run_of

from speedrun.data.heldout import HeldOut
from speedrun.data.tokenizer import EOT
from speedrun.training.clock import BudgetClock
from speedrun.training.trainer import TrainingJob, train
from speedrun.training.validation import SHARE, Validation, Without, draw, rows_of

HELD_OUT = HeldOut(["Nobody trains on this.", "Nor on that."])


class Texts:
    """A source of these training documents."""

    name, origin, train_fingerprint = "texts", "local", "f" * 64

    def __init__(self, documents):
        self.documents = documents

    def train(self, state=None):
        from speedrun.data.source import Counted

        start = (state or {"doc": 0})["doc"]
        return Counted(iter(self.documents[start:]), start)

    def heldout(self, limit):
        return list(HELD_OUT.documents)


def stories(count):
    return [f"Story {n} is about a dog." for n in range(count)]


@pytest.mark.parametrize(("count", "size"), [(2, 1), (30, 1), (400, 20), (5000, 64)])
def test_the_slice_is_a_fixed_part_of_the_training_documents_and_not_trained_on(count, size):
    documents = [*stories(count), *HELD_OUT.documents, " "]
    left_out = draw(Texts(documents), HELD_OUT)
    assert len(left_out.documents) == size and set(left_out.documents) <= set(stories(count))
    if count <= 400:
        assert left_out.documents == draw(Texts(documents[::-1]), HELD_OUT).documents
    less = Without(Texts(documents), left_out)
    assert less.train_fingerprint != Texts.train_fingerprint, "its tokens are cached apart"
    read = less.train()
    first = [next(read) for _ in range(1)]
    rest = list(less.train(read.state()))
    assert [*first, *rest] == [one for one in documents if one not in left_out.documents]


@pytest.mark.parametrize("documents", [[], ["One."], ["One.", "one. "], [*HELD_OUT.documents]])
def test_a_text_that_has_nothing_to_spare_is_refused(documents):
    with pytest.raises(ValueError, match=r"^--keep best: it needs two .* use --keep last"):
        draw(Texts(documents), HELD_OUT)


class Letters:
    """A token for each byte."""

    def encode(self, text):
        return np.frombuffer(text.encode(), np.uint8).astype(np.uint16)


def test_rows_tile_the_slice_and_a_tiny_one_is_one_shorter_row():
    left_out = HeldOut(["abc", "defgh"])
    tokens = [EOT, *b"abc", EOT, *b"defgh", EOT]
    rows = rows_of(left_out, Letters(), 4)  # type: ignore[arg-type]
    assert rows.tolist() == [tokens[0:5], tokens[4:9]]
    assert rows_of(left_out, Letters(), 64).tolist() == [tokens]  # type: ignore[arg-type]


class LearnsByHeart(FakeEngine):
    """Validates better until step 20 and worse from then on; a validation takes a while."""

    nll_s = 0.05
    loaded = None

    def nll(self, rows, seed):
        self.fake_time.advance(self.nll_s)
        return np.full((len(rows), rows.shape[1] - 1), 2.0 + abs(self.num_steps - 20) / 10)

    def weights(self):
        return {"step": np.array(self.num_steps)}

    def load(self, weights):
        self.loaded = int(weights["step"])


def validated(fake_time, engine, *, num_rows=1):
    clock = BudgetClock(60.0, now=fake_time, wall=fake_time.wall)
    validation = Validation(engine, np.zeros((num_rows, 9), np.int32), clock)
    job = TrainingJob(
        run=run_of(60.0), clock=clock, stream=FakeStream(fake_time), validation=validation
    )
    return train(engine, job), validation.facts(), clock


def test_the_best_weights_are_kept_and_validation_keeps_to_its_share(fake_time):
    engine = LearnsByHeart(fake_time, 0.5)
    training, facts, clock = validated(fake_time, engine)
    assert training.status == "complete" and clock.overshoot_s == 0.0
    assert abs(facts["kept_step"] - 20) <= 4 and engine.loaded == facts["kept_step"]
    assert facts["kept_share"] == pytest.approx(10 / 60, abs=0.05)
    assert facts["validation_s"] <= SHARE * 60 + 1e-9
    assert facts["validation_s"] == pytest.approx(0.05 * len(facts["validation_curve"]))
    assert len(facts["validation_curve"]) > 20
    assert facts["validation_curve"][-1][0] > 0.98, "the final weights are looked at as well"
    assert clock.suspended_s == 0.0 and clock.accounts["train"] == pytest.approx(60, abs=0.6)


def test_the_last_weights_are_kept_where_they_are_the_best(fake_time):
    engine = LearnsByHeart(fake_time, 4.0)
    training, facts, _ = validated(fake_time, engine)
    assert facts["kept_step"] == training.num_steps and engine.loaded is None


def test_a_slow_validation_takes_fewer_rows(fake_time):
    class Slow(LearnsByHeart):
        def nll(self, rows, seed):
            self.nll_s = 0.02 * len(rows)
            return super().nll(rows, seed)

    _, facts, _ = validated(fake_time, Slow(fake_time, 0.5), num_rows=32)
    assert facts["validation_tokens"] in (2 * 8, 3 * 8), "0.06 s are a thousandth of the budget"


@pytest.mark.parametrize(
    ("arch", "device"),
    [
        ("transformer", "cpu"),
        pytest.param("transformer", "mlx", marks=pytest.mark.mlx),
        ("ngram", "numpy"),
    ],
)
def test_engines_give_back_the_weights_that_were_kept(arch, device):
    engine = small_engine(arch, device, lr=0.02)
    clock = BudgetClock(60.0)
    clock.start()
    rows = random_rows()
    for _ in range(20):
        engine.step(rows, 1.0)
    engine.finalize()
    validation = Validation(engine, rows, clock)
    validation.take(20)
    kept = engine.weights()
    nats = engine.nll(rows, 0).mean()
    for seed in range(1, 9):
        engine.step(random_rows(seed), 1.0)
    engine.finalize()
    assert engine.nll(rows, 0).mean() > nats, "this training does not forget"
    validation.finish(28)
    assert_same_weights(engine.weights(), kept)
    assert engine.nll(rows, 0).mean() == pytest.approx(nats)


class Timed:
    """An engine on a fake clock: a step takes a tenth of a second, a validation a hundredth."""

    def __init__(self, engine, fake_time):
        self._engine, self._fake_time = engine, fake_time

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def step(self, rows, lr_scale):
        self._fake_time.advance(0.1)
        self._engine.step(rows, lr_scale)

    def nll(self, rows, seed):
        self._fake_time.advance(0.01)
        return self._engine.nll(rows, seed)


def language(seed, num_rows=4):
    """Rows in which one of four tokens follows each."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, VOCAB, (num_rows, CONTEXT + 1), dtype=np.int32)
    for t in range(1, CONTEXT + 1):
        rows[:, t] = (3 * rows[:, t - 1] + rng.integers(0, 4, num_rows)) % VOCAB
    return rows


@pytest.mark.slow
def test_a_long_race_over_a_tiny_text_is_better_with_its_best_weights(fake_time):
    heldout, nats = language(1, 32), {}
    for keep in ("last", "best"):
        clock = BudgetClock(10.0, now=fake_time, wall=fake_time.wall)
        engine = Timed(small_engine(lr=0.02), fake_time)
        stream = FakeStream(fake_time)
        stream.next_rows = lambda timeout_s=None: language(0)
        validation = Validation(engine, language(2, 8), clock) if keep == "best" else None  # type: ignore[arg-type]
        job = TrainingJob(run=run_of(10.0), clock=clock, stream=stream, validation=validation)
        assert train(engine, job).num_steps > 80  # type: ignore[arg-type]
        nats[keep] = engine.nll(heldout, 0).mean()
    assert nats["best"] < nats["last"] - 0.5, nats
