"""The n-grams against Kneser-Ney written down naively, and their counts, cuts and pruning."""

from collections import Counter as Bag
from collections import defaultdict

import numpy as np
import pytest

from architectures.ngram import counting, for_params
from architectures.ngram.counting import Counter, Table, window_columns
from architectures.ngram.kneser_ney import smoothed
from architectures.ngram.numpy_model import Model
from architectures.ngram.packing import CUT, END, FIRST, Packing
from architectures.ngram.pruning import fitted
from architectures.ngram.storage import num_stored, restored, stored

VOCAB = 12


def text(num_rows=30, length=40, seed=0, vocab=VOCAB, spread=4):
    """Rows with structure, an end-of-text (0) here and there."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((num_rows, length), dtype=np.int32)
    for t in range(1, length):
        rows[:, t] = (rows[:, t - 1] * 3 + rng.integers(0, spread, num_rows)) % vocab
    return rows


def model(order, rows, max_params=1_000_000, vocab=VOCAB) -> Model:
    made = Model(for_params(max_params, vocab, order=order))
    made.count(rows)
    return made


class Naive:
    """Interpolated modified Kneser-Ney with dictionaries: Chen & Goodman 1999, eq. 27."""

    def __init__(self, rows, order):
        seen = [Bag() for _ in range(order + 1)]
        for row in rows.tolist():
            for start in range(len(row)):
                for stop in range(start + 1, min(start + order, len(row)) + 1):
                    if stop - start > 2 and row[stop - 2] == 0:
                        break
                    seen[stop - start][tuple(row[start:stop])] += 1
        self.counts: list[dict] = [{}]
        for k in range(1, order + 1):
            left = Bag(gram[1:] for gram in (seen[k + 1] if k < order else ()))
            kept = {g: k == order or (k > 1 and g[0] == 0) for g in seen[k]}
            self.counts.append({g: n if kept[g] else max(1, left[g]) for g, n in seen[k].items()})
        self.after = [defaultdict(dict) for _ in range(order + 1)]
        for k in range(1, order + 1):
            for gram, n in self.counts[k].items():
                self.after[k][gram[:-1]][gram[-1]] = n

    def discount(self, k, n):
        n1, n2, n3, n4 = (sum(v == c for v in self.counts[k].values()) for c in (1, 2, 3, 4))
        if not (n1 and n2):
            return 0.5 * (n > 0)
        y = n1 / (n1 + 2 * n2)
        d = [y, y, y]
        if n3 and n4:
            d = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        d = np.clip(d, 0.05, [0.95, 1.95, 2.95]).astype(np.float32)
        return 0.0 if n == 0 else float(d[min(n, 3) - 1])

    def probability(self, history, token):
        """Of a token after a history (no longer than order - 1, end-of-text only in front)."""
        p = 1 / VOCAB
        for k in range(1, len(history) + 2):
            after = self.after[k].get(tuple(history[len(history) - k + 1 :]))
            if after:
                total = sum(after.values())
                backoff = sum(self.discount(k, n) for n in after.values()) / total
                n = after.get(token, 0)
                p = (n - self.discount(k, n)) / total + backoff * p
        return p


@pytest.mark.parametrize("order", [2, 3, 4, 6])
def test_probabilities_are_kneser_ney_s(order):
    rows, unseen = text(), text(2, 20, seed=1)
    naive = Naive(rows, order)
    nats = model(order, rows).nll(unseen)
    for row, row_nats in zip(unseen.tolist(), nats, strict=True):
        for t in range(1, len(row)):
            history = row[max(0, t - order + 1) : t]
            while 0 in history[1:]:
                history = history[1:]
            assert np.exp(-row_nats[t - 1]) == pytest.approx(
                naive.probability(history, row[t]), rel=1e-9
            )


@pytest.mark.parametrize("order", [2, 4, 6])
def test_scores_are_those_of_the_whole_distribution(order):
    made, unseen = model(order, text(), max_params=400), text(4, 20, seed=1)
    log_probs = made.log_probs(unseen[:, :-1])
    np.testing.assert_allclose(np.exp(log_probs.astype(float)).sum(-1), 1.0, atol=1e-6)
    picked = np.take_along_axis(log_probs, unseen[:, 1:, None].astype(int), -1)[..., 0]
    np.testing.assert_allclose(-picked, made.nll(unseen), atol=1e-6)


def test_no_window_reaches_across_an_end_of_text():
    rows = np.array([[0, 5, 0, 7, 8]], dtype=np.int32)
    windows = np.stack([c[0] for c in window_columns(rows, 3)], axis=1) - FIRST
    end = END - FIRST
    assert windows.tolist() == [[0, 5, 0], [5, 0, end], [0, 7, 8], [7, 8, end], [8, end, end]]


@pytest.mark.parametrize(("order", "vocab"), [(5, 4096), (6, 4096), (4, 65536), (6, 65536)])
def test_keys_sort_like_windows_and_give_their_symbols_back(order, vocab):
    rng = np.random.default_rng(0)
    packing = Packing(order, vocab)
    symbols = rng.integers(0, vocab + FIRST, (order, 200))
    symbols[:, 0], symbols[0, 1:50] = vocab + FIRST - 1, 7
    keys = packing.pack(list(symbols))
    for i in range(order):
        np.testing.assert_array_equal(packing.digit(keys, i), symbols[i])
    in_order = np.lexsort(symbols[::-1])
    np.testing.assert_array_equal(np.argsort(keys, kind="stable"), in_order)
    for length in range(1, order):
        cut = packing.shortened(keys, length, CUT)
        kept = [packing.digit(cut, i) for i in range(order)]
        np.testing.assert_array_equal(kept[:length], symbols[:length])
        assert all((digit == CUT).all() for digit in kept[length:])


@pytest.mark.parametrize("order", [3, 6])
def test_chunks_and_segments_give_the_same_counts(monkeypatch, order):
    """Many small chunks, merged segment by segment, against one sort."""
    rows = text(400, 50, vocab=200)
    packing = Packing(order, 200)
    whole = Table.of(counting.window_keys([rows], packing))
    for name, size in (("CHUNK", 900), ("FIRST_CHUNK", 200), ("SEGMENT", 150)):
        monkeypatch.setattr(counting, name, size)
    counter = Counter(packing, 10**9)
    for row in rows:
        counter.add(row[None])
    early = counter.num_sorted + counter.num_waiting
    assert early == rows.size, "windows are lost on their way between the tables"
    table = counter.finalize()
    assert len(counter._segments) > 3
    np.testing.assert_array_equal(table.keys, whole.keys)
    np.testing.assert_array_equal(table.counts, whole.counts)


@pytest.mark.parametrize("order", [3, 5])
def test_an_endless_stream_stays_small_and_keeps_the_shorter_counts(monkeypatch, order):
    for name, size in (("CHUNK", 2000), ("FIRST_CHUNK", 500), ("SEGMENT", 400)):
        monkeypatch.setattr(counting, name, size)
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 60, (600, 60)).astype(np.int32)
    packing = Packing(order, 60)
    counter, free = Counter(packing, 8000), Counter(packing, 10**9)
    for row in rows:
        counter.add(row[None])
        free.add(row[None])
        assert len(counter) < 8000 + 2 * 4000
    cut, whole = counter.finalize(), free.finalize()
    assert len(cut) < 9000 < len(whole)
    assert (cut.keys[1:] > cut.keys[:-1]).all(), "a cut window left its segment"
    assert cut.totals[-1] == whole.totals[-1]
    a, b = smoothed(cut, packing, 60), smoothed(whole, packing, 60)
    np.testing.assert_array_equal(a.seen[0], b.seen[0])
    np.testing.assert_array_equal(a.seen[1], b.seen[1])
    if order == 3:  # what was cut still counts for its history
        followed = [
            np.bincount(made.levels[2].keys // 60, made.seen[2], len(made.levels[1].keys))
            for made in (a, b)
        ]
        np.testing.assert_array_equal(followed[0] + a.levels[2].lost, followed[1])


@pytest.mark.parametrize("order", [3, 6])
def test_pruning_keeps_the_cap_and_the_best(order):
    rows = text(400, 60, vocab=64, spread=12)
    unseen = text(50, 60, seed=1, vocab=64, spread=12)
    full = model(order, rows, vocab=64)
    num_full = sum(a.size for a in full.weights().values())
    last = full.nll(unseen).mean()
    for share in (0.8, 0.5, 0.3):
        cap = int(share * num_full)
        small = model(order, rows, max_params=cap, vocab=64)
        num_kept = sum(a.size for a in small.weights().values())
        assert 0.9 * cap < num_kept <= cap
        nats = small.nll(unseen).mean()
        assert nats < np.log(64) - 1.0
        log_probs = small.log_probs(unseen[:2, :-1])
        np.testing.assert_allclose(np.exp(log_probs.astype(float)).sum(-1), 1.0, atol=1e-5)
        assert nats < last + 0.15
        last = nats


def test_storing_and_restoring_gives_the_same_levels_in_as_many_numbers_as_said():
    packing = Packing(4, VOCAB)
    whole = smoothed(Table.of(counting.window_keys([text()], packing)), packing, VOCAB)
    cut = fitted(whole, VOCAB, 400)
    assert any(level.lost.any() for level in cut)
    for levels in (whole.levels, cut):
        for level, again in zip(levels, restored(stored(levels), 4, VOCAB), strict=True):
            assert num_stored(level) == sum(a.size for a in stored([level]).values())
            for name in ("keys", "counts", "lost", "discounts"):
                np.testing.assert_array_equal(getattr(level, name), getattr(again, name), name)


def test_weights_of_the_wrong_kind_are_refused():
    made = model(3, text())
    weights = made.weights()
    with pytest.raises(ValueError, match="expected integers"):
        made.load({**weights, "ngrams.2": weights["ngrams.2"].astype(np.float32)})
    with pytest.raises(ValueError, match="none of its keys"):
        made.load({**weights, "ngrams.2": weights["ngrams.2"] + VOCAB * VOCAB})


@pytest.mark.parametrize(
    ("target", "fixed", "says"),
    [
        (2_000_000, {"order": 1}, r"model.order=1.*allowed are 2 to 6"),
        (2_000_000, {"order": 7}, r"model.order=7.*allowed are 2 to 6"),
        (9000, {}, r"--params 9000: at least 123"),
        (2_000_000, {"max_params": 3_000_000}, "--params"),
    ],
)
def test_what_cannot_be_is_refused(target, fixed, says):
    with pytest.raises(ValueError, match=says):
        for_params(target, 4096, **fixed)


def test_the_running_loss_falls_and_is_of_rows_not_yet_counted(monkeypatch):
    monkeypatch.setattr(counting, "CHUNK", 500)
    monkeypatch.setattr(counting, "FIRST_CHUNK", 500)
    made = Model(for_params(100_000, VOCAB, order=4))
    unseen = text(5, 40, seed=1)
    assert made.running_nats(unseen) == pytest.approx(np.log(VOCAB))
    made.count(text(200))
    made.count(unseen[:1])  # sorts the rows before it
    running = made.running_nats(unseen)
    assert abs(running - made.nll(unseen).mean()) < 0.15


@pytest.mark.parametrize("width", [2, 3, 5])
def test_the_last_row_of_a_text_may_be_shorter(monkeypatch, width):
    rows, last = text(20), text(1, width, seed=3)
    made = model(6, rows)
    made.count(last)
    assert made.running_nats(last) == pytest.approx(np.log(VOCAB)), "nothing is sorted in yet"
    made.finalize()
    columns = [[c.ravel() for c in window_columns(part, 6)] for part in (rows, last)]
    assert made.num_entries == len({key for part in columns for key in zip(*part, strict=True)})
