"""Tables of hashed n-grams that the networks share: fields, shapes, FLOP, and the hash itself.

A table has a row for each n-gram that ends at a position, found by a hash: memory beside compute,
since a row is read and never multiplied. Its rows start at zero and so add nothing until trained.
The functions of arrays take those of any framework with NumPy's operators, of 64-bit integers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

ORDERS = {"input_bigrams": 2, "input_trigrams": 3, "value_bigrams": 2, "value_trigrams": 3}
TABLES = "ngrams."  # beginning of the tables' names
GROUPS = ((f"{TABLES}*", "table"), ("ngram_projections.*", "matrix"))
NUM_RECENT = max(ORDERS.values()) - 1  # tokens before a text's next one that its n-grams need
_MOST_ROWS = 1 << 30
_END_OF_TEXT = 0  # its id in every tokenizer of the harness: the first token of a document
_MASK = 0xFFFFFFFF  # arithmetic is modulo 2**32
# Odd multipliers of the ids, the last token's first, and those of MurmurHash3's last mixing
# ("fmix32", Appleby 2011), all less 2**32 where that keeps products within 64 bits.
_MULTIPLIERS = (0x2C1B3C6D, 0x297A2D39, 0x1B56C4E9)
_MIX = (0x85EBCA6B - 2**32, 0xC2B2AE35 - 2**32)


def check(config: Any) -> None:
    """Refuse numbers of rows below 0 or beyond reason, and rows without a width."""
    for field in ("table_width", *ORDERS):
        value, most = getattr(config, field, 0), 1 << 16 if field == "table_width" else _MOST_ROWS
        if not 0 <= value <= most:
            raise ValueError(f"model.{field}={value}: allowed are 0 to {most}")


def num_rows(config: Any) -> dict[str, int]:
    """Number of rows of each table, by field of the configuration, those without rows left out."""
    rows = {field: getattr(config, field, 0) for field in ORDERS}
    return {field: number for field, number in rows.items() if number}


def row_width(config: Any) -> int:
    """Numbers of a row; a matrix leads from there to the model's width where that is another."""
    return config.table_width or config.width


def shapes(config: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every table, and of the matrix behind it where its rows need one."""
    width = row_width(config)
    for field, rows in num_rows(config).items():
        yield f"{TABLES}{field}.weight", (rows, width)
        if width != config.width:
            yield f"ngram_projections.{field}.weight", (config.width, width)


def projection_flops(config: Any) -> float:
    """FLOP per token of the matrices behind the tables, two for every weight."""
    width = row_width(config)
    return 2.0 * len(num_rows(config)) * width * config.width * (width != config.width)


def no_recent(tokens_BT: Any, sentinel: int, xp: Any) -> Any:
    """Ids [B, 2] before the beginning of a text, which no token has."""
    outside_B1 = xp.zeros_like(tokens_BT[:, :1]) + sentinel
    return xp.concatenate([outside_B1] * NUM_RECENT, 1)


def index(config: Any, tokens_BT: Any, recent_B2: Any, sentinel: int, xp: Any) -> dict[str, Any]:
    """Row of every table [B, T] for the n-gram that ends at each position, by field.

    `recent_B2` are the two tokens before, `sentinel` is an id beyond those of all tokens and `xp`
    the framework's module. Nothing before the last end-of-text at or before a position counts,
    nor does what stands before the row: the sentinel is in its place.
    """
    padded = xp.concatenate([recent_B2, tokens_BT], 1)
    # End-of-text begins a document: it has no predecessor, and nobody looks past it.
    older_BT, old_BT = padded[:, :-2], padded[:, 1:-1]
    is_first_BT = tokens_BT == _END_OF_TEXT
    older_BT = xp.where(is_first_BT | (old_BT == _END_OF_TEXT), sentinel, older_BT)
    ids = (tokens_BT, xp.where(is_first_BT, sentinel, old_BT), older_BT)
    rows = num_rows(config)
    hash_of = {order: hashed(ids[:order]) for order in {ORDERS[field] for field in rows}}
    return {field: hash_of[ORDERS[field]] % number for field, number in rows.items()}


def index_around(config: Any, tokens_BT: Any, sentinel: int, xp: Any) -> dict[str, Any]:
    """Rows of every table for what stands around each position, by field, in both directions.

    A trigram is a position between its neighbours [B, T]. Bigrams are two [2, B, T]: the position
    and the one before, or the one after. End-of-text has nothing before it, as in `index`.
    """
    outside_B1 = xp.zeros_like(tokens_BT[:, :1]) + sentinel
    before_BT = xp.concatenate([outside_B1, tokens_BT[:, :-1]], 1)
    before_BT = xp.where(tokens_BT == _END_OF_TEXT, sentinel, before_BT)
    after_BT = xp.concatenate([tokens_BT[:, 1:], outside_B1], 1)
    none_BT = xp.zeros_like(tokens_BT) + sentinel
    pairs = [(tokens_BT, before_BT, none_BT), (tokens_BT, none_BT, after_BT)]
    hash_of = {
        2: xp.stack([hashed(pair) for pair in pairs]),
        3: hashed((tokens_BT, before_BT, after_BT)),
    }
    return {field: hash_of[ORDERS[field]] % rows for field, rows in num_rows(config).items()}


def hashed(ids: Sequence[Any]) -> Any:
    """32-bit hash of the ids of n-grams, those of their last tokens first."""
    h = sum(one * multiplier for one, multiplier in zip(ids, _MULTIPLIERS, strict=False)) & _MASK
    h = h ^ (h >> 16)
    h = (h * _MIX[0]) & _MASK
    h = h ^ (h >> 13)
    h = (h * _MIX[1]) & _MASK
    return h ^ (h >> 16)
