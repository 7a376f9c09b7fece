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
        self._held: dict[Part, str] = {}

    def __call__(self, part: Part, piece: str) -> None:
        """Take a piece."""
        text = without_known(self._held.get(part, "") + piece)
        n = unfinished(text)
        self._held[part] = text[len(text) - n :]
        if told := text[: len(text) - n]:
            self._heard(self._attempt, part, told)

    def tokens(self, completion: Completion) -> None:
        """Tell the log probabilities of a whole answer's tokens as JSON text, unless they spell a key."""
        whole = "".join(token for token, _ in completion.token_logprobs)
        if whole and without_known(whole) == whole:
            self._heard(self._attempt, "logprobs", json.dumps(completion.token_logprobs))
