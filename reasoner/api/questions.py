"""Question files without a model: what a file is understood as, and outputs that some model gave judged by our graders.

check("question:dev.csv").summary()["layout"]                                   "GPQA"
score("outputs.jsonl", "question:gsm8k.jsonl", graders=["number", "exact"])      a run in the store, and where the two differ
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import quote

from reasoner import registry
from reasoner.api.bench import Bench, arun
from reasoner.api.running import blocking
from reasoner.api.settings import RunSettings
from reasoner.comparison import tabulate
from reasoner.errors import BadConfig
from reasoner.files import complaint, read_records
from reasoner.prompts import Prompts
from reasoner.runs.few_shot import statement
from reasoner.runs.problems import draw, instance_of
from reasoner.types import Completion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.runs.results import Result
    from reasoner.types import Problem, Request

MAX_SHOWN = 10
TEXTS = (
    "output",
    "response",
    "completion",
    "prediction",
    "generation",
    "model_output",
    "resps",
    "filtered_resps",
    "outputs",
    "responses",
    "text",
    "content",
)
"""Columns a model's output stands in, in published files and those of other evaluations."""
IDS = ("id", "question_id", "unique_id", "task_id", "doc_id", "idx", "index", "key")
QUESTIONS = ("question", "problem", "prompt", "input")


@dataclass(frozen=True, slots=True)
class Understood:
    """What a question file was understood as."""

    name: str
    reading: Any
    statement: str
    """The first question as a model is shown it."""
    right_answer: str
    columns: tuple[str, ...]
    """Columns that stay with the problems and can be grouped by."""
    n_shots: int | None
    """Worked examples in the file of shots; None where none is named."""

    def summary(self) -> dict[str, Any]:
        """Return it as JSON values."""
        rows = self.reading.rows
        return {
            "name": self.name, "file": str(self.reading.path), "kind": self.reading.kind, "encoding": self.reading.encoding,
            "layout": self.reading.layout, "rows": self.reading.n_rows, "usable": len(rows),
            "graders": dict(Counter(row.question.grading for row in rows).most_common()),
            "readers": dict(Counter(row.question.reader or "as the grader's" for row in rows).most_common()),
            "choices": sum(bool(row.question.choices) for row in rows), "aliases": sum(bool(row.question.aliases) for row in rows),
            "worked_solutions": sum(bool(row.solution) for row in rows), "columns": list(self.columns), "shots": self.n_shots,
            "faults": [str(fault) for fault in self.reading.faults[:MAX_SHOWN]], "n_faults": len(self.reading.faults),
            "first": {"line": rows[0].line, "statement": self.statement, "right_answer": self.right_answer},
        }  # fmt: skip


def check(name: str, *, prompts: Path | str | None = None) -> Understood:
    """Say what a question file is understood as; nothing is asked.

    Raises:
        BadConfig: it is no question file, or cannot be read so.
        DataError: it cannot be read, or no row of it can be used.
    """
    solver = registry.solver(name)
    if not hasattr(solver, "reading"):
        raise BadConfig(f"{name} reads no question file", hint="write question:FILE")
    reading = solver.reading()
    first = reading.rows[0].question
    columns = Counter(column for row in reading.rows for column in row.question.meta)
    worked = solver.worked("cot")
    return Understood(
        name, reading, statement(solver, first, Prompts(prompts)), solver.right_answer(first), tuple(columns), None if worked is None else len(worked)
    )  # fmt: skip


@dataclass(slots=True)
class _Outputs:
    """A client that gives what some model gave before: the outputs to each problem, one after another."""

    name: str
    by_problem: dict[str, list[str]]
    fingerprint: str = "outputs of a file"
    paid: bool = False
    concurrency: int = 1
    _given: Counter[str] = field(default_factory=Counter)

    async def complete(self, request: Request) -> Completion:
        """Give the next output to the problem that is asked about."""
        assert request.about is not None
        key = request.about.problem.id
        outputs = self.by_problem[key]
        text = outputs[self._given[key] % len(outputs)]
        self._given[key] += 1
        return Completion(text, model=self.name)

    async def aclose(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Outputs that were judged: the bench with a row for each grader, what had no problem or no output, and where graders differ."""

    bench: Bench
    unmatched: int
    missing: int
    differ: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            **self.bench.as_dict(),
            "unmatched_outputs": self.unmatched,
            "problems_without_output": self.missing,
            "differ": list(self.differ),
        }


async def ascore(
    file: Path | str, problems: str, *, graders: Sequence[str] = (), text: str = "", model: str = "", **settings: Unpack[RunSettings]
) -> Scored:
    """Judge outputs of a file without a model; a run in the store like any other.

    Args:
        file: rows with an output each (`output`, `response`, `completion`, `resps`, ... or the column `text`), a list for several samples.
            A row belongs to the problem of the same id, else to that of the same question, else to the one at its place.
        problems: a question file, `question:FILE`.
        graders: graders to judge by, each in a row of its own; those that suit the golds where none is named.
        text: the column of the outputs.
        model: what tables call whoever gave the outputs; the file's name where nothing is said.
        **settings: see `reasoner.api.settings.RunSettings`.

    Raises:
        BadConfig: no column holds outputs, or no row belongs to a problem.
        DataError: a file cannot be read.
    """
    path = Path(file)
    records = read_records(path)
    if not records.rows:
        raise complaint(path, records.faults, records.n_rows) if records.faults else BadConfig(f"{path} has no row", hint="give outputs")
    rows = [record.values for record in records.rows]
    column = _column(rows, (text,) if text else TEXTS)
    if column is None:
        raise BadConfig(
            f"{path} has no column of outputs", hint=f"its columns are {', '.join(map(str, rows[0]))[:200]}; name it: --text COLUMN"
        )
    names = [problems + ("&" if "?" in problems else "?") + f"grader={quote(each, safe=',=:/. -_')}" for each in graders] or [problems]
    drawn = {name: draw(name, n=None, seed=0) for name in names}
    outputs: dict[str, list[str]] = {}
    unmatched = missing = 0
    for name in names:
        found, unmatched = _matched(name, drawn[name], rows, column)
        missing = len(drawn[name]) - len(found)
        outputs |= found
    if not outputs:
        raise BadConfig(f"no row of {path} belongs to a problem of {problems}", hint="rows are matched by id, by question, or by place")
    samples = min(len(texts) for texts in outputs.values())
    client = _Outputs(model or path.name, outputs)
    asked = [problem for name in names for problem in drawn[name] if problem.id in outputs]
    settings.setdefault("mode", "fresh")
    settings.setdefault("samples", samples)
    report = await arun(asked, "direct", client, **settings)
    bench = Bench(report, tuple(tabulate(report.results)))
    return Scored(bench, unmatched, missing, tuple(_differences(report.results, drawn)))


def score(
    file: Path | str, problems: str, *, graders: Sequence[str] = (), text: str = "", model: str = "", **settings: Unpack[RunSettings]
) -> Scored:
    """Judge outputs of a file; the synchronous face of `ascore`, also inside a running event loop (a notebook)."""
    return blocking(lambda: ascore(file, problems, graders=graders, text=text, model=model, **settings))


def _column(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str | None:
    """Return the first of these columns that most rows have, as the file writes it."""
    there = Counter(name for row in rows for name in row)
    lower = {str(name).lower(): name for name, n in there.items() if 2 * n >= len(rows)}
    return next((lower[name.lower()] for name in names if name.lower() in lower), None)


def _texts(value: Any) -> list[str]:
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, list):
        return [each if isinstance(each, str) else str(each) for each in value if each is not None]
    return [] if value is None else [value if isinstance(value, str) else str(value)]


def _matched(name: str, problems: Sequence[Problem], rows: Sequence[Mapping[str, Any]], column: str) -> tuple[dict[str, list[str]], int]:
    """Give each problem its outputs: by id, else by question, else by place where there are as many rows as questions in the file."""
    solver = registry.solver(name)
    instances = {problem.id: instance_of(solver, problem) for problem in problems}
    by_id = {
        str(value): key for key, instance in instances.items() for column_name, value in instance.meta.items() if column_name.lower() in IDS
    }
    by_question = {" ".join(instance.question.split()): key for key, instance in instances.items()}
    by_canonical = {solver.canonical(instance): key for key, instance in instances.items()}
    in_order = [by_canonical.get(solver.canonical(row.question)) for row in solver.reading().rows]
    id_column, question_column = _column(rows, IDS), _column(rows, QUESTIONS)
    found: dict[str, list[str]] = defaultdict(list)
    unmatched = 0
    for at, row in enumerate(rows):
        key = by_id.get(str(row.get(id_column))) if id_column else None
        if key is None and question_column:
            key = by_question.get(" ".join(str(row.get(question_column)).split()))
        if key is None and not question_column and len(rows) == len(in_order):
            key = in_order[at]
        texts = _texts(row.get(column))
        if key is None or not texts:
            unmatched += 1
        else:
            found[key] += texts
    return dict(found), unmatched


def _differences(results: Sequence[Result], drawn: Mapping[str, Sequence[Problem]]) -> list[dict[str, Any]]:
    """Return the answers that graders judge differently, with each grader's verdict and reason."""
    if len(drawn) < 2:
        return []
    answers: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
    for result in results:
        solver = registry.solver(result.problem.solver)
        question = instance_of(solver, result.problem).question
        answers[question, result.sample][result.problem.solver] = result
    made = []
    for (question, sample), found in answers.items():
        if len({result.correct for result in found.values()}) > 1:
            verdicts = {
                result.verdict.grader: {"correct": result.verdict.correct, "reason": result.verdict.reason}
                for result in found.values()
                if result.verdict
            }
            made.append({"question": question, "sample": sample, "answer": next(iter(found.values())).text, "verdicts": verdicts})
    return made
