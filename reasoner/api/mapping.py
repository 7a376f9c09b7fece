"""Rows of a table through prompt templates, several steps one after the other: columns in, columns out; nothing is judged.

    mapped = map_rows([{"topic": "tides"}], ["question.jinja", "answer.jinja"], model="openai:NAME")
    mapped.rows[0]      {"topic": "tides", "question": "Why are there two tides a day?", "answer": "Because ..."}

A step is a template file whose variables are columns. Its reply becomes a column of the file's name, or, where `NAME.schema.json` stands beside it,
one column for each property of that schema, which the model is held to. Each step is an ordinary run: recorded, within budgets, and resumed
by calling again.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from reasoner import registry
from reasoner.api.running import blocking, carry_out
from reasoner.api.settings import RunSettings, settings_of
from reasoner.errors import BadConfig, BadTemplate, CorruptRecord, MissingAsset
from reasoner.files import complaint, read_records, read_text
from reasoner.prompts.templates import load_prompt
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_instance
from reasoner.runs.strategy_spec import as_specs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reasoner.api.settings import Settings
    from reasoner.prompts.templates import Prompt
    from reasoner.runs.results import Report, Result
    from reasoner.types import Client, Problem

Row = dict[str, Any]
NO_REPLY = "the model gave no reply"
NO_JSON = "the reply is not the JSON that was asked for"
CUT_OFF = "the reply ended at the token limit"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what is asked of each row, and what the reply has to be."""

    name: str
    prompt: Prompt
    schema: dict[str, Any] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it adds."""
        return (self.name,) if self.schema is None else tuple(self.schema.get("properties", ())) or (self.name,)


@dataclass(slots=True)
class Done:
    """What a step came to: what was asked, of whom, and how many rows went in and came out. `models` has the rows of each."""

    name: str
    hash: str
    text: str
    schema: dict[str, Any] | None
    strategy: str
    samples: int
    seed: int
    sampling: dict[str, Any]
    n_in: int
    n_out: int = 0
    run: str = ""
    models: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(slots=True)
class Mapped:
    """The rows that came through all steps, in the order of those given; which were left out, by step and reason; the runs they stand in."""

    rows: list[Row] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    runs: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    n_given: int = 0
    done: list[Done] = field(default_factory=list)


def read_step(path: Path | str) -> Step:
    """Read a template, and the schema beside it if there is one.

    Raises:
        MissingAsset: there is no such file.
        BadTemplate: the template cannot be used.
        BadConfig: the schema is none.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingAsset(f"there is no template {path}", hint="give the path of a .jinja file")
    beside = path.with_suffix(".schema.json")
    schema: Any = None
    if beside.is_file():
        try:
            schema = json.loads(read_text(beside).text)
        except ValueError as error:
            raise BadConfig(f"the schema {beside} cannot be read: {error}", hint="give a file with one JSON schema") from error
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise BadConfig(f"the schema {beside} is not one of an object", hint='write {"type": "object", "properties": ...}')
    return Step(path.stem, load_prompt(path.stem, path, plain=True), schema)


def read_table(path: Path) -> list[Row]:
    """Read the rows of a table (JSON Lines, JSON, CSV, TSV, Parquet).

    Raises:
        MissingAsset: it cannot be read.
        CorruptRecord: a row cannot be read; the message counts them.
    """
    found = read_records(path, hint="give a file of rows: .jsonl, .json, .csv, .tsv or .parquet")
    if found.faults:
        raise complaint(path, found.faults, found.n_rows)
    if not found.rows:
        raise CorruptRecord(path, 1, "the file holds no row")
    return [dict(record.values) for record in found.rows]


async def amap_rows(
    rows: Iterable[Row],
    steps: Sequence[Step | Path | str],
    *,
    model: str | Client = "local",
    strategy: str = "plain",
    **settings: Unpack[RunSettings],
) -> Mapped:
    """Put rows through steps; with `samples` each row is asked so many times at the first step, and goes on as so many rows.

    A row without a reply, or with one that is not the JSON asked for, is left out and counted.

    Raises:
        BadTemplate: a step asks for a column that the first row does not have.
        BadConfig: a step would overwrite a column.
        ReasonerError: see `reasoner.errors`; calling again resumes.
    """
    made = [step if isinstance(step, Step) else read_step(step) for step in steps]
    if not made:
        raise BadConfig("there is no step", hint="name a template")
    current = list(rows)
    mapped = Mapped(n_given=len(current))
    samples = settings.pop("samples", 1)
    for number, step in enumerate(made):
        told = settings_of({**settings, "samples": samples if number == 0 else 1})
        if told.carrier is not None and len(made) > 1:
            told = replace(told, carrier=told.carrier.within(f"{number + 1}-{step.name}"))
        done = _begun(step, strategy, told, len(current))
        mapped.done.append(done)
        problems, places = _problems(step, current, mapped)
        if not problems:
            current = []
            break
        plan = Plan(list(problems.values()), as_specs(strategy), told.seed, told.samples, told.sampling, told.limits, tools=told.tools)
        report = await carry_out(plan, [model], told)
        mapped.runs.append(report.run_id)
        current = list(_joined(step, report, places, mapped))
        _count(done, report, len(current))
    for done in mapped.done:
        start = f"{done.name}: "
        done.left_out.update({why.removeprefix(start): n for why, n in mapped.left_out.items() if why.startswith(start)})
    mapped.rows = current
    return mapped


def _begun(step: Step, strategy: str, told: Settings, n_in: int) -> Done:
    text = read_text(step.prompt.path).text if step.prompt.path.is_file() else ""
    return Done(step.name, step.prompt.hash, text, step.schema, strategy, told.samples, told.seed, told.sampling.as_dict(), n_in)


def _count(done: Done, report: Report, n_out: int) -> None:
    done.run, done.n_out = report.run_id, n_out
    for result in report.results:
        done.models[result.model] += 1
        done.prompt_tokens += result.spent.prompt_tokens
        done.completion_tokens += result.spent.completion_tokens


def map_rows(
    rows: Iterable[Row],
    steps: Sequence[Step | Path | str],
    *,
    model: str | Client = "local",
    strategy: str = "plain",
    **settings: Unpack[RunSettings],
) -> Mapped:
    """Put rows through steps; the synchronous face of `amap_rows`, also inside a running event loop (a notebook)."""
    return blocking(lambda: amap_rows(rows, steps, model=model, strategy=strategy, **settings))


def _problems(step: Step, rows: Sequence[Row], mapped: Mapped) -> tuple[dict[str, Problem], list[tuple[Row, str]]]:
    """Return the conversations of a step by their id (equal ones once), and for each row which is its own."""
    solver = registry.solver("chat")
    schema = "" if step.schema is None else json.dumps(step.schema)
    problems: dict[str, Problem] = {}
    places: list[tuple[Row, str]] = []
    for number, row in enumerate(rows):
        if taken := [name for name in step.columns if name in row]:
            raise BadConfig(
                f"step {step.name} would overwrite the column {taken[0]!r}", hint="rename the template, or the schema's property"
            )
        try:
            messages = step.prompt.render(row)
        except BadTemplate:
            if number == 0:
                raise
            mapped.left_out[f"{step.name}: a column it asks for is missing"] += 1
            continue
        turns = [{"role": message.role, "content": message.content} for message in messages]
        if not turns:
            mapped.left_out[f"{step.name}: there is nothing to ask"] += 1
            continue
        problem = problem_from_instance(solver, solver.Instance.model_validate({"messages": turns, "output_schema": schema}), None)
        problems.setdefault(problem.id, problem)
        places.append((row, problem.id))
    return problems, places


def _joined(step: Step, report: Report, places: Sequence[tuple[Row, str]], mapped: Mapped) -> Iterator[Row]:
    """Yield the rows with what the model said, sample for sample."""
    said: defaultdict[str, list[Result]] = defaultdict(list)
    for result in report.results:
        said[result.problem.id].append(result)
        if result.model not in mapped.models:
            mapped.models.append(result.model)
    for row, name in places:
        for result in said[name]:
            added, why = _columns(step, result)
            if why:
                mapped.left_out[f"{step.name}: {why}"] += 1
            else:
                yield {**row, **added}


def _columns(step: Step, result: Result) -> tuple[Row, str]:
    text = result.text
    if text is None or not text.strip():
        return {}, result.error or NO_REPLY
    if result.at_limit:
        return {}, CUT_OFF
    if step.schema is None:
        return {step.name: text}, ""
    try:
        value = json.loads(text)
    except ValueError:
        return {}, NO_JSON
    if not isinstance(value, dict):
        return {}, NO_JSON
    columns = step.columns
    return (value, "") if columns == (step.name,) else ({name: value.get(name) for name in columns}, "")
