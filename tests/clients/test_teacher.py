"""The teacher: its searches are legal, bounded, deterministic, and read back as the very tree that was written."""

from __future__ import annotations

import asyncio
import json
import random
import re
from typing import Any

import pytest

from reasoner import registry
from reasoner.clients import ClientOptions, open_client
from reasoner.clients.teacher import MAX_WIDTH, NO_ANSWER, WRITERS, TeacherClient, Writer
from reasoner.clients.teacher._rules import WRITERS as TRANSLATING
from reasoner.clients.teacher._task import Place, reaches
from reasoner.errors import BadConfig
from reasoner.layouts.outline import Entry, parse
from reasoner.solver import Searchable
from reasoner.strategies._candidates import read_candidates
from reasoner.types import About, Client, Completion, Message, Move, Problem, Request, Sampling, canonical_json, digest

PUZZLES = ["number_path", "drop_water", "arithmetic", "minimal_grass", "game24", "mini_crossword", "room_map", "sum"]
PAPER_LEVELS = [
    ("number_path", 3),
    ("number_path", 4),
    ("drop_water", 2),
    ("drop_water", 4),
    ("arithmetic", 1),
    ("minimal_grass", 1),
    ("game24", 3),
]
OF_PUZZLES = sorted(set(WRITERS) - set(TRANSLATING))
MAX_TOKENS = 1_500
TOKEN = re.compile(r"\d|\s(?=[\d\s])|[^\W\d]+|[^\w\s]|\n")
"""As a tokenizer with single digits cuts these texts; measured against the embedded model's, it never counts too few."""


def solver_of(puzzle: str) -> Searchable[Any, Any]:
    found: Searchable[Any, Any] = registry.solver(puzzle)
    return found


def problem_of(puzzle: str, instance: Any) -> Problem:
    return Problem(puzzle, canonical_json(instance.model_dump(mode="json")), solver_of(puzzle).format(instance))


WHOLE = ["direct/answer", *(f"cot/{name}" for name in ("answer", "plain", "irac", "explanation_first", "markdown")), "ats/bfs", "ats/dfs"]
"""Templates whose reply is a whole text that ends with the answer line."""
PARAMS: dict[str, Any] = {"steps": [], "n_steps": 8, "options": [{"steps": []}] * 2, "turns": [], "answer": "Answer: 1", "taken": []}
"""What the strategies tell their templates, at the start of a search or a dialogue."""
DRAWN = {"ats/bfs", "ats/dfs", "tot/propose"}
"""Templates whose reply shows more than the solution; the seed draws what."""


def ask(
    problem: Problem, template: str, *, seed: int = 0, sampling: Sampling | None = None, params: dict[str, Any] | None = None
) -> Completion:
    of_template: dict[str, Any] = {"options": []} if template == "guided/step" else {}
    about = About(problem, template, params=PARAMS | of_template | (params or {}))
    request = Request((Message("user", "a b c"),), sampling or Sampling(max_tokens=100_000), seed=seed, about=about)
    return asyncio.run(TeacherClient().complete(request))


def drawn(puzzle: str, level: int, n: int) -> list[Any]:
    seeds = (int(digest("teacher-test", puzzle, str(level), str(i)), 16) for i in range(n))
    return [solver_of(puzzle).generate(random.Random(seed), level) for seed in seeds]


def states_of(puzzle: str, instance: Any, entries: tuple[Entry, ...]) -> list[list[Any]]:
    """Replay every line by the solver's own moves: the states a line may stand for. Fails on an illegal line."""
    solver = solver_of(puzzle)
    found: list[list[Any]] = []
    for entry in entries:
        before = [solver.start(instance)] if entry.parent is None else found[entry.parent]
        moves = [move for state in before for move in solver.moves(instance, state)]
        after = [m.state for m in moves if m.operation == entry.operation and solver.show(instance, m.state) == entry.state]
        assert after, f"{entry.text!r} is no legal move"
        found.append(after)
    return found


@pytest.mark.parametrize("template", ["ats/bfs", "ats/dfs"])
@pytest.mark.parametrize("puzzle", PUZZLES)
def test_every_line_is_legal_and_reads_back_as_it_was_written(puzzle: str, template: str) -> None:
    solver = solver_of(puzzle)
    for seed, instance in enumerate(drawn(puzzle, solver.default_level, 20)):
        text = ask(problem_of(puzzle, instance), template, seed=seed).text
        outline = parse(text)
        written = [line for line in text.splitlines() if " -> " in line and not line.startswith("Answer")]
        assert [entry.text for entry in outline.entries] == written  # nothing lost, nothing invented
        root = solver.show(instance, solver.start(instance))
        states = states_of(puzzle, instance, outline.entries)
        for index, entry in enumerate(outline.entries):
            above = outline.entries[entry.parent] if entry.parent is not None else None
            assert entry.label[:-1] == (above.label if above else ())
            assert entry.chain[:-1] == (above.chain if above else (root,))
            assert entry.dead == entry.text.endswith(" x")
            goals = [solver.is_goal(instance, state) for state in states[index]]
            assert any(goals) == (index == outline.goal_index)  # it stops at the first goal, and there is one
            assert not (entry.dead and any(child.parent == index for child in outline.entries))
        assert len({entry.label for entry in outline.entries}) == len(outline.entries)
        assert solver.verify(instance, text).correct


def test_breadth_first_goes_level_by_level_and_depth_first_does_not() -> None:
    problem = problem_of("number_path", solver_of("number_path").parse("4 9 41"))
    breadth = [len(entry.label) for entry in parse(ask(problem, "ats/bfs").text).entries]
    assert breadth == sorted(breadth)
    assert max(breadth.count(n) for n in breadth) <= MAX_WIDTH
    text = ask(problem, "ats/dfs").text
    depth = [len(entry.label) for entry in parse(text).entries]
    assert depth != sorted(depth)
    assert text.count("Back to") >= 1
    assert "Step" not in text


@pytest.mark.parametrize("puzzle", PUZZLES)
@pytest.mark.parametrize("template", OF_PUZZLES)
def test_the_same_request_gets_the_same_text(puzzle: str, template: str) -> None:
    solver = solver_of(puzzle)
    problem = problem_of(puzzle, drawn(puzzle, solver.default_level, 1)[0])
    texts = [ask(problem, template, seed=seed).text for seed in (1, 1, 2, 3, 4, 5)]
    assert texts[0] == texts[1]
    # The seed draws what is shown beside the solution, and in which order. A sum has one legal move per column, and the first room drawn
    # here has one door.
    one_way = puzzle == "sum" or (puzzle, template) == ("room_map", "tot/propose")
    assert (len(set(texts)) > 1) == (template in DRAWN and not one_way)


@pytest.mark.parametrize(("puzzle", "level"), PAPER_LEVELS)
@pytest.mark.parametrize("template", OF_PUZZLES)
def test_texts_stay_short_enough_for_small_contexts(puzzle: str, level: int, template: str) -> None:
    for seed, instance in enumerate(drawn(puzzle, level, 12)):
        assert len(TOKEN.findall(ask(problem_of(puzzle, instance), template, seed=seed).text)) < MAX_TOKENS


def test_chain_of_thought_writes_one_line_per_move() -> None:
    solver = solver_of("number_path")
    problem = problem_of("number_path", solver.parse("2 9 20"))
    assert ask(problem, "cot/answer").text == "1: 9 -> 10 (9 + 1 = 10)\n2: 10 -> 20 (10 * 2 = 20)\nAnswer: 9 -> 10 -> 20"
    assert ask(problem, "direct/answer").text == "Answer: 9 -> 10 -> 20"


@pytest.mark.parametrize("template", WHOLE)
@pytest.mark.parametrize(("puzzle", "line"), [("game24", "1 1 1 1"), ("drop_water", "5 7 4 3")])
def test_without_a_solution_the_search_ends_without_a_goal(puzzle: str, line: str, template: str) -> None:
    solver = solver_of(puzzle)
    instance = solver.parse(line)
    assert solver.solve(instance) is None
    text = ask(problem_of(puzzle, instance), template, seed=3).text
    outline = parse(text)
    assert outline.goal is None
    assert text.splitlines()[-1] == NO_ANSWER
    assert not solver.verify(instance, text).correct
    assert bool(outline.entries) == template.startswith("ats/")
    states_of(puzzle, instance, outline.entries)


def steps_to(puzzle: str, instance: Any, moves: list[Any]) -> list[dict[str, str]]:
    solver = solver_of(puzzle)
    return [{"state": solver.show(instance, m.state), "operation": m.operation, "text": ""} for m in moves]


def reachable(puzzle: str, instance: Any, state: Any, n_moves: int) -> bool:
    """Search as plainly as can be, to check the teacher's own search against."""
    solver = solver_of(puzzle)
    if solver.is_goal(instance, state):
        return True
    return n_moves > 0 and any(reachable(puzzle, instance, m.state, n_moves - 1) for m in solver.moves(instance, state))


@pytest.mark.parametrize("puzzle", [puzzle for puzzle in PUZZLES if puzzle != "mini_crossword"])
def test_it_proposes_legal_steps_and_rates_states_by_what_can_be_reached(puzzle: str) -> None:
    solver = solver_of(puzzle)
    rng = random.Random(7)
    rated: set[str] = set()
    for instance in drawn(puzzle, solver.default_level, 4):
        problem = problem_of(puzzle, instance)
        solution = solver.solve(instance) or []
        for depth in range(len(solution)):
            walk: list[Any] = []
            state = solver.start(instance)
            for _ in range(depth):  # a random walk, to a dead end at most; at depth 0 the start
                if not (onward := solver.moves(instance, state)):
                    break
                walk.append(rng.choice(onward))
                state = walk[-1].state
            params = {"steps": steps_to(puzzle, instance, walk), "n_steps": 5}
            moves = solver.moves(instance, state)
            if not moves:
                continue
            found = read_candidates(ask(problem, "tot/propose", params=params, seed=depth).text, 50)
            assert 1 <= len(found) <= 5
            assert {(c.operation, c.state) for c in found} <= {(m.operation, solver.show(instance, m.state)) for m in moves}
            left = len(solution) - depth - 1
            for move in [m for m in moves if solver.show(instance, m.state) in {c.state for c in found}][:3]:
                there = {"steps": steps_to(puzzle, instance, [*walk, move])}
                word = ask(problem, "tot/value", params=there).text.removeprefix("Value: ")
                assert word == ("sure" if reachable(puzzle, instance, move.state, left) else "impossible")
                rated.add(word)
                answered = solver.verify(instance, ask(problem, "tot/answer", params=there).text).correct
                assert answered == (word == "sure")
    assert rated == ({"sure"} if puzzle == "sum" else {"sure", "impossible"})


def test_it_marks_the_goal_votes_for_a_way_that_reaches_it_and_takes_no_illegal_path() -> None:
    problem = problem_of("number_path", solver_of("number_path").parse("2 9 20"))
    to_10 = [{"state": "10", "operation": "9 + 1 = 10"}]
    to_18 = [{"state": "18", "operation": "9 * 2 = 18"}]
    illegal = [{"state": "11", "operation": "9 + 2 = 11"}]
    assert "10 -> 20 (10 * 2 = 20) (goal)" in ask(problem, "tot/propose", params={"steps": to_10}).text
    assert ask(problem, "tot/sample", params={"steps": to_10}).text == "1: 10 -> 20 (10 * 2 = 20) (goal)"
    assert ask(problem, "tot/vote", params={"options": [{"steps": s} for s in (to_18, illegal, to_10)]}).text == "Best: 3"
    assert ask(problem, "tot/value", params={"steps": illegal}).text == "Value: impossible"
    assert ask(problem, "tot/answer", params={"steps": illegal}).text == NO_ANSWER
    assert not read_candidates(ask(problem, "tot/propose", params={"steps": illegal}).text, 8)


def test_it_guides_and_rates_by_the_exact_verifier() -> None:
    problem = problem_of("number_path", solver_of("number_path").parse("2 9 20"))
    right, wrong = "Answer: 9 -> 10 -> 20", "Answer: 9 -> 18 -> 19"
    stops = [
        json.loads(ask(problem, "iot/guide", params={"turns": turns}).text)["stop"]
        for turns in ([], [{"thought": "", "response": wrong}], [{"thought": "", "response": right}])
    ]
    assert stops == [False, False, True]
    assert [ask(problem, "best_of_n/rate", params={"answer": a}).text.splitlines()[-1] for a in (right, wrong)] == [
        "Rating: 10",
        "Rating: 0",
    ]


def test_its_text_is_certain_and_it_says_so_only_when_asked() -> None:
    problem = problem_of("number_path", solver_of("number_path").parse("2 9 20"))
    assert ask(problem, "direct/answer").mean_logprob is None
    assert ask(problem, "direct/answer", sampling=Sampling(logprobs=True)).mean_logprob == 0.0


def test_counts_words_and_honours_max_tokens_and_stop() -> None:
    problem = problem_of("number_path", solver_of("number_path").parse("2 9 20"))
    whole = ask(problem, "direct/answer")
    assert (whole.finish_reason, whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.cost) == ("stop", 3, 6, 0.0)
    cut = ask(problem, "direct/answer", sampling=Sampling(max_tokens=4))
    assert (cut.text, cut.finish_reason, cut.usage.completion_tokens) == ("Answer: 9 -> 10", "length", 4)
    assert ask(problem, "direct/answer", sampling=Sampling(max_tokens=6)).finish_reason == "stop"
    stopped = ask(problem, "cot/answer", sampling=Sampling(stop=("\n2:",)))
    assert (stopped.text, stopped.finish_reason) == ("1: 9 -> 10 (9 + 1 = 10)", "stop")


def test_refuses_what_it_cannot_answer() -> None:
    problem = problem_of("number_path", solver_of("number_path").parse("2 9 20"))
    with pytest.raises(
        BadConfig,
        match=r"'tot/nothing'.*ats/bfs, ats/dfs, ats/fan_bfs, ats/fan_dfs, beam/answer, .*best_of_n/rate, cot/answer, .*direct/answer",
    ):
        ask(problem, "tot/nothing")
    with pytest.raises(BadConfig, match="which problem"):
        asyncio.run(TeacherClient().complete(Request((Message("user", "hello"),))))
    with pytest.raises(BadConfig, match="number_path instance"):
        ask(Problem("number_path", '{"steps": "many"}', "?"), "cot/answer")
    with pytest.raises(BadConfig, match="no model named 'gpt'"):
        open_client("teacher:gpt")


def test_a_writer_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    writer: Writer = lambda task: f"{task.about.template} of {len(task.solution or ())} moves"  # noqa: E731 - the shortest writer there is
    monkeypatch.setitem(WRITERS, "mine/answer", writer)
    assert ask(problem_of("number_path", solver_of("number_path").parse("2 9 20")), "mine/answer").text == "mine/answer of 2 moves"


def test_is_a_client_that_says_what_it_is() -> None:
    client: Client = open_client("teacher", ClientOptions())
    assert isinstance(client, TeacherClient)
    assert (client.name, client.fingerprint, client.paid, client.concurrency) == ("teacher", "teacher:1", False, 8)
    asyncio.run(client.aclose())
    asyncio.run(client.aclose())


class Endless:
    """A search that never ends: every state has fifty new ones."""

    def is_goal(self, instance: Any, state: str) -> bool:
        return bool(state == instance)

    def moves(self, instance: Any, state: str) -> list[Move[str]]:
        return [Move("go", f"{state}.{i}") for i in range(50)]


def test_what_would_take_too_long_to_find_out_is_left_open() -> None:
    solver: Any = Endless()
    assert reaches(solver, Place("a", "0.1"), "0", 3) is True
    assert reaches(solver, Place("b", "nowhere"), "0", 1) is False
    assert reaches(solver, Place("c", "nowhere"), "0", 9) is None


@pytest.mark.parametrize("template", sorted(TRANSLATING))
def test_translations_are_made_by_the_rules_and_of_translations_only(template: str) -> None:
    solver = solver_of("translation")
    instance = solver.parse("English>Torvic: The old woman sees the river. ||| not this")
    form = "[[{}]]" if template == "fragment_shot/published" else "Answer: {}"
    assert ask(problem_of("translation", instance), template).text == form.format("Dakusa gasan sokla merisu.")
    unknown = solver.parse("English>Torvic: The zebra sees the river. ||| not this")
    assert ask(problem_of("translation", unknown), template).text == form.format(NO_ANSWER.removeprefix("Answer: "))
    with pytest.raises(BadConfig, match="no translation"):
        ask(problem_of("game24", solver_of("game24").parse("4 9 10 13")), template)
