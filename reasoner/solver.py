"""The seam of a problem family: what every solver offers, and what a family with a search space offers besides.

    Solver        instances, statement, answer reader, exact verifier: every family
    Searchable    states and legal moves: the families that can be searched
    FanLayout     how the fan layout writes the states of a family, where `show` is not short enough

Knows the methods by which strategies, teacher and exports ask about problems. Does not know any one family; those stand in `solvers/`.

    solver.verify(instance, "Answer: (10 - 4) * (13 - 9) = 24") -> Verdict(correct=True, score=1.0, reason="...")
    isinstance(solver, Searchable) -> True
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from reasoner.errors import BadConfig
from reasoner.text import plain_answer
from reasoner.types import S

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

    from pydantic import BaseModel

    from reasoner.constraint import Constraint
    from reasoner.drawing import Drawing
    from reasoner.grading.judges import JudgeCase
    from reasoner.types import Move, Verdict

Outlook = Literal["open", "dead", "hidden"]

I = TypeVar("I", bound="BaseModel")  # noqa: E741 - an instance model of a solver


@dataclass(frozen=True, slots=True)
class Seen:
    """What a visible check says of an answer: whether it passes, and what was seen, in words for whoever wrote the answer."""

    passed: bool
    told: str


class Solver(ABC, Generic[I]):
    """One problem family: instances, statement, answer reader, exact verifier, a right answer.

    Everything is deterministic and free of side effects; a verifier never evaluates text and never raises on it. A family that can be
    searched derives from `Searchable`.
    """

    registered_as: ClassVar[Literal["solver"]] = "solver"
    name: ClassVar[str]
    """The registry name; the same word as the module's file."""
    summary: ClassVar[str]
    """One line for listings."""
    syntax: ClassVar[str]
    """The one-line instance syntax, with an example, for help and error messages."""
    Instance: ClassVar[type[Any]]
    """The frozen pydantic model of an instance."""
    levels: ClassVar[Mapping[int, str]]
    """Difficulty levels the generator offers, each with one line that says what it draws from."""
    default_level: ClassVar[int]
    judged: ClassVar[bool] = True
    """False for what has no right answer (a conversation): it is recorded without a verdict and never drawn."""
    slow: ClassVar[bool] = False
    """Whether `verify` runs what a model wrote (a program, a query), and may take seconds: see `takes_time`."""
    block: ClassVar[bool] = False
    """Whether case matters in an answer, which may have several lines (a program)."""
    source: str = ""
    """What stood behind the colon of the name it was opened by: a file, a data set."""

    @property
    def title(self) -> str:
        """The whole name it was opened by: `game24`, `question:mine.jsonl`."""
        return f"{self.name}:{self.source}" if self.source else self.name

    @classmethod
    def open(cls, source: str) -> Self:
        """Make the solver of `NAME:SOURCE`. Nothing is read before the first instance is asked for.

        Raises:
            BadConfig: this family takes no source.
        """
        raise BadConfig(f"{cls.name} takes no source, and {source[:80]!r} was given", hint=f"write {cls.name}")

    @abstractmethod
    def parse(self, line: str) -> I:
        """Read one instance from its one-line syntax.

        Raises:
            BadInstance: the line does not follow the syntax or names an impossible instance.
        """

    @abstractmethod
    def format(self, instance: I) -> str:
        """Write an instance in its one-line syntax; `parse(format(x)) == x`."""

    @abstractmethod
    def generate(self, rng: random.Random, level: int) -> I:
        """Draw one solvable instance of a level. All randomness comes from `rng`."""

    def listed(self, level: int) -> Sequence[I] | None:  # noqa: ARG002 - for those that override it
        """Return all instances of a level where they are a fixed list (a file, a frozen corpus); None where they are generated.

        Raises:
            DataError: the file is missing or a record of it cannot be used.
        """
        return None

    def leaves_open(self, instance: I) -> bool:  # noqa: ARG002 - for those that override it
        """Tell whether a listed instance leaves anything open that `vary` draws; False spares the drawing of a large file."""
        return type(self).vary is not Solver.vary

    def vary(self, instance: I, rng: random.Random) -> I:  # noqa: ARG002 - for those that override it
        """Draw what a listed instance leaves open (the order of its choices); the instance itself where it leaves nothing open."""
        return instance

    def canonical(self, instance: I) -> Hashable:
        """Return what makes two instances the same problem (the sorted numbers, say); splits and drawing go by it."""
        return self.format(instance)

    def family(self, instance: I) -> Hashable:
        """Return what must not be divided between training and test: the problem itself, or a wider family of problems alike."""
        return self.canonical(instance)

    @abstractmethod
    def statement_variables(self, instance: I) -> Mapping[str, Any]:
        """Return the variables of `prompts/solvers/<name>.jinja` for this instance."""

    def takes_time(self, instance: I) -> bool:  # noqa: ARG002 - for families whose instances differ in it
        """Tell whether `verify` and `same_answer` may take seconds for an instance: they are called in a thread then, from several at once."""
        return self.slow

    def canonical_answer(self, instance: I, text: str) -> str | None:  # noqa: ARG002 - for those that override it
        """Return one text for all spellings of the answer in a text, so that samples can be counted without a verdict; None where there is none.

        It must not tell right answers from wrong ones: two wrong answers that differ stay different. Never raises on any text.
        """
        return plain_answer(text)

    def same_answer(self, instance: I, one: str, other: str) -> bool:
        """Tell whether two texts answer alike, where equality is no matter of spelling; `canonical_answer` has told them apart already."""
        del instance, one, other
        return False

    def part_answer(self, instance: I, part: str, text: str) -> str | None:
        """Return the answer in a reply to a part of an instance's text, as it is written; None where there is none, or the family is not asked in parts."""
        del instance, part, text
        return None

    def judge_case(self, instance: I) -> JudgeCase | None:  # noqa: ARG002 - for those that override it
        """Return what a judge is told of an instance whose verdict is left to one; None for families that judge themselves."""
        return None

    def follow_up(self, instance: I, text: str) -> I | None:  # noqa: ARG002 - for those that override it
        """Return what is asked next once `text` was answered, the conversation so far included; None where nothing is."""
        return None

    def files(self) -> Mapping[str, str]:
        """Return the files that could change an answer or a verdict besides the problems themselves, with their sha256, for the manifest."""
        return {}

    def remarks(self) -> Sequence[str]:
        """Return what a user should know of what the problems were read from, a line each: rows that are left out."""
        return ()

    def worked(self, kind: str) -> Sequence[tuple[I, str]] | None:  # noqa: ARG002 - for those that override it
        """Return worked examples as (instance, answer text) where this family has its own; None where those of `corpora/shots` are meant."""
        return None

    def instructions(self, instance: I) -> str:  # noqa: ARG002 - for those that override it
        """Return what is to stand in the system message of every call; empty: nothing."""
        return ""

    def output_schema(self, instance: I) -> Mapping[str, Any] | None:  # noqa: ARG002 - for those that override it
        """Return the JSON schema that the answer is to conform to; None where any text will do."""
        return None

    def answer_constraint(self, instance: I) -> Constraint | None:  # noqa: ARG002 - for those that override it
        """Return what the answer line, marker included, must conform to; None where any line will do. `right_answer` conforms to it."""
        return None

    def explain(self, instance: I) -> Sequence[str]:  # noqa: ARG002 - for those that override it
        """Return the way to the right answer, a step each, of a family without a search space that knows it; empty where it does not."""
        return ()

    def dead_ends(self, instance: I) -> Sequence[str]:  # noqa: ARG002 - for those that override it
        """Return for the steps of `explain`, in their order, a step beside each that leads nowhere, empty for none: what a worked search shows."""
        return ()

    def visible_check(self, instance: I, text: str) -> Seen:
        """Check of an answer what the statement lets anybody check: its form, its legality, tests that are shown. Never raises on any text.

        It never tells whether an answer that passes is right: strategies may ask it, as they may not ask `verify`. Here: whether there is an
        answer in the form that was asked for.
        """
        verdict = self.verify(instance, text)
        return Seen(not verdict.unparsed, verdict.reason if verdict.unparsed else "the answer has the form that was asked for")

    @abstractmethod
    def verify(self, instance: I, text: str) -> Verdict:
        """Judge an answer text exactly: the whole sequence of moves, not only its end. Never raises on any text."""

    @abstractmethod
    def right_answer(self, instance: I) -> str | None:
        """Return a text that verifies, None when none is known or the instance has no solution."""

    def drawing(self, instance: I, text: str) -> Drawing | None:  # noqa: ARG002 - for those that override it
        """Draw an answer, right or wrong, for people to look at; None where nothing is drawn or nothing can be read. Never raises on any text."""
        return None


class Searchable(Solver[I], Generic[I, S]):
    """A family with a search space: the tree of an instance has `start(instance)` as its root and `moves` as its edges.

    A state is any hashable value. Ask `isinstance(solver, Searchable)` before asking for states or moves.
    """

    @abstractmethod
    def start(self, instance: I) -> S:
        """Return the root state of the search."""

    @abstractmethod
    def moves(self, instance: I, state: S) -> Sequence[Move[S]]:
        """Return all legal moves out of a state, in a fixed order, without repeats; empty when the state is final."""

    @abstractmethod
    def is_goal(self, instance: I, state: S) -> bool:
        """Tell whether a state ends the search with a correct answer."""

    @abstractmethod
    def show(self, instance: I, state: S) -> str:
        """Write a state as a model should see it, on one line."""

    @abstractmethod
    def answer(self, instance: I, path: Sequence[Move[S]]) -> str:
        """Write the answer line for a path of moves from the start, in exactly the format the statement asks for."""

    @abstractmethod
    def solve(self, instance: I) -> list[Move[S]] | None:
        """Return a shortest path of moves to a goal, or None when there is none. Exact."""

    def right_answer(self, instance: I) -> str | None:
        """Return a text that verifies, None when the instance has no solution."""
        path = self.solve(instance)
        return None if path is None else self.answer(instance, path)


class FanLayout(ABC, Generic[I, S]):
    """How the fan layout (`reasoner.layouts.fan`) writes a family's search: a mixin for a `Searchable`, all of it optional."""

    @abstractmethod
    def show(self, instance: I, state: S) -> str:
        """Write a state as a model should see it, on one line; `Searchable` asks for it too."""

    def brief(self, instance: I, state: S) -> str:
        """Write a state in as few characters as tell it from the others."""
        return self.show(instance, state)

    def brief_move(self, instance: I, state: S, move: Move[S]) -> str:  # noqa: ARG002 - for those that override it
        """Write a move from a state with what it leads to, as briefly (`5+9=14,10`), and with each sum that has to be worked out.

        The new state alone where that tells which move it was and nothing is to be worked out.
        """
        return self.brief(instance, move.state)

    def outlook(self, instance: I, state: S) -> Outlook:  # noqa: ARG002 - for those that override it
        """Say what is seen of a state without searching: `open`, `dead` (written down and left), or `hidden` (not written down)."""
        return "open"

    def place(self, instance: I, state: S) -> Hashable:  # noqa: ARG002 - for those that override it
        """Return what makes a state one that a search has been at before and need not look into again; None: write it down anyway."""
        return state

    def cost(self, instance: I, state: S) -> int | None:  # noqa: ARG002 - for those that override it
        """Return what a final state costs where the least is looked for; None where a state either reaches the goal or does not."""
        return None
