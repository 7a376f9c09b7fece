"""The values that travel through the program, and its seams.

Knows what a request, a completion, a problem and a verdict are. Does not know any provider, strategy, puzzle or database.

    Request(messages=(Message("user", "4 9 10 13"),), sampling=Sampling(max_tokens=64), seed=7)
    -> Completion(text="Answer: (10 - 4) * (13 - 9) = 24", finish_reason="stop", usage=Usage(12, 14), model="local")
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NoReturn, Protocol, Self, TypeVar, runtime_checkable

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

    from pydantic import BaseModel

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "content_filter", "truncated"]
ConstraintApplied = Literal["grammar", "json_schema", "prompt", "none"]
Fate = Literal["open", "kept", "pruned", "final"]

I = TypeVar("I", bound="BaseModel")  # noqa: E741 - an instance model of a solver
S = TypeVar("S", bound="Hashable")  # a search state of a solver


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, ASCII. The same value always hashes alike."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(*parts: str) -> str:
    """Return the sha256 hex digest of the parts, each framed by its length so that no two lists collide."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        h.update(str(len(data)).encode() + b":" + data)
    return h.hexdigest()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the answer is drawn. `temperature=0` is greedy. `max_tokens` bounds the completion, in tokens.

    `logprobs` asks for the mean log probability of the answer's tokens (as the model gives them at temperature 1); `logit_bias` pairs
    token numbers of the model's own vocabulary with what is added to their logits.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    logit_bias: tuple[tuple[int, float], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values. What was added later is there only when it is used: call keys stay what they were."""
        later: dict[str, Any] = {"logprobs": True} if self.logprobs else {}
        if self.logit_bias:
            later["logit_bias"] = [list(pair) for pair in self.logit_bias]
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "min_p": self.min_p,
            "repeat_penalty": self.repeat_penalty,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop),
            **later,
        }


@dataclass(frozen=True, slots=True)
class Constraint:
    """What the output must conform to: a JSON schema (as JSON text, in its own order) or a GBNF grammar."""

    kind: Literal["json_schema", "grammar"]
    value: str

    @classmethod
    def schema(cls, schema: Mapping[str, Any]) -> Constraint:
        """Return the constraint for a JSON schema. The order of properties is kept: a model writes them in that order."""
        return cls("json_schema", json.dumps(schema, separators=(",", ":"), ensure_ascii=True, allow_nan=False))


@dataclass(frozen=True, slots=True)
class About:
    """What a request is about. In-process clients (the teacher) may read it; no provider is ever sent it."""

    problem: Problem
    template: str
    state: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    `key` is the call's journal key (an idempotency key for servers that honour one); `ends` says that whoever asks will not continue the
    answer, so that a local model need not keep it. Neither changes what is asked.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    seed: int = 0
    constraint: Constraint | None = None
    key: str = field(default="", compare=False)
    ends: bool = field(default=False, compare=False)
    about: About | None = field(default=None, compare=False, repr=False)

    def canonical(self) -> str:
        """Return the canonical text of what the model is asked: messages, sampling, seed and constraint, nothing else."""
        return canonical_json(
            {
                "messages": [[m.role, m.content] for m in self.messages],
                "sampling": self.sampling.as_dict(),
                "seed": self.seed,
                "constraint": [self.constraint.kind, self.constraint.value] if self.constraint else None,
            }
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used. Tokens are counted by whoever answered; `cost` is in dollars, None when no price is known."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. `finish_reason == "length"` means cut off at `max_tokens`; `seconds` is measured around the call."""

    text: str
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    model: str = ""
    constraint_applied: ConstraintApplied = "none"
    seconds: float = 0.0
    mean_logprob: float | None = None
    """The mean natural log-probability of the tokens of the text, where `Sampling.logprobs` asked for it and the client can tell."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One instance of one solver. `instance` is the canonical JSON of the solver's instance model."""

    solver: str
    """The name the solver was opened by (`game24`, `question:mine.jsonl`)."""
    instance: str
    line: str
    level: int | None = None

    @property
    def id(self) -> str:
        """Identify the problem by its content, not by how it was come by (16 hex digits)."""
        return digest("problem", self.solver.partition(":")[0], self.instance)[:16]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a strategy gives back: the text to verify, and the id of the thought that holds it."""

    text: str
    thought_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier says. `score` is in [0, 1] and 1.0 exactly when `correct`; `unparsed` when no answer could be read."""

    correct: bool
    score: float
    reason: str
    unparsed: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Measures beside the score: chrF++ of a translation, coverage of its source. None of them decides."""


@dataclass(frozen=True, slots=True)
class Move(Generic[S]):
    """One legal step of a search: the operation in words (`19 * 2 = 38`) and the state it leads to."""

    operation: str
    state: S


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One worked example for few-shot prompts: the statement as the model is shown it, and a verified answer text."""

    question: str
    answer: str


@runtime_checkable
class Client(Protocol):
    """One model behind one method.

    `name` is what tables and rows call the model (`local`, `openai:gpt-x`, `teacher`); `fingerprint` names exactly what
    answers (weights hash, template, options), so that a run is never silently continued with another model; `paid` says
    whether calls cost money; `concurrency` is how many calls may be under way at once.
    """

    name: str
    fingerprint: str
    paid: bool
    concurrency: int

    async def complete(self, request: Request) -> Completion:
        """Answer one request.

        Raises:
            ClientError: by whose fault and whether asking again may help, see `reasoner.errors`.
        """

    async def aclose(self) -> None:
        """Release what the client holds (connections, worker processes). Safe to call twice."""


class Solver(ABC, Generic[I, S]):
    """One problem family: instances, statement, answer parser, exact verifier, exact solver and legal moves.

    A state is any hashable value; the search tree of an instance has `start(instance)` as its root and `moves` as its
    edges. Everything is deterministic and free of side effects; a verifier never evaluates text and never raises on it.
    """

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
    searchable: ClassVar[bool] = True
    """False for a family without a search space, see `Unsearchable`."""
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

    def canonical_answer(self, instance: I, line: str) -> str:  # noqa: ARG002 - for those that override it
        """Return one text for all spellings of the same answer, so that samples can be counted without a verdict.

        `line` is the answer line in plain notation (see `reasoner.text.plain_answer`). It must not tell right answers from wrong
        ones: two wrong answers that differ stay different. Never raises on any text.
        """
        return line

    @abstractmethod
    def verify(self, instance: I, text: str) -> Verdict:
        """Judge an answer text exactly: the whole sequence of moves, not only its end. Never raises on any text."""

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


class Unsearchable(Solver[I, str]):
    """A family without a search space (questions, translations): it has right answers, but no states and no moves.

    What needs states (the teacher's searches) finds `searchable` false and does without; asked all the same, every method of the
    search raises.
    """

    searchable = False

    @abstractmethod
    def right_answer(self, instance: I) -> str | None:
        """Return a text that verifies, None when none is known."""

    def _refuse(self) -> NoReturn:
        raise BadConfig(f"{self.name} has no search space: no states and no moves", hint="use a strategy that needs none, such as cot")

    def start(self, instance: I) -> str:  # noqa: ARG002
        """Raise BadConfig."""
        self._refuse()

    def moves(self, instance: I, state: str) -> Sequence[Move[str]]:  # noqa: ARG002
        """Raise BadConfig."""
        self._refuse()

    def is_goal(self, instance: I, state: str) -> bool:  # noqa: ARG002
        """Raise BadConfig."""
        self._refuse()

    def show(self, instance: I, state: str) -> str:  # noqa: ARG002
        """Raise BadConfig."""
        self._refuse()

    def answer(self, instance: I, path: Sequence[Move[str]]) -> str:  # noqa: ARG002
        """Raise BadConfig."""
        self._refuse()

    def solve(self, instance: I) -> list[Move[str]] | None:  # noqa: ARG002
        """Raise BadConfig."""
        self._refuse()
