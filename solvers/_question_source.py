"""What stands behind the colon of `question:`: a file, and options behind a question mark.

    Source.read("dev.csv?map=question=problem,answer=solution&reader=boxed")  ->  Source(path=dev.csv, options={"map": ..., "reader": ...})

The command line writes its flags (--map, --root, --strict, --grader, --reader, --recipe, --shots-from) into the name, so that a run's
manifest, its rows and everything that opens the problem again say the same. A file whose name has a question mark in it is found as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from reasoner.errors import BadConfig
from reasoner.grading import check_reader, grader
from reasoner.grading.judges import PREFIX, models_of
from solvers._question_recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

SHIPPED = "hazards"
"""The one set that comes along: `question:hazards`."""
OPTIONS = ("recipe", "root", "map", "grader", "reader", "strict", "shots_from")
FIELDS = (
    "question",
    "answer",
    "choices",
    "context",
    "pair",
    "direction",
    "aliases",
    "grader",
    "reader",
    "solution",
    "order",
    "rubric",
    "baseline",
)
"""What `map` may name on its left."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of questions and how it is to be read."""

    path: Path | None
    root: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    grader: str = ""
    reader: str = ""
    strict: bool = False
    shots_from: Path | None = None
    recipe: Recipe | None = None
    judge: str = ""
    """The judge of rows that ask for one, where the others have golds."""

    @classmethod
    def read(cls, text: str) -> Source:
        """Read a source.

        Raises:
            BadConfig: it names no file, or an option is unknown or has a value it cannot have.
        """
        name, mark, query = text.partition("?")
        if mark and Path(text).is_file():
            name, query = text, ""
        if not name.strip():
            raise BadConfig("question: names no file", hint="write question:FILE.jsonl, or question for the sample questions")
        options: dict[str, str] = {}
        for part in query.split("&") if query else ():
            key, equals, value = part.partition("=")
            if key not in OPTIONS or not equals:
                raise BadConfig(f"question:{name}: there is no option {part[:60]!r}", hint=f"known: {', '.join(OPTIONS)}")
            options[key] = unquote(value)
        if name == SHIPPED and not Path(name).exists():
            return cls._made(None, {"recipe": SHIPPED, **options})
        return cls._made(Path(name), options)

    @classmethod
    def _made(cls, path: Path | None, options: Mapping[str, str]) -> Source:
        recipe = None
        if "recipe" in options:
            if options["recipe"] not in RECIPES:
                raise BadConfig(f"there is no recipe {options['recipe'][:60]!r}", hint=f"known: {', '.join(RECIPES)}")
            recipe = RECIPES[options["recipe"]]
        chosen = {name: options.get(name) or (getattr(recipe, name) if recipe else "") for name in ("root", "map", "grader", "reader")}
        if chosen["grader"].startswith(PREFIX):
            models_of(chosen["grader"])
        elif chosen["grader"]:
            grader(chosen["grader"])
        if chosen["reader"]:
            check_reader(chosen["reader"])
        shots = options.get("shots_from", "")
        return cls(
            path, chosen["root"], mapping(chosen["map"]), chosen["grader"], chosen["reader"], options.get("strict", "") in {"1", "true", "yes"},
            Path(shots) if shots else None, recipe,
        )  # fmt: skip


def mapping(text: str) -> dict[str, str]:
    """Read `question=problem,answer=solution`: our name on the left, the file's column on the right.

    Raises:
        BadConfig: it is not written so, or names a field that questions do not have.
    """
    made: dict[str, str] = {}
    for part in text.split(",") if text else ():
        ours, equals, theirs = part.partition("=")
        if not equals or not theirs.strip():
            raise BadConfig(f"--map {part[:60]!r} is not FIELD=COLUMN", hint="write --map question=problem,answer=solution")
        if ours.strip() not in FIELDS:
            raise BadConfig(f"--map: questions have no field {ours.strip()[:40]!r}", hint=f"they have: {', '.join(FIELDS)}")
        made[ours.strip()] = theirs.strip()
    return made


def with_options(name: str, options: Mapping[str, str]) -> str:
    """Return the name of a family with options added to its source: `question:a.csv` and {"root": "data"} is `question:a.csv?root=data`."""
    told = "&".join(f"{key}={quote(value, safe=',=:/. -_')}" for key, value in options.items() if value)
    return name + ("&" if "?" in name else "?") + told if told else name
