"""Reading one text token by token, with a cache or by passes over the whole text."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

NextLogits = Callable[[NDArray[np.int32], Any], NDArray[np.float32]]


class TextReader:
    """See `speedrun.protocols.Reader`.

    `next_logits(tokens, cache)` gives the logits [vocab] after `tokens` [length], which follow
    those read into the cache; without a cache they are the whole text. A text that has outgrown
    the context is read without one: the cache cannot forget its oldest tokens, because what it
    keeps of the later ones was made from them.
    """

    def __init__(
        self, next_logits: NextLogits, context: int, new_cache: Callable[[], Any] | None = None
    ) -> None:
        self._next_logits, self._context = next_logits, context
        self._cache = None if new_cache is None else new_cache()
        self._seen = np.empty(0, dtype=np.int32)
        self._num_read = 0

    def feed(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logits [vocab] of the token after `tokens` [length], which follow those fed before."""
        if not len(tokens):
            raise ValueError("a reader was fed no tokens; it needs at least one")
        self._num_read += len(tokens)
        self._seen = np.concatenate((self._seen, tokens))[-self._context :]
        if self._num_read > self._context:
            self._cache = None
        if self._cache is None:
            return self._next_logits(self._seen, None)
        return self._next_logits(tokens, self._cache)
