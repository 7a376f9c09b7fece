"""Which tokens a constraint allows next: masks over the vocabulary, computed together for all requests that wait for one.

The mask after a token is asked for when the next one is drawn. By then every request of the batch has taken its token, so one call computes
the masks of all of them. Knows llguidance; knows no sampling.

    masks = Masks(vocabulary, threads=2)
    matcher = masks.matcher("regex", "[0-9]{4}")     # compiled once, copied for each request
    matcher.allowed() -> array([11, 12, 13, ...])     # token numbers in order
    matcher.take(11)

Source: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from __future__ import annotations

import time
import warnings
from collections import OrderedDict
from typing import Any

import numpy as np
from llguidance import LLExecutor, LLMatcher
from llguidance.llamacpp import lltokenizer_from_vocab

from reasoner.clients.llamacpp.worker.constraint import LIMITS, check_grammar, forces_in_bounds, grammar_of, refusal, without_forcing
from reasoner.clients.llamacpp.worker.vocabulary import Vocabulary

MAX_COMPILED = 32

_SAMPLES = ("a", " a", "a b", "\n", "é", '{"a": 1}')


class Masks:
    """The constraints of one model. Making it takes up to a second for a large vocabulary."""

    def __init__(self, vocabulary: Vocabulary, *, threads: int) -> None:
        ends = vocabulary.end_tokens()
        self._n_words = (vocabulary.n_tokens + 31) // 32
        with warnings.catch_warnings():
            # It calls functions of llama-cpp-python by names that are on their way out.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._tokenizer = lltokenizer_from_vocab(vocabulary.handle, eos_token=ends or None)
        # One without a token for a blank spells it by bytes of another character.
        self._forces = all(self._tokenizer.decode_bytes(self._tokenizer.tokenize_str(text)) == text.encode() for text in _SAMPLES)
        self._never = np.zeros(self._n_words, dtype=np.uint32)
        for token in vocabulary.empty_tokens:
            self._never[token // 32] |= np.uint32(1 << token % 32)
        self._executor = LLExecutor(threads)
        self._compiled: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._waiting: dict[Matcher, None] = {}
        self.seconds = 0.0
        """Seconds spent on masks so far, without compiling."""

    def matcher(self, kind: str, value: str) -> Matcher:
        """Return a new matcher of a constraint, at its beginning.

        Raises:
            BadConfig: the constraint cannot be kept.
        """
        compiled = self._compiled.pop((kind, value), None) or self._compile(kind, value)
        self._compiled[kind, value] = compiled
        if len(self._compiled) > MAX_COMPILED:
            self._compiled.popitem(last=False)
        return Matcher(self, compiled.deep_copy(), kind)

    def _compile(self, kind: str, value: str) -> Any:
        grammar = grammar_of(kind, value)
        check_grammar(grammar, self._tokenizer, kind=kind, value=value)
        form = grammar if self._forces and forces_in_bounds(kind, value) else without_forcing(grammar)
        compiled = LLMatcher(self._tokenizer, form, log_level=0, limits=LIMITS)
        # The first mask shows what compiling does not: a grammar that nothing fits, or one too large to follow.
        Matcher(self, compiled, kind).allowed()
        return compiled

    def wait_for(self, matcher: Matcher) -> None:
        """Note that a matcher will want a mask."""
        self._waiting[matcher] = None

    def forget(self, matcher: Matcher) -> None:
        """Compute no more masks of a matcher."""
        self._waiting.pop(matcher, None)

    def compute(self) -> None:
        """Compute the masks of all that wait for one."""
        started = time.perf_counter()
        waiting, self._waiting = list(self._waiting), {}
        bits = np.zeros((len(waiting), self._n_words), dtype=np.uint32)
        pairs = [(matcher.native, index) for index, matcher in enumerate(waiting)]
        self._executor.unsafe_compute_mask_ptr(pairs, bits.ctypes.data, self._n_words * 4, len(waiting))
        bits &= ~self._never
        for matcher, row in zip(waiting, bits, strict=True):
            matcher.bits = row
        self.seconds += time.perf_counter() - started


class Matcher:
    """How far one answer has followed its constraint."""

    def __init__(self, masks: Masks, native: Any, kind: str) -> None:
        self.native = native
        self.kind = kind
        self.bits: Any = None
        self.wants_masks = True
        """Whether a mask is wanted after every token, so that it is computed together with those of others."""
        self._masks = masks

    @property
    def complete(self) -> bool:
        """Whether nothing can follow but the end of the answer."""
        return bool(self.native.is_stopped())

    def allowed(self) -> Any:
        """Return the numbers of the tokens that may come next, in order; the end tokens are among them where the answer may end.

        Raises:
            BadConfig: the constraint has become too large to follow.
        """
        if self.bits is None:
            self._masks.wait_for(self)
            self._masks.compute()
        started = time.perf_counter()
        # As truth values: numbers are compared with 0 one by one, which took longer than computing the mask.
        found = np.flatnonzero(np.unpackbits(self.bits.view(np.uint8), bitorder="little").view(np.bool_))
        self._check(holds=len(found) > 0)
        self._masks.seconds += time.perf_counter() - started
        return found

    def allows(self, token: int) -> bool:
        """Tell whether a token may come next, without computing a mask."""
        started = time.perf_counter()
        allowed: bool = self.native.validate_tokens([token]) == 1
        self._masks.seconds += time.perf_counter() - started
        return allowed

    def take(self, token: int) -> None:
        """Note that a token was drawn, one that is allowed.

        Raises:
            BadConfig: the constraint has become too large to follow.
        """
        started = time.perf_counter()
        self.bits = None
        taken: bool = self.native.consume_token(token)
        self._masks.seconds += time.perf_counter() - started
        self._check(holds=taken)
        if self.wants_masks:
            self._masks.wait_for(self)

    def forced(self) -> list[int]:
        """Return the tokens that must come next, where there is no choice; they are not taken yet."""
        found: list[int] = self.native.compute_ff_tokens()
        return found

    def close(self) -> None:
        """Ask for no more masks."""
        self._masks.forget(self)

    def _check(self, *, holds: bool) -> None:
        if not holds or self.native.is_error():
            self.close()
            error: str = self.native.get_error()
            raise refusal(self.kind, "nothing fits it" if error.startswith("NoExtension") or not error else error)
