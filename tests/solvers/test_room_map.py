"""Room map: every kind of failure, walks against trying all of them, and what the drawn questions promise."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from reasoner.errors import BadInstance
from solvers._worlds import WORLDS
from solvers.room_map import FAILURES, KINDS, RoomMap, RoomMapSolver, failure

SOLVER = RoomMapSolver()
RING: dict[str, Any] = {
    "world": "ring", "kind": "shortest", "doors": [["1", "2"], ["2", "3"], ["3", "4"], ["4", "5"], ["5", "1"], ["2", "6"]], "start": "1", "goal": "3",
}  # fmt: skip


def room_map(**changes: Any) -> RoomMap:
    return RoomMap.model_validate(RING | changes)


def neighbours(instance: RoomMap) -> dict[str, set[str]]:
    """The doors as they are after the changes, worked out by hand."""
    doors = [set(door) for door in instance.doors]
    if instance.closed:
        doors.remove(set(instance.closed))
    if instance.opened:
        doors.append(set(instance.opened))
    rooms = {room for door in instance.doors for room in door}
    return {room: {other for door in doors if room in door for other in door - {room}} for room in rooms}


def walks(instance: RoomMap, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All walks from a room that enter no room twice."""
    yield at
    for room in sorted(neighbours(instance)[at[-1]] - set(at)):
        yield from walks(instance, (*at, room))


def drawn(level: int, n: int) -> list[RoomMap]:
    return [SOLVER.generate(random.Random(f"{level} {k}"), level) for k in range(n)]


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 1 -> 2 -> 3",
        "Answer: room 1 → room 2 → Room 3.",
        "**Answer:** 1 => 2 => 3",
        "Answer: 1 (start) -> 2 -> 3 (goal)",
        r"Answer: $1 \to 2 \to 3$",
    ],
)
def test_right_walks(text: str) -> None:
    assert SOLVER.verify(room_map(), text).correct


@pytest.mark.parametrize(
    ("walk", "reason"),
    [
        ("1 -> 3", "hallucinated edge: no door leads from 1 to 3"),
        ("1 -> 9 -> 3", "hallucinated edge: there is no room '9'"),
        ("1 -> 1 -> 2 -> 3", "hallucinated edge: no door leads from 1 to 1"),
        ("1 -> 2 -> 6 -> 2 -> 3", "loop: room 2 is entered twice"),
        ("2 -> 3", "wrong start: the walk starts in 2, not in 1"),
        ("1 -> 2", "wrong goal: the walk ends in 2"),
        ("1 -> 5 -> 4 -> 3", "too long: the walk goes through 3 doors, 2 are enough"),
    ],
)
def test_failures_are_told_apart(walk: str, reason: str) -> None:
    verdict = SOLVER.verify(room_map(), f"Answer: {walk}")
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)
    assert verdict.reason.startswith(reason)
    assert reason.partition(":")[0] in FAILURES


def test_a_closed_door_is_not_there_and_an_opened_one_is() -> None:
    closed = room_map(kind="detour", closed=["2", "3"])
    assert "the door between 2 and 3 is closed" in SOLVER.verify(closed, "Answer: 1 -> 2 -> 3").reason
    assert SOLVER.verify(closed, "Answer: 1 -> 5 -> 4 -> 3").correct
    opened = room_map(kind="shortcut", opened=["1", "3"])
    assert SOLVER.verify(opened, "Answer: 1 -> 3").correct
    assert "too long" in SOLVER.verify(opened, "Answer: 1 -> 2 -> 3").reason


def test_a_changed_reward_moves_the_goal() -> None:
    before = room_map(kind="value", goal="", rewards=[["3", 40], ["6", 10]])
    assert SOLVER.verify(before, "Answer: 1 -> 2 -> 3").correct
    after = room_map(kind="revaluation", goal="", rewards=[["3", 40], ["6", 10]], changed=["6", 50])
    assert SOLVER.verify(after, "Answer: 1 -> 2 -> 3").reason.startswith("wrong goal")
    assert SOLVER.verify(after, "Answer: 1 -> 2 -> 6").correct


@pytest.mark.parametrize(
    "text", ["Answer: 3", "Answer: first go to 2 -> then 3", "Answer: 1, 2, 3", "go to 2\nthen to 3", "Answer: 1 -> -> 3"]
)
def test_unread_walks(text: str) -> None:
    verdict = SOLVER.verify(room_map(), text)
    assert (verdict.correct, verdict.unparsed) == (False, True)


@pytest.mark.parametrize("level", [level for level in SOLVER.levels if level > 1 and "cluster" not in SOLVER.levels[level]])
def test_right_is_what_trying_every_walk_finds(level: int) -> None:
    for instance in drawn(level, 5):
        every = list(walks(instance, (instance.start,)))
        reach = [walk for walk in every if walk[-1] == instance.end]
        best = [walk for walk in reach if len(walk) == min(map(len, reach))]
        assert [walk for walk in every if failure(instance, walk) is None] == best
        assert SOLVER.solve(instance)[-1].state == best[0]


@pytest.mark.parametrize("world", WORLDS)
def test_drawn_questions_keep_what_their_kind_promises(world: str) -> None:
    levels = {text.partition(": ")[2]: level for level, text in SOLVER.levels.items() if text.startswith(f"{world}:")}
    assert list(levels) == list(KINDS)
    for kind, level in levels.items():
        for instance in drawn(level, 20):
            assert (instance.world, instance.kind) == (world, kind)
            n_doors = len(SOLVER.solve(instance))
            without = instance.model_copy(update={"opened": None, "closed": None, "changed": None})
            if kind == "shortcut":
                assert n_doors < len(SOLVER.solve(without))
                assert n_doors >= 2  # the new door alone is not the answer
            elif kind == "detour":
                assert instance.closed is not None
                best = [instance.start, *(move.state[-1] for move in SOLVER.solve(without))]
                assert set(instance.closed) in [set(pair) for pair in pairwise(best)]
                assert (failure(instance, best) or ("",))[0] == "hallucinated edge"
                assert instance.opened is not None or n_doors > len(best) - 1
                assert (instance.opened is None) == (world == "clusters")  # elsewhere no other way is left
            elif kind == "revaluation":
                assert instance.end != without.end
            elif kind == "value":
                assert instance.end == max(instance.rewards, key=lambda each: each[1])[0]
            assert n_doors >= 2 or kind == "detour"


def test_names_are_drawn_in_three_ways_and_doors_in_no_order() -> None:
    instances = drawn(11, 40)
    in_order = [{frozenset(door) for door in each.doors} == {frozenset((str(n), str(n + 1))) for n in range(1, 7)} for each in instances]
    words = [each.start.isalpha() for each in instances]
    assert 3 < sum(in_order) < 30
    assert 3 < sum(words) < 30
    assert sum(in_order) + sum(words) < 38
    assert len({each.doors for each in instances}) > 35


def test_the_order_of_the_doors_makes_no_other_problem() -> None:
    turned = room_map(doors=[door[::-1] for door in reversed(RING["doors"])])
    assert SOLVER.canonical(turned) == SOLVER.canonical(room_map())
    assert SOLVER.canonical(room_map(start="6")) != SOLVER.canonical(room_map())


def test_a_search_never_comes_back_and_stops_at_the_end() -> None:
    instance = room_map()
    assert [move.operation for move in SOLVER.moves(instance, ("1",))] == ["door to 2", "door to 5"]
    assert [move.state for move in SOLVER.moves(instance, ("1", "2"))] == [("1", "2", "3"), ("1", "2", "6")]
    assert SOLVER.moves(instance, ("1", "2", "3")) == []
    assert not SOLVER.is_goal(instance, ("1", "5", "4", "3"))  # there, and not by the best walk


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"start": "8"}, "no door leads to 8"),
        ({"start": "3"}, "no walk leads from 3 to 3"),
        ({"closed": ["1", "3"]}, "is none of the doors"),
        ({"doors": [["1", "2"], ["2", "1"]]}, "named twice"),
        ({"doors": [["1", "1"]]}, "named twice, or leads to its own room"),
        ({"doors": [["1", "2"], ["3", "4"]]}, "no walk leads from 1 to 3"),
        ({"doors": [["a b", "2"]]}, "named by 1 to 20 letters or digits"),
        ({"goal": "", "rewards": [["2", 5], ["3", 5]]}, "one room with the most coins"),
        ({"goal": ""}, "one room with the most coins"),
    ],
)
def test_bad_lines(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInstance) as caught:
        SOLVER.parse(json.dumps(RING | changes))
    assert why in caught.value.message
