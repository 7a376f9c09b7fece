"""Take files of logs into a store: find the kind of each row, read it, count what cannot be used, store the rest.

A row's place in its file makes its ids, so that the same file taken twice is taken once.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.datasets.imports._columns import checked
from reasoner.datasets.imports._files import PROBED, files_of, rows_of
from reasoner.datasets.imports._mapped import Mapped, parse_map
from reasoner.datasets.imports._problems import named, of_lineage
from reasoner.datasets.imports._seam import IMPORTED, Context, Importer, NoRequest, Transcript, Unusable
from reasoner.datasets.records import Group, Label, Pair, Prompt, Record, Steps, to_json
from reasoner.errors import CorruptRecord, DataError, UsageError
from reasoner.files.devices import ending
from reasoner.store.annotations import said_in
from reasoner.store.imports import ReadCall, ReadTrajectory, put
from reasoner.text import shorten, storable
from reasoner.types import Message, Problem, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reasoner.datasets.records import Kind
    from reasoner.store import Store

BATCH = 200
MAX_FACTS_CHARS = 1 << 20
NO_KIND = "its columns are those of no known kind (--map names them)"
THERE = "it is in the store already"
KINDS: tuple[tuple[type[Record], Kind], ...] = ((Pair, "pair"), (Label, "label"), (Steps, "steps"), (Prompt, "prompt"), (Group, "group"))


@dataclass(slots=True)
class Imported:
    """What came of an import: rows met, trajectories taken, and why the others were not."""

    rows: int = 0
    taken: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """By reason, where the first row of it stands."""
    kinds: Counter[str] = field(default_factory=Counter)
    verified: int = 0
    bad_usage: int = 0
    """Counts of tokens or dollars that could not be right and were left out of rows that were taken."""

    def skip(self, reason: str, place: str, n: int = 1) -> None:
        """Count a row that is not taken."""
        self.skipped[reason] = self.skipped.get(reason, 0) + n
        self.places.setdefault(reason, place)


def read_path(
    store: Store,
    path: Path,
    *,
    kind: str = "",
    columns: str = "",
    root: str = "",
    solver: str = "",
    strict: bool = False,
    command: str = "",
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Read a file or a folder of logs into a store.

    Args:
        store: where to.
        path: a file, or a folder whose data files are read in the order of their names.
        kind: name of an importer, or of a dataset format; found by what rows hold otherwise.
        columns: what stands in which column, for rows of no known kind (see `reasoner.datasets.imports._mapped`).
        root: place of the list of rows in a JSON object.
        solver: the family the rows' problems are of, with a column `problem` in the map.
        strict: refuse the first row that cannot be used instead of counting it.
        command: what the run is said to come from.
        progress: told how many rows have been read.

    Raises:
        DataError: there is no such file, or it cannot be read.
        CorruptRecord: with `strict`, a row cannot be used; what stood before it is kept.
        UnknownName: there is no such kind.
        BadConfig: the map cannot be read.
    """
    return _Intake(
        store, kind=kind, columns=parse_map(columns), root=root, solver=solver, strict=strict, command=command, progress=progress
    ).read(path)


class _Intake:
    """One import."""

    def __init__(
        self, store: Store, *, kind: str, columns: Mapping[str, str], root: str, solver: str, strict: bool, command: str, progress: Callable[[int], None] | None
    ) -> None:  # fmt: skip
        self._store, self._root, self._strict, self._command = store, root, strict, command
        self._progress = progress
        context = Context()
        self._importers = [Mapped(columns, solver)] if columns else _importers(kind, context)
        self._forced = bool(kind) or bool(columns)
        self._result = Imported()
        self._batch: list[ReadTrajectory] = []
        self._late: list[tuple[Path, str, str, Importer, dict[str, Any]]] = []
        self._source = ""

    def read(self, path: Path) -> Imported:
        """Read all files; answers whose requests came later are read at the end."""
        try:
            for file in files_of(path):
                self._file(file)
            for file, source, place, importer, row in self._late:
                self._source = source
                self._row(file, place, importer, row, last=True)
        finally:
            self._flush()
        return self._result

    def _file(self, path: Path) -> None:
        self._flush()
        self._source = _checksum(path)

        def fault(place: str, why: str) -> None:
            self._result.rows += 1
            self._skip(path, place, why)

        rows = rows_of(path, self._importers, root=self._root, fault=fault)
        probed: list[tuple[str, dict[str, Any]]] = []
        try:
            for one in rows:
                probed.append(one)
                if len(probed) >= PROBED:
                    break
            whole = next((found for _, row in probed if (found := self._importer(row)) is not None and found.session), None)
            if whole is not None:
                every = [row for _, row in (*probed, *rows)]
                self._result.rows += 1
                self._row(path, "line 1", whole, {"rows": every})
                return
            for place, row in (*probed, *()):
                self._met(path, place, row)
            for place, row in rows:
                self._met(path, place, row)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}", hint="name a file of rows") from error

    def _met(self, path: Path, place: str, row: dict[str, Any]) -> None:
        self._result.rows += 1
        if self._progress is not None and self._result.rows % 500 == 0:
            self._progress(self._result.rows)
        importer = self._importer(row)
        if importer is None:
            self._skip(path, place, NO_KIND)
        else:
            self._row(path, place, importer, {"rows": [row]} if importer.session else row)

    def _importer(self, row: dict[str, Any]) -> Importer | None:
        """Return the surest importer of a row."""
        if self._forced:
            return self._importers[0]
        best = max(self._importers, key=lambda one: one.finds(row))
        return best if best.finds(row) else None

    def _row(self, path: Path, place: str, importer: Importer, row: dict[str, Any], *, last: bool = False) -> None:
        try:
            found = [checked(self._stored(one, f"{place} {n}", importer.name)) for n, one in enumerate(importer.read(row))]
        except NoRequest as error:
            if last or importer.name != "openai-batch":
                self._skip(path, place, str(error))
            else:
                self._late.append((path, self._source, place, importer, row))
            return
        except (DataError, UsageError) as error:
            self._skip(path, place, str(error))
            return
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
            # A row may be wrong in more ways than an importer foresees; none of them may stop the others.
            self._skip(path, place, f"it is not a row of kind {importer.name} ({type(error).__name__})")
            return
        self._batch += found
        self._result.kinds[importer.name] += len(found)
        if len(self._batch) >= BATCH:
            self._flush()

    def _skip(self, path: Path, place: str, why: str) -> None:
        if self._strict:
            self._flush()
            line = int(place.split()[1]) if place.startswith("line ") and place.split()[1].isdecimal() else 1
            raise CorruptRecord(path, line, why)
        self._result.skip(why, f"{path.name}, {place}")

    def _flush(self) -> None:
        made, source = [*self._batch], self._source
        self._batch.clear()
        if not made:
            return
        taken = self._store.write_now(lambda c: [put(c, read, source=source, command=self._command) for read in made])
        self._result.taken += sum(taken)
        self._result.verified += sum(read.verdict is not None for read, new in zip(made, taken, strict=True) if new)
        if len(made) > sum(taken):
            self._result.skip(THERE, "", len(made) - sum(taken))

    def _stored(self, found: Transcript | Record | ReadTrajectory, place: str, kind: str) -> ReadTrajectory:
        """Return what is stored of a thing that was read."""
        if isinstance(found, ReadTrajectory):
            return found
        if isinstance(found, Transcript):
            self._result.bad_usage += found.n_bad_usage
            return _transcript(found, self._source, place, kind)
        return _record(found, self._source, place)


def _importers(kind: str, context: Context) -> list[Importer]:
    """Return the importers by name, or those a name stands for: an importer, or a dataset format that reads its own rows."""
    if kind and kind not in registry.names("importer") and kind in registry.names("format"):
        return [_OfFormat(kind)]
    return [registry.find("importer", name)(context) for name in ([kind] if kind else registry.names("importer"))]


class _OfFormat(Importer):
    """Rows of a dataset format without a lineage."""

    name = "format"
    summary = "rows of a dataset format"

    def __init__(self, name: str) -> None:
        super().__init__()
        self._format = registry.find("format", name)()

    def finds(self, row: Mapping[str, Any]) -> int:
        return 1 if row else 0

    def read(self, row: dict[str, Any]) -> Iterator[Any]:
        own: list[Importer] = [registry.find("importer", name)(self.context) for name in ("own-export", "atif")]
        for importer in own:
            if importer.finds(row):
                yield from importer.read(row)
                return
        parts = self._format.read(row)
        if "reply" not in parts:
            raise Unusable(
                "it has no lineage, so nothing says which problem it is about; only conversations of other origin can be read so"
            )
        yield Transcript([*parts["messages"], parts["reply"]], tools=tuple(parts.get("tools") or ()))


def _transcript(found: Transcript, source: str, place: str, kind: str) -> ReadTrajectory:
    """Return the trajectory of a transcript: a call for each of its replies."""
    messages = list(found.messages)
    places = list(found.replies) or [len(messages) - 1]
    name = digest(source, place)
    calls = [_call(found, messages, at, digest(name, str(at)), ordinal) for ordinal, at in enumerate(places)]
    answer = storable(messages[places[-1]].content)
    model = _name(found.model) or IMPORTED
    if found.problem is not None:
        problem, verdict = named(*found.problem, None, answer)
    else:
        problem, verdict = _problem(messages[: places[0]]), None
    totals = {
        column: sum(call.columns.get(column) or 0 for call in calls)
        for column in ("prompt_tokens", "completion_tokens", "cached_tokens", "seconds")
    }
    costs = [call.columns["cost"] for call in calls if call.columns.get("cost") is not None]
    note = {"import": {"kind": kind, "place": place.rpartition(" ")[0], **_bounded(found.facts)}}
    return ReadTrajectory(
        digest(source)[:12], name[:16], problem, _name(found.agent) or IMPORTED, model, verdict=verdict, answer=answer, calls=calls, note=note,
        columns={**totals, "cost": sum(costs) if costs else None},
    )  # fmt: skip


def _call(found: Transcript, messages: list[Message], at: int, key: str, ordinal: int) -> ReadCall:
    columns = {"ordinal": ordinal, **found.calls.get(at, {})}
    columns["model"] = _name(columns.get("model") or found.model)
    sampling = {name: value for name, value in found.sampling.items() if isinstance(value, (int, float, str, list)) and not _is_odd(value)}
    columns["sampling"] = canonical_json(_plain(sampling))
    turn = messages[at]
    tools = tuple(type(tool)(storable(tool.name), storable(tool.description), storable(tool.parameters)) for tool in found.tools)
    return ReadCall(key, tuple(messages[:at]), storable(turn.content), columns, turn.parts(), tools, found.tool_choice)


def _problem(messages: Sequence[Message]) -> Problem:
    last = next((m.content for m in reversed(messages) if m.role == "user" and m.content), messages[-1].content if messages else "")
    return Problem(IMPORTED, storable(canonical_json([[m.role, m.content] for m in messages])), storable(shorten(last, 200)))


def _record(record: Record, source: str, place: str) -> ReadTrajectory:
    """Return the trajectory a record is kept on, as it is; one of other origin gets a lineage that says where it is."""
    kind = next(name for cls, name in KINDS if isinstance(record, cls))
    origin = record.origin
    if record.lineage.get("trajectory"):
        problem, _ = of_lineage(record.lineage, None)
        problem_id, name = str(record.lineage["problem"]), ""
    else:
        asked = [Message("user", record.prompt)] if isinstance(record, Steps) else list(getattr(record, "messages", ()))
        problem = _problem(asked)
        problem_id, name = problem.id, digest(source, place)[:16]
        origin.family = problem_id
        record.lineage = {
            "run": digest(source)[:12], "trajectory": name, "calls": [], "problem": problem_id, "solver": IMPORTED, "instance": problem.line,
            "level": None, "strategy": origin.strategies[0], "model": origin.models[0], **record.lineage,
        }  # fmt: skip
    text = storable(to_json(record, kind))
    return ReadTrajectory(
        digest(source)[:12], name or digest(source, place.split()[1] if place.startswith("line ") else place, text)[:16], problem,
        _name(origin.strategies[0]), _name(origin.models[0]), problem_id=problem_id, note={"kind": kind, "record": text},
        annotation=said_in(record.lineage),
    )  # fmt: skip


def _name(value: Any) -> str:
    return storable(shorten(str(value or ""), 200))


def _bounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    made = _plain(dict(facts))
    if len(canonical_json(made)) <= MAX_FACTS_CHARS:
        return dict(made)
    return {"left_out": f"what the row says besides has more than {MAX_FACTS_CHARS} characters"}


def _plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON values that can be stored: no lone surrogate, no number JSON does not have, bounded in depth."""
    if isinstance(value, str):
        return storable(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth > 50:
        return "…"
    if isinstance(value, dict):
        return {storable(str(name)): _plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, depth + 1) for inner in value]
    return storable(str(value))


def _is_odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _checksum(path: Path) -> str:
    try:
        with ending(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", hint="name a file of rows") from error
