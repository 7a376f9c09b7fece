"""Labels of searches written by hand are those worked out by hand; what nothing verified is not labelled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner import registry
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters, Tally
from reasoner.layouts import outline
from reasoner.runs.results import Result
from reasoner.session import Session
from reasoner.store import Store
from reasoner.types import Answer

STATEMENT = "Start from the number 9."


def rows(tmp_path: Path, name: str, filters: Filters | None = None, **options: Any) -> tuple[list[dict[str, Any]], Tally]:
    with Store.open(tmp_path / "t.db") as store:
        tally = export(store, name, tmp_path / f"{name}.out", filters, Options(**options))
    path = tmp_path / f"{name}.out"
    return ([json.loads(line) for line in path.read_text().splitlines()] if tally.taken else []), tally


async def tree(session: Session, *, second: bool = True, values: tuple[float, ...] = (20.0, 1.0)) -> Answer:
    """Two first steps, both looked at by a judge; the first is gone on with to 11 and 20, the second (if `second`) to 19 and 36."""
    proposed = await session.ask("cot/answer")
    one = session.note("1: 9 -> 10 (9 + 1 = 10)", parent=proposed, role="step", state="10", operation="9 + 1 = 10")
    two = session.note("2: 9 -> 18 (9 * 2 = 18)", parent=proposed, role="step", state="18", operation="9 * 2 = 18")
    for thought, value in zip((one, two), values, strict=True):
        await session.ask("direct/answer", parent=thought)  # a judge's remark: no step
        session.mark(thought, score=value)
    session.mark(one, status="kept")
    session.mark(two, status="pruned")
    onward = await session.ask("cot/answer", parent=one)
    wrong = session.note("10 -> 11 (10 + 1 = 11)", parent=onward, role="step", state="11", operation="10 + 1 = 11")
    right = session.note("10 -> 20 (10 * 2 = 20)", parent=onward, role="step", state="20", operation="10 * 2 = 20")
    session.mark(wrong, status="pruned")
    session.mark(right, status="final")
    if second:
        other = await session.ask("cot/answer", parent=two)
        for number in (19, 36):
            session.mark(session.note(f"18 -> {number}", parent=other, role="step", state=str(number)), status="pruned")
    return session.offer("Answer: 9 -> 10 -> 20", right)


REPLIES = ["9 -> 10\n9 -> 18", "sure", "impossible", "10 -> 11\n10 -> 20"]


@pytest.fixture
def searched(search: Callable[..., Result]) -> Result:
    outcome = search(tree, [*REPLIES, "18 -> 19\n18 -> 36"])
    assert outcome.correct
    return outcome


def test_steps_are_good_when_their_subtree_reached_a_verified_answer(searched: Result, tmp_path: Path) -> None:
    found, tally = rows(tmp_path, "prm", labels_from="tree")
    assert [(row["completions"], row["labels"], row["scores"]) for row in found] == [
        (["1: 9 -> 10 (9 + 1 = 10)", "10 -> 11 (10 + 1 = 11)"], [True, False], [0.5, 0.0]),
        (["1: 9 -> 10 (9 + 1 = 10)", "10 -> 20 (10 * 2 = 20)"], [True, True], [0.5, 1.0]),
        (["2: 9 -> 18 (9 * 2 = 18)", "18 -> 19"], [False, False], [0.0, 0.0]),
        (["2: 9 -> 18 (9 * 2 = 18)", "18 -> 36"], [False, False], [0.0, 0.0]),
    ]
    assert tally.left_out == {}
    assert all(row["prompt"].startswith(STATEMENT) for row in found)


def test_pairs_are_siblings_that_share_what_stands_before(searched: Result, tmp_path: Path) -> None:
    found, _ = rows(tmp_path, "dpo", ratings=True, labels_from="tree")
    assert [
        (row["chosen"][0]["content"], row["rejected"][0]["content"], row["chosen_rating"], row["rejected_rating"]) for row in found
    ] == [
        ("1: 9 -> 10 (9 + 1 = 10)", "2: 9 -> 18 (9 * 2 = 18)", 0.5, 0.0),
        ("1: 9 -> 10 (9 + 1 = 10)\n10 -> 20 (10 * 2 = 20)", "1: 9 -> 10 (9 + 1 = 10)\n10 -> 11 (10 + 1 = 11)", 1.0, 0.0),
    ]
    assert [m["role"] for m in found[0]["prompt"]] == ["user"]
    narrow, tally = rows(tmp_path, "dpo", min_gap=0.6, labels_from="tree")
    assert len(narrow) == 1
    assert tally.left_out == {"the scores are too close": 1}
    capped, tally = rows(tmp_path, "dpo", max_pairs=1, labels_from="tree")
    assert len(capped) == 1
    assert tally.left_out == {"more pairs of one trajectory than `max_pairs`": 1}


def test_kept_and_pruned_become_labels_where_their_branches_agree(searched: Result, tmp_path: Path) -> None:
    found, tally = rows(tmp_path, "kto", labels_from="tree")
    assert [(row["completion"][0]["content"].rpartition("\n")[2], row["label"]) for row in found] == [
        ("1: 9 -> 10 (9 + 1 = 10)", True),
        ("2: 9 -> 18 (9 * 2 = 18)", False),
        ("10 -> 11 (10 + 1 = 11)", False),
        ("10 -> 20 (10 * 2 = 20)", True),
        ("18 -> 19", False),
        ("18 -> 36", False),
    ]
    assert tally.left_out == {}


def test_a_branch_left_unfinished_has_no_label(search: Callable[..., Result], tmp_path: Path) -> None:
    search(lambda session: tree(session, second=False), REPLIES)
    found, tally = rows(tmp_path, "prm", labels_from="tree")
    assert [row["labels"] for row in found] == [[True, False], [True, True]]
    assert tally.left_out == {"the branch was left unfinished": 1}
    pairs, _ = rows(tmp_path, "dpo", labels_from="tree")
    assert len(pairs) == 1, "the pruned first step was never gone on with: nothing says it is worse"
    labels, tally = rows(tmp_path, "kto", labels_from="tree")
    assert [row["label"] for row in labels] == [True, False, True]
    assert tally.left_out == {"the branch was left unfinished": 1}


def test_a_kept_step_that_led_nowhere_is_no_good_example(search: Callable[..., Result], tmp_path: Path) -> None:
    async def strategy(session: Session) -> Answer:
        reply = await session.ask("cot/answer")
        for text, state, status in (("9 -> 10", "10", "kept"), ("10 -> 11", "11", "kept")):
            parent = session.trajectory.children(reply)[-1] if state == "11" else reply
            session.mark(session.note(text, parent=parent, role="step", state=state), status=status)  # type: ignore[arg-type]
        end = await session.ask("direct/answer")
        return session.offer(end.text, end)

    search(strategy, ["9 -> 10 -> 11", "Answer: 9 -> 10 -> 20"])
    found, tally = rows(tmp_path, "kto", labels_from="tree")
    assert found == []
    assert tally.left_out == {"what the search made of a step and what its branches came to disagree": 2}


def test_a_step_that_reads_as_no_legal_move_is_not_called_wrong(search: Callable[..., Result], tmp_path: Path) -> None:
    async def strategy(session: Session) -> Answer:
        reply = await session.ask("cot/answer")
        session.note("9 -> 12", parent=reply, role="step", state="12", operation="9 + 3 = 12")
        end = await session.ask("direct/answer")
        return session.offer(end.text, end)

    search(strategy, ["9 -> 12", "Answer: 9 -> 10 -> 20"])
    found, tally = rows(tmp_path, "prm", labels_from="tree")
    assert [row["completions"] for row in found] == [["Answer: 9 -> 10 -> 20"]]
    assert tally.left_out == {"a step of the branch cannot be read as a legal move": 1}


def test_steps_of_ats_text(search: Callable[..., Result], tmp_path: Path) -> None:
    from reasoner.strategies.ats import AutonomousTreeSearch

    text = (
        "Step 1\n1: 9 -> 10 (9 + 1 = 10)\n2: 9 -> 18 (9 * 2 = 18)\nStep 2\n1.1: 9 -> 10 -> 11 (10 + 1 = 11) x\n"
        "1.2: 9 -> 10 -> 20 (10 * 2 = 20)\n2.1: 9 -> 18 -> 36 (18 * 2 = 36) x\nGoal: 1.2\nAnswer: 9 -> 10 -> 20"
    )
    search(AutonomousTreeSearch(AutonomousTreeSearch.Params()).run, [text], label="ats")
    found, _ = rows(tmp_path, "prm", labels_from="tree")
    assert [(row["completions"][-1], row["labels"], row["scores"]) for row in found] == [
        ("1.1: 9 -> 10 -> 11 (10 + 1 = 11) x", [True, False], [0.5, 0.0]),
        ("1.2: 9 -> 10 -> 20 (10 * 2 = 20)", [True, True], [0.5, 1.0]),
        ("2.1: 9 -> 18 -> 36 (18 * 2 = 36) x", [False, False], [0.0, 0.0]),
    ]
    pairs, _ = rows(tmp_path, "dpo", labels_from="tree")
    assert len(pairs) == 2


def whole(session: Session, template: str = "direct/answer") -> Any:
    async def run() -> Answer:
        thought = await session.ask(template)
        return session.offer(thought.text, thought)

    return run()


RIGHT = "Answer: 9 -> 10 -> 20"


@pytest.mark.parametrize(
    ("wrong", "n", "why"),
    [
        ("Answer: 9 -> 18 -> 36", 1, {}),
        (RIGHT, 0, {"no wrong reply to the same prompt stands against it": 2}),  # a tie: both are right
        ("Answer: 9 -> 10", 0, {"one text is merely the beginning of the other": 1}),
        ("Answer:  9 -> 10  -> 18", 1, {}),
    ],
)
def test_pairs_of_trajectories_of_one_problem(
    search: Callable[..., Result], tmp_path: Path, wrong: str, n: int, why: dict[str, int]
) -> None:
    for reply in (RIGHT, wrong):
        search(whole, [reply])
    found, tally = rows(tmp_path, "dpo", labels_from="replies", ratings=True)
    assert len(found) == n
    assert tally.left_out == why
    for row in found:
        assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == (RIGHT, wrong)
        assert row["chosen_rating"] > row["rejected_rating"]
        assert row["lineage"]["trajectory"] != row["lineage"]["rejected"]["trajectory"]
        assert row["rejected_reason"]


def test_length_only_differences_are_kept_when_asked_for(search: Callable[..., Result], tmp_path: Path) -> None:
    for reply in (RIGHT, "Answer: 9 -> 10"):
        search(whole, [reply])
    assert len(rows(tmp_path, "dpo", labels_from="replies", allow_length_only=True)[0]) == 1


def test_trajectories_that_were_asked_differently_are_no_pair(search: Callable[..., Result], tmp_path: Path) -> None:
    search(whole, [RIGHT])
    search(lambda session: whole(session, "cot/answer"), ["Answer: 9 -> 18 -> 36"])
    assert rows(tmp_path, "dpo", labels_from="replies")[0] == []


def test_a_wrong_answer_that_verifies_now_is_no_bad_example(search: Callable[..., Result], tmp_path: Path) -> None:
    search(whole, [RIGHT])
    search(whole, ["Answer: 9 -> 18 -> 36"])
    with Store.open(tmp_path / "t.db") as store:
        store.write_now(lambda c: c.execute("UPDATE verdicts SET correct = 0, score = 0").rowcount)
    found, tally = rows(tmp_path, "kto", labels_from="replies")
    assert [row["label"] for row in found] == [False]
    assert tally.left_out == {"it was found wrong, and verifies now": 1}


async def rounds(session: Session) -> Answer:
    """Two whole attempts, the second under the first: an iteration of thought."""
    first = await session.ask("cot/answer")
    second = await session.ask("cot/answer", parent=first)
    session.mark(first, status="pruned")
    session.mark(second, status="final")
    return session.offer(second.text, second)


ATTEMPTS = ["1: 9 -> 18 (9 * 2 = 18)\n2: 18 -> 36 (18 * 2 = 36)\nAnswer: 9 -> 18 -> 36", "1: 9 -> 10\n2: 10 -> 20\nAnswer: 9 -> 10 -> 20"]

TREE_BFS = """Step 1
1: 9 -> 10 (9 + 1 = 10)
2: 9 -> 18 (9 * 2 = 18)
Step 2
1.1: 9 -> 10 -> 11 (10 + 1 = 11) x
1.2: 9 -> 10 -> 20 (10 * 2 = 20)
Goal: 1.2
Answer: 9 -> 10 -> 20"""
TREE_DFS = """1: 9 -> 10 (9 + 1 = 10)
1.1: 9 -> 10 -> 11 (10 + 1 = 11) x
Back to 1
1.2: 9 -> 10 -> 20 (10 * 2 = 20)
Goal: 1.2
Answer: 9 -> 10 -> 20"""
ROUNDS_DFS = """1: 9 -> 18 (9 * 2 = 18)
1.1: 9 -> 18 -> 36 (18 * 2 = 36) x
Back to the start
2: 9 -> 10 (9 + 1 = 10)
2.1: 9 -> 10 -> 20 (10 * 2 = 20)
Goal: 2.1
Answer: 9 -> 10 -> 20"""


@pytest.mark.parametrize(
    ("strategy", "replies", "order", "wanted"),
    [
        (tree, [*REPLIES, "18 -> 19\n18 -> 36"], "bfs", TREE_BFS),
        (tree, [*REPLIES, "18 -> 19\n18 -> 36"], "dfs", TREE_DFS),
        (rounds, ATTEMPTS, "dfs", ROUNDS_DFS),
    ],
)
def test_a_search_of_many_calls_is_written_as_one_reply(
    search: Callable[..., Result], tmp_path: Path, strategy: Any, replies: list[str], order: str, wanted: str
) -> None:
    assert search(strategy, replies).correct
    (row,), _ = rows(tmp_path, "sft", search_to_text=order)
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant"]
    text = row["messages"][-1]["content"]
    assert text == wanted
    read = outline.parse(text)
    assert read.goal is not None
    solver = registry.solver("number_path")
    assert solver.verify(solver.parse("2 9 20"), text).correct
    assert row["lineage"]["written_as"] == f"ats:{order}"
    assert len(row["lineage"]["calls"]) == len(replies)


def test_a_search_whose_steps_cannot_be_read_is_not_made_up(search: Callable[..., Result], tmp_path: Path) -> None:
    search(rounds, ["I would double.", RIGHT.replace("10", "10 ")])
    search(rounds, ["no idea", "It is clear.\nAnswer: (9 + 1) = 10, 10 * 2 = 20"])
    found, tally = rows(tmp_path, "sft", Filters(verdict="any"), search_to_text="bfs")
    assert [row["messages"][-1]["content"].count("\n") for row in found] == [5]
    assert list(tally.left_out) == ["no step of the search can be read as a legal move"]


def test_the_answer_of_a_search_is_not_taught_from_a_call_that_does_not_hold_it(searched: Result, tmp_path: Path) -> None:
    found, tally = rows(tmp_path, "sft")
    assert found == []
    (reason,) = tally.left_out
    assert reason.startswith("the reply of the answering call does not hold the answer")
