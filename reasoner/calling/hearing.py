"""The pieces of an answer on their way to whoever listens: without remembered keys, also where a key comes in several pieces.

What may be the beginning of a key is held back until it is one or is none; whoever listens has the whole answer at the end in any case.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reasoner.redaction import unfinished, without_known

if TYPE_CHECKING:
    from collections.abc import Callable

    from reasoner.capabilities import Part
    from reasoner.types import Completion

    Heard = Callable[[int, Part, str], None]


class Hearing:
    """Takes the pieces of one attempt at a call."""

    def __init__(self, heard: Heard, attempt: int) -> None:
        self._heard = heard
        self._attempt = attempt
        self._held: dict[Part, str] = {}  # not told yet
        self._told: dict[Part, str] = {}  # told, and together with what is held perhaps the beginning of a key

    def __call__(self, part: Part, piece: str) -> None:
        """Take a piece. What is held of another part is told before it: a listener hears the parts in the order they came in."""
        for other in [name for name, held in self._held.items() if name != part and held]:
            self._heard(self._attempt, other, self._held[other])
            self._told[other] = self._told.get(other, "") + self._held.pop(other)
        told = self._told.pop(part, "")
        text = without_known(told + self._held.get(part, "") + piece)
        fresh = text.removeprefix(told)
        n = unfinished(text)
        self._told[part] = text[len(text) - n : len(text) - len(fresh)] if n > len(fresh) else ""
        self._held[part] = fresh[max(0, len(fresh) - n) :]
        if tell := fresh[: max(0, len(fresh) - n)]:
            self._heard(self._attempt, part, tell)

    def tokens(self, completion: Completion) -> None:
        """Tell the log probabilities of a whole answer's tokens as JSON text, unless they spell a key."""
        whole = "".join(token for token, _ in completion.token_logprobs)
        if whole and without_known(whole) == whole:
            self._heard(self._attempt, "logprobs", json.dumps(completion.token_logprobs))
