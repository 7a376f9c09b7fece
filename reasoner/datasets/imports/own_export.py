"""Rows that `reasoner export` wrote, with their lineage in a column or in the file beside: the same trajectories again.

A row gets its run, trajectory and call ids back, so that exporting it again gives the same bytes. Verdicts are given anew.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner import registry
from reasoner.datasets.imports._problems import of_lineage, solver_of
from reasoner.datasets.imports._seam import Importer, Unusable
from reasoner.datasets.lineage import level_of
from reasoner.datasets.records import Group, Label, Origin, Pair, Prompt, Record, Steps
from reasoner.datasets.thinking import from_tags, untagged
from reasoner.errors import DataError, UsageError
from reasoner.store.annotations import said_in
from reasoner.store.imports import ReadCall, ReadTrajectory
from reasoner.text import storable
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.datasets.records import Kind

GUESSES = (
    ("rewards", "grouped"), ("reward_model", "verl"), ("reference_answer", "rft"), ("subset", "rewardbench"), ("response", "helpsteer"),
    ("response_1", "helpsteer"), ("question", "prm800k"), ("input", "math-shepherd"), ("completions", "prm"), ("preferred_output", "openai-dpo"), ("conversations", "llama-factory"), ("messages", "axolotl"), ("label", "kto"),
    ("chosen", "dpo"), ("text", "harmony"), ("completion", "prompt-completion"), ("instruction", "alpaca"), ("prompt", "grpo"),
)  # fmt: skip
"""A column that only rows of a format have, and a format that reads such rows."""
COLUMNS = {"rating", "reason", "context", "scores", "chosen_rating", "rejected_rating", "chosen_reason", "rejected_reason"}
_WRITTEN = {"reply", "completion", "chosen", "rejected"}


class OwnExport(Importer):
    """Rows with a lineage."""

    name: ClassVar[str] = "own-export"
    summary: ClassVar[str] = "rows that reasoner export wrote, in any of its formats"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by its lineage."""
        return 95 if lineage_of(row) is not None and "schema_version" not in row and format_of(row) else 0

    def read(self, row: dict[str, Any]) -> Iterator[ReadTrajectory | Record]:
        """Read the row in the format its columns tell."""
        lineage = lineage_of(row) or {}
        try:
            read = _format(format_of(row)).read(row)
            parts: dict[str, Any] = {name: _plain(value, lineage, name) if name in _WRITTEN else value for name, value in read.items()}
            if "messages" in parts:
                parts["messages"] = tuple(_before(m, lineage) for m in parts["messages"])
            yield _conversation(parts, lineage) if "reply" in parts else _record(row, parts, lineage)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unusable("it has a lineage, and does not hold what reasoner writes") from error
        except Unusable:
            raise
        except (DataError, UsageError) as error:
            raise Unusable(str(error)) from error


def lineage_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the lineage a row carries itself, None where it has none."""
    extra = row.get("extra")
    found = row.get("lineage", extra.get("lineage") if isinstance(extra, dict) else None)
    return found if isinstance(found, dict) and isinstance(found.get("trajectory"), str) else None


def format_of(row: Mapping[str, Any]) -> str:
    """Return a format that reads rows of these columns, empty where none does."""
    if isinstance(row.get("input"), str) and "task" not in row:
        return "alpaca"
    if isinstance(row.get("input"), dict):
        return "openai-dpo"
    return next((name for column, name in GUESSES if column in row), "")


def _plain(turn: Message | str, lineage: Mapping[str, Any], name: str) -> Message:
    """Return a reply as it was before it was written: its own thought apart, a part that was divided off back in its text."""
    turn = turn if isinstance(turn, Message) else Message("assistant", turn)
    found = lineage.get("rejected") if name == "rejected" else lineage
    side: Mapping[str, Any] = found if isinstance(found, dict) else {}
    if side.get("reasoning"):
        return turn if turn.reasoning else _apart(turn)
    if "divided" not in side:  # of an earlier version, which did not say where it divided
        text = f"{turn.reasoning}\n{turn.content}" if turn.reasoning else untagged(turn.content)
        return Message(turn.role, text, tool_calls=turn.tool_calls)
    if not side["divided"]:
        return turn
    thought, text = (turn.reasoning, turn.content) if turn.reasoning else from_tags(turn.content)
    return Message(turn.role, f"{thought}{side['divided']}{text}" if thought else text, tool_calls=turn.tool_calls)


def _before(turn: Message, lineage: Mapping[str, Any]) -> Message:
    return _apart(turn) if turn.role == "assistant" and not turn.reasoning and lineage.get("reasoning") else turn


def _apart(turn: Message) -> Message:
    thought, text = from_tags(turn.content)
    return Message(turn.role, text, thought, turn.tool_calls, tool_call_id=turn.tool_call_id, images=turn.images)


def _conversation(parts: dict[str, Any], lineage: dict[str, Any]) -> ReadTrajectory:
    turn: Message = parts["reply"]
    reply = storable(turn.content)
    answer = storable(str(lineage.get("answer") or reply))  # an agent's stands in the call of a tool
    problem, verdict = of_lineage(lineage, answer)
    call = ReadCall(
        str(lineage["calls"][-1]), parts["messages"], reply, {"model": str(lineage["model"])}, turn.parts(), tuple(parts.get("tools") or ())
    )
    return ReadTrajectory(
        str(lineage["run"]), str(lineage["trajectory"]), problem, str(lineage["strategy"]), str(lineage["model"]),
        problem_id=str(lineage["problem"]), verdict=verdict, answer=answer, calls=[call], note={"lineage": json.dumps(lineage)},
        # More calls than are here: the lineage is then read from the note, not made from the calls.
        columns={"calls": len(lineage["calls"])}, annotation=said_in(lineage),
    )  # fmt: skip


def _record(row: dict[str, Any], parts: dict[str, Any], lineage: dict[str, Any]) -> Record:
    """Return a preference, label, chain of steps or prompt as it is."""
    _, cls = kind_of(parts)
    sides = [lineage, lineage["rejected"]] if isinstance(lineage.get("rejected"), dict) else [lineage]
    name, line = str(lineage["solver"]), str(lineage["instance"])
    origin = Origin(name, _family(name, line), level_of(lineage), _names(sides, "model"), _names(sides, "strategy"))
    thoughts = {"completion": "thinking", "chosen": "chosen_thinking", "rejected": "rejected_thinking"}
    for part, thought in thoughts.items():
        if isinstance(turn := parts.get(part), Message):
            parts[part] = turn.content
            parts[thought] = turn.reasoning
    if "texts" in parts and lineage.get("reasoning"):
        both = [(thought, text) if thought else from_tags(text) for thought, text in zip(parts["thoughts"], parts["texts"], strict=True)]
        parts["thoughts"], parts["texts"] = [one[0] for one in both], [one[1] for one in both]
    columns = {column: value for column, value in row.items() if column in COLUMNS}
    made: Record = cls(origin, lineage, **{name: value for name, value in parts.items() if name != "tools"}, columns=columns)
    return made


def kind_of(parts: Mapping[str, Any]) -> tuple[Kind, type[Any]]:
    """Return the kind of record that has these parts."""
    if "chosen" in parts:
        return "pair", Pair
    if "rewards" in parts:
        return "group", Group
    if "completions" in parts:
        return "steps", Steps
    return ("label", Label) if "label" in parts else ("prompt", Prompt)


def _family(name: str, line: str) -> str:
    from reasoner.datasets.select import stable  # noqa: PLC0415 - it needs what is imported

    solver = solver_of(name)
    try:
        return line if solver is None else stable(solver.family(solver.parse(line)))
    except UsageError:
        return line


@lru_cache(maxsize=16)
def _format(name: str) -> Any:
    return registry.find("format", name)()


def _names(sides: list[Any], what: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(side[what]) for side in sides))
