"""SQL: write one query that answers a question about an invented schema.

    "How many customers have the city Corvara?"  ->  "Answer: SELECT count(*) FROM customers WHERE city = 'Corvara'"

A query is judged by what it gives: it has to give what a right one gives on seven databases made from the instance, two of them full of nulls, ties and
boundary values and one with empty tables; rows in any order, unless the question asks for one. Queries run in a process of their own that can only
read.

What can be seen of an answer (`visible_check`) is whether it runs on the first database, and how many columns it gives.

Questions about databases of the user's own are asked with `sql:FILE.db?questions=QUESTIONS` (`_sql_own`), and judged on these files.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from reasoner.constraint import Constraint
from reasoner.drawing import Cell, Table
from reasoner.errors import BadConfig
from reasoner.grading.graders import unjudged
from reasoner.sandbox.database import checked_size
from reasoner.sandbox.query_server import MAX_SQL_CHARS, Made, Outcome, run
from reasoner.solver import Seen
from reasoner.text import after_answer, answer_line, clean, shorten, tail
from reasoner.types import Verdict
from solvers import _answer as answers
from solvers import _sql_own as own
from solvers import _sql_schema as schemas
from solvers._own_file import FromFile, OwnFile, OwnRows
from solvers._record import Record, read
from solvers._sql_questions import KINDS, N_TABLES, Question, question
from solvers._worked import N_WORKED, stream, worked

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

N_VISIBLE_ROWS = 3
DRAWN_ROWS = 12
_FENCE = re.compile(r"^[ \t]*```[ \t]*(?:sql|sqlite)?[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_QUERY = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)
_SPACED = re.compile(r" ?([(),=<>*+]) ?")
_TABLE = re.compile(r"\b(?:FROM|JOIN) ([a-z_]+)")
_CLAUSES = (
    ("keep rows where {}", re.compile(r" WHERE (.+?)(?= GROUP BY| ORDER BY| LIMIT|$)")),
    ("group by {}", re.compile(r" GROUP BY (.+?)(?= HAVING| ORDER BY| LIMIT|$)")),
    ("keep groups with {}", re.compile(r" HAVING (.+?)(?= ORDER BY| LIMIT|$)")),
    ("order by {}", re.compile(r" ORDER BY (.+?)(?= LIMIT|$)")),
)
"""Parts of the queries of `_sql_questions`, which are written in one way."""
_QUOTED = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\")")


class SqlTask(Record):
    """A question about a database, both named by what they are made from; or one of the user's, with its right query and the files it is about."""

    theme: Literal["shop", "library", "garage"] = "shop"
    made_from: str = Field(default="", pattern=r"^[0-9a-f]{0,16}$")
    kind: str = Field(default="", max_length=40)
    question: str = Field(default="", max_length=20_000)
    query: str = Field(default="", max_length=MAX_SQL_CHARS)
    databases: tuple[str, ...] = Field(default=(), max_length=20)
    prints: tuple[str, ...] = ()
    """The sha256 of each file."""
    ordered: bool = False

    @model_validator(mode="after")
    def _is_known(self) -> SqlTask:
        if self.question or self.query or self.databases:
            if not (self.question and self.query and self.databases) or len(self.databases) != len(self.prints):
                raise ValueError("a question of your own has a query, databases, and the sha256 of each in prints")
            return self
        if not self.made_from:
            raise ValueError("made_from is missing: the database is made by it")
        if self.kind not in KINDS:
            raise ValueError(f"there is no question of the kind {self.kind[:40]!r}; there are {', '.join(KINDS)}")
        return self


class SqlSolver(FromFile[SqlTask]):
    """Questions to be answered by one query."""

    name = "sql"
    summary = "write an SQL query that answers a question, judged by its result (sql:DATABASE?questions=FILE for your own)"
    syntax = '{"theme": "shop", "made_from": "5f3a90c1", "kind": "count_city"}'
    Instance = SqlTask
    levels: ClassVar[Mapping[int, str]] = {
        1: "one of two tables, with a condition or two",
        2: "one of two tables: order, averages, groups, the highest of a kind",
        3: "three tables, joined",
        4: "four tables: what is missing, groups with a condition, subqueries",
        5: "six tables, of which three or four take part",
    }
    default_level = 1
    slow = True
    file_options = ("questions", "also")

    @classmethod
    def open(cls, source: str) -> Self:
        """Ask the user's questions about a database file, or about those of a folder; they are read when the first is asked for.

        Raises:
            BadConfig: no database or no file of questions is named, or an option is unknown.
        """
        made = super().open(source)
        if made.file is not None and "questions" not in made.file.options:
            raise BadConfig(f"sql:{source[:80]} names no questions", hint="write sql:DATABASE?questions=FILE.jsonl")
        return made

    def read_rows(self, file: OwnFile) -> OwnRows[SqlTask]:
        """Read the questions, and run the query of each."""
        if not file.path.is_dir():
            checked_size(file.path)
        return file.rows(lambda values: SqlTask.model_validate(own.fields_of(file, values)), path=Path(file.options["questions"]))

    def parse(self, line: str) -> SqlTask:
        """Read the JSON object."""
        return read(self, SqlTask, line)

    def format(self, instance: SqlTask) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: SqlTask) -> Hashable:
        """Return what the problem is made from."""
        return (instance.theme, instance.made_from, instance.kind, instance.question, instance.prints)

    def draw(self, rng: random.Random, level: int) -> SqlTask:
        """Draw a schema and a question whose result is not the same everywhere."""
        kinds = [kind for kind, (at, _) in KINDS.items() if at == level]
        while True:
            made = SqlTask(theme=rng.choice(("shop", "library", "garage")), made_from=f"{rng.getrandbits(32):08x}", kind=rng.choice(kinds))
            results = _right_results(made.theme, made.made_from, made.kind)
            shown = [outcome.rows for outcome in results[: schemas.N_ORDINARY]]
            n_telling = sum(bool(rows) and rows not in {((0,),), ((None,),)} for rows in shown)
            if len(set(shown)) > 2 and n_telling > 1:
                return made

    def statement_variables(self, instance: SqlTask) -> Mapping[str, Any]:
        """Return the `tables`, a few `rows` of each, the `question`, and the `columns` of the result."""
        asked, databases = _asked(instance)
        script, tables = databases[0].script, list(databases[0].tables.items())
        if instance.question:
            script, shown = own.described(instance.databases[0], instance.prints[0], N_VISIBLE_ROWS)
            tables = [(name, [*rows]) for name, rows in shown]
        rows = [
            " ".join([f"{name}:", *(f"({', '.join(shorten(_written(value), 60) for value in row)})" for row in table[:N_VISIBLE_ROWS])])
            for name, table in tables
        ]
        return {"tables": script, "rows": rows, "question": asked.text, "columns": list(asked.columns)}

    def answer_constraint(self, instance: SqlTask) -> Constraint:  # noqa: ARG002 - the same for all
        """Return the pattern of a query on one line."""
        return Constraint.regex(r"Answer: (?:SELECT|WITH) [^\n]{5,800}", after_thought=True)

    def verify(self, instance: SqlTask, text: str) -> Verdict:
        """Compare the result with that of a right query on every database: as a list where the question orders, else as a bag."""
        query = find_query(text)
        if query is None:
            return answers.unread("no query was found: no line 'Answer: SELECT ...' and no block of SQL")
        if (gone := own.changed(instance.databases, instance.prints)) or (
            gone := own.held(instance.query, instance.databases, instance.prints).fault if instance.question else ""
        ):
            return unjudged(gone)
        asked, databases = _asked(instance)
        wanted = _wanted(instance)
        for number, (gives, right) in enumerate(zip(run(query, databases), wanted, strict=True), start=1):
            if not gives.opened:
                return unjudged(gives.error)
            if gives.error:
                return answers.wrong(f"database {number}: {shorten(clean(gives.error), 120)}")
            if (fault := _difference(gives, right, ordered=asked.ordered)) is not None:
                return answers.wrong(f"database {number}: {fault}")
        return answers.right(f"the result is right on {len(databases)} database{'s' if len(databases) > 1 else ''}")

    def visible_check(self, instance: SqlTask, text: str) -> Seen:
        """Run the query on the first database: whether it runs, and how many columns it gives."""
        query = find_query(text)
        if query is None:
            return Seen(passed=False, told="no query was found: no line 'Answer: SELECT ...' and no block of SQL")
        asked, databases = _asked(instance)
        gives = run(query, databases[:1])[0]
        if gives.error:
            return Seen(passed=False, told=shorten(clean(gives.error), 300))
        if asked.columns and len(gives.columns) != len(asked.columns):
            return Seen(
                passed=False,
                told=f"the result has {len(gives.columns)} columns, and {len(asked.columns)} are asked for: {', '.join(asked.columns)}",
            )
        return Seen(passed=True, told=f"the query runs, and gives {len(gives.rows)} rows")

    def canonical_answer(self, instance: SqlTask, text: str) -> str | None:  # noqa: ARG002 - spelling alone
        """Return the query without what does not matter outside of quotes: case, blanks, a semicolon at the end."""
        query = find_query(text)
        if query is None:
            return None
        parts = _QUOTED.split(query.casefold())  # texts compare without regard to case here, those in quotes too
        return "".join(part if at % 2 else _SPACED.sub(r"\1", " ".join(f"[{part}]".split()))[1:-1] for at, part in enumerate(parts)) or None

    def right_answer(self, instance: SqlTask) -> str:
        """Return the query of the question's kind."""
        return f"Answer: {_asked(instance)[0].query}"

    def explain(self, instance: SqlTask) -> Sequence[str]:
        """Return what the query takes its rows from, which it keeps, how it groups them, and what it gives."""
        asked = _asked(instance)[0]
        parts = [("take {}", ", ".join(_tables_of(asked.query)))]
        parts += [(said, what) for said, clause in _CLAUSES if (found := clause.search(asked.query)) and (what := _whole(found[1]))]
        return [said.format(what) for said, what in [*parts, ("give {}", ", ".join(asked.columns))] if what]

    def dead_ends(self, instance: SqlTask) -> Sequence[str]:
        """Return a table that the question is not about."""
        asked, databases = _asked(instance)
        used = _tables_of(asked.query)
        return [f"take {name}" for name in databases[0].tables if name not in used][:1]

    def worked(self, kind: str) -> Sequence[tuple[SqlTask, str]]:
        """Return worked examples of levels 1 to 4, drawn apart from all problems."""
        return worked(self, kind, _drawn_to_show())

    def drawing(self, instance: SqlTask, text: str) -> Table | None:
        """Draw what the query gives on the first database; a row that a right query gives too counts as right."""
        query = find_query(text)
        if query is None:
            return None
        asked, databases = _asked(instance)
        gives = run(query, databases[:1])[0]
        if gives.error:
            return None
        wanted = set(map(_row, _wanted(instance)[0].rows))
        rows = [
            tuple(Cell(shorten(clean(_written(value)), 40), right=_row(row) in wanted) for value in row[:10])
            for row in gives.rows[:DRAWN_ROWS]
        ]
        head = tuple(shorten(clean(column), 40) for column in gives.columns[:10])
        left_out = [("rows", f"{len(gives.rows)}, {DRAWN_ROWS} are shown")] if len(gives.rows) > DRAWN_ROWS else []
        return Table(shorten(asked.text, 200), head, tuple(rows), tuple(left_out))


def _tables_of(query: str) -> list[str]:
    return list(dict.fromkeys(_TABLE.findall(query)))


def _whole(clause: str) -> str:
    """Return a clause up to the bracket that closes what it stands in; empty where one of its own is left open."""
    depth = 0
    for at, sign in enumerate(clause):
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return clause[:at]
    return "" if depth else clause


@lru_cache(maxsize=1)
def _drawn_to_show() -> list[SqlTask]:
    rng, solver = stream("sql"), SqlSolver()
    return [solver.generate(rng, 1 + n % 4) for n in range(N_WORKED)]


def find_query(text: str) -> str | None:
    r"""Return the query of an answer: the last block of SQL, else what follows the last `Answer:`, else a text that is nothing else.

    >>> find_query("So:\n```sql\nSELECT 1;\n```"), find_query("Answer: select 1\nfrom t\n\nIt counts."), find_query("I do not know")
    ('SELECT 1', 'select 1\nfrom t', None)
    """
    text = tail(text)
    blocks = [found for found in _FENCE.findall(text) if _QUERY.match(found)]
    if blocks:
        found = blocks[-1]
    else:
        found = after_answer(text) if answer_line(text) is not None else text
        found = found.strip().strip("`*").strip()
        found = re.split(r"\n[ \t]*\n|\n[ \t]*```", found, maxsplit=1)[0]
    found = found.strip().strip("`*.").strip().removesuffix(";").strip()
    return found if _QUERY.match(found) and len(found) <= MAX_SQL_CHARS else None


def _asked(instance: SqlTask) -> tuple[Question, Sequence[Made]]:
    """Return the question of an instance and its databases; what columns a question of the user's asks for is not told."""
    if not instance.question:
        return _task(instance.theme, instance.made_from, instance.kind)
    return Question(instance.question, instance.query, (), instance.ordered), own.databases_of(instance.databases, instance.prints)


def _wanted(instance: SqlTask) -> tuple[Outcome, ...]:
    """Return what a right query gives on each database."""
    if not instance.question:
        return _right_results(instance.theme, instance.made_from, instance.kind)
    return own.held(instance.query, instance.databases, instance.prints).outcomes


@lru_cache(maxsize=256)
def _task(theme: str, made_from: str, kind: str) -> tuple[Question, tuple[Made, ...]]:
    """Make the question and the databases of an instance."""
    schema = schemas.schema_of(theme, made_from, N_TABLES[KINDS[kind][0]])
    constants = schemas.constants_of(theme, made_from)
    return question(kind, schema, constants), schemas.databases(schema, constants)


@lru_cache(maxsize=256)
def _right_results(theme: str, made_from: str, kind: str) -> tuple[Outcome, ...]:
    """Return what a right query gives on each database."""
    asked, databases = _task(theme, made_from, kind)
    return tuple(run(asked.query, databases))


def _difference(gives: Outcome, right: Outcome, *, ordered: bool) -> str | None:
    """Say what differs between two results, None where nothing does."""
    if len(gives.columns) != len(right.columns):
        return f"the result has {len(gives.columns)} columns, not {len(right.columns)}"
    mine, wanted = [_row(row) for row in gives.rows], [_row(row) for row in right.rows]
    if gives.more or len(mine) != len(wanted):
        return f"the result has {len(mine)}{'+' if gives.more else ''} rows, not {len(wanted)}"
    if Counter(mine) != Counter(wanted):
        other = next(row for row in mine if row not in wanted or mine.count(row) > wanted.count(row))
        return f"the row ({shorten(clean(', '.join(map(_written, other))), 80)}) is not in the result"
    if ordered and mine != wanted:
        return "the rows are right, and in another order"
    return None


def _row(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return a row as it is compared: numbers by value to nine places, texts without regard to case."""
    return tuple(round(value, 9) if isinstance(value, float) else value.casefold() if isinstance(value, str) else value for value in row)


def _written(value: Any) -> str:
    return "NULL" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


__all__ = ["KINDS", "N_TABLES", "SqlSolver", "SqlTask", "find_query", "question", "schemas"]
