"""schedule: rules and the best value against brute force over every minute, changed answers, hostile texts, files of one's own, and tree strategies."""

from __future__ import annotations

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hostile_texts import hostile_texts

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.drawing import Table
from reasoner.errors import BadConfig, BadInstance, CorruptRecord
from solvers.schedule import Item, Schedule, ScheduleSolver, Worker

SOLVER = ScheduleSolver()
N_CHANGED = 500
N_HOSTILE = 500


def at(text: str) -> int:
    hour, minute = text.split(":")
    return 60 * int(hour) + int(minute)


def judged(task: Schedule, given: dict[str, Any]) -> int | None:
    """Return what a schedule costs, None where it breaks a rule: by what is taken in every minute, or by the rota's own words."""
    if set(given) != {item.name for item in task.items}:
        return None
    if task.kind == "shifts":
        workers = {worker.name: worker for worker in task.workers}
        names = [given[item.name] for item in task.items]
        if any(a == b for a, b in itertools.pairwise(names)) or any(names.count(name) > workers[name].most for name in names):
            return None
        if any(item.name in workers[given[item.name]].off for item in task.items):
            return None
        return sum(workers[name].pay for name in names)
    taken: set[tuple[str, int]] = {(who, n) for who, begin, end in task.busy for n in range(at(begin), at(end))}
    opens, closes = (at(task.hours[0]), at(task.hours[1])) if task.kind == "meetings" else (0, 10**6)
    end = opens
    for item in task.items:
        span = range(given[item.name], given[item.name] + item.length)
        minutes = {(who, n) for who in item.needs for n in span}
        if taken & minutes or span.start < opens or span.stop > closes or (task.kind == "meetings" and span.start % 30):
            return None
        if item.after and given[item.after] + next(each.length for each in task.items if each.name == item.after) > span.start:
            return None
        taken |= minutes
        end = max(end, span.stop)
    return end - opens


def brute(task: Schedule) -> int | None:
    """Return the least cost of all schedules there are."""
    if task.kind == "shifts":
        values: list[Any] = [worker.name for worker in task.workers]
    elif task.kind == "meetings":
        values = [*range(at(task.hours[0]), at(task.hours[1]), 30)]
    else:
        values = [*range(sum(item.length for item in task.items))]
    names = [item.name for item in task.items]
    costs = (judged(task, dict(zip(names, each, strict=True))) for each in itertools.product(values, repeat=len(names)))
    return min((cost for cost in costs if cost is not None), default=None)


def given_of(task: Schedule, answer: str) -> dict[str, Any]:
    """Read an answer of ours the simple way."""
    pairs = dict(piece.split(" ") for piece in answer.removeprefix("Answer: ").split(", "))
    return pairs if task.kind == "shifts" else {name: at(value) if task.kind == "meetings" else int(value) for name, value in pairs.items()}


def small(rng: random.Random, kind: str) -> Schedule:
    """Draw a problem that brute force can do, harder than those of the family: infeasible ones too."""
    if kind == "shifts":
        names = [f"s{n}" for n in range(5)]
        workers = tuple(
            Worker(name=name, pay=rng.randint(1, 9), most=rng.randint(1, 3), off=tuple(rng.sample(names, rng.randint(0, 2))))
            for name in ("Ada", "Bo", "Cy")
        )
        return Schedule(kind="shifts", items=tuple(Item(name=name) for name in names), workers=workers)
    people, n = ("x", "y"), 3
    items = [
        Item(
            name=f"m{k}",
            length=rng.randint(1, 3),
            needs=tuple(rng.sample(people, rng.randint(1, 2))),
            after=f"m{rng.randrange(k)}" if k and rng.random() < 0.4 else "",
        )
        for k in range(n + (kind == "jobs"))
    ]
    if kind == "jobs":
        return Schedule(kind="jobs", items=tuple(items))
    busy = tuple(
        (who, f"9:{half}0", f"10:{other}0")
        for who in people
        for half, other in [rng.choice((("0", "0"), ("3", "3"), ("0", "3")))]
        if rng.random() < 0.6
    )
    long = tuple(item.model_copy(update={"length": 30 * item.length}) for item in items)
    return Schedule(kind="meetings", items=long, hours=("9:00", rng.choice(("12:00", "13:30"))), busy=busy)


@pytest.mark.parametrize(("kind", "n"), [("meetings", 40), ("shifts", 40), ("jobs", 8)])
def test_the_search_finds_what_brute_force_finds(kind: str, n: int) -> None:
    rng = random.Random(31)
    n_infeasible = 0
    for _ in range(n):
        task = small(rng, kind)
        least, answer = brute(task), SOLVER.right_answer(task)
        n_infeasible += least is None
        assert (answer is None) == (least is None), task
        if answer is not None:
            assert judged(task, given_of(task, answer)) == least, task
            assert SOLVER.verify(task, answer).correct
    assert n_infeasible > 0 or kind == "jobs"


DAY = Schedule(
    kind="meetings", hours=("9:00", "13:00"), busy=(("Bela", "9:00", "10:00"),),
    items=(Item(name="budget", length=60, needs=("Ada", "Bela")), Item(name="review", length=30, needs=("Ada",)), Item(name="hiring", length=60, needs=("Bela",), after="review")),
)  # fmt: skip
WEEK = Schedule(
    kind="shifts", items=(Item(name="Mon"), Item(name="Tue-early"), Item(name="Wed")),
    workers=(Worker(name="Ada", pay=10, most=1), Worker(name="Bela", pay=20, most=2, off=("Mon",)), Worker(name="Carla", pay=30, most=3)),
)  # fmt: skip
SHOP = Schedule(
    kind="jobs",
    items=(
        Item(name="A1", length=3, needs=("saw",)), Item(name="A2", length=2, needs=("drill",), after="A1"),
        Item(name="B1", length=2, needs=("drill",)), Item(name="B2", length=4, needs=("saw",), after="B1"),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (DAY, "budget 10:00, review 9:00, hiring 11:00"), (DAY, "review at 9:30; budget: 10:00; hiring = 11:00"), (DAY, "BUDGET 10:00 AM, review 09:00, hiring 11:00 a.m."),
        (WEEK, "Mon Ada, Tue-early Bela, Wed Carla"), (WEEK, "wed: bela, tue-early: carla, mon: ada"), (SHOP, "A1 0, A2 3, B1 0, B2 3"), (SHOP, "B1 at 0, B2 at 3, A1 at 0, A2 at 5"),
    ],
)  # fmt: skip
def test_right_answers(task: Schedule, text: str) -> None:
    verdict = SOLVER.verify(task, f"Answer: {text}")
    assert verdict.correct, verdict
    assert SOLVER.visible_check(task, f"Answer: {text}").passed


@pytest.mark.parametrize(
    ("task", "text", "reason", "score"),
    [
        (DAY, "budget 11:00, review 9:00, hiring 10:00", "every rule is kept", 1.0),
        (DAY, "budget 11:00, review 9:00, hiring 12:00", "an end at 13:00, and an end at 12:00 is possible", 0.75),
        (DAY, "budget 9:00, review 10:00, hiring 11:00", "Bela is busy from 9:00 to 10:00, when budget is at 9:00", 0),
        (DAY, "budget 10:00, review 10:30, hiring 11:00", "Ada is needed for budget and review at once", 0),
        (DAY, "budget 10:00, review 11:00, hiring 11:00", "hiring begins at 11:00, before review has ended", 0),
        (DAY, "budget 10:00, review 9:00, hiring 12:30", "should be between 9:00 and 13:00", 0),
        (DAY, "budget 10:15, review 9:00, hiring 11:30", "on a half hour", 0),
        (DAY, "budget 10:00, review 9:00", "hiring is not scheduled", 0),
        (DAY, "budget 10:00, review 9:00, hiring 11:00, hiring 11:00", "hiring is scheduled twice", 0),
        (DAY, "budget 10:00, review 9:00, firing 11:00", "nothing called 'firing'", 0),
        (WEEK, "Mon Ada, Tue-early Carla, Wed Carla", "two shifts in a row", 0),
        (WEEK, "Mon Ada, Tue-early Bela, Wed Ada", "Ada works more than 1 shifts", 0),
        (WEEK, "Mon Bela, Tue-early Ada, Wed Bela", "Bela is off on Mon", 0),
        (WEEK, "Mon Ada, Tue-early Bela, Wed Dora", "nobody called 'Dora'", 0),
        (WEEK, "Mon Carla, Tue-early Ada, Wed Carla", "a pay of 70, and a pay of 60 is possible", 60 / 70),
        (SHOP, "A1 0, A2 3, B1 0, B2 2", "saw is needed for A1 and B2 at once", 0),
        (SHOP, "A1 0, A2 3, B1 0, B2 4", "an end at 8, and an end at 7 is possible", 7 / 8),
        (SHOP, "A1 0, A2 2, B1 0, B2 3", "A2 begins at 2, before A1 has ended", 0),
    ],
)  # fmt: skip
def test_rules_that_are_broken_are_named_and_gaps_are_scored(task: Schedule, text: str, reason: str, score: float) -> None:
    verdict = SOLVER.verify(task, f"Answer: {text}")
    assert verdict.score == pytest.approx(score)
    assert verdict.correct == (score == 1.0)
    assert reason in verdict.reason
    seen = SOLVER.visible_check(task, f"Answer: {text}")
    assert seen.passed == (score > 0)
    assert "possible" not in seen.told
    assert not score or verdict.metrics["gap"] == pytest.approx(1 / score - 1)


@pytest.mark.parametrize(
    "text",
    [
        "budget, review, hiring",
        "budget 10, review 9, hiring 11",
        "10:00 9:00 11:00",
        "budget 25:00, review 9:00, hiring 11:00",
        "?",
        "budget 10:00 review 9:00",
    ],
)
def test_what_is_no_schedule_is_not_read(text: str) -> None:
    assert SOLVER.verify(DAY, f"Answer: {text}").unparsed


def changed(rng: random.Random, task: Schedule, answer: str) -> str:
    """Change an item's time or worker, drop an item, or write one twice."""
    pieces = answer.removeprefix("Answer: ").split(", ")
    k = rng.randrange(len(pieces))
    name, value = pieces[k].split(" ")
    kind = rng.randrange(6)
    if kind == 0:
        return "Answer: " + ", ".join(pieces[:k] + pieces[k + 1 :])
    if kind == 1:
        return "Answer: " + ", ".join([*pieces, pieces[k]])
    if task.kind == "shifts":
        value = rng.choice([worker.name for worker in task.workers if worker.name != value])
    elif task.kind == "meetings":
        minute = at(value) + rng.choice((-60, -30, 15, 30, 60, 90))
        value = f"{minute // 60}:{minute % 60:02}"
    else:
        value = str(max(0, int(value) + rng.choice((-3, -1, 1, 2, 5))))
    return "Answer: " + ", ".join([*pieces[:k], f"{name} {value}", *pieces[k + 1 :]])


def reject_changed(n: int) -> None:
    """Check changed answers until n of them are wrong by brute force's own judge; 5,000 were checked by hand."""
    rng = random.Random(32)
    n_wrong = 0
    while n_wrong < n:
        task = SOLVER.generate(rng, rng.randint(1, 4))
        answer = SOLVER.right_answer(task)
        assert answer is not None
        least = judged(task, given_of(task, answer))
        assert least is not None
        for _ in range(10):
            text = changed(rng, task, answer)
            names = [piece.split(" ")[0] for piece in text.removeprefix("Answer: ").split(", ")] if text != "Answer: " else []
            cost = judged(task, given_of(task, text)) if len(set(names)) == len(names) == len(task.items) else None
            verdict = SOLVER.verify(task, text)
            assert verdict.correct == (cost == least), (task, text, verdict)
            assert verdict.score == pytest.approx(least / cost if cost is not None else 0.0)
            n_wrong += cost != least


def test_answers_changed_in_one_place_are_judged_as_brute_force_judges_them() -> None:
    reject_changed(N_CHANGED)


def survive_hostile(n: int) -> None:
    """Check n hostile texts; 10,000 were checked by hand."""
    rng = random.Random(33)
    tasks = [SOLVER.generate(rng, 1 + k % 5) for k in range(40)]
    golds = [(SOLVER.right_answer(task) or "").removeprefix("Answer: ") for task in tasks]
    for number, text in enumerate(hostile_texts(rng, [*golds, "A1 0, ", ", B1 3", "9:00", "Mon Ada, Tue Bela", "budget 9:00"], n)):
        task = tasks[number % len(tasks)]
        verdict = SOLVER.verify(task, text)
        assert verdict.reason.isprintable()
        assert len(verdict.reason) <= 200
        SOLVER.visible_check(task, text)
        SOLVER.canonical_answer(task, text)
        SOLVER.drawing(task, text)
        if verdict.score:
            assert all(re.search(item.name, text, re.IGNORECASE) for item in task.items), text


def test_hostile_answers() -> None:
    survive_hostile(N_HOSTILE)


@pytest.mark.parametrize("level", SOLVER.levels)
def test_every_level_has_meetings_shifts_and_jobs_and_walks_that_fail(level: int) -> None:
    tasks = [SOLVER.generate(random.Random(f"{level}/{k}"), level) for k in range(30)]
    assert {task.kind for task in tasks} == {"meetings", "shifts", "jobs"}
    n_fail = 0
    for k, task in enumerate(tasks):
        rng, state = random.Random(k), SOLVER.start(task)
        while moves := SOLVER.moves(task, state):
            state = rng.choice(moves).state
        n_fail += not SOLVER.is_goal(task, state)
        form = SOLVER.answer_constraint(task)
        assert re.fullmatch(form.value, SOLVER.right_answer(task) or "")
    assert n_fail > {1: -1, 2: 3}.get(level, 10)


def test_a_walk_shows_what_is_placed_and_offers_what_is_possible() -> None:
    state = SOLVER.start(DAY)
    assert SOLVER.show(DAY, state) == "nothing yet"
    assert [move.operation for move in SOLVER.moves(DAY, state)] == ["budget 10:00", "review 9:00"]
    state = SOLVER.moves(DAY, state)[1].state
    assert SOLVER.show(DAY, state) == "review 9:00"
    assert [move.operation for move in SOLVER.moves(DAY, state)] == ["budget 10:00", "hiring 10:00"]
    assert SOLVER.answer(DAY, []) == "Answer: ?"
    assert [move.operation for move in SOLVER.moves(WEEK, ())] == ["Mon Ada", "Mon Carla"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({"kind": "jobs", "items": [{"name": f"x{n}", "needs": ["saw"]} for n in range(9)]}, "362,880 orders"),
        (
            {"kind": "jobs", "items": [{"name": "a", "needs": ["saw"], "after": "b"}, {"name": "b", "needs": ["saw"]}]},
            "does not stand before it",
        ),
        ({"kind": "jobs", "items": [{"name": "a", "needs": ["saw"]}, {"name": "A", "needs": ["saw"]}]}, "one name"),
        ({"kind": "jobs", "items": [{"name": "a"}]}, "needs people or a machine"),
        ({"kind": "shifts", "items": [{"name": "Mon"}]}, "shifts need workers"),
        (
            {"kind": "shifts", "items": [{"name": "Mon"}], "workers": [{"name": "Ada", "pay": 1, "most": 1, "off": ["Tue"]}]},
            "no shift 'Tue'",
        ),
        ({"kind": "meetings", "items": [{"name": "a", "length": 45, "needs": ["Ada"]}]}, "multiple of 30"),
        ({"kind": "meetings", "items": [{"name": "a", "length": 30, "needs": ["Ada"]}], "hours": ["9", "17"]}, "H:00"),
        ({"kind": "meetings", "items": [{"name": "a b", "length": 30, "needs": ["Ada"]}]}, "name"),
        ({"kind": "rooms", "items": [{"name": "a"}]}, "kind"),
    ],
)
def test_problems_that_do_not_hold_together_are_refused(line: Any, fault: str) -> None:
    with pytest.raises(BadInstance, match=fault):
        SOLVER.parse(json.dumps(line))


def test_chains_are_counted_as_chains() -> None:
    steps = [{"name": f"{job}{n}", "needs": ["saw"], "after": f"{job}{n - 1}" if n else ""} for job in "ABC" for n in range(3)]
    assert SOLVER.right_answer(SOLVER.parse(json.dumps({"kind": "jobs", "items": steps})))
    star = [{"name": "z", "needs": ["saw"]}, *({"name": f"y{n}", "needs": ["saw"], "after": "z"} for n in range(8))]
    with pytest.raises(BadInstance, match="orders"):
        SOLVER.parse(json.dumps({"kind": "jobs", "items": star}))


def test_a_file_of_ones_own_is_scheduled(tmp_path: Path) -> None:
    impossible = WEEK.model_copy(update={"workers": WEEK.workers[:1]})
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join([SOLVER.format(DAY), SOLVER.format(impossible), '{"kind": "jobs"}', SOLVER.format(SHOP)]))
    solver = registry.solver(f"schedule:{path}")
    assert list(solver.listed(1) or ()) == [DAY, SHOP]
    assert "2 of 4 rows are left out" in solver.remarks()[0]
    assert "line 2: no schedule keeps to all rules" in solver.remarks()[0]
    with pytest.raises(CorruptRecord):
        registry.solver(f"schedule:{path}?strict=1").listed(1)
    with pytest.raises(BadConfig, match="no option"):
        registry.solver(f"schedule:{path}?x=1")
    made = reasoner.bench(f"schedule:{path}", strategy="cot", model="teacher", n=2, db=tmp_path / "t.db")
    assert [result.correct for result in made.report.results] == [True, True]


def test_who_is_taken_when_is_drawn() -> None:
    drawing = SOLVER.drawing(DAY, "Answer: budget 9:00, review 9:30, hiring 11:00")
    assert isinstance(drawing, Table)
    assert "Bela is busy" in drawing.title
    ada, bela = drawing.rows
    assert drawing.head == ("", "9:00", "9:30", "10:00", "10:30", "11:00", "11:30")
    assert [(cell.text, cell.right) for cell in ada[:4]] == [("Ada", True), ("budget", True), ("budget review", False), ("", True)]
    assert [(cell.text, cell.right) for cell in bela[1:3]] == [("budget busy", False), ("budget busy", False)]
    week = SOLVER.drawing(WEEK, "Answer: Mon Bela, Tue-early Ada, Wed Bela")
    assert isinstance(week, Table)
    assert [(cell.text, cell.right) for cell in week.rows[1]] == [("Bela", True), ("works", False), ("", True), ("works", True)]
    assert SOLVER.drawing(DAY, "Answer: budget 9:00") is None
    far = SOLVER.drawing(SHOP, "Answer: A1 900000, A2 3, B1 0, B2 3")
    assert isinstance(far, Table)
    assert len(far.head) <= 40


def test_repair_is_told_the_rule_and_not_the_gap(tmp_path: Path) -> None:
    client = ScriptedClient(["Answer: A1 0, A2 2, B1 0, B2 3", "Answer: A1 0, A2 3, B1 0, B2 4"])
    client.fingerprint = "same"
    result = reasoner.solve("schedule", SOLVER.format(SHOP), strategy="repair(direct)", model=client, db=tmp_path / "t.db")
    assert "A2 begins at 2, before A1 has ended" in client.requests[1].messages[-1].content
    assert result.correct is False
    assert result.verdict is not None
    assert result.verdict.score == pytest.approx(7 / 8)


@pytest.mark.parametrize("task", [DAY, WEEK, SHOP], ids=["meetings", "shifts", "jobs"])
@pytest.mark.parametrize(
    "strategy", ["tot:breadth=3,value_samples=1", "ats", "ats:order=dfs", "iot:max_rounds=2", "guided", "cot:shots=2", "draft", "program"]
)
def test_it_is_solved_by_the_strategies_that_search(tmp_path: Path, strategy: str, task: Schedule) -> None:
    result = reasoner.solve("schedule", SOLVER.format(task), strategy=strategy, model="teacher", db=tmp_path / "t.db")
    assert result.correct or strategy.startswith("iot")
