"""Worlds of rooms for `room_map`: lines, trees and clusters, the names of their rooms, and the changes a question is about.

    draw(rng, "line", "value")  ->  {"doors": ..., "start": "4", "rewards": (("1", 10), ("6", 40))}

All randomness comes from the `rng` that is passed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import networkx as nx

if TYPE_CHECKING:
    import random

COINS = (10, 20, 30, 40, 50, 60, 70, 80)
NAMES = [
    "attic",
    "bakery",
    "balcony",
    "cellar",
    "chapel",
    "corridor",
    "garage",
    "garden",
    "gallery",
    "hall",
    "kitchen",
    "kiosk",
    "laundry",
    "library",
    "lobby",
    "museum",
    "nursery",
    "office",
    "pantry",
    "parlour",
    "porch",
    "stable",
    "studio",
    "terrace",
    "tower",
    "vault",
    "veranda",
    "workshop",
]
NAMINGS = ("in order", "shuffled", "words")
"""How rooms are called: numbers that follow the shape, numbers in no order, or words. Drawn for every instance."""


def _clusters(n: int, size: int) -> nx.Graph[int]:
    """Return n communities in a ring: each a complete graph but for its two gates, which are joined to the neighbours' gates."""
    graph: nx.Graph[int] = nx.Graph()
    for k in range(n):
        rooms = range(k * size, (k + 1) * size)
        graph.add_edges_from(pair for pair in combinations(rooms, 2) if pair != (rooms[0], rooms[-1]))
        graph.add_edge(rooms[-1], ((k + 1) % n) * size)
    return graph


WORLDS: dict[str, Callable[[], nx.Graph[int]]] = {
    "line": lambda: nx.path_graph(7),
    "long_line": lambda: nx.path_graph(13),
    "tree": lambda: nx.balanced_tree(2, 2),
    "large_tree": lambda: nx.balanced_tree(2, 3),
    "clusters": lambda: _clusters(3, 5),
}
"""7 and 13 rooms in a row, binary trees of 7 and 15 rooms, three communities of five rooms each."""


def draw(rng: random.Random, world: str, kind: str) -> dict[str, Any]:
    """Draw a question of a kind in a world: everything of an instance but `world` and `kind`, with the rooms' drawn names."""
    graph = WORLDS[world]()
    made = _PLANS[kind](rng, graph)
    naming = rng.choice(NAMINGS)
    numbers = [str(n) for n in range(1, len(graph) + 1)]
    if naming == "shuffled":
        rng.shuffle(numbers)
    names = rng.sample(NAMES, len(graph)) if naming == "words" else numbers
    doors = [tuple(rng.sample(door, 2)) for door in graph.edges]
    rng.shuffle(doors)
    named: dict[str, Any] = {"doors": tuple((names[a], names[b]) for a, b in doors)}
    for key, value in made.items():
        if key == "rewards":
            named[key] = tuple((names[room], coins) for room, coins in value)
        elif key == "changed":
            named[key] = (names[value[0]], value[1])
        else:
            named[key] = names[value] if isinstance(value, int) else (names[value[0]], names[value[1]])
    return named


def _apart(rng: random.Random, graph: nx.Graph[int], *, least: int) -> tuple[int, int]:
    """Draw two rooms at least that many doors apart."""
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    return rng.choice([(a, b) for a in sorted(graph) for b in sorted(graph) if lengths[a][b] >= least])


def _ends(graph: nx.Graph[int]) -> list[int]:
    """Return where rewards may lie: the dead ends, or all rooms where there are none."""
    return sorted(room for room in graph if graph.degree(room) == 1) or sorted(graph)


def _rewarded(rng: random.Random, graph: nx.Graph[int]) -> tuple[int, list[tuple[int, int]]]:
    """Draw two rooms with different rewards, and a start at least two doors from both."""
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    fits = [
        (start, a, b)
        for start in sorted(graph)
        for a, b in combinations(_ends(graph), 2)
        if lengths[start][a] >= 2 and lengths[start][b] >= 2
    ]
    start, a, b = rng.choice(fits)
    return start, list(zip(rng.sample((a, b), 2), rng.sample(COINS, 2), strict=True))


def _value(rng: random.Random, graph: nx.Graph[int]) -> dict[str, Any]:
    start, rewards = _rewarded(rng, graph)
    return {"start": start, "rewards": rewards}


def _revaluation(rng: random.Random, graph: nx.Graph[int]) -> dict[str, Any]:
    """Raise the lesser reward above the greater one: the walk that was best no longer is."""
    start, rewards = _rewarded(rng, graph)
    room, _ = min(rewards, key=lambda each: each[1])
    return {"start": start, "rewards": rewards, "changed": (room, max(coins for _, coins in rewards) + 10)}


def _shortest(rng: random.Random, graph: nx.Graph[int]) -> dict[str, Any]:
    start, goal = _apart(rng, graph, least=2)
    return {"start": start, "goal": goal}


def _shortcut(rng: random.Random, graph: nx.Graph[int]) -> dict[str, Any]:
    """Open a door that makes the shortest walk shorter."""
    start, goal = _apart(rng, graph, least=3)
    before = nx.shortest_path_length(graph, start, goal)
    near, far = (nx.single_source_shortest_path_length(graph, room) for room in (start, goal))
    fits = [(a, b) for a in sorted(graph) for b in sorted(graph) if near[a] + 1 + far[b] < before and not (a == start and b == goal)]
    return {"start": start, "goal": goal, "opened": rng.choice(fits)}


def _detour(rng: random.Random, graph: nx.Graph[int]) -> dict[str, Any]:
    """Close a door that every shortest walk uses; where no other way is left, a new door is opened elsewhere."""
    needed: list[tuple[int, int]] = []
    while not needed:
        start, goal = _apart(rng, graph, least=2)
        needed = [door for door in pairwise(nx.shortest_path(graph, start, goal)) if _is_needed(graph, door, start, goal)]
    closed = rng.choice(needed)
    rest: nx.Graph[int] = nx.Graph(graph)
    rest.remove_edge(*closed)
    made: dict[str, Any] = {"start": start, "goal": goal, "closed": closed}
    if not nx.has_path(rest, start, goal):
        here, there = (sorted(nx.node_connected_component(rest, room)) for room in (start, goal))
        made["opened"] = rng.choice([(a, b) for a in here for b in there if {a, b} not in ({*closed}, {start, goal})])
    return made


def _is_needed(graph: nx.Graph[int], door: tuple[int, int], start: int, goal: int) -> bool:
    """Tell whether no walk without the door is as short."""
    rest: nx.Graph[int] = nx.Graph(graph)
    rest.remove_edge(*door)
    before = nx.shortest_path_length(graph, start, goal)
    return not nx.has_path(rest, start, goal) or nx.shortest_path_length(rest, start, goal) > before


_PLANS: dict[str, Callable[[random.Random, nx.Graph[int]], dict[str, Any]]] = {
    "value": _value,
    "shortest": _shortest,
    "shortcut": _shortcut,
    "detour": _detour,
    "revaluation": _revaluation,
}
