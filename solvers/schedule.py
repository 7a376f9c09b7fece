"""Schedule: meetings of a day, shifts of a week, or small job shops; every rule kept, and as short or as cheap as can be.

    budget (60 minutes, Ada and Bela), review (30 minutes, Ada), Bela busy from 9:00 to 10:00  ->  "Answer: budget 10:00, review 9:00"

An answer is right where it keeps to every rule and none is better; one that only keeps to the rules scores the best value through its own, and one that
breaks a rule 0. What may be seen of an answer (`visible_check`) is whether it keeps to the rules. Schedules of the user's own: `schedule:FILE`.

`_timetable` places meetings and jobs, `_rota` gives out shifts; both find the best exactly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.constraint import Constraint
from reasoner.drawing import Cell, Table
from reasoner.errors import Unparseable
from reasoner.solver import Searchable, Seen
from reasoner.text import plain_answer, shorten
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers import _rota as rota
from solvers import _schedule_drawn as drawn
from solvers import _timetable as timetable
from solvers._clock import minutes
from solvers._own_file import FromFile, OwnFile, OwnRows
from solvers._record import read
from solvers._schedule_task import GRID, Item, Schedule, Worker
from solvers._timetable import NOT_YET

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

EASY = 2
MAX_COLUMNS = 40
_SIGNS = re.compile(r"[,;]|->")
_PIECE = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,29})\s{0,3}(?:at\s|[:=]|\s)\s{0,3}([A-Za-z0-9][A-Za-z0-9:._ -]{0,30})", re.IGNORECASE)
_KINDS = (drawn.meetings, drawn.shifts, drawn.jobs)

State = tuple[int, ...]
"""The start of every item (NOT_YET where it is not placed), or the worker of each shift so far."""


class ScheduleSolver(FromFile[Schedule], Searchable[Schedule, State]):
    """Meetings, shifts and job shops."""

    name = "schedule"
    summary = "schedule meetings, shifts or small job shops (schedule:FILE for your own): every rule kept, and none better"
    syntax = '{"kind": "jobs", "items": [{"name": "A1", "length": 3, "needs": ["saw"]}, {"name": "A2", "length": 2, "needs": ["drill"], "after": "A1"}]}'
    Instance = Schedule
    levels: ClassVar[Mapping[int, str]] = {
        1: "one meeting, 2 shifts, or one job of 3 steps",
        2: "2 meetings, 3 shifts, or 2 jobs of 2 steps",
        3: "3 meetings, 5 shifts, or 2 jobs of 3 steps",
        4: "4 meetings, 7 shifts, or 3 jobs of 2 steps",
        5: "6 meetings, 10 shifts, or 3 jobs of 3 steps",
    }
    default_level = 2

    def read_rows(self, file: OwnFile) -> OwnRows[Schedule]:
        """Read the schedules of the file, those that can be kept."""
        return file.rows(_solvable)

    def parse(self, line: str) -> Schedule:
        """Read the JSON object; it need not have a solution."""
        return read(self, Schedule, line)

    def format(self, instance: Schedule) -> str:
        """Write the JSON object."""
        return instance.line()

    def draw(self, rng: random.Random, level: int) -> Schedule:
        """Draw one of the three kinds; from level 3 on, one that is not solved by always taking the first thing that is possible."""
        kind = rng.choice(_KINDS)
        while True:
            made = Schedule.model_validate(kind(rng, level))
            if _best(made) is not None and (level <= EASY or not self.is_goal(made, self._first(made))):
                return made

    def _first(self, task: Schedule) -> State:
        state = self.start(task)
        while moves := self.moves(task, state):
            state = moves[0].state
        return state

    def statement_variables(self, instance: Schedule) -> Mapping[str, Any]:
        """Return the `kind`, the `items` and their `names`, the `hours`, who is `busy`, the `workers`, and the `example` of a form."""
        value = {"meetings": "H:MM", "shifts": "NAME", "jobs": "START"}[instance.kind]
        told = instance.model_dump(mode="json")
        return {
            **told,
            "names": [item.name for item in instance.items],
            "example": ", ".join(f"{item.name} {value}" for item in instance.items),
        }

    def answer_constraint(self, instance: Schedule) -> Constraint:
        """Return the pattern of all items in their order, each with a time or a name."""
        names = "|".join(worker.name.replace("-", r"\-") for worker in instance.workers)
        value = {"meetings": "[0-9]{1,2}:[03]0", "shifts": f"(?:{names})", "jobs": "[0-9]{1,4}"}[instance.kind]
        pieces = [item.name.replace("-", r"\-") + f" {value}" for item in instance.items]
        return Constraint.regex(f"Answer: {', '.join(pieces)}", after_thought=True)

    def verify(self, instance: Schedule, text: str) -> Verdict:
        """Check every rule, and whether any schedule is better; one that keeps to the rules scores the best value through its own."""
        try:
            values, broken = _values(instance, text)
        except Unparseable as error:
            return answers.unread(error.message)
        if broken := broken or _fault(instance, values):
            return answers.wrong(broken)
        best = _best(instance)
        mine, least = _cost(instance, values), 0 if best is None else _cost(instance, best)
        if mine <= least:
            return answers.right(f"every rule is kept, and nothing is better than {_told(instance, mine)}", gap=0.0)
        reason = f"every rule is kept, with {_told(instance, mine)}, and {_told(instance, least)} is possible"
        return Verdict(correct=False, score=least / mine, reason=shorten(reason, 200), metrics={"gap": mine / least - 1})

    def visible_check(self, instance: Schedule, text: str) -> Seen:
        """Check the rules, and not whether anything is better."""
        try:
            values, broken = _values(instance, text)
        except Unparseable as error:
            return Seen(passed=False, told=error.message)
        broken = broken or _fault(instance, values)
        return Seen(not broken, broken or f"every rule is kept, with {_told(instance, _cost(instance, values))}")

    def canonical_answer(self, instance: Schedule, text: str) -> str | None:
        """Return every item with its time or worker, in the order of the items."""
        try:
            values, broken = _values(instance, text)
        except Unparseable:
            return plain_answer(text)
        return plain_answer(text) if broken else ", ".join(_pieces(instance, values))

    def start(self, instance: Schedule) -> State:
        """Return the state in which nothing is placed."""
        return () if instance.kind == "shifts" else (NOT_YET,) * len(instance.items)

    def moves(self, instance: Schedule, state: State) -> list[Move[State]]:
        """Return who can have the next shift; or what can be placed next, each at the earliest moment that is free."""
        if instance.kind == "shifts":
            name = instance.items[len(state)].name if len(state) < len(instance.items) else ""
            return [Move(f"{name} {instance.workers[k].name}", (*state, k)) for k in rota.options(instance, state)]
        found = timetable.options(instance, state)
        return [Move(f"{instance.items[k].name} {instance.written(start)}", timetable.place(state, k, start)) for k, start in found]

    def is_goal(self, instance: Schedule, state: State) -> bool:
        """Tell whether everything is placed, and no schedule is better."""
        best = _best(instance)
        whole = len(state) == len(instance.items) and NOT_YET not in state
        return whole and best is not None and _cost(instance, state) == _cost(instance, best)

    def show(self, instance: Schedule, state: State) -> str:
        """Write what is placed."""
        return ", ".join(_pieces(instance, state)) or "nothing yet"

    def answer(self, instance: Schedule, path: Sequence[Move[State]]) -> str:
        """Write every item with its time or worker."""
        return f"Answer: {', '.join(_pieces(instance, path[-1].state)) if path else '?'}"

    def solve(self, instance: Schedule) -> list[Move[State]] | None:
        """Search exactly; all paths are equally long."""
        best = _best(instance)
        if best is None:
            return None
        wanted = [f"{instance.items[n].name} {instance.written(best[n])}" for n in range(len(best))]
        if instance.kind != "shifts":
            wanted = [wanted[k] for k, _ in timetable.order(instance, best)]
        path: list[Move[State]] = []
        for words in wanted:
            state = path[-1].state if path else self.start(instance)
            path.append(next(move for move in self.moves(instance, state) if move.operation == words))
        return path

    def drawing(self, instance: Schedule, text: str) -> Table | None:
        """Draw who or what is taken when; what is taken twice, or should be free, is wrong."""
        try:
            values, broken = _values(instance, text)
        except Unparseable:
            return None
        if broken:
            return None
        title = {"meetings": "The meetings of the day", "shifts": "The shifts", "jobs": "The machines"}[instance.kind]
        told = _fault(instance, values) or _told(instance, _cost(instance, values))
        head, rows = _shift_rows(instance, values) if instance.kind == "shifts" else _time_rows(instance, values)
        return Table(f"{title}: {told}", head, rows)


def _best(task: Schedule) -> State | None:
    return rota.best(task) if task.kind == "shifts" else timetable.best(task)


def _fault(task: Schedule, values: State) -> str:
    return rota.fault(task, values) if task.kind == "shifts" else timetable.fault(task, values)


def _cost(task: Schedule, values: State) -> int:
    return rota.pay(task, values) if task.kind == "shifts" else timetable.ends(task, values) - task.opens


def _told(task: Schedule, cost: int) -> str:
    return f"a pay of {cost}" if task.kind == "shifts" else f"an end at {task.written(task.opens + cost)}"


def _pieces(task: Schedule, state: State) -> list[str]:
    return [f"{item.name} {task.written(value)}" for item, value in zip(task.items, state, strict=False) if value != NOT_YET]


def _solvable(values: dict[str, Any]) -> Schedule:
    """Make an instance of a row.

    Raises:
        ValueError: it is none, or no schedule keeps to its rules.
    """
    made = Schedule.model_validate(values)
    if _best(made) is None:
        raise ValueError("no schedule keeps to all rules")
    return made


def _values(task: Schedule, text: str) -> tuple[State, str]:
    """Read an answer: what every item is given, and why that is no schedule at all (empty: it is one).

    Raises:
        Unparseable: it is no list of items with times or names.
    """
    line = answers.find(text)
    places = {item.name.casefold(): k for k, item in enumerate(task.items)}
    people = {worker.name.casefold(): k for k, worker in enumerate(task.workers)}
    given: dict[int, int] = {}
    broken = ""
    for piece in _SIGNS.split(line):
        found = _PIECE.fullmatch(piece.strip())
        if found is None:
            raise Unparseable(f"{answers.shown(piece)} is no item with a {'name' if task.kind == 'shifts' else 'time'}")
        name, written = found[1].casefold(), found[2].strip()
        if task.kind == "meetings":
            value = minutes(written)
        elif task.kind == "jobs":
            value = int(written) if re.fullmatch("[0-9]{1,6}", written) else None
        else:
            value = people.get(written.casefold(), NOT_YET)
            broken = broken or (f"there is nobody called {answers.shown(written)}" if value == NOT_YET else "")
        if value is None:
            raise Unparseable(f"{answers.shown(written)} is no {'time such as 9:30' if task.kind == 'meetings' else 'whole number'}")
        k = places.get(name)
        if k is None:
            broken = broken or f"there is nothing called {answers.shown(found[1])} to be scheduled"
        elif k in given:
            broken = broken or f"{task.items[k].name} is scheduled twice"
        else:
            given[k] = value
    missing = next((item.name for k, item in enumerate(task.items) if k not in given), None)
    if missing is not None:
        broken = broken or f"{missing} is not scheduled"
    return tuple(given.get(k, NOT_YET) for k in range(len(task.items))), broken


Rows = tuple[tuple[Cell, ...], ...]


def _shift_rows(task: Schedule, given: State) -> tuple[tuple[str, ...], Rows]:
    head = ("", *(item.name for item in task.items))
    rows = [
        (
            Cell(worker.name),
            *(
                Cell(
                    "works" if given[n] == k else "off" if item.name in worker.off else "",
                    right=given[n] != k or not rota.why_not(task, given[:n], k),
                )
                for n, item in enumerate(task.items)
            ),
        )
        for k, worker in enumerate(task.workers)
    ]
    return head, tuple(rows)


def _time_rows(task: Schedule, starts: State) -> tuple[tuple[str, ...], Rows]:
    step = GRID if task.kind == "meetings" else 1
    end = min(max(timetable.ends(task, starts), task.opens), task.opens + step * (MAX_COLUMNS - 1))
    times = range(task.opens, end, step)
    resources = sorted({need for item in task.items for need in item.needs})
    rows: list[tuple[Cell, ...]] = []
    for who in resources:
        cells = [Cell(who)]
        for time in times:
            taken = [
                item.name
                for start, item in zip(starts, task.items, strict=True)
                if who in item.needs and start <= time < start + item.length
            ]
            busy = any(person == who and begin <= time < until for person, begin, until in task.busy_minutes())
            cells.append(Cell(" ".join([*taken, *(["busy"] if busy else [])]), right=len(taken) + busy < 2))
        rows.append(tuple(cells))
    return ("", *(task.written(time) for time in times)), tuple(rows)


__all__ = ["Item", "Schedule", "ScheduleSolver", "Worker"]
