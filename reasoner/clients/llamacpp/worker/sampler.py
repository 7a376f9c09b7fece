"""How the next token is drawn: one chain of llama.cpp's samplers per request, with its own seed, over the tokens its constraint allows.

As a rule the chain sees the allowed tokens only. Where a mask may be expensive (a grammar) and the chain cuts nothing off, the token that was
drawn is looked at instead, and one of the allowed ones is drawn where it is refused: the same distribution, at a small part of the price.
Knows llama.cpp's samplers; does not know sequences or batches.

    with closing(Sampler(vocabulary, sampling, seed=7, matcher=None)) as sampler:
        token = sampler.draw(context, row)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import llama_cpp
import numpy as np

from reasoner.clients.llamacpp.worker.vocabulary import Vocabulary
from reasoner.errors import BadConfig
from reasoner.types import digest

if TYPE_CHECKING:
    from reasoner.clients.llamacpp.worker.masks import Matcher

PENALTY_LAST_N = 64

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """Draws the tokens of one request."""

    def __init__(self, vocabulary: Vocabulary, sampling: dict[str, Any], *, seed: int, matcher: Matcher | None) -> None:
        self._vocabulary = vocabulary
        self._matcher = matcher
        self.held = False
        """Whether the constraint does not bind yet."""
        cuts = sampling["temperature"] > 0 and (sampling["top_k"] > 0 or sampling["top_p"] < 1 or sampling["min_p"] > 0)
        self._looks_first = matcher is not None and matcher.kind in {"lark", "grammar"} and not cuts
        if matcher is not None:
            matcher.wants_masks = not self._looks_first
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        try:
            self._fill(sampling, seed)
        except BaseException:
            self.close()
            raise

    def draw(self, context: Any, row: int) -> int:
        """Return the next token from the logits of a row of the last batch, and let the samplers take note of it.

        Raises:
            BadConfig: the constraint has become too large to follow.
        """
        if self._matcher is None:
            token: int = llama_cpp.llama_sampler_sample(self._chain, context, row)
            return token
        drawn = self._draw_allowed(logits_of(context, row, self._vocabulary.n_tokens), self._matcher)
        self.accept(drawn)
        return drawn

    def look(self, context: Any, row: int, is_good: Callable[[int], bool]) -> int:
        """Return a good token from the logits of a row, whatever the constraint; nobody takes note of it yet."""
        logits = logits_of(context, row, self._vocabulary.n_tokens).copy()
        ids = np.arange(len(logits), dtype=np.int32)
        while True:
            drawn = _draw(self._chain, ids, logits)
            if is_good(drawn):
                return drawn
            left = ids != drawn
            ids, logits = ids[left], logits[left]

    def accept(self, token: int) -> None:
        """Let the samplers and the constraint take note of a token."""
        llama_cpp.llama_sampler_accept(self._chain, token)
        if self._matcher is not None and not self.held and not self._vocabulary.ends(token):
            self._matcher.take(token)

    @property
    def complete(self) -> bool:
        """Whether the constraint lets nothing follow but the end of the answer."""
        return self._matcher is not None and not self.held and self._matcher.complete

    def forced(self) -> list[int]:
        """Return the tokens that must come next because the constraint leaves no choice; they are still to be accepted."""
        return self._matcher.forced() if self._matcher is not None and not self.held else []

    def close(self) -> None:
        """Free the chain. Safe to call twice."""
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
        self._chain = None
        if self._matcher is not None:
            self._matcher.close()

    def _draw_allowed(self, logits: Any, matcher: Matcher) -> int:
        if self._looks_first:
            drawn = _draw(self._chain, np.arange(len(logits), dtype=np.int32), logits)
            if matcher.allows(drawn):
                return drawn
        allowed = matcher.allowed()
        return int(allowed[0]) if len(allowed) == 1 else _draw(self._chain, allowed, logits[allowed])

    def _fill(self, sampling: dict[str, Any], seed: int) -> None:
        def add(sampler: Any) -> None:
            llama_cpp.llama_sampler_chain_add(self._chain, sampler)

        n_vocab = self._vocabulary.n_tokens
        if bias := sampling.get("logit_bias"):
            add(llama_cpp.llama_sampler_init_logit_bias(n_vocab, len(bias), _bias_array(bias, n_vocab)))
        if sampling["repeat_penalty"] != 1.0:
            add(llama_cpp.llama_sampler_init_penalties(n_vocab, PENALTY_LAST_N, sampling["repeat_penalty"], 0.0, 0.0))
        if sampling["temperature"] == 0:
            add(llama_cpp.llama_sampler_init_greedy())
            return
        if sampling["top_k"] > 0:
            add(llama_cpp.llama_sampler_init_top_k(sampling["top_k"]))
        if sampling["top_p"] < 1:
            add(llama_cpp.llama_sampler_init_top_p(sampling["top_p"], 1))
        if sampling["min_p"] > 0:
            add(llama_cpp.llama_sampler_init_min_p(sampling["min_p"], 1))
        add(llama_cpp.llama_sampler_init_temp(sampling["temperature"]))
        add(llama_cpp.llama_sampler_init_dist(seed_32(seed)))


def _draw(chain: Any, ids: Any, logits: Any) -> int:
    """Return the token a chain chooses among some, given with their logits."""
    data = np.empty(len(ids), dtype=_CANDIDATE)
    data["id"], data["logit"] = ids, logits
    array = _array_over(data)
    llama_cpp.llama_sampler_apply(chain, ctypes.byref(array))
    return int(data["id"][array.selected])


def logits_of(context: Any, row: int, n_vocab: int) -> Any:
    """Return the logits of a row of the last batch, as an array of n_vocab floats that llama.cpp owns."""
    return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, row), shape=(n_vocab,))


def logprob_of(context: Any, row: int, n_vocab: int, token: int) -> float:
    """Return the natural logarithm of the probability the model itself gives a token: temperature 1, no sampler applied."""
    logits = logits_of(context, row, n_vocab).astype(np.float64)
    top = logits.max()
    return float(logits[token] - top - np.log(np.exp(logits - top).sum()))


def seed_32(seed: int) -> int:
    """Return a seed llama.cpp can hold."""
    # 2**32 - 1 itself means "draw a seed" to llama.cpp; what does not fit is hashed, not cut, so that neighbours stay apart.
    return seed if 0 <= seed < 2**32 - 1 else int(digest("seed", str(seed))[:16], 16) % (2**32 - 1)


def _array_over(data: Any) -> Any:
    pointer = data.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
    return llama_cpp.llama_token_data_array(data=pointer, size=len(data), selected=-1, sorted=False)


def _bias_array(bias: list[list[float]], n_vocab: int) -> Any:
    for token, _ in bias:
        if not 0 <= token < n_vocab:
            raise BadConfig(f"logit_bias names the token {token}, the vocabulary has {n_vocab}", hint="tokens are counted from 0")
    made = (llama_cpp.llama_logit_bias * len(bias))()
    for item, (token, value) in zip(made, bias, strict=True):
        item.token, item.bias = int(token), float(value)
    return made
