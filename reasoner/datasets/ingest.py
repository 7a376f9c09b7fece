"""Import: read a file of rows into a store, where they can be looked at, verified, filtered and exported like what was searched there.

    read_file(store, Path("train.jsonl")) -> Imported(rows=118, taken=118, skipped={})

Reads OpenAI-style messages, ATIF, and every format `reasoner export` writes, with lineage in a column, inside, or in the file beside. A
row of our own gets its run, trajectory and call ids back, so that exporting it again gives the same bytes. Where the solver is installed,
answers are verified on the way in; rows of other origin have no verdict (`reasoner export … --verdict any` takes them). Knows rows and
the store; everything in a file is text to be kept, never to be believed: a file's verdicts are not taken over.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.datasets import atif_in
from reasoner.datasets.export import sidecar
from reasoner.datasets.records import Label, Origin, Pair, Prompt, Record, Steps, to_json
from reasoner.datasets.thinking import untagged
from reasoner.errors import CorruptRecord, DataError, UsageError
from reasoner.runs.problems import problem_from_instance
from reasoner.store.imports import ReadCall, ReadTrajectory, put
from reasoner.text import MAX_REPLY_CHARS, shorten, storable
from reasoner.types import Problem, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reasoner.datasets.formats import Format
    from reasoner.datasets.records import Kind
    from reasoner.store import Store

BATCH = 200
FOREIGN = "imported"
"""What stands for solver and strategy of a row that names none."""
GUESSES = (
    ("schema_version", "atif"), ("completions", "prm"), ("preferred_output", "openai-dpo"), ("conversations", "llama-factory"),
    ("messages", "axolotl"), ("label", "kto"), ("chosen", "dpo"), ("completion", "prompt-completion"), ("instruction", "alpaca"), ("prompt", "grpo"),
)  # fmt: skip
"""A column that only rows of a format have, and a format that reads such rows."""
_WRITTEN = {"reply", "completion", "chosen", "rejected"}
"""Parts a model wrote, which may have been divided into thinking and answer."""


@dataclass(slots=True)
class Imported:
    """What came of an import."""

    rows: int = 0
    taken: int = 0
    skipped: dict[str, int] = field(default_factory=dict)


def read_file(store: Store, path: Path, *, format_name: str = "", command: str = "") -> Imported:
    """Read a file of JSON lines into a store; without a format's name, the columns of the first row tell it.

    Raises:
        DataError: the file cannot be read.
        CorruptRecord: a line is not what its format says; what stood before it is kept, and the same command goes on.
    """
    result = Imported()
    source = _checksum(path)
    batch: list[ReadTrajectory] = []

    def flush() -> None:
        made = [*batch]
        batch.clear()
        taken = store.write_now(lambda c: sum(put(c, read, source=source, command=command) for read in made))
        result.taken += taken
        if len(made) - taken:
            result.skipped["it is in the store already"] = result.skipped.get("it is in the store already", 0) + len(made) - taken

    try:
        for number, row, lineage in _rows(path):
            result.rows += 1
            format_name = format_name or _guess(row, path, number)
            try:
                batch.append(_read(row, lineage, format_name, source=source, number=number))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise CorruptRecord(
                    path, number, f"no row of format {format_name}: {type(error).__name__} {shorten(str(error), 80)}"
                ) from error
            except (DataError, UsageError) as error:
                raise CorruptRecord(path, number, str(error)) from error
            if len(batch) >= BATCH:
                flush()
    finally:
        flush()
    return result


def _checksum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", hint="name a file of JSON lines") from error


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any], dict[str, Any] | None]]:
    """Yield (line, row, lineage)."""
    beside = sidecar(path)
    with path.open("rb") as file:
        lineages = beside.open("rb") if beside.is_file() else None
        try:
            for number, line in enumerate(file, start=1):
                lineage = json.loads(lineages.readline() or b"null") if lineages else None
                if line.strip():
                    row = _json(line, path, number)
                    yield number, row, lineage_of(row) or lineage
        finally:
            if lineages:
                lineages.close()


def _json(line: bytes, path: Path, number: int) -> dict[str, Any]:
    if len(line) > 8 * MAX_REPLY_CHARS:
        raise CorruptRecord(path, number, f"the line has {len(line)} bytes")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorruptRecord(path, number, f"no JSON: {error}") from error
    if not isinstance(row, dict):
        raise CorruptRecord(path, number, "no JSON object")
    return row


def lineage_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the lineage a row carries itself, None where it has none."""
    extra = row.get("extra")
    found = row.get("lineage", extra.get("lineage") if isinstance(extra, dict) else None)
    return found if isinstance(found, dict) and isinstance(found.get("trajectory"), str) else None


def _guess(row: Mapping[str, Any], path: Path, number: int) -> str:
    found = next((name for column, name in GUESSES if column in row), None)
    if found is None:
        raise CorruptRecord(path, number, f"its columns ({', '.join(map(str, row))[:120]}) are those of no known format")
    return found


def _read(row: dict[str, Any], lineage: dict[str, Any] | None, format_name: str, *, source: str, number: int) -> ReadTrajectory:
    if format_name == "atif":
        return atif_in.read(row, source=source)
    made = _format(format_name)
    parts = {name: untagged(value) if name in _WRITTEN and lineage else value for name, value in made.read(row).items()}
    if "reply" in parts:
        return _conversation(parts, lineage, source=source, number=number)
    return _stored(row, parts, lineage, source=source, number=number)


def _conversation(parts: dict[str, Any], lineage: dict[str, Any] | None, *, source: str, number: int) -> ReadTrajectory:
    messages, reply = parts["messages"], storable(parts["reply"])
    if lineage is None:
        line = shorten(messages[-1].content, 200)
        problem = Problem(FOREIGN, canonical_json([[m.role, m.content] for m in messages]), line)
        place = digest(source, str(number))
        return ReadTrajectory(
            digest(source)[:12],
            place[:16],
            problem,
            FOREIGN,
            FOREIGN,
            answer=reply,
            calls=[ReadCall(digest(place, "call"), messages, reply)],
        )
    problem, verdict = _problem(lineage, reply)
    calls = [ReadCall(str(lineage["calls"][-1]), messages, reply, {"model": str(lineage["model"])})]
    note = {"lineage": json.dumps(lineage)}
    return ReadTrajectory(
        str(lineage["run"]), str(lineage["trajectory"]), problem, str(lineage["strategy"]), str(lineage["model"]),
        problem_id=str(lineage["problem"]), verdict=verdict, answer=reply, calls=calls, note=note,
        # More calls than are here: the lineage is then read from the note, not made from the calls.
        columns={"calls": len(lineage["calls"])},
    )  # fmt: skip


def _problem(lineage: Mapping[str, Any], answer: str | None) -> tuple[Problem, Any]:
    """Return the problem a lineage names, and what its verifier says of an answer, if the solver is installed."""
    name, line, level = str(lineage["solver"]), str(lineage["instance"]), lineage.get("level")
    solver = _solver(name)
    try:
        instance = None if solver is None else solver.parse(line)
    except UsageError:
        instance = None
    if solver is None or instance is None:
        return Problem(name, canonical_json({"line": line}), line, level), None
    return problem_from_instance(solver, instance, level), None if answer is None else solver.verify(instance, answer)


def _stored(row: dict[str, Any], parts: dict[str, Any], lineage: dict[str, Any] | None, *, source: str, number: int) -> ReadTrajectory:
    """Keep a preference, label, chain of steps or prompt as it is, on a trajectory of its own."""
    if lineage is None:
        raise DataError(
            "it has no lineage, so nothing says which problem it is about", hint="only conversations of other origin can be imported"
        )
    kind, cls = _kind_of(parts)
    sides = [lineage, lineage["rejected"]] if isinstance(lineage.get("rejected"), dict) else [lineage]
    solver, line = str(lineage["solver"]), str(lineage["instance"])
    problem, _ = _problem(lineage, None)
    origin = Origin(solver, _family(solver, line), lineage.get("level"), _names(sides, "model"), _names(sides, "strategy"))
    known = {"rating", "reason", "context", "scores", "chosen_rating", "rejected_rating", "chosen_reason", "rejected_reason"}
    record: Record = cls(origin, lineage, **parts, columns={name: value for name, value in row.items() if name in known})
    text = to_json(record, kind)
    return ReadTrajectory(
        digest(source)[:12], digest(source, str(number), text)[:16], problem, origin.strategies[0], origin.models[0], problem_id=str(lineage["problem"]),
        note={"kind": kind, "record": text},
    )  # fmt: skip


def _kind_of(parts: Mapping[str, Any]) -> tuple[Kind, type[Any]]:
    if "chosen" in parts:
        return "pair", Pair
    if "completions" in parts:
        return "steps", Steps
    return ("label", Label) if "label" in parts else ("prompt", Prompt)


def _family(name: str, line: str) -> str:
    from reasoner.datasets.select import stable  # noqa: PLC0415

    solver = _solver(name)
    try:
        return line if solver is None else stable(solver.family(solver.parse(line)))
    except UsageError:
        return line


@lru_cache(maxsize=16)
def _format(name: str) -> Format:
    made: Format = registry.find("format", name)()
    return made


@lru_cache(maxsize=256)
def _solver(name: str) -> Any:
    """Return a solver, None when it is not installed; a file names the same few again and again."""
    try:
        return registry.solver(name)
    except UsageError:
        return None


def _names(sides: list[Any], what: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(side[what]) for side in sides))
