"""Windows of tokens as single numbers that sort like the windows do, first token first."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Symbols of a window: a token is its id + FIRST.
END = 0  # the document or the row ends here
CUT = 1  # a token stood here that was too rare to keep
FIRST = 2

Keys = NDArray[Any]  # int64 or complex128, sorted


class Packing:
    """Keys of `order` symbols over a vocabulary.

    One int64 where that holds them (order 5 at 4,096 tokens). Otherwise a complex128: its two
    halves hold three symbols each exactly (65,538³ < 2⁵³), and NumPy sorts and searches complex
    numbers by real part first. That is several times slower, and the same code.
    """

    def __init__(self, order: int, vocab: int) -> None:
        self.order, self.base = order, vocab + FIRST
        is_wide = self.base**order >= 2**63
        self.dtype = np.dtype(np.complex128 if is_wide else np.int64)
        self._lengths = (order // 2, order - order // 2) if is_wide else (order,)

    def pack(self, symbols: Sequence[NDArray[np.int64]]) -> Keys:
        """Keys of windows given as `order` columns; a column left out at the end is END."""
        shape, parts, start = symbols[0].shape, [], 0
        for length in self._lengths:
            part = np.zeros(shape, dtype=np.int64)
            for i in range(start, start + length):
                part *= self.base
                if i < len(symbols):
                    part += symbols[i]
            parts.append(part)
            start += length
        return self._join(parts)

    def digit(self, keys: Keys, i: int) -> NDArray[np.int64]:
        """Symbol `i` of every window."""
        for part, length in zip(self._split(keys), self._lengths, strict=True):
            if i < length:
                return part // self.base ** (length - 1 - i) % self.base
            i -= length
        raise IndexError(i)

    def shortened(self, keys: Keys, length: int, symbol: int) -> Keys:
        """The windows with `symbol` in every place from `length` on."""
        parts = []
        for part, part_length in zip(self._split(keys), self._lengths, strict=True):
            places = min(part_length, max(0, part_length - length))
            tail = self.base**places
            parts.append(part - part % tail + symbol * ((tail - 1) // (self.base - 1)))
            length = max(0, length - part_length)
        return self._join(parts)

    def _split(self, keys: Keys) -> list[NDArray[np.int64]]:
        if len(self._lengths) == 1:
            return [keys]
        return [np.real(keys).astype(np.int64), np.imag(keys).astype(np.int64)]

    def _join(self, parts: list[NDArray[np.int64]]) -> Keys:
        if len(parts) == 1:
            return parts[0]
        keys = np.empty(parts[0].shape, dtype=np.complex128)
        keys.real, keys.imag = parts
        return keys
