"""Writes under a constraint over a real vocabulary without a model: what masks let through is seen in milliseconds."""

from __future__ import annotations

import random
from typing import Any

import llama_cpp
import numpy as np

from reasoner.clients.llamacpp import bundled_model
from reasoner.clients.llamacpp.worker.masks import Masks
from reasoner.clients.llamacpp.worker.vocabulary import Vocabulary

MAX_FREE_TOKENS = 25
MAX_TOKENS = 600


class Player:
    """Writes token by token under a constraint, as a model without any sense would."""

    def __init__(self) -> None:
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(bundled_model()).encode(), params)
        self.vocabulary = Vocabulary(self._model, template=None, n_ctx=512)
        self.masks = Masks(self.vocabulary, threads=1)
        self.ends = set(self.vocabulary.end_tokens())
        self._closers = [self.tokens(text)[0] for text in ('"', "}", "]", "null", '":', ":", "@", "0", "a", "ab", ",")]
        self._by_piece: dict[bytes, int] = {}
        for token in range(self.vocabulary.n_tokens):
            if piece := self.vocabulary.bytes_of(token):
                self._by_piece.setdefault(piece, token)

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self.vocabulary.tokenize(text, special=False)

    def accepts(self, kind: str, value: str, text: str) -> bool:
        """Tell whether a text is let through as a whole answer, in whatever tokens."""
        matcher = self.masks.matcher(kind, value)
        rest = text.encode()
        while rest and not matcher.complete:
            allowed = matcher.allowed()
            known = [self._by_piece.get(rest[:length]) for length in range(min(len(rest), 40), 0, -1)]
            token = next((t for t in known if t is not None and has(allowed, t)), None)
            if token is None:
                return False
            rest = rest[len(self.vocabulary.bytes_of(token)) :]
            matcher.take(token)
        return not rest and (matcher.complete or any(has(matcher.allowed(), end) for end in self.ends))

    def walk(self, kind: str, value: str, rng: random.Random) -> str | None:
        """Return a text written by chance, None when it was not complete in time."""
        matcher = self.masks.matcher(kind, value)
        written = b""
        for n_tokens in range(MAX_TOKENS):
            if matcher.complete:
                return written.decode()
            token = self.chosen(matcher.allowed(), rng, in_a_hurry=n_tokens > MAX_FREE_TOKENS)
            if token in self.ends:
                return written.decode()
            written += self.vocabulary.bytes_of(token)
            matcher.take(token)
        return None

    def chosen(self, allowed: Any, rng: random.Random, *, in_a_hurry: bool) -> int:
        """Choose one of the allowed tokens; in a hurry one that leads to the end."""
        ends = [token for token in self.ends if has(allowed, token)]
        if ends and (in_a_hurry or rng.random() < 0.3):
            return ends[0]
        closers = [token for token in self._closers if has(allowed, token)]
        if closers and (in_a_hurry or rng.random() < 0.2):
            return closers[0] if rng.random() < 0.6 else rng.choice(closers)
        return int(allowed[rng.randrange(len(allowed))])


def has(allowed: Any, token: int) -> bool:
    """Tell whether a token is among those that are allowed."""
    at = int(np.searchsorted(allowed, token))
    return at < len(allowed) and int(allowed[at]) == token
