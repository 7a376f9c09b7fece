"""Options that say how a file of questions is read and judged; they become part of the family's name, and so of the run's manifest.

reasoner bench question:dev.csv --map question=problem,answer=solution --grader math
is  reasoner bench 'question:dev.csv?map=question=problem,answer=solution&grader=math'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from reasoner.cli import options
from reasoner.cli.output import say
from reasoner.errors import BadConfig

R = TypeVar("R")

MAX_N = 1_000_000

Map = Annotated[
    str | None, typer.Option("--map", metavar="FIELD=COLUMN,...", help="What the columns of a question file are.", show_default=False)
]
Root = Annotated[str | None, typer.Option("--root", help="Path of the rows in a JSON object: data.examples.", show_default=False)]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a question file with a row that cannot be used.")]
GraderName = Annotated[
    str | None, typer.Option("--grader", help="How answers to questions are judged, see docs/reference/grading.md.", show_default=False)
]
ReaderName = Annotated[
    str | None, typer.Option("--reader", help="How answers are found in texts, see docs/reference/grading.md.", show_default=False)
]
RecipeName = Annotated[
    str | None,
    typer.Option("--recipe", help="Read and judge as a published benchmark does, see 'reasoner list benchmarks'.", show_default=False),
]
By = Annotated[str | None, typer.Option("--by", help="Report by these columns of the file: subject,level.", show_default=False)]
Shots = Annotated[int, typer.Option("--shots", min=0, max=64, help="Worked examples, for every strategy that shows some.")]
ShotsFrom = Annotated[str | None, typer.Option("--shots-from", help="The question file they are taken from.", show_default=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The options; a field is an option of the same name."""

    map: Map = None
    root: Root = None
    strict: Strict = False
    grader: GraderName = None
    reader: ReaderName = None
    recipe: RecipeName = None
    by: By = None
    shots: Shots = 0
    shots_from: ShotsFrom = None

    def names(self, solvers: Sequence[str], *, quiet: bool = False) -> list[str]:
        """Return the names of the families with the options in them, and say which rows of their files are left out.

        Raises:
            BadConfig: options are given and no family takes them, or a file cannot be read so.
        """
        from reasoner import registry  # noqa: PLC0415 - only commands that run need these
        from reasoner.grading.trust import trust  # noqa: PLC0415

        told = {name: str(value) for name in ("recipe", "root", "map", "grader", "reader", "shots_from") if (value := getattr(self, name))}
        if self.strict:
            told["strict"] = "1"
        made = [_with_options(name, told) for name in solvers]
        if told and all(name.partition(":")[0] != "question" for name in solvers):
            flags = ", ".join("--" + name.replace("_", "-") for name in told)
            raise BadConfig(f"{flags}: none of {', '.join(solvers)} reads a question file", hint="write question:FILE")
        for name in made:
            _trust(name, trust)
            for remark in () if quiet else registry.solver(name).remarks():
                say(remark)
        return made

    def columns(self, names: Sequence[str]) -> list[str]:
        """Return the columns to report by: those of `--by`, else those of a recipe."""
        from reasoner import registry  # noqa: PLC0415 - only commands that run need these

        told = self.by or next((by for name in names if (by := getattr(registry.solver(name), "report_by", ""))), "")
        return [column.strip() for column in told.split(",") if column.strip()]


def _with_options(name: str, options: dict[str, str]) -> str:
    from urllib.parse import quote  # noqa: PLC0415

    if name.partition(":")[0] != "question" or not options:
        return name
    if ":" not in name:
        raise BadConfig("--map and its like belong to a question file, and none is named", hint="write question:FILE")
    told = "&".join(f"{key}={quote(value, safe=',=:/. -_')}" for key, value in options.items())
    return name + ("&" if "?" in name else "?") + told


def _trust(name: str, trust: Callable[[str], None]) -> None:
    """Let a grader run that was named on the command line."""
    from urllib.parse import unquote  # noqa: PLC0415

    for part in name.partition("?")[2].split("&"):
        key, _, value = part.partition("=")
        if key == "grader":
            trust(unquote(value))


def count(text: str) -> int | None:
    """Read `-n`: a number, or `all`, which is None.

    Raises:
        BadConfig: it is neither.
    """
    if text == "all":
        return None
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_N:
        raise BadConfig(f"-n {text[:40]!r}: it is a number between 1 and {MAX_N}, or all", hint="-n all takes every row of a file")
    return int(text[:9])


def expanded(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command whose parameter `questions` is a `Questions` one option for each of its fields, in its place."""
    return options.expanded(command, group=Questions, named="questions")
