"""direct, cot and ats over scripted replies, node for node, and over the teacher for every puzzle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig
from reasoner.runs.results import Result
from reasoner.types import Completion, Usage

PUZZLES = ["number_path", "drop_water", "arithmetic", "minimal_grass", "game24", "mini_crossword", "room_map", "sum"]
Node = tuple[str, str, str, object, str]
"""Label, parent's label (`reply` for the call's thought), operation, state, status."""


def run(tmp_path: Path, strategy: str, *replies: str | Completion, line: str = "2 9 20") -> tuple[Result, ScriptedClient]:
    client = ScriptedClient(list(replies))
    outcome = reasoner.solve("number_path", line, strategy=strategy, model=client, db=tmp_path / "t.db")
    client.assert_done()
    return outcome, client


def nodes(outcome: Result, role: str) -> list[Node]:
    dag = outcome.trajectory
    assert dag is not None
    found: list[Node] = []
    for thought in dag.thoughts():
        if thought.role == role:
            (parent,) = dag.parents(thought)
            mark = dag.mark_of(thought)
            above = parent.label if parent.role == role else "reply"
            found.append((thought.label, above, thought.operation, mark.state, mark.status))
    return found


def reply_status(outcome: Result) -> str:
    dag = outcome.trajectory
    assert dag is not None
    (reply,) = dag.children(dag.root)
    return dag.mark_of(reply).status


REPLY = """I will search.

Step 1
1: 9 -> 10 (9 + 1 = 10)
2: 9 -> 18 (9 * 2 = 18)
Step 2
1.1: 9 -> 10 -> 11 (10 + 1 = 11) x
1.2: 9 -> 10 -> 20 (10 * 2 = 20)
2.1: 9 -> 18 -> 36 (18 * 2 = 36)
Goal: 1.2
Answer: 9 -> 10 -> 20"""


def test_ats_records_the_tree_and_what_became_of_every_line(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "ats", REPLY)
    assert nodes(outcome, "ats/step") == [
        ("1", "reply", "9 + 1 = 10", "10", "kept"),
        ("2", "reply", "9 * 2 = 18", "18", "pruned"),
        ("1.1", "1", "10 + 1 = 11", "11", "pruned"),
        ("1.2", "1", "10 * 2 = 20", "20", "final"),
        ("2.1", "2", "18 * 2 = 36", "36", "pruned"),
    ]
    assert reply_status(outcome) == "kept"
    assert (outcome.text, outcome.correct, outcome.spent.calls) == (REPLY, True, 1)
    assert [message.role for message in client.requests[0].messages] == ["system", "user"]
    assert "9" in client.requests[0].messages[1].content


def test_ats_without_a_goal_line_ends_at_the_chain_that_is_the_answer(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "ats", REPLY.replace("Goal: 1.2\n", ""))
    assert [(label, status) for label, _, _, _, status in nodes(outcome, "ats/step")] == [
        ("1", "kept"),
        ("2", "open"),
        ("1.1", "pruned"),
        ("1.2", "final"),
        ("2.1", "open"),
    ]


@pytest.mark.parametrize("ending", ["", "Answer: 9 -> 10 -> 12", "Answer: 9 -> 10 -> 11", "Answer:"])
def test_ats_without_goal_and_matching_answer_has_no_final_thought(tmp_path: Path, ending: str) -> None:
    outcome, _ = run(tmp_path, "ats", REPLY.split("Goal", maxsplit=1)[0] + ending)  # line 1.1 ends at 11 but is marked dead
    assert [status for *_, status in nodes(outcome, "ats/step")] == ["open", "open", "pruned", "open", "open"]
    assert reply_status(outcome) == "open"
    assert not outcome.correct


def test_ats_dfs_asks_for_dfs_and_reads_backtracking(tmp_path: Path) -> None:
    text = "1: 9 -> 18 (9 * 2 = 18)\n1.1: 9 -> 18 -> 19 (18 + 1 = 19) x\nBack to the start\n2: 9 -> 10 (9 + 1 = 10)\n"
    text += "2.1: 9 -> 10 -> 20 (10 * 2 = 20)\nGoal: 2.1\nAnswer: 9 -> 10 -> 20"
    outcome, client = run(tmp_path, "ats:order=dfs", text)
    assert [(label, above, status) for label, above, _, _, status in nodes(outcome, "ats/step")] == [
        ("1", "reply", "pruned"),
        ("1.1", "1", "pruned"),
        ("2", "reply", "kept"),
        ("2.1", "2", "final"),
    ]
    assert "Back to" in client.requests[0].messages[0].content
    assert outcome.correct


@pytest.mark.parametrize("text", ["", "I do not know.", "1.1.1.1", "x" * 100_000, "Goal: 1\nAnswer: 20", "\ud800 \x00"])
@pytest.mark.parametrize("strategy", ["direct", "cot", "ats", "ats:order=dfs"])
def test_any_reply_is_offered_and_judged_not_raised(tmp_path: Path, strategy: str, text: str) -> None:
    outcome, _ = run(tmp_path, strategy, text)
    assert (outcome.status, outcome.correct) == ("closed", False)


@pytest.mark.parametrize("strategy", ["direct", "cot", "ats"])
def test_a_reply_cut_off_after_its_answer_still_counts(tmp_path: Path, strategy: str) -> None:
    cut = Completion("1: 9 -> 10\nAnswer: 9 -> 10 -> 20\nand the", finish_reason="length", usage=Usage(1, 1))
    outcome, _ = run(tmp_path, strategy, cut)
    assert outcome.correct


def test_cot_records_a_chain_that_ends_with_the_answer(tmp_path: Path) -> None:
    text = "I start at 9.\n1. 9 + 1 = 10\n2. 10 -> 20 (10 * 2 = 20)\nAnswer: 9 -> 10 -> 20"
    outcome, client = run(tmp_path, "cot", text)
    assert nodes(outcome, "cot/step") == [
        ("1", "reply", "9 + 1 = 10", "10", "kept"),
        ("2", "1", "10 * 2 = 20", "20", "kept"),
        ("", "2", "", None, "final"),
    ]
    dag = outcome.trajectory
    assert dag is not None
    steps = [thought.text for thought in dag.thoughts() if thought.role == "cot/step"]
    assert "\n".join(steps) == text
    assert [message.role for message in client.requests[0].messages] == ["user"]  # no system message
    assert outcome.correct


def test_direct_is_one_final_thought(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "direct", "Answer: 9 -> 10 -> 20")
    dag = outcome.trajectory
    assert dag is not None
    assert len(list(dag.thoughts())) == 2
    assert reply_status(outcome) == "final"
    assert [message.role for message in client.requests[0].messages] == ["user"]


@pytest.mark.parametrize(("strategy", "kind"), [("direct", "direct"), ("cot", "cot"), ("ats", "ats-bfs"), ("ats:order=dfs", "ats-dfs")])
def test_shots_stand_between_system_and_problem(tmp_path: Path, strategy: str, kind: str) -> None:
    shots = strategy + ("," if ":" in strategy else ":") + "shots=2"
    _, client = run(tmp_path, shots, "Answer: 9 -> 10 -> 20")
    messages = [m for m in client.requests[0].messages if m.role != "system"]
    assert [m.role for m in messages] == ["user", "assistant", "user", "assistant", "user"]
    marks = {"direct": "Answer", "cot": "1: ", "ats-bfs": "Step 1", "ats-dfs": "1: "}
    assert all(m.content.startswith(marks[kind]) for m in messages if m.role == "assistant")
    assert (("Goal: " in messages[1].content), ("Step 1" in messages[1].content)) == (kind.startswith("ats"), kind == "ats-bfs")


@pytest.mark.parametrize("strategy", ["direct:shots=65", "cot:shots=-1", "ats:order=best", "direct:order=bfs"])
def test_parameters_out_of_range_are_refused(tmp_path: Path, strategy: str) -> None:
    with pytest.raises(BadConfig, match=strategy.split(":", maxsplit=1)[0]):
        reasoner.solve("number_path", "2 9 20", strategy=strategy, model=ScriptedClient([]), db=tmp_path / "t.db")


@pytest.mark.parametrize("puzzle", PUZZLES)
def test_every_strategy_verifies_over_the_teacher(tmp_path: Path, puzzle: str) -> None:
    strategies = ["direct", "cot", "ats", "ats:order=dfs", "cot:shots=1"]
    bench = reasoner.bench(puzzle, strategy=strategies, model="teacher", n=4, db=tmp_path / "t.db")
    assert [outcome.correct for outcome in bench.report.results] == [True] * 20


LINES = {
    "number_path": "4 9 41",
    "drop_water": "5 7 4 6",
    "arithmetic": "3 4 6 18",
    "minimal_grass": "12 7 6",
    "game24": "4 9 10 13",
    "mini_crossword": json.dumps({"clues": [f"clue {n}" for n in range(10)], "solution": "blissrenalovulenervecreep"}),
    "room_map": json.dumps(
        {
            "world": "tree",
            "kind": "shortest",
            "doors": [["1", "2"], ["1", "3"], ["2", "4"], ["2", "5"], ["3", "6"], ["3", "7"]],
            "start": "4",
            "goal": "7",
        }
    ),
    "sum": "8302080 3529456",
}


@pytest.mark.parametrize("order", ["bfs", "dfs"])
@pytest.mark.parametrize("puzzle", PUZZLES)
def test_ats_over_the_teacher_marks_one_path_to_one_final_thought(tmp_path: Path, puzzle: str, order: str) -> None:
    solver = registry.solver(puzzle)
    outcome = reasoner.solve(puzzle, LINES[puzzle], strategy=f"ats:order={order}", model="teacher", db=tmp_path / "t.db")
    statuses = [status for *_, status in nodes(outcome, "ats/step")]
    n_moves = len(solver.solve(solver.parse(LINES[puzzle])))
    assert (statuses.count("final"), statuses.count("kept"), statuses.count("open")) == (1, n_moves - 1, 0)
    assert (statuses.count("pruned") > 0) == (puzzle != "sum")  # a column has one legal addition: there is nothing to prune


FAN = "1/2 9: 18 10\n2/2 9>18: 36x 19\n2/2 9>10: 20! 11\nGoal: 9>10>20\nAnswer: 9 -> 10 -> 20"


def test_ats_in_the_fan_layout_asks_by_the_line_alone_and_records_every_state(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "ats:layout=fan", FAN)
    assert outcome.correct
    assert [(m.role, m.content) for m in client.requests[0].messages] == [("system", "bfs"), ("user", "number_path 2 9 20")]
    assert nodes(outcome, "ats/step") == [
        ("1", "reply", "", "18", "pruned"),
        ("2", "reply", "", "10", "kept"),
        ("1.1", "1", "", "36", "pruned"),
        ("1.2", "1", "", "19", "pruned"),
        ("2.1", "2", "", "20", "final"),
        ("2.2", "2", "", "11", "pruned"),
    ]
    assert reply_status(outcome) == "kept"


def test_cot_in_the_fan_layout_asks_by_the_line_alone(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "cot:format=fan", "1/2 9: 10\n2/2 9>10: 20\nAnswer: 9 -> 10 -> 20")
    assert outcome.correct
    assert client.requests[0].messages[-1].content == "number_path 2 9 20"


def test_a_fan_that_is_none_is_judged_by_its_answer_all_the_same(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "ats:layout=fan,order=dfs", "I do not know.")
    assert not outcome.correct
    assert nodes(outcome, "ats/step") == []
