"""The fan layout: what is written is read back, and nothing in a text makes reading fail."""

from __future__ import annotations

import random
from typing import Any

import pytest

from reasoner import registry
from reasoner.clients.teacher import WRITERS, Task
from reasoner.layouts.fan import MAX_ENTRIES, parse, write_line
from reasoner.solver import Searchable
from reasoner.types import About, Problem
from solvers.minimal_grass import minimum

CASES = [("number_path", 3), ("number_path", 4), ("drop_water", 2), ("drop_water", 4), ("arithmetic", 1), ("minimal_grass", 1)]
ORDERS = ["ats/fan_bfs", "ats/fan_dfs"]


def written(name: str, line: str, template: str) -> str:
    solver: Searchable[Any, Any] = registry.solver(name)
    instance = solver.parse(line)
    about = About(Problem(name, instance.model_dump_json(), line), template)
    return WRITERS[template](Task(solver, instance, solver.solve(instance), about, random.Random(0)))


def lines_of(name: str, level: int, n: int) -> list[str]:
    solver = registry.solver(name)
    rng = random.Random(7)
    return [solver.format(solver.generate(rng, level)) for _ in range(n)]


def test_a_search_breadth_first_and_depth_first() -> None:
    breadth = "2 9: 18 10\n1 18: 36x 19\n1 10: 20 11\n0 18>19: 38 20\n0 10>20: 40 21!\nGoal: 10>20>21\nAnswer: 9 -> 10 -> 20 -> 21"
    assert written("number_path", "3 9 21", "ats/fan_bfs") == breadth
    deep = written("number_path", "3 9 21", "ats/fan_dfs")
    assert deep.splitlines()[:3] == ["2 9: 18 10", "1 18: 36x 19", "0 18>19: 38 20"]
    assert written("number_path", "3 9 21", "cot/fan") == "2 9: 10\n1 10: 20\n0 10>20: 21\nAnswer: 9 -> 10 -> 20 -> 21"


def test_a_word_names_the_move_where_the_state_does_not_tell_it() -> None:
    assert written("arithmetic", "3 4 6 18", "ats/fan_bfs").splitlines() == [
        "1 3,4,6: 3+4=7,6 4-3=1,6 3*4=12,6 3+6=9,4 6-3=3,4 3*6=18,4 6/3=2,4 4+6=10,3 6-4=2,3 4*6=24,3",
        "0 3+4=7,6: 6+7=13 7-6=1",  # 42 is more than twice the goal
        "0 4-3=1,6: 1+6=7 6-1=5 1*6=6 6/1=6",
        "0 3*4=12,6: 6+12=18!",
        "Goal: 3*4=12,6>6+12=18",
        "Answer: 3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18",
    ]
    assert written("minimal_grass", "4 3 6", "ats/fan_bfs").splitlines()[:4] == [
        "2 4,3,6: 1*4=1,4 2*2=2,2",
        "1 1*4=1,4: 1*3=2,4+3=7",
        "1 2*2=2,2: 1*3=3,2+3=5",
        "0 1*4=1,4>1*3=2,4+3=7: 1*6=3,7+6=13*3=39! 2*3=4,7+3=10*4=40~39=39",
    ]


def test_each_factorisation_is_written_and_each_product_held_against_the_least_so_far() -> None:
    assert written("minimal_grass", "9 9 8", "ats/fan_bfs").splitlines() == [
        "2 9,9,8: 1*9=1,9 3*3=3,3",
        "1 1*9=1,9: 1*9=2,9+9=18 3*3=4,9+3=12",
        "1 3*3=3,3: 1*9=4,3+9=12 3*3=6,3+3=6",  # the same sums as two words before: written again
        "0 1*9=1,9>1*9=2,9+9=18: 1*8=3,18+8=26*3=78! 2*4=4,18+4=22*4=88~78=78",
        "0 1*9=1,9>3*3=4,9+3=12: 1*8=5,12+8=20*5=100~78=78 2*4=6,12+4=16*6=96~78=78",
        "0 3*3=3,3>1*9=4,3+9=12: 1*8=5,12+8=20*5=100~78=78 2*4=6,12+4=16*6=96~78=78",
        "0 3*3=3,3>3*3=6,3+3=6: 1*8=7,6+8=14*7=98~78=78 2*4=8,6+4=10*8=80~78=78",
        "Goal: 1*9=1,9>1*9=2,9+9=18>1*8=3,18+8=26*3=78",
        "Answer: 9 = 1 * 9, 9 = 1 * 9, 8 = 1 * 8 -> 3 * 26 = 78",
    ]
    assert " 4*4=11,7+4=11*11=121~123=121!\nGoal: " in written("minimal_grass", "16 9 16", "ats/fan_bfs")


def test_what_was_least_before_is_no_part_of_a_state() -> None:
    found = parse("0 9: 1*9=10! 3*3=6~10=6! 2*5=10~6=6")
    assert [(entry.state, entry.hit) for entry in found.entries] == [("1*9=10", True), ("3*3=6", True), ("2*5=10", False)]
    assert found.goal == 1


def test_a_word_works_out_what_a_pour_leaves() -> None:
    assert written("drop_water", "12 21 18 6", "cot/fan").splitlines() == [
        "5 0,0: 0,21",
        "4 0,21: 12,21-12=9",
        "3 0,21>12,21-12=9: 0,9",
        "2 0,21>12,21-12=9>0,9: 9,0",
        "1 0,21>12,21-12=9>0,9>9,0: 9,21",
        "0 0,21>12,21-12=9>0,9>9,0>9,21: 12,9+21=30-12=18",
        "Answer: 0/12 0/21 -> 0/12 21/21 -> 12/12 9/21 -> 0/12 9/21 -> 9/12 0/21 -> 9/12 21/21 -> 12/12 18/21",
    ]
    assert "8,8: 0,8+8=16" in written("drop_water", "8 29 16 4", "ats/fan_bfs")
    assert "12,12: 12+12=24-21=3,21" in written("drop_water", "12 21 3 4", "ats/fan_bfs")


def test_no_solution_is_lost_where_large_or_turned_states_are_left_out() -> None:
    arithmetic, grass = registry.solver("arithmetic"), registry.solver("minimal_grass")
    for line in lines_of("arithmetic", 1, 60):
        assert arithmetic.verify(arithmetic.parse(line), written("arithmetic", line, "ats/fan_bfs")).correct, line
    for line in lines_of("minimal_grass", 3, 20):
        found = parse(written("minimal_grass", line, "ats/fan_bfs"))
        if found.goal is not None:  # the longest are given up
            assert int(found.entries[found.goal].state.rpartition("=")[2]) == minimum(tuple(sorted(grass.parse(line).numbers())))


@pytest.mark.parametrize(("name", "level"), CASES)
@pytest.mark.parametrize("template", ORDERS)
def test_searches_are_true_and_end_at_a_right_answer(name: str, level: int, template: str) -> None:
    solver = registry.solver(name)
    for line in lines_of(name, level, 25):
        instance = solver.parse(line)
        text = written(name, line, template)
        assert solver.verify(instance, text).correct, (line, text)
        found = parse(text)
        assert found.goal is not None
        assert sum(entry.hit for entry in found.entries) == 1 or name == "minimal_grass"
        for entry in found.entries:
            states = [solver.start(instance)]
            for shown in entry.path[1:]:  # every path is one of legal moves
                states = [m.state for s in states for m in solver.moves(instance, s) if solver.brief_move(instance, s, m) == shown]
                assert states, (line, entry.path)
            if entry.dead:
                assert all(solver.outlook(instance, state) == "dead" for state in states)


@pytest.mark.parametrize("template", ORDERS)
def test_no_state_is_looked_into_twice_and_every_open_one_once(template: str) -> None:
    text = written("number_path", "4 5 22", template)
    heads = [line.split(" ", 1)[1].split(":")[0] for line in text.splitlines()[:-2]]
    assert len(heads) == len(set(heads))
    found = parse(text)
    shown = {">".join(entry.path[1:]) for entry in found.entries if not entry.dead}
    assert set(heads[1:]) <= shown
    if template == "ats/fan_bfs":
        assert [head.count(">") for head in heads] == sorted(head.count(">") for head in heads)
        assert [int(line.split(" ")[0]) for line in text.splitlines()[:-2]] == [
            3 - (head.count(">") + (n > 0)) for n, head in enumerate(heads)
        ]


def test_a_search_too_long_to_learn_is_given_up_and_says_so() -> None:
    text = written("game24", "1 5 5 5", "ats/fan_bfs")
    assert text.endswith("No line reached the goal.\nAnswer: none")


def test_the_last_record_is_the_goal_where_the_least_is_looked_for() -> None:
    found = parse(written("minimal_grass", "14 9 9", "ats/fan_bfs"))
    products = [int(entry.state.split("=")[3]) for entry in found.entries if entry.state.count("=") == 3]
    assert found.goal is not None
    assert int(found.entries[found.goal].state.split("=")[3]) == min(products)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1/2",
        "1/2 :",
        "1/2 9>>: 3",
        "999/1 9: 1",
        "1/2 9: x ! x!",
        "0 9: !",
        "Goal: 9>10",
        "1 9: 18\nGoal: 9>9>9>18",
        "\x00" * 50,
        "1/2 9: " + "9 " * 5000,
        ">" * 4000,
        "1/1 " + "9>" * 900 + "9: 1",
    ],
)
def test_any_text_is_read(text: str) -> None:
    assert len(parse(text).entries) <= MAX_ENTRIES


def test_reading_is_bounded() -> None:
    assert len(parse("\n".join(f"1/2 9: {n} {n + 1}" for n in range(5000))).entries) == MAX_ENTRIES


def test_a_line_whose_path_is_unknown_hangs_on_what_is_known_of_it() -> None:
    found = parse("2 9: 18\n0 18>36: 72\n0 7>8: 9")
    assert [entry.parent for entry in found.entries] == [None, 0, None]
    assert [entry.label for entry in found.entries] == ["1", "1.1", "2"]


def test_what_is_written_is_read_back() -> None:
    entries = parse("\n".join([write_line(2, ("9",), ["18", "10"]), write_line(1, ("18",), ["36x", "19!"])])).entries
    assert [(e.path, e.dead, e.hit, e.parent) for e in entries[2:]] == [
        (("9", "18", "36"), True, False, 0),
        (("9", "18", "19"), False, True, 0),
    ]


def test_lines_of_version_2_are_read_too() -> None:
    new = parse("1 9: 18 10\n0 18: 36x\n0 10: 20! 11\nGoal: 10>20")
    assert parse("1/2 9: 18 10\n2/2 9>18: 36x\n2/2 9>10: 20! 11\nGoal: 9>10>20") == new
