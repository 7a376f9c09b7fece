"""SQL explore: answer a question about a small database by asking it.

    "How many customers live in Corvara?"     sql("SELECT count(*) FROM customers WHERE city = 'Corvara'")  ->  3

The database is made from the instance, so that nothing has to be kept; answers are worked out in Python (`solvers/_shops.py`). On level 1 one small
table answers, and its rows are shown, so that who cannot ask has a chance too; then they are not; then tables have to be joined; then found.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from reasoner.environment import Acted, Environment, Turn
from reasoner.errors import Unparseable
from reasoner.sandbox.database import DatabaseCopy, as_table, write_database
from reasoner.solver import Solver
from reasoner.types import ToolSpec, Verdict, canonical_json
from solvers import _answer as answers
from solvers import _shops as shops
from solvers._record import Record, read

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

KINDS: tuple[shops.Kind, ...] = get_args(shops.Kind)
JOINED, UNTOLD = 3, 4


class SqlExplore(Record):
    """A database, named by what it is made from, and a question about it."""

    theme: Literal["shop", "library", "garage"]
    made_from: str = Field(pattern=r"^[0-9a-f]{1,16}$")
    kind: shops.Kind
    value: str = Field(min_length=1, max_length=60)
    told: bool = True
    """Whether the statement tells what tables there are."""
    rows: bool = False
    """Whether the statement shows the rows of the table of things."""

    @model_validator(mode="after")
    def _has_an_answer(self) -> SqlExplore:
        data = self.data
        if self.value not in shops.values(self.theme, self.kind, data):
            raise ValueError(f"{self.value!r} is nothing this question can be about")
        if shops.answer(data, self.kind, self.value) is None:
            raise ValueError("two rows share the answer, or there is none")
        return self

    @property
    def data(self) -> shops.Data:
        """The rows of the database."""
        return shops.tables(self.theme, self.made_from)


class SqlExploreSolver(Solver[SqlExplore], Environment[SqlExplore], Acted[SqlExplore]):
    """Questions about databases that can only be asked."""

    name = "sql_explore"
    summary = "answer a question about a small database by querying it (an environment)"
    syntax = '{"theme": "shop", "made_from": "5f3a90c1", "kind": "count_people", "value": "Corvara"}'
    Instance = SqlExplore
    levels: ClassVar[Mapping[int, str]] = {
        1: "one table answers, and its rows are shown",
        2: "one table answers",
        3: "tables have to be joined too",
        4: "and they have to be found",
    }
    default_level = 1

    def parse(self, line: str) -> SqlExplore:
        """Read the JSON object."""
        return read(self, SqlExplore, line)

    def format(self, instance: SqlExplore) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: SqlExplore) -> Hashable:
        """Return the question; what of the tables is told makes no other one."""
        return (instance.theme, instance.made_from, instance.kind, instance.value)

    def generate(self, rng: random.Random, level: int) -> SqlExplore:
        """Draw a database and a question that has one answer."""
        while True:
            theme, kind = rng.choice(list(shops.THEMES)), rng.choice(KINDS if level >= JOINED else shops.OF_THINGS)
            made_from = f"{rng.getrandbits(32):08x}"
            data = shops.tables(theme, made_from)
            value = rng.choice(shops.values(theme, kind, data))
            if shops.answer(data, kind, value) not in {None, 0}:
                told, rows = level < UNTOLD, level == 1
                made = {"theme": theme, "made_from": made_from, "kind": kind, "value": value, "told": told, "rows": rows}
                return SqlExplore.model_validate(made)

    def statement_variables(self, instance: SqlExplore) -> Mapping[str, Any]:
        """Return the `question`, and the `tables` where they are told."""
        return {
            "question": shops.question(instance.theme, instance.kind, instance.value),
            "tables": shops.script(instance.theme) if instance.told else "",
            "rows": shops.rows_of_things(instance.theme, instance.data) if instance.rows else "",
        }

    def verify(self, instance: SqlExplore, text: str) -> Verdict:
        """Compare with the answer: a whole number, or a name whatever its case."""
        right = shops.answer(instance.data, instance.kind, instance.value)
        try:
            given = answers.find(text).strip(" .'\"`*")
        except Unparseable as error:
            return answers.unread(error.message)
        if isinstance(right, int):
            number = given.replace(",", "").removesuffix(".0")
            if not number.lstrip("+-").isascii() or not number.lstrip("+-").isdecimal() or len(number) > 30:
                return answers.unread(f"{answers.shown(given)} is no whole number")
            return answers.right(f"{right}") if int(number) == right else answers.wrong(f"{answers.shown(given)} is not the answer")
        if given.casefold() == str(right).casefold():
            return answers.right(f"{right}")
        return answers.wrong(f"{answers.shown(given)} is not the answer") if given else answers.unread("there is no name")

    def right_answer(self, instance: SqlExplore) -> str:
        """Return the answer line."""
        return f"Answer: {shops.answer(instance.data, instance.kind, instance.value)}"

    def offered(self, instance: SqlExplore) -> Sequence[ToolSpec]:  # noqa: ARG002 - the same for all
        """Return the one action."""
        schema = {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "One SELECT statement of SQLite."}},
            "required": ["query"],
            "additionalProperties": False,
        }
        return [
            ToolSpec(
                "sql",
                "Run one SELECT statement on the SQLite database and see the rows it gives. The database can only be read.",
                canonical_json(schema),
            )
        ]

    def episode(self, instance: SqlExplore) -> Asking:
        """Open the database."""
        return Asking(instance)

    def actions(self, instance: SqlExplore) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return the query that answers, after a look at the tables where they are not told."""
        look = [] if instance.told else [("sql", {"query": "SELECT sql FROM sqlite_master"})]
        return [*look, ("sql", {"query": shops.query(instance.theme, instance.kind, instance.value)})]


class Asking:
    """One database under questions."""

    def __init__(self, instance: SqlExplore) -> None:
        self._instance = instance
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._copy: DatabaseCopy | None = None

    async def step(self, action: str, arguments: Mapping[str, Any]) -> Turn:  # noqa: ARG002 - there is one action
        """Answer a query."""
        if self._copy is None:
            self._folder = tempfile.TemporaryDirectory(prefix="reasoner-sql-")
            path, data, told = Path(self._folder.name, "database.sqlite"), self._instance.data, shops.THEMES[self._instance.theme]
            write_database(
                path, shops.script(self._instance.theme), {told.people: data.people, told.things: data.things, told.deals: data.deals}
            )
            self._copy = DatabaseCopy(path)
        return Turn(as_table(await self._copy.query(str(arguments["query"]))))

    async def aclose(self) -> None:
        """Drop the database."""
        copy, folder, self._copy, self._folder = self._copy, self._folder, None, None
        if copy is not None:
            await copy.aclose()
        if folder is not None:
            folder.cleanup()
