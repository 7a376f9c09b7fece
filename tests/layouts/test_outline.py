"""The outline parser against what models really write, against hostile text, and against its own writer."""

from __future__ import annotations

import pytest
from ends import ends
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.layouts.outline import (
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_STEPS,
    Outline,
    format_label,
    parse,
    parse_chain,
    split_steps,
    write_back,
    write_goal,
    write_heading,
    write_line,
)

Row = tuple[str, tuple[str, ...], str, bool]

ONE_LINE: list[tuple[str, Row]] = [
    ("1: 9 -> 10 (9 + 1 = 10)", ("1", ("9", "10"), "9 + 1 = 10", False)),
    ("1. 9 -> 10 (9 + 1 = 10)", ("1", ("9", "10"), "9 + 1 = 10", False)),
    ("1) 9 -> 10", ("1", ("9", "10"), "", False)),
    ("(1) 9 -> 10", ("1", ("9", "10"), "", False)),
    ("1.2.1 9 -> 10 -> 20 -> 21 (20 + 1 = 21)", ("1.2.1", ("9", "10", "20", "21"), "20 + 1 = 21", False)),
    ("1.2. 9 → 10 → 20", ("1.2", ("9", "10", "20"), "", False)),
    ("1.2) 9 ⇒ 10 ⟶ 20", ("1.2", ("9", "10", "20"), "", False)),
    ("- 1.2: 9 => 18", ("1.2", ("9", "18"), "", False)),
    ("* 1.2 9 --> 18", ("1.2", ("9", "18"), "", False)),
    ("> 1.2: 9 ==> 18", ("1.2", ("9", "18"), "", False)),
    ("**1.2** 9 -> 18", ("1.2", ("9", "18"), "", False)),
    ("**1.2:** 9 -> 18 ✗", ("1.2", ("9", "18"), "", True)),
    ("**1.2**: 9 -> 18 (9 * 2 = 18)", ("1.2", ("9", "18"), "9 * 2 = 18", False)),
    ("**1.2: 9 -> 18**", ("1.2", ("9", "18"), "", False)),
    ("`1.2` 9 -> 18", ("1.2", ("9", "18"), "", False)),
    ("#### 1.2.3 a --> b", ("1.2.3", ("a", "b"), "", False)),
    ("Scenario 1.2: 9 -> 18 dead end", ("1.2", ("9", "18"), "", True)),
    ("SCENARIO 2 - ", ("2", (), "", False)),
    ("Scenario 2 - 9 -> 18", ("2", ("9", "18"), "", False)),
    ("2: - 9 -> 18", ("2", ("9", "18"), "", False)),
    ("2: -6 5 -> -30", ("2", ("-6 5", "-30"), "", False)),
    ("  * Option 2: fill A: 5/5 0/7", ("2", ("fill A: 5/5 0/7",), "", False)),
    ("Branch #1.1: 9 -> 10", ("1.1", ("9", "10"), "", False)),
    ("(1.2) 9 -> 18 (9 * 2 = 18) (dead end)", ("1.2", ("9", "18"), "9 * 2 = 18", True)),
    ("[1.2] 9 -> 18 [fails]", ("1.2", ("9", "18"), "", True)),
    ("1.2 9 -> 18 x", ("1.2", ("9", "18"), "", True)),
    ("1.2 9 -> 18 (9 * 2 = 18) X", ("1.2", ("9", "18"), "9 * 2 = 18", True)),
    ("1.2 9 -> 18 (9 * 2 = 18) (x)", ("1.2", ("9", "18"), "9 * 2 = 18", True)),
    ("1.2 9 -> 18 (9 * 2 = 18) ❌", ("1.2", ("9", "18"), "9 * 2 = 18", True)),
    ("1.2 9 -> 18 (9 * 2 = 18) Dead-End.", ("1.2", ("9", "18"), "9 * 2 = 18", True)),
    ("1.2: 9 -> 18 (9 * 2 = 18, not possible)", ("1.2", ("9", "18"), "9 * 2 = 18", True)),
    ("1.2: 9 -> 18 (9 * 2 = 18) - too large, dead end", ("1.2", ("9", "18"), "9 * 2 = 18", True)),
    ("1.2: 9 -> 18 (9 * 2 = 18) which is below 41", ("1.2", ("9", "18"), "9 * 2 = 18", False)),
    ("1.2: 9 -> 18 -> dead end", ("1.2", ("9", "18"), "", True)),
    ("1.2: 9 -> 18, fails", ("1.2", ("9", "18"), "", True)),
    ("1.1 9 * 2 = 18", ("1.1", ("18",), "9 * 2 = 18", False)),
    ("1. -3 + 5 = 2", ("1", ("2",), "-3 + 5 = 2", False)),
    ("10. 3 x 4 = 12", ("10", ("12",), "3 x 4 = 12", False)),
    ("1. (9 + 1) * 4 = 40", ("1", ("40",), "(9 + 1) * 4 = 40", False)),
    ("2: 8 (8 x 1) X", ("2", ("8",), "8 x 1", True)),
    ("1.1 9 -> 18 (9*2=18) -> 19 (18+1=19)", ("1.1", ("9", "18", "19"), "18+1=19", False)),
    ("1.1: 3 4 6 -> (3 * 4 = 12) -> 12 6 (x)", ("1.1", ("3 4 6", "12 6"), "3 * 4 = 12", True)),
    ("1.2 4 9 -> (8/3) 9 ((8/3) * 3 = 8) x", ("1.2", ("4 9", "(8/3) 9"), "(8/3) * 3 = 8", True)),
    ("1.1: -> 20 (10 * 2 = 20)", ("1.1", ("20",), "10 * 2 = 20", False)),
    (r"1.2 9 \rightarrow 18 \to 36", ("1.2", ("9", "18", "36"), "", False)),
    ("Step 2: 10 -> 20 (10*2)", ("2", ("10", "20"), "10*2", False)),
    ("Step 1.2: 10 -> 20", ("1.2", ("10", "20"), "", False)),
    ("Step 2: 1.1 9 -> 10 -> 20", ("1.1", ("9", "10", "20"), "", False)),
    ("1. First I double the number.", ("1", ("First I double the number",), "", False)),
    ("1: 0/5 0/7 -> 5/5 0/7 (fill A)", ("1", ("0/5 0/7", "5/5 0/7"), "fill A", False)),
    ("1.1:", ("1.1", (), "", False)),
]

NO_LABEL = [
    "9 + 1 = 10", "9*2=18", "9 * 2 = 18", "9 - 4 = 5", "9 × 2 = 18", "9 ÷ 3 = 3", "2.5 + 1 = 3.5", "1.2 - 9 = 3", "2.5 x 4 = 10",
    "3 4 6 -> 12 6 -> 72", "3 4 6 → 12 6", "9 -> 10 -> 20", "0/5 0/7", "0/5 0/7 -> 5/5 0/7", "(9 + 1) * 4 = 40", "(9) + 1 = 10",
    "**9** -> 10", "**9 * 2** = 18", "1.5 -> 3", "9th place", "2024. A year", "0. zero", "1.0 -> 2", "", "   ", "x", "***", "Back to 1.2", "Go back to 1",
    "Backtrack to 1.1: 9 -> 10", "Returning to 2.", "Answer: 9 -> 10", "Step 2", "## STEP 3:", "**Step 4**", "Step 2 of 4", "Goal: 41",
    "1.2.", "100000: 9 -> 10", ".".join(["1"] * (MAX_DEPTH + 1)) + " 9 -> 10",
]  # fmt: skip


def rows(outline: Outline) -> list[Row]:
    return [(format_label(e.label), e.chain, e.operation, e.dead) for e in outline.entries]


def tree(text: str) -> list[tuple[str, str | None]]:
    """Return (label, parent's label) of all entries."""
    found = parse(text)
    return [
        (format_label(e.label), None if e.parent is None else format_label(found.entries[e.parent].label) + f"@{e.parent}")
        for e in found.entries
    ]


@pytest.mark.parametrize(("line", "row"), ONE_LINE)
def test_reads_a_line_as_models_write_it(line: str, row: Row) -> None:
    assert rows(parse(line)) == [row]


@pytest.mark.parametrize("line", NO_LABEL)
def test_takes_no_number_of_an_equation_a_state_or_a_remark_for_a_label(line: str) -> None:
    if line == "1.2.":  # a label with nothing behind it is an entry without a state
        assert rows(parse(line)) == [("1.2", (), "", False)]
    else:
        assert rows(parse(line)) == []


def test_bare_integers_are_labels_only_where_the_context_says_so() -> None:
    beside_labelled = "1 3 4 6 -> 12 6\n2 3 4 6 -> 7 6\n1.1 3 4 6 -> 12 6 -> 18\n5 9 2 -> 4 2"
    assert [row[0] for row in rows(parse(beside_labelled))] == ["1", "2", "1.1"]
    assert rows(parse(beside_labelled))[0][1] == ("3 4 6", "12 6")
    assert tree("1 9 -> 10\n2 9 -> 18") == [("1", None), ("2", None)]
    assert tree("1 9 -> 10\n2 10 -> 20\n3 20 -> 21") == [("1", None), ("2", "1@0"), ("3", "2@1")]
    assert tree("3 4 6 -> 12 6\n12 6 -> 18") == []
    assert tree("1 9 -> 10") == []  # one line alone could as well be the state `1 9`
    assert tree("1 2 -> 3\n2 7 -> 9") == []


def test_links_a_whole_search() -> None:
    text = (
        "Step 1\n1: a -> b\n2: a -> c\n## step 2:\n1.1: a -> b -> d\n2.1: a -> c -> e x\n2.2: a -> c -> f\nGoal: 2.2\nAnswer: a -> c -> f"
    )
    found = parse(text)
    assert tree(text) == [("1", None), ("2", None), ("1.1", "1@0"), ("2.1", "2@1"), ("2.2", "2@1")]
    assert [(e.step, e.line) for e in found.entries] == [(1, 2), (1, 3), (2, 5), (2, 6), (2, 7)]
    assert [e.dead for e in found.entries] == [False, False, False, True, False]
    assert (found.goal, found.goal_index, found.answer) == ((2, 2), 4, "a -> c -> f")
    assert found.path(4) == [1, 4]
    assert found.entries[4].state == "f"


def test_backtracking_lines_change_nothing_in_the_tree() -> None:
    text = "1: a -> b\n1.1: a -> b -> c x\nBack to 1\n1.2: a -> b -> d x\nBack to the start\n2: a -> e\nGoal: 2"
    assert tree(text) == [("1", None), ("1.1", "1@0"), ("1.2", "1@0"), ("2", None)]
    assert parse(text).goal == (2,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1: a -> b\n1.2.1: a -> b -> c -> d", [("1", None), ("1.2.1", "1@0")]),  # 1.2 is missing
        ("3.1: a -> b", [("3.1", None)]),  # so is 3
        ("1: a\n1.1: b\n1.1: c\n1.1.1: d", [("1", None), ("1.1", "1@0"), ("1.1", "1@0"), ("1.1.1", "1.1@2")]),  # repeated
        ("1.1: b\n1: a\n1.2: c", [("1.1", None), ("1", None), ("1.2", "1@1")]),  # the parent comes later
        ("1. 9 -> 10\n2. 10 -> 20\n3. 20 -> 21", [("1", None), ("2", "1@0"), ("3", "2@1")]),  # a chain of steps
        ("1. 9 -> 10\n2. 9 -> 10 -> 20", [("1", None), ("2", "1@0")]),  # a chain that repeats itself
        ("1. 9 -> 10\n2. 9 -> 18", [("1", None), ("2", None)]),  # siblings
        ("1. 9 -> 10\n2. 9 -> 18\n3. 18 -> 36", [("1", None), ("2", None), ("3", "2@1")]),
        ("Step 1: 9 -> 10\nStep 2: 10 -> 20", [("1", None), ("2", "1@0")]),
        ("1. double\n2. double", [("1", None), ("2", None)]),  # prose continues nothing
    ],
)
def test_decides_on_parents(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert tree(text) == expected


@pytest.mark.parametrize(
    ("goal_line", "goal"),
    [
        ("Goal: 1.2", (1, 2)),
        ("**Goal:** 1.2", (1, 2)),
        ("GOAL REACHED: 1.2.", (1, 2)),
        ("Goal reached at line 1.2", (1, 2)),
        ("Goal = 1.2 (41)", (1, 2)),
        ("✅ Goal: **1.2**", (1, 2)),
        ("Solution: 1.2", (1, 2)),
        ("Success at 1.2: 9 -> 10 -> 41", (1, 2)),
        ("Goal: 1", (1,)),
        ("Goal: 41", None),
        ("Goal: reach 1 litre", None),
        ("Goal: 1 litre", None),
        ("Goal: 1.3", None),
        ("The goal is out of reach", None),
        ("Goal not reached at 1.2", None),
    ],
)
def test_reads_the_goal(goal_line: str, goal: tuple[int, ...] | None) -> None:
    assert parse(f"1: 9 -> 10\n1.2: 9 -> 10 -> 41\n{goal_line}").goal == goal


def test_a_goal_above_its_line_restates_the_task() -> None:
    assert parse("Goal: 1\n1: 9 -> 10").goal is None


def test_the_last_goal_wins_and_a_mark_on_the_line_counts() -> None:
    assert parse("1: a -> b\n2: a -> c\nGoal: 1\nGoal: 2").goal == (2,)
    for mark in ["✓", "(goal)", "(goal reached!)", "(op) ✅", "goal reached"]:
        found = parse(f"1: a -> b\n2: a -> c {mark}\n3: a -> d")
        assert (mark, found.goal, found.entries[1].chain) == (mark, (2,), ("a", "c"))
    assert parse("1: a -> b (goal not reached)").goal is None


def test_a_repeated_goal_label_means_the_line_that_is_not_dead() -> None:
    assert parse("1: a -> b\n1: a -> c x\nGoal: 1").goal_index == 0
    assert parse("1: a -> b x\n1: a -> c\nGoal: 1").goal_index == 1


def test_endless_repetition_is_bounded() -> None:
    found = parse("1.1 9 -> 10 (9 + 1 = 10)\n" * 30_000)
    assert len(found.entries) == MAX_ENTRIES
    assert all(entry.parent is None for entry in found.entries)
    endless = parse("1: " + "9 -> " * 400_000)
    assert len(endless.entries) == 1
    assert len(endless.entries[0].text) <= 2_000


def test_depth_is_bounded_without_losing_lines() -> None:
    found = parse("\n".join(f"{n}. s{n} -> s{n + 1}" for n in range(1, 101)))
    assert len(found.entries) == 100
    assert max(len(found.path(i)) for i in range(100)) == MAX_DEPTH


HOSTILE = {
    "spaces": " " * 1_000_000,
    "answer and spaces": ("answer" + " " * 1990 + "\n") * 500,
    "open brackets": ("1.1 " + "(" * 1990 + "\n") * 500,
    "closed brackets": ("1.1 a " + ")" * 1990 + "\n") * 500,
    "arrows": ("1.1 (" + "a-> " * 490 + ")\n") * 500,
    "dashes": ("1.1 " + "-" * 1990 + "\n") * 500,
    "numbers": ("1." * 999 + "\n") * 500,
    "goals": "1: a -> b\nGoal: 1\n" * 50_000,
    "line ends": "\r\n\x0b\u2028" * 200_000,
    "long gap": ("1.1 a" + " " * 1900 + "b -> c (d) e\n") * 500,
    "controls": "1: a\x00\x1b[31m\u202e -> b\n\ud800: c\n²: d\n١: e -> f\n" * 1000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_bounded_time(name: str) -> None:
    with ends(name):  # quadratic work on any of these takes minutes
        parse(HOSTILE[name])
        split_steps(HOSTILE[name])


PIECES = st.sampled_from(
    [
        "1",
        "1.2",
        ".",
        ":",
        ")",
        "(",
        " ",
        " -> ",
        "→",
        "=>",
        "x",
        "Goal: ",
        "Step 2",
        "Answer:",
        "\n",
        "**",
        "9",
        "=",
        "+",
        "dead end",
        "Back to ",
    ]
)


@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map("".join)))
@settings(max_examples=400, deadline=None)
def test_never_raises_and_keeps_its_promises(text: str) -> None:
    found = parse(text)
    for index, entry in enumerate(found.entries):
        assert entry.parent is None or entry.parent < index
        assert 1 <= len(entry.label) <= MAX_DEPTH
    if found.goal_index is not None:
        assert found.entries[found.goal_index].label == found.goal
    steps = split_steps(text)
    assert len(steps) <= MAX_STEPS
    assert bool(steps) == any(line.strip() for line in "\n".join(step.text for step in steps).splitlines())


WORDS = st.text("abc0123456789/=", min_size=1, max_size=6)
STATES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join).filter(lambda s: s[0] not in "=/")


@given(
    label=st.lists(st.integers(1, 20), min_size=1, max_size=8).map(tuple),
    chain=st.lists(STATES, min_size=2, max_size=6).map(tuple),
    operation=st.sampled_from(["9 + 1 = 10", "fill A", "(8/3) * 3 = 8", "pour A into B"]),
    dead=st.booleans(),
)
def test_what_is_written_is_read_back(label: tuple[int, ...], chain: tuple[str, ...], operation: str, dead: bool) -> None:
    line = write_line(label, chain, operation, dead=dead)
    assert rows(parse(line)) == [(format_label(label), chain, operation, dead)]
    assert parse(f"{write_heading(3)}\n{line}\n{write_back(label)}\n{write_back(())}\n{write_goal(label)}").goal == label


def test_parse_chain_reads_an_answer() -> None:
    assert parse_chain("9 -> 10 → 20.") == ("9", "10", "20")
    assert parse_chain("3 4 6 -> (3 * 4 = 12) -> 12 6") == ("3 4 6", "12 6")


def test_split_steps_cuts_at_numbers_and_loses_nothing() -> None:
    text = "Let us see.\n\n1. 9 + 1 = 10\n   that is even\n2. 10 * 2 = 20\n\nAnswer: 9 -> 10 -> 20\nDone."
    steps = split_steps(text)
    assert [(s.label, s.state, s.operation) for s in steps] == [("1", "10", "9 + 1 = 10"), ("2", "20", "10 * 2 = 20"), ("", "", "")]
    assert [s.text for s in steps] == ["Let us see.\n1. 9 + 1 = 10\n   that is even", "2. 10 * 2 = 20", "Answer: 9 -> 10 -> 20\nDone."]
    assert "\n".join(s.text for s in steps).splitlines() == [line for line in text.splitlines() if line]


def test_split_steps_without_numbers_goes_line_by_line() -> None:
    steps = split_steps("First double it.\n\n9 -> 18 (9 * 2 = 18)\nAnswer:\n9 -> 18")
    assert [s.text for s in steps] == ["First double it.", "9 -> 18 (9 * 2 = 18)", "Answer:\n9 -> 18"]
    assert [s.state for s in steps] == ["", "18", ""]


def test_split_steps_under_headings() -> None:
    steps = split_steps("### Step 1\nDouble it.\n9 -> 18\n### Step 2\nAdd one.\n18 -> 19\n**Answer:** 9 -> 18 -> 19")
    assert [(s.label, s.state) for s in steps] == [("1", "18"), ("2", "19"), ("", "")]


def test_split_steps_is_bounded() -> None:
    steps = split_steps("\n".join(f"{n % 999 + 1}. a" for n in range(5_000)))
    assert len(steps) == MAX_STEPS
    assert steps[-1].text.count("\n") == 5_000 - MAX_STEPS
