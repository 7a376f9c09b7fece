"""How the next token is drawn: one chain of llama.cpp's samplers per request, with its own seed, and its grammar apart.

A grammar is asked about the token that was drawn, and only where it refuses are all tokens put before it and one of them drawn anew: the
same distribution as filtering first, at a small part of the price. Knows llama.cpp's samplers; does not know sequences or batches.

    with closing(Sampler(vocabulary, sampling, seed=7, grammar=None)) as sampler:
        token = sampler.draw(context, row)
"""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp
import numpy as np

from reasoner.clients.llamacpp.worker.vocabulary import Vocabulary
from reasoner.errors import BadConfig
from reasoner.types import digest

PENALTY_LAST_N = 64

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """Draws the tokens of one request."""

    def __init__(self, vocabulary: Vocabulary, sampling: dict[str, Any], *, seed: int, grammar: str | None) -> None:
        self._vocabulary = vocabulary
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        self._grammar: Any = None
        try:
            if grammar is not None:
                self._grammar = _compiled(vocabulary, grammar)
            self._fill(sampling, seed)
        except BaseException:
            self.close()
            raise

    def draw(self, context: Any, row: int) -> int:
        """Return the next token from the logits of a row of the last batch, and let the samplers take note of it."""
        if self._grammar is None:
            token: int = llama_cpp.llama_sampler_sample(self._chain, context, row)
            return token
        candidates = _Candidates(logits_of(context, row, self._vocabulary.n_tokens))
        drawn = candidates.draw(self._chain)
        if not candidates.allows(self._grammar, drawn):
            again = _Candidates(logits_of(context, row, self._vocabulary.n_tokens))
            again.apply(self._grammar)
            drawn = again.draw(self._chain)
        llama_cpp.llama_sampler_accept(self._grammar, drawn)
        llama_cpp.llama_sampler_accept(self._chain, drawn)
        return drawn

    def close(self) -> None:
        """Free the chain. Safe to call twice."""
        for sampler in (self._chain, self._grammar):
            if sampler is not None:
                llama_cpp.llama_sampler_free(sampler)
        self._chain = self._grammar = None

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


class _Candidates:
    """All tokens with their logits, as llama.cpp's samplers take them."""

    def __init__(self, logits: Any) -> None:
        self._data = np.empty(len(logits), dtype=_CANDIDATE)
        self._data["id"] = np.arange(len(logits), dtype=np.int32)
        self._data["logit"] = logits
        self._array = _array_over(self._data)

    def apply(self, sampler: Any) -> None:
        llama_cpp.llama_sampler_apply(sampler, ctypes.byref(self._array))

    def draw(self, chain: Any) -> int:
        self.apply(chain)
        return int(self._data["id"][self._array.selected])

    def allows(self, grammar: Any, token: int) -> bool:
        one = np.zeros(1, dtype=_CANDIDATE)
        one["id"], one["logit"] = token, 1.0
        array = _array_over(one)
        llama_cpp.llama_sampler_apply(grammar, ctypes.byref(array))
        return bool(np.isfinite(one["logit"][0]))


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


def _compiled(vocabulary: Vocabulary, grammar: str) -> Any:
    compiled = llama_cpp.llama_sampler_init_grammar(vocabulary.handle, grammar.encode("utf-8", "replace"), b"root")
    # The library adds what it gets unlooked at; a NULL in the chain is a crash at the first token.
    if not compiled:
        raise BadConfig("the grammar cannot be used: llama.cpp does not accept it", hint="see docs/local-models.md")
    return compiled


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
