"""Rows of an unknown kind, read as `--map` says: `prompt=question,reply=model_output,rating=scores.0`.

What a map does not name is kept with the row. With `solver` and `problem` (or `--solver`) the answers are verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.datasets.records import Record

PARTS = (
    "messages",
    "system",
    "prompt",
    "reply",
    "reasoning",
    "model",
    "agent",
    "chosen",
    "rejected",
    "completion",
    "label",
    "solver",
    "problem",
    "usage",
    "tools",
)


def parse_map(text: str) -> dict[str, str]:
    """Read `part=column,part=column`; a column may be a path of names and numbers joined by points.

    Raises:
        BadConfig: it cannot be read, or names a part there is not.
    """
    made: dict[str, str] = {}
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        part, sign, column = piece.partition("=")
        if not sign or not column or part not in PARTS:
            raise BadConfig(f"the map {piece!r} cannot be read", hint=f"write part=column; parts are: {', '.join(PARTS)}")
        made[part] = column
    if made and not {"messages", "reply", "completion", "chosen"} & set(made):
        raise BadConfig("the map names no reply", hint="name the column of reply, messages, completion, or chosen and rejected")
    return made


class Mapped(Importer):
    """Rows whose columns the user names."""

    name: ClassVar[str] = "mapped"
    summary: ClassVar[str] = "rows of any columns, named by --map"

    def __init__(self, columns: Mapping[str, str], solver: str = "") -> None:
        super().__init__()
        self._columns = columns
        self._solver = solver

    def finds(self, row: Mapping[str, Any]) -> int:
        """Take every row."""
        return 1 if row else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript | Record]:
        """Read the row by its columns."""
        found = {part: row[column] if column in row else v.at(row, column) for part, column in self._columns.items()}
        model = v.text(found.get("model"))
        left = v.facts(row, but={column.partition(".")[0] for column in self._columns.values()})
        asked = self._asked(found)
        if "chosen" in self._columns:
            yield v.pair(asked, v.one_reply(found.get("chosen")), v.one_reply(found.get("rejected")), model=model)
            return
        if "completion" in self._columns:
            good = found.get("label")
            if not isinstance(good, bool) and good not in (0, 1):
                raise Unusable("the label is neither true nor false")
            yield v.label(asked, v.one_reply(found.get("completion")), good=bool(good), model=model)
            return
        if "reply" in self._columns:
            if not found.get("reply"):
                raise Unusable("there is no reply")
            reply = v.one_reply(found["reply"])
            if found.get("reasoning"):
                reply = v.with_thought(reply, v.text(found["reasoning"]))
            asked = [*asked, reply]
        whole, _ = v.cut_at_reply(asked)
        usage, bad = v.usage(v.parsed(found.get("usage")))
        name, line = v.text(found.get("solver")) or self._solver, v.text(found.get("problem"))
        yield Transcript(
            whole, model=model, agent=v.text(found.get("agent")), calls={len(whole) - 1: usage}, tools=v.tools(found.get("tools")), facts=left,
            problem=(name, line) if name and line else None, n_bad_usage=bad,
        )  # fmt: skip

    @staticmethod
    def _asked(found: Mapping[str, Any]) -> list[Any]:
        if found.get("messages") is not None:
            return v.prompt(found["messages"], found.get("system"))
        return v.prompt(found.get("prompt"), found.get("system"))
