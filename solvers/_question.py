"""One question: what is asked, its golds, its choices and their order, how it is read and judged, and the columns its file had besides.

Problems that older versions stored have the first seven fields only; they are read as they are, and judged as golds of their kind are now.
Fields that came later are written only where they hold something, so that a problem without them keeps its identity.
"""

from __future__ import annotations

import random
import unicodedata
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from reasoner.errors import BadConfig
from reasoner.grading import check_reader, grader, suited
from reasoner.grading.dress import undressed
from reasoner.grading.graders.exact import normal
from reasoner.types import digest
from solvers._record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

NO_ANSWER = "no answer"
"""What is said where a text does not answer a question."""

Kind = Literal["choices", "number", "text"]

_LATER = ("aliases", "grader", "reader", "meta", "rubric", "baseline", "turns", "references", "said", "may_be_unanswerable")
_HAVE_DEFAULTS = frozenset((*_LATER, "choices", "order", "context", "pair", "direction"))


class Question(Record):
    """One question. `turns` are what is asked after it, one after the other, `references` their golds, `said` what was asked and answered before.

    `rubric` and `baseline` (an answer to compare with) are for judges. `order[k]` is the place in `choices` of what is shown as the k-th letter; `answer` and `aliases` are its golds.
    """

    question: str = Field(min_length=1, max_length=100_000)
    answer: str = Field(min_length=1, max_length=20_000)
    choices: tuple[str, ...] = Field(default=(), max_length=len(LETTERS))
    order: tuple[int, ...] = ()
    context: str = Field(default="", max_length=1_000_000)
    pair: str = ""
    direction: Literal["", "forward", "backward"] = ""
    aliases: tuple[str, ...] = Field(default=(), max_length=1000)
    grader: str = Field(default="", max_length=500)
    reader: str = Field(default="", max_length=1100)
    rubric: str = Field(default="", max_length=20_000)
    baseline: str = Field(default="", max_length=100_000)
    meta: dict[str, str] = Field(default_factory=dict)
    turns: tuple[str, ...] = Field(default=(), max_length=50)
    references: tuple[str, ...] = Field(default=(), max_length=50)
    said: tuple[tuple[str, str], ...] = ()
    may_be_unanswerable: bool = False
    """Whether the set has questions that its text does not answer: the model is told what to say then."""

    def values(self) -> tuple[Any, ...]:
        """Return the values of all its fields, in their order, without the names: they are the same for every row of a file."""
        return _values_of(vars(self))

    @classmethod
    def restored(cls, values: tuple[Any, ...]) -> Question:
        """Return a question that was checked before, from its `values`, as a copied or pickled one is: nothing is checked."""
        made = cls.__new__(cls)
        fields = dict(zip(_FIELDS, values, strict=True))
        made.__setstate__({"__dict__": fields, "__pydantic_fields_set__": _ALL, "__pydantic_extra__": None, "__pydantic_private__": None})
        return made

    @field_validator("answer", "pair", mode="before")
    @classmethod
    def _numbers_are_texts(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="before")
    @classmethod
    def _order_is_drawn(cls, row: object) -> object:
        """Shuffle the choices of a row that names no order, by a hash of the row: nothing is ever asked in the file's order by habit."""
        if not isinstance(row, dict) or row.get("order") or not row.get("choices") or not isinstance(row["choices"], list | tuple):
            return row
        order = list(range(len(row["choices"])))
        random.Random(int(digest("question", str(row.get("question")), *map(str, row["choices"])), 16)).shuffle(order)
        return {**row, "order": order}

    @model_validator(mode="after")
    def _can_be_judged(self) -> Question:
        for gold in (self.answer, *self.aliases):
            odd = not gold.isprintable() and any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in gold)
            if odd or not normal(gold):
                raise ValueError("the answer has to be a text without control characters")
        if bool(self.pair) != bool(self.direction):
            raise ValueError("pair and direction (forward or backward) go together")
        if self.turns and not self.grader.startswith("judge:"):
            raise ValueError("a question of several turns is left to a judge: its grader is judge: or judge:MODEL")
        self._check_grading()
        if not self.choices:
            if self.order:
                raise ValueError("an order without choices")
            return self
        if len(self.choices) < 2 or not all(choice.strip() for choice in self.choices):
            raise ValueError("at least two choices are needed, none of them empty")
        if len({normal(choice) for choice in self.choices}) < 2:
            raise ValueError("all choices are the same")
        if self.answer not in self.choices:
            raise ValueError("the answer is none of the choices")
        if sorted(self.order) != list(range(len(self.choices))):
            raise ValueError(f"the order {list(self.order)} is no permutation of {len(self.choices)} choices")
        return self

    def _check_grading(self) -> None:
        """Refuse a reader or grader that there is not, and golds that the grader cannot compare with."""
        try:
            if self.reader:
                check_reader(self.reader)
            named = self.grader and not self.grader.startswith(("judge:", "python:"))
            fault = grader(self.grader).check(self.golds) if named else ""
        except BadConfig as error:
            raise ValueError(error.message) from error
        if fault:
            raise ValueError(fault)

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = write(self)
        for name in _LATER:
            if name in made and not made[name]:
                del made[name]
        return made

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Return the fields as values for JSON, as `model_dump` of pydantic does; files have many rows, and its general way takes twice as long."""
        if options.keys() - {"mode", "exclude_defaults"}:
            return super().model_dump(**options)
        left_out = _HAVE_DEFAULTS if options.get("exclude_defaults") else _LATER
        return {name: value for name, value in vars(self).items() if value or name not in left_out}

    @property
    def golds(self) -> tuple[str, ...]:
        """What an answer is compared with: the letter of the right choice, or all golds, undressed as answers are."""
        return (self.letter,) if self.choices else tuple(undressed(gold) for gold in (self.answer, *self.aliases))

    @property
    def grading(self) -> str:
        """The grader that judges it: the one that is named, else the one that suits its golds."""
        return self.grader or suited((self.answer, *self.aliases), choices=bool(self.choices))

    @property
    def kind(self) -> Kind:
        """How it is asked."""
        return "choices" if self.choices else "number" if self.grading.startswith("number") else "text"

    @property
    def shown(self) -> list[str]:
        """The choices in the order they are shown."""
        return [self.choices[place] for place in self.order]

    @property
    def letter(self) -> str:
        """The letter of the right choice."""
        return LETTERS[self.shown.index(self.answer)]


_FIELDS = tuple(Question.model_fields)
_ALL = set(_FIELDS)
_values_of: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*_FIELDS)
