"""What a client takes beside text, and how it tells an answer while it is written; others are asked for none of it.

isinstance(client, Capable) and "images" in client.extras
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

Part = Literal["text", "reasoning", "logprobs"]
Hear: TypeAlias = Callable[[Part, str], None]
"""Takes one piece of an answer while it is written; `logprobs` are the tokens of the whole answer with theirs, as JSON text."""

Extra = Literal["tools", "images", "logprobs", "logit_bias", "penalties", "parallel_tool_calls"]


@runtime_checkable
class Prepared(Protocol):
    """A client that may have something to do once before its first answer, which takes long: a model to be converted."""

    async def prepare(self, tell: Callable[[str], None]) -> None:
        """Do it, and say how far it is; at once where it was done before.

        Raises:
            ReasonerError: it cannot be done.
        """
        ...

    def form(self) -> str:
        """Return the form its weights are used in: `as-is`, or the type they were converted to."""
        ...

    def form_report(self) -> Mapping[str, Any] | None:
        """Return what was measured of that form, once it is prepared; None for weights that are as they are."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """A client that may use what another one has loaded."""

    def share(self, other: object) -> bool:
        """Use it from now on, and tell whether it does: never where an answer could be another one by that. Before the first request."""
        ...


@runtime_checkable
class Queueing(Protocol):
    """A client that chooses itself which of several calls it answers first: the one that goes on where its cache ends, say."""

    @property
    def queue(self) -> int:
        """How many calls it takes at once; it answers `concurrency` of them together."""
        ...


@runtime_checkable
class Capable(Protocol):
    """A client that can be asked for more than text."""

    @property
    def extras(self) -> frozenset[Extra]:
        """What it takes: tools (also where they are told to the model in words), images in a user's turn, log-probabilities of each token, a bias of single tokens, frequency and presence penalties, a bound of one tool call a turn."""
        ...
