"""Text rooms: find a room in a building that is only seen from inside, one door at a time.

    go("hall")  ->  "You are in the hall. Doors lead to: attic, kitchen."

The map of `room_map` as an environment: nobody is told the doors, so that they have to be walked. The answer is the walk that was walked, and
the graph judges it: every step a door, from the start to the room that was looked for, in no more moves than allowed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import networkx as nx
from pydantic import Field, model_validator

from reasoner.environment import Acted, Environment, Turn
from reasoner.errors import ToolFailed, Unparseable
from reasoner.solver import Solver
from reasoner.types import ToolSpec, Verdict, canonical_json
from solvers import _answer as answers
from solvers import _worlds as worlds
from solvers._record import Record, read
from solvers.room_map import read_path

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

MOVES_PER_ROOM = 3
"""Moves allowed for every room: a walk through a tree that goes back out of every dead end takes fewer than two."""

_LEVELS = {1: ("line",), 2: ("tree",), 3: ("clusters",)}


class TextRooms(Record):
    """Rooms, doors (both ways), where the walk starts, and the room that is looked for."""

    doors: tuple[tuple[str, str], ...] = Field(min_length=1, max_length=200)
    start: str = Field(pattern=r"^[A-Za-z0-9]{1,20}$")
    goal: str = Field(pattern=r"^[A-Za-z0-9]{1,20}$")

    @model_validator(mode="after")
    def _can_be_walked(self) -> TextRooms:
        graph = self.graph
        if len({room.lower() for room in graph}) != len(graph) or any(a == b for a, b in self.doors):
            raise ValueError("two rooms differ in case only, or a door leads to its own room")
        if self.start == self.goal or self.start not in graph or self.goal not in graph or not nx.has_path(graph, self.start, self.goal):
            raise ValueError(f"no walk leads from {self.start} to {self.goal}")
        return self

    @property
    def graph(self) -> nx.Graph[str]:
        """The rooms and doors."""
        return nx.Graph(self.doors)

    @property
    def max_moves(self) -> int:
        """Moves allowed."""
        return MOVES_PER_ROOM * len(self.graph)


class TextRoomsSolver(Solver[TextRooms], Environment[TextRooms], Acted[TextRooms]):
    """Walks through rooms that are seen one at a time."""

    name = "text_rooms"
    summary = "find a room in a building by walking through it (an environment: the doors are only seen from inside)"
    syntax = '{"doors": [["1", "2"], ["2", "3"]], "start": "1", "goal": "3"}'
    Instance = TextRooms
    levels: ClassVar[Mapping[int, str]] = {1: "a line of rooms", 2: "a tree", 3: "clusters in a ring"}
    default_level = 2

    def parse(self, line: str) -> TextRooms:
        """Read the JSON object."""
        return read(self, TextRooms, line)

    def format(self, instance: TextRooms) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: TextRooms) -> Hashable:
        """Return the instance with its doors as a set."""
        return (frozenset(frozenset(door) for door in instance.doors), instance.start, instance.goal)

    def generate(self, rng: random.Random, level: int) -> TextRooms:
        """Draw a world of the level's kind, names, start and goal."""
        world = rng.choice([name for name in worlds.WORLDS if name.startswith(_LEVELS[level])] or list(worlds.WORLDS))
        drawn = worlds.draw(rng, world, "shortest")
        return TextRooms.model_validate({name: drawn[name] for name in ("doors", "start", "goal")})

    def statement_variables(self, instance: TextRooms) -> Mapping[str, Any]:
        """Return `start`, `goal`, `max_moves` and the rooms that are seen from the start."""
        return {"start": instance.start, "goal": instance.goal, "max_moves": instance.max_moves, "seen": _doors(instance, instance.start)}

    def verify(self, instance: TextRooms, text: str) -> Verdict:
        """Walk the graph."""
        try:
            path = read_path(answers.find(text))
        except Unparseable as error:
            return answers.unread(error.message)
        graph = instance.graph
        rooms = {room.lower(): room for room in graph}
        walk = [rooms.get(room.lower(), room) for room in path]
        if walk[0] != instance.start:
            return answers.wrong(f"the walk starts in {answers.shown(walk[0])}, not in {instance.start}")
        for before, after in pairwise(walk):
            if not graph.has_edge(before, after):
                return answers.wrong(f"no door leads from {answers.shown(before)} to {answers.shown(after)}")
        if walk[-1] != instance.goal:
            return answers.wrong(f"the walk ends in {walk[-1]}, not in {instance.goal}")
        if len(walk) - 1 > instance.max_moves:
            return answers.wrong(f"the walk takes {len(walk) - 1} moves, {instance.max_moves} are allowed")
        return answers.right(f"{len(walk) - 1} moves from {instance.start} to {instance.goal}")

    def right_answer(self, instance: TextRooms) -> str:
        """Return a shortest walk."""
        return "Answer: " + " -> ".join(_shortest(instance))

    def offered(self, instance: TextRooms) -> Sequence[ToolSpec]:  # noqa: ARG002 - the same for all
        """Return the two actions."""
        room = {
            "type": "object",
            "properties": {"room": {"type": "string", "description": "A room that a door leads to."}},
            "required": ["room"],
        }
        nothing = {"type": "object", "properties": {}, "additionalProperties": False}
        return [
            ToolSpec(
                "go", "Go through a door into another room, and see its doors.", canonical_json({**room, "additionalProperties": False})
            ),
            ToolSpec("look", "See the doors of the room you are in. This is no move.", canonical_json(nothing)),
        ]

    def episode(self, instance: TextRooms) -> Walk:
        """Begin a walk."""
        return Walk(instance)

    def actions(self, instance: TextRooms) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return the moves of a shortest walk."""
        return [("go", {"room": room}) for room in _shortest(instance)[1:]]


class Walk:
    """One walk through the rooms."""

    def __init__(self, instance: TextRooms) -> None:
        self._instance = instance
        self._rooms = {room.lower(): room for room in instance.graph}
        self.path = [instance.start]

    async def step(self, action: str, arguments: Mapping[str, Any]) -> Turn:
        """Look, or go."""
        here, instance = self.path[-1], self._instance
        if action == "go":
            room = self._rooms.get(str(arguments["room"]).strip().lower())
            if room is None or not instance.graph.has_edge(here, room):
                raise ToolFailed(f"no door leads there. {_seen(instance, here)}")
            self.path.append(room)
            if room == instance.goal:
                return Turn(f"You are in {room}: you have found it.", " -> ".join(self.path))
            if len(self.path) > instance.max_moves:
                return Turn(f"You are in {room}. There are no moves left.", " -> ".join(self.path))
        return Turn(_seen(instance, self.path[-1]))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""


def _doors(instance: TextRooms, room: str) -> list[str]:
    return sorted(instance.graph[room])


def _seen(instance: TextRooms, room: str) -> str:
    return f"You are in {room}. Doors lead to: {', '.join(_doors(instance, room))}."


def _shortest(instance: TextRooms) -> list[str]:
    """Return the first of the shortest walks in the order of the rooms' names."""
    left = nx.single_source_shortest_path_length(instance.graph, instance.goal)
    walk = [instance.start]
    while walk[-1] != instance.goal:
        walk.append(next(room for room in _doors(instance, walk[-1]) if left[room] == left[walk[-1]] - 1))
    return walk
