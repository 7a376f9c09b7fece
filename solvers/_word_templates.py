"""Templates of word problems, and problems drawn from them: a TOML file of texts, quantities and the steps to the answer.

    [[template]]
    name = "more"
    text = ["{A} has {a} pencils.", "{B} gives {A} {b} more."]
    ask = "How many pencils does {A} have now?"
    draw = { a = [5, 60], b = [5, 60] }
    steps = ["a + b"]

All values are exact fractions; a draw is taken again until every value is above zero and has no more decimals than the template allows. Steps are
read by the bounded evaluator of arithmetic, never run.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reasoner.errors import BadConfig, MissingAsset, Unparseable
from reasoner.files.bounded_toml import parse_toml
from reasoner.files.devices import ending
from reasoner.grading.expression import evaluate
from reasoner.text import shorten
from solvers._clock import clock
from solvers._record import why

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CLOCK = "clock"
MONEY = "$"
DAY = 24 * 60
MAX_TRIES = 20_000
NAMES = ("Ada", "Bela", "Cleo", "Dora", "Emil", "Fritz", "Gaia", "Hugo", "Ines", "Jonas", "Kira", "Luca", "Mara", "Nino", "Olga", "Pavel")
ASIDES = (
    "The radio plays {z} songs in the meantime.",
    "It is {z} degrees outside.",
    "{D} lives at number {z} of a street nearby.",
    "Yesterday {D} counted {z} birds in the garden.",
    "{D}, who is {z}, looks on.",
    "{z} steps lead up to the front door.",
    "A poster on the wall tells of a feast in {z} days.",
    "The telephone rings {z} times.",
    "{D}'s dog weighs {z} kg.",
    "{D} has {z} cousins.",
)
"""Sentences with a number that has nothing to do with the question."""

_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
_PLACE = re.compile(r"\{([A-Za-z][a-z0-9]{0,15})(:clock)?\}")


class Template(BaseModel):
    """One kind of problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    text: tuple[str, ...] = Field(min_length=1, max_length=20)
    ask: str = Field(min_length=1, max_length=1000)
    unit: str = Field(default="", max_length=40)
    decimals: int = Field(default=-1, ge=-1, le=4)
    """How many decimals a value may have; -1: two where the unit is money, else none."""
    draw: dict[str, tuple[float, ...]] = Field(default_factory=dict, max_length=30)
    given: dict[str, str] = Field(default_factory=dict, max_length=30)
    steps: tuple[str, ...] = Field(min_length=1, max_length=8)

    @model_validator(mode="after")
    def _holds_together(self) -> Template:
        known: set[str] = set()
        for name, bounds in self.draw.items():
            if not _NAME.fullmatch(name) or len(bounds) not in {2, 3} or not 0 <= bounds[0] <= bounds[1] <= 10**9:
                raise ValueError(f"draw.{name} is not [from, to] or [from, to, step]")
            if len(bounds) == 3 and bounds[2] <= 0:
                raise ValueError(f"draw.{name} has a step that is not above zero")
            known.add(name)
        for n, (name, expression) in enumerate([*self.given.items(), *(("", step) for step in self.steps)]):
            if (unknown := next((met for met in _NAME.findall(expression) if met not in known), None)) is not None:
                raise ValueError(f"{shorten(expression, 60)!r} names {unknown!r}, which is not known there")
            known.add(name or f"s{n - len(self.given) + 1}")
        for place, _ in (found for text in (*self.text, self.ask) for found in _PLACE.findall(text)):
            if place not in {"A", "B", "C"} and (place not in known or re.fullmatch(r"s[0-9]+", place)):
                raise ValueError(f"the text shows {place!r}, which is nothing that is told")
        return self

    @property
    def places(self) -> int:
        """How many decimals a value may have."""
        return self.decimals if self.decimals >= 0 else 2 if self.unit == MONEY else 0

    def problem(self, rng: random.Random, n_asides: int) -> dict[str, Any]:
        """Draw one problem: its question, its answer, the unit and the equations that lead to it.

        Raises:
            BadConfig: no draw fits.
        """
        for _ in range(MAX_TRIES):
            values = {name: _drawn(rng, bounds) for name, bounds in self.draw.items()}
            made = self._worked_out(values)
            if made is not None:
                equations, answer = made
                question = self._told(values, rng, n_asides)
                shown = clock(int(answer)) if self.unit == CLOCK else number(answer, money=self.unit == MONEY)
                if self.unit == CLOCK:
                    equations = [*equations[:-1], f"{equations[-1]}, which is {shown}"]
                return {"question": question, "answer": shown, "unit": self.unit, "steps": tuple(equations), "template": self.name}
        raise BadConfig(f"the template {self.name} has no values that fit", hint="widen its draws; every value has to be above zero")

    def _worked_out(self, values: dict[str, Fraction]) -> tuple[list[str], Fraction] | None:
        """Work out what is given and the steps; None where a value is not above zero, or has too many decimals. Adds to `values` what is given."""
        for name, expression in self.given.items():
            value = _value(_filled(expression, values))
            if value is None or not self._fits(value):
                return None
            values[name] = value
        known, equations = dict(values), []
        value = None
        for n, expression in enumerate(self.steps, start=1):
            written = _filled(expression, known)
            value = _value(written)
            if value is None or not self._fits(value):
                return None
            known[f"s{n}"] = value
            equations.append(f"{written} = {number(value)}")
        if value is None or (self.unit == CLOCK and value >= DAY):
            return None
        return equations, value

    def _fits(self, value: Fraction) -> bool:
        return value > 0 and (value * 10**self.places).denominator == 1

    def _told(self, values: Mapping[str, Fraction], rng: random.Random, n_asides: int) -> str:
        a, b, c, d = rng.sample(NAMES, 4)
        people = {"A": a, "B": b, "C": c}
        sentences = [_shown(sentence, values, people) for sentence in self.text]
        for aside in rng.sample(ASIDES, n_asides):
            sentences.insert(rng.randint(1, len(sentences)), aside.replace("{D}", d).replace("{z}", str(rng.randint(3, 40))))
        return " ".join([*sentences, _shown(self.ask, values, people)])


def number(value: Fraction, *, money: bool = False) -> str:
    """Write a value as a decimal: whole numbers without a point, money with two places where it has cents."""
    if value.denominator == 1:
        return str(value.numerator)
    text = f"{float(value):.4f}".rstrip("0")
    return f"{float(value):.2f}" if money and len(text.partition(".")[2]) < 2 else text


def _drawn(rng: random.Random, bounds: Sequence[float]) -> Fraction:
    low, high, *rest = (Fraction(str(bound)) for bound in bounds)
    step = rest[0] if rest else Fraction(1)
    return low + step * rng.randint(0, int((high - low) / step))


def _filled(expression: str, values: Mapping[str, Fraction]) -> str:
    return _NAME.sub(lambda found: number(values[found[0]]), expression)


def _value(written: str) -> Fraction | None:
    try:
        return evaluate(written).value
    except Unparseable:
        return None


def _shown(text: str, values: Mapping[str, Fraction], people: Mapping[str, str]) -> str:
    def put(found: re.Match[str]) -> str:
        if found[1] in people:
            return people[found[1]]
        value = values[found[1]]
        return clock(int(value)) if found[2] else number(value, money=text[: found.start()].endswith("$"))

    return _PLACE.sub(put, text)


@lru_cache(maxsize=16)
def read_templates(path: Path) -> tuple[Template, ...]:
    """Read a file of templates.

    Raises:
        MissingAsset: it cannot be read.
        BadConfig: it is no file of templates; the message names the first that is wrong, and what of it.
    """
    hint = "see corpora/words/templates.toml for the form"
    try:
        told = parse_toml(ending(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingAsset(f"the templates {shorten(str(path), 200)} cannot be read: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise BadConfig(f"{shorten(str(path), 200)} is no TOML: {shorten(str(error), 200)}", hint=hint) from error
    rows = told.get("template")
    if not isinstance(rows, list) or not rows:
        raise BadConfig(f"{shorten(str(path), 200)} holds no [[template]]", hint=hint)
    found: list[Template] = []
    for n, row in enumerate(rows, start=1):
        try:
            found.append(Template.model_validate(row))
        except ValidationError as error:
            name = row.get("name", n) if isinstance(row, dict) else n
            raise BadConfig(
                f"{shorten(str(path), 200)}: template {shorten(str(name), 60)}: {shorten(why(error), 200)}", hint=hint
            ) from error
    names = [template.name for template in found]
    if (twice := next((name for name in names if names.count(name) > 1), None)) is not None:
        raise BadConfig(f"{shorten(str(path), 200)}: two templates are called {twice}", hint=hint)
    return tuple(found)
