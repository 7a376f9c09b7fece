"""What an importer of foreign logs is, and what it gives: transcripts, and records that hold a judgement.

class Sharegpt(Importer):
    name = "sharegpt"
    def finds(self, row): return 40 if isinstance(row.get("conversations"), list) else 0
    def read(self, row): yield Transcript(messages)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from reasoner.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reasoner.datasets.records import Record
    from reasoner.store.imports import ReadTrajectory
    from reasoner.types import Message, ToolSpec

IMPORTED = "imported"
"""What stands for the solver, the strategy or the model of a row that names none."""


class Unusable(DataError):
    """A row that cannot be taken; the message is the reason it is counted under, so it holds nothing of the row."""


class NoRequest(Unusable):
    """A reply whose question stands in another file, which has not been read."""


@dataclass(slots=True)
class Transcript:
    """A conversation as a log tells of it.

    `replies` are the places in `messages` of what a model said there, each a call of its own; without them the last message is the only one.
    `calls` holds what is known of a call, by its place: columns of `calls` (`model`, `prompt_tokens`, `finish_reason`, ...).
    """

    messages: Sequence[Message]
    replies: Sequence[int] = ()
    model: str = ""
    agent: str = ""
    """What asked the model: it stands where a strategy would."""
    calls: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else the log says (ids, ratings, weights, scores, metadata), as JSON values; kept with the trajectory's root."""
    problem: tuple[str, str] | None = None
    """Solver and problem in its syntax, where the log names them; the answer is then verified."""
    n_bad_usage: int = 0
    """Counts of tokens or dollars that could not be right (negative, no number, too large) and were left out."""


@dataclass(slots=True)
class Context:
    """What the files of one import share."""

    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Bodies of batch requests by their id: the answers stand in another file."""


class Importer(ABC):
    """How the rows of one kind of log are read."""

    registered_as: ClassVar[Literal["importer"]] = "importer"
    name: ClassVar[str]
    summary: ClassVar[str]
    session: ClassVar[bool] = False
    """Whether the rows of a file belong together: `read` is then given one row, `{"rows": [...]}`, that holds them all."""

    def __init__(self, context: Context | None = None) -> None:
        self.context = context or Context()

    def opens(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 - what an importer may need
        """Tell whether a file is of a kind only this importer can open (an archive, a database), by its first bytes."""
        return False

    def rows(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (place, row) of a file that `opens` said yes to."""
        raise DataError(f"{self.name} cannot open {path}")

    @abstractmethod
    def finds(self, row: Mapping[str, Any]) -> int:
        """Return how sure it is that a row is of this kind, 0 for not at all; the surest importer reads it."""

    @abstractmethod
    def read(self, row: dict[str, Any]) -> Iterable[Transcript | Record | ReadTrajectory]:
        """Yield what a row holds; nothing where it is known to hold nothing (a header). Whole trajectories are our own exports only.

        Raises:
            Unusable: it holds something that cannot be taken.
        """
