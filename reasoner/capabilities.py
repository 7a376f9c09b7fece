"""What a client takes beside text, and how it tells an answer while it is written; others are asked for none of it.

isinstance(client, Capable) and "images" in client.extras
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias, runtime_checkable

Part = Literal["text", "reasoning", "logprobs"]
Hear: TypeAlias = Callable[[Part, str], None]
"""Takes one piece of an answer while it is written; `logprobs` are the tokens of the whole answer with theirs, as JSON text."""

Extra = Literal["tools", "images", "logprobs", "logit_bias", "penalties", "parallel_tool_calls"]


@runtime_checkable
class Capable(Protocol):
    """A client that can be asked for more than text."""

    @property
    def extras(self) -> frozenset[Extra]:
        """What it takes: tools (also where they are told to the model in words), images in a user's turn, log-probabilities of each token, a bias of single tokens, frequency and presence penalties, a bound of one tool call a turn."""
        ...
