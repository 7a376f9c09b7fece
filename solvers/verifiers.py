"""Environments of verifiers: `verifiers:PACKAGE`, also with options, `verifiers:PACKAGE?split=test`. They are played by verifiers itself, in its own process.

    price(item="salt")  ->  "2.5"        reply(text="It is 5.")  ->  the episode is over

The actions are the tools of the environment and `reply`, which says something to it: its user, its game, or whoever rewards the last reply. The answer is the
list of all that was done, and it is judged by doing it again in an episode of its own: right where the reward is 1. A text that is no such list is judged as a
reply without anything before it, so that strategies without tools can be asked too. Rewards, stops, tool servers and turns are those of the package.

Source: https://github.com/PrimeIntellect-ai/verifiers (MIT).
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import parse_qsl

from pydantic import Field, field_validator

from reasoner.environment import Environment, Turn
from reasoner.errors import BadConfig, BadInstance, DataError, ReasonerError, ToolFailed
from reasoner.solver import Seen, Solver
from reasoner.text import clean, excerpt, shorten, storable
from reasoner.types import ToolSpec, Verdict, canonical_json
from solvers import _answer as answers
from solvers._record import Record, read
from solvers._verifiers_process import VARIABLE, Process, process

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

__all__ = ["REPLY", "VARIABLE", "Play", "Playing", "Process", "VerifiersSolver", "VerifiersTask", "moves_of", "written"]

REPLY = "reply"
MAX_TASKS = 10_000
MAX_MOVES = 200
MAX_MOVE_CHARS = 16_000
MAX_ANSWER_CHARS = 200_000
MAX_SEEN_CHARS = 16_000
STEP_S = 300.0
"""Seconds an environment may take for one action: it may start servers of its tools, and a machine may be crowded."""
_SOURCE = re.compile(r"[A-Za-z][A-Za-z0-9_.@/-]{0,99}(?:\?[\x21-\x7e]{1,300})?")
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,64}")


class VerifiersTask(Record):
    """One task: the environment with its options, its place among the environment's tasks, and the key by which verifiers knows it."""

    environment: str
    task: int = Field(ge=0, lt=MAX_TASKS)
    key: str = Field(min_length=1, max_length=200)

    @field_validator("environment")
    @classmethod
    def _is_a_source(cls, source: str) -> str:
        if not _SOURCE.fullmatch(source):
            raise ValueError("write PACKAGE or PACKAGE?option=value&option=value")
        return source


class VerifiersSolver(Solver[VerifiersTask], Environment[VerifiersTask]):
    """The environments of verifiers, none of them named: nothing is drawn from all of them."""

    name = "verifiers"
    summary = (
        "an environment of the package verifiers, verifiers:PACKAGE (an environment; needs verifiers, in a Python of its own if you like)"
    )
    syntax = '{"environment": "PACKAGE", "task": 0, "key": "6f1c..."}'
    Instance = VerifiersTask
    levels: ClassVar[Mapping[int, str]] = {1: "the tasks of the environment"}
    default_level = 1
    judged = False
    slow = True

    def __init__(self, source: str = "") -> None:
        self.source = source
        self._tasks: list[dict[str, Any]] | None = None
        self._tools: list[ToolSpec] | None = None
        self._more = False

    @classmethod
    def open(cls, source: str) -> Self:
        """Open an environment by the name of its package; nothing is imported yet.

        Raises:
            BadConfig: that is no name of a package with options.
        """
        if not _SOURCE.fullmatch(source):
            raise BadConfig(
                f"verifiers:{clean(source)[:80]} names no environment", hint="write verifiers:PACKAGE or verifiers:PACKAGE?option=value"
            )
        return _Opened(source)  # type: ignore[return-value]  # that is one

    def parse(self, line: str) -> VerifiersTask:
        """Read the JSON object; the number of a task names it too.

        Raises:
            BadInstance: it is none, or it is a task of another environment.
        """
        if self.source and line.strip().isdecimal() and line.isascii() and len(line) < 9:
            at, told = int(line), self._told()
            if at >= len(told):
                raise BadInstance(f"{self.title} has no task {at}", hint=f"there are {len(told)}, counted from 0")
            return VerifiersTask(environment=self.source, task=at, key=told[at]["key"])
        made = read(self, VerifiersTask, line)
        if self.source and made.environment != self.source:
            raise BadInstance(f"{self.title}: the task is one of {made.environment}", hint=f"the syntax is {self.syntax}")
        return made

    def format(self, instance: VerifiersTask) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: VerifiersTask) -> Hashable:
        """Return environment and key."""
        return (instance.environment, instance.key)

    def listed(self, level: int) -> Sequence[VerifiersTask] | None:  # noqa: ARG002 - there is one level
        """Return the tasks of the environment in its order: the first 10,000, and 200 where they have no end.

        Raises:
            BadConfig: no environment is named, or it cannot be played here.
            MissingDependency: verifiers is not installed.
        """
        return [VerifiersTask(environment=self.source, task=at, key=each["key"]) for at, each in enumerate(self._told())]

    def generate(self, rng: random.Random, level: int) -> VerifiersTask:  # noqa: ARG002 - there is one level
        """Draw one of the tasks."""
        told = self._told()
        at = rng.randrange(len(told))
        return VerifiersTask(environment=self.source, task=at, key=told[at]["key"])

    def remarks(self) -> Sequence[str]:
        """Say where there are more tasks than are listed."""
        return [f"{self.title} has more tasks than the {len(self._told())} that are taken"] if self._more else []

    def instructions(self, instance: VerifiersTask) -> str:
        """Return the system prompt of the task."""
        return str(self._task(instance)["system"])

    def statement_variables(self, instance: VerifiersTask) -> Mapping[str, Any]:
        """Return the `prompt`; where the environment speaks first, what it says."""
        told = self._task(instance)["prompt"].strip()
        if not told:
            play = Play(instance)
            try:
                told = play.seen.strip()
            finally:
                play.close()
        return {"prompt": told or "(no words)"}

    def verify(self, instance: VerifiersTask, text: str) -> Verdict:
        """Do it all again."""
        moves = moves_of(text)
        if not moves:
            return answers.unread("there is no reply")
        if len(moves) > MAX_MOVES:
            return answers.wrong(f"there are {len(moves)} actions, at most {MAX_MOVES} are done again")
        try:
            return self._judged(instance, moves)
        except ReasonerError as error:
            return Verdict(correct=None, score=0.0, reason=shorten(f"not judged: {error.message}", 200))

    def _judged(self, instance: VerifiersTask, moves: Sequence[Move]) -> Verdict:
        play = Play(instance)
        try:
            for number, move in enumerate(moves, start=1):
                if play.over:
                    return answers.wrong(f"the episode was over before action {number}")
                play.do(move)
            return play.verdict(len(moves))
        finally:
            play.close()

    def canonical_answer(self, instance: VerifiersTask, text: str) -> str | None:  # noqa: ARG002 - the form alone
        """Return the moves, every text without any being one reply."""
        moves = moves_of(text)
        return written(moves) if moves else None

    def visible_check(self, instance: VerifiersTask, text: str) -> Seen:  # noqa: ARG002 - no task is looked at
        """Say whether there is a reply at all; more would cost an episode."""
        there = bool(moves_of(text))
        return Seen(there, "there is a reply" if there else "there is no reply")

    def right_answer(self, instance: VerifiersTask) -> str | None:  # noqa: ARG002 - nobody knows one
        """Return None: what is right only the environment knows."""
        return None

    def offered(self, instance: VerifiersTask) -> Sequence[ToolSpec]:
        """Return the tools of the environment, which are the same for all its tasks, and `reply`."""
        if self._tools is None:
            play = Play(instance)
            play.close()
            self._tools = [_spec(tool) for tool in play.tools if _TOOL.fullmatch(str(tool["name"]))]
            if any(tool.name == REPLY for tool in self._tools):
                raise BadConfig(
                    f"{self.title} has a tool that is called {REPLY}, as the action is that says something", hint="use another environment"
                )
        text = {"type": "string", "description": "The whole of what you say."}
        schema = {"type": "object", "properties": {"text": text}, "required": ["text"], "additionalProperties": False}
        told = "Say something: your next turn, or your final answer. What is submitted in another way is taken for a reply without any action before it."
        return [*self._tools, ToolSpec(REPLY, told, canonical_json(schema))]

    def episode(self, instance: VerifiersTask) -> Playing:
        """Begin an episode."""
        return Playing(instance)

    def _told(self) -> list[dict[str, Any]]:
        if not self.source:
            raise BadConfig("verifiers names no environment", hint="write verifiers:PACKAGE")
        if self._tasks is None:
            made = process().ask({"do": "tasks", **_place(self.source)}, within_s=STEP_S)
            self._more = bool(made["more"])
            self._tasks = made["tasks"][:MAX_TASKS]
            if not self._tasks:
                raise BadConfig(f"{self.title} has no tasks", hint="give it other options: verifiers:PACKAGE?option=value")
        return self._tasks

    def _task(self, instance: VerifiersTask) -> dict[str, Any]:
        told = self._told()
        if instance.task >= len(told) or told[instance.task]["key"] != instance.key:
            raise DataError(
                f"task {instance.task} of {self.title} is another one now",
                hint="the package or its options have changed since the run began",
            )
        return told[instance.task]


class _Opened(VerifiersSolver):
    """One environment. The registry takes the first class of this name in the alphabet, which this one is not."""

    judged = True


Move = str | tuple[str, dict[str, Any]]
"""A reply, or a tool with its arguments."""


class Play:
    """One episode in the process of verifiers."""

    def __init__(self, instance: VerifiersTask) -> None:
        """Begin it.

        Raises:
            BadConfig: the environment cannot be played.
            Lost: it did not begin in time.
            MissingDependency: verifiers is not installed.
        """
        self._process = process()
        place = _place(instance.environment)
        made = self._process.ask({"do": "open", **place, "task": instance.task, "key": instance.key}, within_s=STEP_S)
        self._number, self._born = made["episode"], made["born"]
        self.tools: list[dict[str, Any]] = made["tools"]
        self._take(made)

    def do(self, move: Move) -> str:
        """Do one thing, and return what is seen of it."""
        said = {"reply": move} if isinstance(move, str) else {"call": {"name": move[0], "arguments": move[1]}}
        self._take(self._process.ask({"do": "act", "episode": self._number, **said}, within_s=STEP_S, born=self._born))
        return self.seen

    def verdict(self, n_moves: int) -> Verdict:
        """Say what the reward of the episode says."""
        if not self.over:
            return answers.wrong(f"after {n_moves} action(s) the episode is not over")
        if self._reward is None:
            return Verdict(correct=None, score=0.0, reason=shorten(clean(f"not judged: the environment failed: {self._fault}"), 200))
        told = f"the reward is {self._reward:g} after {n_moves} action(s)"
        if self._reward >= 1:
            return answers.right(told)
        return Verdict(correct=False, score=min(max(self._reward, 0.0), 0.999999), reason=told)

    def close(self) -> None:
        """End it, where its process still runs. Safe to call twice."""
        number, self._number = self._number, None
        if number is not None:
            try:
                self._process.ask({"do": "close", "episode": number}, within_s=STEP_S, born=self._born)
            except (BadConfig, DataError):
                return  # it is gone already

    def _take(self, made: Mapping[str, Any]) -> None:
        self.seen = excerpt(storable(str(made["seen"])), MAX_SEEN_CHARS)
        self.over = bool(made["over"])
        self._reward: float | None = made.get("reward")
        self._fault = str(made.get("fault") or "")


class Playing:
    """One episode, for a strategy that acts."""

    def __init__(self, instance: VerifiersTask) -> None:
        self._instance = instance
        self._play: Play | None = None
        self._moves: list[Move] = []

    async def step(self, action: str, arguments: Mapping[str, Any]) -> Turn:
        """Do one action."""
        if self._play is None:
            self._play = await asyncio.to_thread(Play, self._instance)
        if self._play.over:
            raise ToolFailed("the episode is over")
        if len(self._moves) >= MAX_MOVES:
            raise ToolFailed(f"at most {MAX_MOVES} actions are done in an episode")
        move: Move = storable(str(arguments["text"])) if action == REPLY else (action, dict(arguments))
        if len(json.dumps(move)) > MAX_MOVE_CHARS or (isinstance(move, str) and not move.strip()):
            raise ToolFailed(f"an action has 1 to {MAX_MOVE_CHARS} characters")
        if len(written([*self._moves, move])) > MAX_ANSWER_CHARS // 2:
            raise ToolFailed("the episode has become too long")
        seen = await asyncio.to_thread(self._play.do, move)
        self._moves.append(move)
        return Turn(seen.strip() or "Done.", written(self._moves) if self._play.over else None)

    async def aclose(self) -> None:
        """End the episode."""
        if self._play is not None:
            await asyncio.to_thread(self._play.close)


def written(moves: Sequence[Move]) -> str:
    """Write what was done as an answer, on one line.

    >>> written([("price", {"item": "salt"}), "It is 5."])
    '{"moves": [["price", {"item": "salt"}], "It is 5."]}'
    """
    return json.dumps({"moves": [move if isinstance(move, str) else list(move) for move in moves]})


def moves_of(text: str) -> list[Move]:
    """Read an answer: what `written` wrote, or a text that is one reply; empty where there is none.

    >>> moves_of('Answer: {"moves": [["price", {}], "It is 5."]}'), moves_of("So: 5")
    ([('price', {}), 'It is 5.'], ['So: 5'])
    """
    text = storable(text, MAX_ANSWER_CHARS)
    told = text.strip().removeprefix("Answer:").strip()
    if told.startswith('{"moves": '):
        with suppress(ValueError, RecursionError):
            made = json.loads(told)
            if isinstance(made, dict) and set(made) == {"moves"} and isinstance(made["moves"], list) and all(map(_is_move, made["moves"])):
                return [move if isinstance(move, str) else (move[0], move[1]) for move in made["moves"]]
    return [text[:MAX_MOVE_CHARS]] if told else []


def _is_move(move: Any) -> bool:
    if isinstance(move, str):
        return bool(move.strip()) and len(move) <= MAX_MOVE_CHARS
    called = isinstance(move, list) and len(move) == 2 and isinstance(move[0], str) and isinstance(move[1], dict)
    return called and len(json.dumps(move)) <= MAX_MOVE_CHARS


def _spec(tool: Mapping[str, Any]) -> ToolSpec:
    schema = tool["parameters"] if isinstance(tool["parameters"], dict) else {}
    return ToolSpec(
        str(tool["name"]), clean(str(tool["description"]))[:2000], canonical_json({"type": "object", "properties": {}, **schema})
    )


def _place(source: str) -> dict[str, Any]:
    """Return the environment and its options."""
    name, _, options = source.partition("?")
    return {"environment": name, "options": dict(parse_qsl(options, keep_blank_values=True))}
