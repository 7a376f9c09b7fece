"""Graders: each compares an answer with golds, one file a grader, named as the file is.

    grader("number:0.01").judge("$18", ["18 dollars"])  ->  Verdict(correct=True, ...)

A grader gives a verdict, and one text for all spellings of an answer (`canonical`), so that votes count answers. Where equality is no text
form, `same` says whether two answers are one. No grader raises on any text, and none accepts because something was deleted.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Self

from reasoner.errors import BadConfig
from reasoner.text import clean, shorten
from reasoner.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REASON_CHARS = 200
MAX_SHOWN_CHARS = 40


class Grader(ABC):
    """Compares answers with golds. `spec` is the whole name it was opened by."""

    name: ClassVar[str]
    summary: ClassVar[str]
    argument: ClassVar[str] = ""
    """What is written behind the colon of its name, in capitals; in square brackets where it may be left out."""
    reader: ClassVar[str] = "auto"
    """The reader that suits it where none is named."""
    trusted: ClassVar[bool] = True
    """False for one that runs code or calls a model: it is chosen by a person, never by a file of data."""
    slow: bool = False
    """Whether it asks the judging process, and may take seconds."""

    def __init__(self, spec: str) -> None:
        self.spec = spec

    @classmethod
    def open(cls, argument: str) -> Self:
        """Make the grader of `NAME:ARGUMENT`.

        Raises:
            BadConfig: the argument cannot be used.
        """
        if argument:
            raise BadConfig(
                f"the grader {cls.name} takes nothing behind a colon, and {argument[:80]!r} was given", hint=f"write {cls.name}"
            )
        return cls(cls.name)

    def check(self, golds: Sequence[str]) -> str:  # noqa: ARG002 - for those that need golds of a form
        """Say in one line why it cannot compare with these golds; empty where it can."""
        return ""

    @abstractmethod
    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:
        """Judge an answer; right where it is one of the golds. `choices` are those shown, where there are any."""

    @abstractmethod
    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:
        """Return one text for all spellings of an answer. Two answers that differ stay different, whether right or wrong."""

    def same(self, one: str, other: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> bool:
        """Tell whether two answers are one."""
        return self.canonical(one, golds, choices=choices) == self.canonical(other, golds, choices=choices)


def grader_names() -> list[str]:
    """Return the names of all graders, sorted."""
    return sorted(module.name.rstrip("_") for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def grader_class(name: str) -> type[Grader]:
    """Return the class of a grader.

    Raises:
        BadConfig: there is none of that name.
    """
    if name not in grader_names():
        raise BadConfig(f"unknown grader {name[:80]!r}", hint=f"known: {', '.join([*grader_names(), 'judge:MODEL'])}")
    module = importlib.import_module(f"{__name__}.{name}_" if name in {"any", "math"} else f"{__name__}.{name}")
    found: type[Grader] = module.GRADER
    return found


@cache
def grader(spec: str) -> Grader:
    """Return a grader by its name, `NAME` or `NAME:ARGUMENT`.

    Raises:
        BadConfig: there is none of that name, or its argument cannot be used.
    """
    name, _, argument = spec.partition(":")
    return grader_class(name).open(argument)


def right(reason: str, **metrics: float) -> Verdict:
    """Return the verdict of a right answer."""
    return Verdict(correct=True, score=1.0, reason=_line(reason), metrics=metrics)


def wrong(reason: str, **metrics: float) -> Verdict:
    """Return the verdict of an answer that was read and is not right."""
    return Verdict(correct=False, score=0.0, reason=_line(reason), metrics=metrics)


def unread(reason: str) -> Verdict:
    """Return the verdict of a text in which no answer of the demanded form was found."""
    return Verdict(correct=False, score=0.0, reason=_line(reason), unparsed=True)


def unjudged(reason: str, **metrics: float) -> Verdict:
    """Return the verdict of an answer that could not be judged; it counts as neither right nor wrong."""
    return Verdict(correct=None, score=0.0, reason=_line(reason), metrics=metrics)


def shown(text: str) -> str:
    """Quote a piece of a text for a reason: one line, at most 40 characters."""
    return f"'{shorten(clean(text), MAX_SHOWN_CHARS)}'"


def _line(reason: str) -> str:
    return shorten(clean(reason), MAX_REASON_CHARS) or "judged"
