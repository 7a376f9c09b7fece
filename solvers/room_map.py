"""Room map: plan a walk through rooms from a description of their doors; the graph itself is the judge.

`solvers/_worlds.py` draws the worlds.

    a line of seven rooms, 10 coins at one end and 40 at the other  ->  "Answer: 4 -> 2 -> 7 -> 1"

Source: Momennejad et al. 2023, "Evaluating Cognitive Maps and Planning in Large Language Models with CogEval", arXiv 2309.15129 (worlds,
kinds of question, kinds of failure). Texts and graphs are our own.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import networkx as nx
from pydantic import Field, model_validator

from reasoner.errors import Unparseable
from reasoner.solver import Searchable
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers import _worlds as worlds
from solvers._record import Record, read

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

Kind = Literal["value", "shortest", "shortcut", "detour", "revaluation"]
Failure = Literal["hallucinated edge", "loop", "wrong start", "wrong goal", "too long"]

KINDS: tuple[Kind, ...] = get_args(Kind)
FAILURES: tuple[Failure, ...] = get_args(Failure)
MAX_ROOMS = 60

_ROOM = re.compile(r"[A-Za-z0-9]{1,20}")
_NAMED = re.compile(r"^(?:the\s+)?(?:room\s+)?(?:the\s+)?", re.IGNORECASE)
_REMARK = re.compile(r"\([^()]*\)")
_EXAMPLE = "first -> second -> third"

Door = tuple[str, str]


class RoomMap(Record):
    """Rooms, doors (both ways), where the walk starts, and what is asked.

    `rewards` are coins in rooms, `changed` what a room holds after all (revaluation); `opened` and `closed` are changes of the doors
    (shortcut, detour). Where no `goal` is named, the goal is the room with the most coins.
    """

    world: str = Field(pattern=r"^[a-z_]{1,20}$")
    kind: Kind
    doors: tuple[Door, ...] = Field(min_length=1, max_length=200)
    start: str
    goal: str = ""
    rewards: tuple[tuple[str, int], ...] = ()
    changed: tuple[str, int] | None = None
    opened: Door | None = None
    closed: Door | None = None

    @model_validator(mode="after")
    def _can_be_walked(self) -> RoomMap:
        rooms = {room for door in self.doors for room in door}
        if len(rooms) > MAX_ROOMS or not all(map(_ROOM.fullmatch, rooms)):
            raise ValueError(f"at most {MAX_ROOMS} rooms, named by 1 to 20 letters or digits")
        if len({room.lower() for room in rooms}) != len(rooms):
            raise ValueError("two rooms differ in case only")
        if len({frozenset(door) for door in self.doors}) != len(self.doors) or any(a == b for a, b in self.doors):
            raise ValueError("a door is named twice, or leads to its own room")
        if self.closed and set(self.closed) not in [set(door) for door in self.doors]:
            raise ValueError(f"the closed door {self.closed} is none of the doors")
        named = {self.start, *([self.goal] if self.goal else []), *(self.opened or ()), *(room for room, _ in self.rewards)}
        if self.changed:
            named.add(self.changed[0])
        if unknown := sorted(named - rooms):
            raise ValueError(f"no door leads to {unknown[0]}")
        graph = graph_of(self)
        if self.start == (end := self.end) or not nx.has_path(graph, self.start, end):
            raise ValueError(f"no walk leads from {self.start} to {end}")
        return self

    @property
    def end(self) -> str:
        """The room where a right walk ends."""
        if self.goal:
            return self.goal
        coins = dict(self.rewards) | (dict([self.changed]) if self.changed else {})
        best = [room for room, n in coins.items() if n == max(coins.values(), default=0)]
        if len(best) != 1:
            raise ValueError("a goal, or one room with the most coins, is needed")
        return best[0]


def graph_of(instance: RoomMap) -> nx.Graph[str]:
    """Return the rooms and doors as they are after the changes."""
    graph: nx.Graph[str] = nx.Graph(instance.doors)
    if instance.closed:
        graph.remove_edge(*instance.closed)
    if instance.opened:
        graph.add_edge(*instance.opened)
    return graph


def failure(instance: RoomMap, path: Sequence[str]) -> tuple[Failure, str] | None:
    """Say how a walk fails, and where; None when it is right.

    Looked for in this order: a door that is not there, a room entered twice, a wrong start, a wrong end, more doors than needed.
    """
    graph = graph_of(instance)
    for before, after in pairwise(path):
        if not graph.has_edge(before, after):
            gone = instance.closed is not None and {before, after} == set(instance.closed)
            return (
                "hallucinated edge",
                f"the door between {before} and {after} is closed" if gone else f"no door leads from {before} to {after}",
            )
    twice = next((room for n, room in enumerate(path) if room in path[:n]), None)
    if twice is not None:
        return "loop", f"room {twice} is entered twice"
    if path[0] != instance.start:
        return "wrong start", f"the walk starts in {path[0]}, not in {instance.start}"
    if path[-1] != instance.end:
        return "wrong goal", f"the walk ends in {path[-1]}, not where it should"
    if len(path) - 1 > (least := nx.shortest_path_length(graph, instance.start, instance.end)):
        return "too long", f"the walk goes through {len(path) - 1} doors, {least} are enough"
    return None


class RoomMapSolver(Searchable[RoomMap, tuple[str, ...]]):
    """Walks through rooms. A state is the walk so far; a walk never comes back to a room."""

    name = "room_map"
    summary = "find the best walk through rooms: value-based, shortest, shortcut, detour, reward revaluation"
    syntax = '{"world": "line", "kind": "shortest", "doors": [["1", "2"], ["2", "3"]], "start": "1", "goal": "3"}'
    Instance = RoomMap
    levels: ClassVar[Mapping[int, str]] = {1: "any world, any kind of question"} | {
        10 * n + k: f"{world}: {kind}" for n, world in enumerate(worlds.WORLDS, start=1) for k, kind in enumerate(KINDS, start=1)
    }
    default_level = 1

    def parse(self, line: str) -> RoomMap:
        """Read the JSON object."""
        return read(self, RoomMap, line)

    def format(self, instance: RoomMap) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: RoomMap) -> Hashable:
        """Return the instance with its doors as a set: the order they are told in makes no other problem."""
        doors = frozenset(frozenset(door) for door in instance.doors)
        changes = (instance.changed, frozenset(instance.opened or ()), frozenset(instance.closed or ()))
        return (doors, instance.start, instance.goal, frozenset(instance.rewards), changes)

    def generate(self, rng: random.Random, level: int) -> RoomMap:
        """Draw world, kind, room names, start, goal, rewards and changes; the doors are told in a drawn order."""
        if level == 1:
            level = rng.choice([number for number in self.levels if number > 1])
        world = list(worlds.WORLDS)[level // 10 - 1]
        return RoomMap.model_validate({"world": world, "kind": KINDS[level % 10 - 1]} | worlds.draw(rng, world, KINDS[level % 10 - 1]))

    def statement_variables(self, instance: RoomMap) -> Mapping[str, Any]:
        """Return all fields but `world`, and a format `example`."""
        fields = instance.model_dump(mode="python", exclude={"world"})
        return fields | {"example": _EXAMPLE}

    def verify(self, instance: RoomMap, text: str) -> Verdict:
        """Walk the graph; a wrong walk's reason begins with the kind of failure."""
        try:
            path = read_path(answers.find(text))
        except Unparseable as error:
            return answers.unread(error.message)
        rooms = {room.lower(): room for door in instance.doors for room in door}
        unknown = next((room for room in path if room.lower() not in rooms), None)
        if unknown is not None:
            return answers.wrong(f"hallucinated edge: there is no room {answers.shown(unknown)}")
        if (found := failure(instance, [rooms[room.lower()] for room in path])) is not None:
            return answers.wrong(f"{found[0]}: {found[1]}")
        return answers.right(f"{len(path) - 1} doors from {instance.start} to {instance.end}")

    def start(self, instance: RoomMap) -> tuple[str, ...]:
        """Return the walk that has not left yet."""
        return (instance.start,)

    def moves(self, instance: RoomMap, state: tuple[str, ...]) -> list[Move[tuple[str, ...]]]:
        """Return the doors to rooms not entered yet, in the order of the rooms' names; none at the end room."""
        if state[-1] == instance.end:
            return []
        onward = sorted(set(graph_of(instance)[state[-1]]) - set(state))
        return [Move(f"door to {room}", (*state, room)) for room in onward]

    def is_goal(self, instance: RoomMap, state: tuple[str, ...]) -> bool:
        """Tell whether the walk is at the end room and no shorter one leads there."""
        return failure(instance, state) is None

    def show(self, instance: RoomMap, state: tuple[str, ...]) -> str:  # noqa: ARG002 - the state says it all here
        """Write the room the walk is in."""
        return state[-1]

    def answer(self, instance: RoomMap, path: Sequence[Move[tuple[str, ...]]]) -> str:
        """Write the rooms with arrows between them."""
        return "Answer: " + " -> ".join(path[-1].state if path else self.start(instance))

    def solve(self, instance: RoomMap) -> list[Move[tuple[str, ...]]]:
        """Return the first shortest walk in the order of `moves`; there always is one."""
        graph = graph_of(instance)
        left = nx.single_source_shortest_path_length(graph, instance.end)
        path: list[Move[tuple[str, ...]]] = []
        state = self.start(instance)
        while state[-1] != instance.end:
            move = next(m for m in self.moves(instance, state) if left[m.state[-1]] == left[state[-1]] - 1)
            path.append(move)
            state = move.state
        return path


def read_path(line: str) -> list[str]:
    """Read rooms with arrows between them; `room 3` and `the library` are read alike to `3` and `library`."""
    path: list[str] = []
    for piece in answers.pieces(line):
        room = _NAMED.sub("", _REMARK.sub("", piece).strip(" []{}*_.,")).strip()
        if not _ROOM.fullmatch(room):
            raise Unparseable(f"{answers.shown(piece)} is no room; the answer is rooms with -> between them")
        path.append(room)
    if len(path) < 2:
        raise Unparseable(f"{answers.shown(line)} is no walk; the answer is rooms with -> between them")
    return path
