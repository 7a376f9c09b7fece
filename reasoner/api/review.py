"""Post-editing: the translations of a run, worst first, with what speaks for and against each; a person's edits back into store and corpus.

    made = review("last")
    write_review(made, Path("review.tsv"))          a person fills the column `edited`
    taken = take_edits(Path("review.tsv"))
    add_edits(Path("ladin.corpus"), taken.runs)     the edits are the best examples of the next `translate`

An edit that repeats the translation says that it is right. Exports give preferences, edited before machine (`reasoner.datasets.edited`). Knows
runs, files and corpora; does not know models.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.errors import BadConfig, UsageError
from reasoner.files import complaint, read_records
from reasoner.files.target import write_text
from reasoner.store import Store, edits
from reasoner.store.queries import resolve
from reasoner.store.run_queries import run_of_trajectory
from reasoner.text import clean
from reasoner.translation.adding import Added, add_preferred

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FAMILY = "translation"
COLUMNS = ("id", "source", "translation", "edited", "why", "coverage", "examples", "like")
"""Columns of a review file."""
_FORMULA = re.compile(r"'*[=+\-@]")
"""A cell that a spreadsheet would take for a formula, also behind the apostrophe that keeps it from that."""
_MARKER = re.compile(r"\{\d{1,4}\}")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One translation to look at: what it is of, what was made of it, and the evidence."""

    id: str
    """The trajectory."""
    source: str
    target: str
    sentence: str
    translation: str
    """Empty where there is none."""
    edited: str
    """What a person made of it; empty where nobody has."""
    why: tuple[str, ...]
    """What speaks against it, the gravest first."""
    gravity: int
    """0: there is no translation; 1: it is probably none; 2: something in it is missing; 3: nothing is known against it; 4: it stood in the corpus."""
    coverage: float | None
    n_examples: int
    fragments: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    matches: tuple[tuple[float, str, str], ...] = ()
    """Sentences of the corpus like this one: score, source, target."""


@dataclass(frozen=True, slots=True)
class Review:
    """A run's translations, worst first."""

    run_id: str
    rows: tuple[Reviewed, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a review file held: edits that changed a translation, those that confirmed one, and rows that were left, with the reason."""

    runs: tuple[str, ...]
    n_edited: int
    n_confirmed: int
    left: tuple[str, ...]


def review(run: str = "last", *, db: Path | str | None = None) -> Review:
    """Return the translations of a run, worst first; `last` is the newest run with translations.

    Raises:
        UnknownName: there is no such run.
        BadConfig: it has no translation.
    """
    with Store.read(db) as store:
        return reviewed(store, run)


def reviewed(store: Store, run: str) -> Review:
    """Do as `review` says, in an opened store."""
    found = _run_of(store, run)
    looked: dict[str, dict[str, dict[str, Any]]] = {}
    for name, what, state in edits.lookups(store, found):
        looked.setdefault(name, {})[what] = _state(state)
    rows = [_reviewed(row, looked.get(row["id"], {})) for row in edits.solved(store, found, FAMILY)]
    if not rows:
        raise BadConfig(f"run {found} has no translation", hint="name a run of 'reasoner translate'; 'reasoner runs' lists them")
    order = sorted(range(len(rows)), key=lambda at: (*_worse(rows[at]), at))
    return Review(found, tuple(rows[at] for at in order))


def _run_of(store: Store, run: str) -> str:
    if run == "last" and (newest := edits.latest_run(store, FAMILY)):
        return newest
    kind, found = resolve(store, run)
    return found if kind == "run" else run_of_trajectory(store, found) or ""


def _worse(row: Reviewed) -> tuple[float, ...]:
    return row.gravity, row.coverage if row.coverage is not None else -1.0, -len(row.unknown), row.n_examples


def _reviewed(row: dict[str, Any], looked: dict[str, dict[str, Any]]) -> Reviewed:
    solver = registry.solver(FAMILY)
    instance = solver.Instance.model_validate_json(row["instance"])
    translation, flag = solver.translation_in(row["answer"], instance) if row["answer"] else ("", "")
    metrics, cover = _state(row["metrics"]), looked.get("cover", {})
    memory = looked.get("memory", {})
    unknown = _texts(cover.get("unknown"))
    lacking = sorted(set(_MARKER.findall(instance.sentence)) - set(_MARKER.findall(translation)))
    missed = _texts(looked.get("glossary", {}).get("missed"))
    faults: list[tuple[int, str]] = []
    if not translation:
        faults.append((0, "the model refused" if flag else row["error"] or "it was not answered"))
    elif flag:
        faults.append((1, "the model refused" if flag == "refusal" else "a copy of the source"))
    faults += [(2, f"{marker} is missing") for marker in lacking if translation]
    faults += [(2, f"the term {term} was missed") for term in missed if translation]
    if (n_parts := int(metrics.get("parts", 1))) > 1:
        faults.append((3, f"it did not fit and was translated in {n_parts} parts"))
    if unknown:
        faults.append((3, f"no example has: {', '.join(unknown)}"))
    taken = bool(metrics.get("taken"))
    matches = [match for match in memory.get("matches", ()) if isinstance(match, dict)]
    return Reviewed(
        id=row["id"], source=instance.source, target=instance.target, sentence=instance.sentence, translation=translation,
        edited=row["edit"] or "", why=tuple(what for _, what in faults) or (("it stood in the corpus",) if taken else ()),
        gravity=min((grave for grave, _ in faults), default=4 if taken else 3),
        coverage=cover.get("coverage") if isinstance(cover.get("coverage"), float | int) else None,
        n_examples=int(metrics.get("examples", 0)), fragments=_texts(cover.get("fragments")), unknown=unknown,
        matches=tuple((float(match.get("score", 0)), str(match.get("source", "")), str(match.get("target", ""))) for match in matches),
    )  # fmt: skip


def _state(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def write_review(made: Review, path: Path) -> int:
    """Write a review file (.tsv, .csv or .jsonl) and return its rows.

    What a spreadsheet would take for a formula gets an apostrophe, which `take_edits` takes away.

    Raises:
        BadConfig: the file's ending is another one.
        DataError: it cannot be written.
    """
    ending = _ending(path)
    rows = [_as_row(row) for row in made.rows]
    if ending == ".jsonl":
        write_text(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
        return len(rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t" if ending == ".tsv" else ",", lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_guarded(str(row[name])) for name in COLUMNS] for row in rows)
    write_text(path, text.getvalue())
    return len(rows)


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _ending(path: Path) -> str:
    if path.suffix.lower() not in {".tsv", ".csv", ".jsonl"}:
        raise BadConfig(f"{path} is no review file", hint="name one that ends in .tsv, .csv or .jsonl")
    return path.suffix.lower()


def _as_row(row: Reviewed) -> dict[str, Any]:
    like = f"{row.matches[0][0]:g} %: {row.matches[0][1]} = {row.matches[0][2]}" if row.matches else ""
    texts = {"source": row.sentence, "translation": row.translation, "edited": row.edited, "why": "; ".join(row.why), "like": like}
    made: dict[str, Any] = {name: " ".join(clean(text).split()) for name, text in texts.items()}
    made |= {"id": row.id, "coverage": "" if row.coverage is None else round(row.coverage, 3), "examples": row.n_examples}
    return {name: made[name] for name in COLUMNS}


def take_edits(path: Path, *, db: Path | str | None = None) -> Taken:
    """Take the column `edited` of a review file into the store. An empty cell says nothing; a row that cannot be taken is left and told.

    Raises:
        MissingAsset: the file cannot be read.
        BadConfig: it is no review file.
        CorruptRecord: no row of it can be read.
    """
    guarded = _ending(path) != ".jsonl"
    found = read_records(path, hint="name a file that 'reasoner review --out' wrote")
    if found.faults and not found.rows:
        raise complaint(path, found.faults, found.n_rows)
    if found.rows and not {"id", "edited"} <= found.rows[0].values.keys():
        raise BadConfig(f"{path} has no columns id and edited", hint="'reasoner review --out FILE' writes such a file")
    left = [str(fault) for fault in found.faults]
    runs: dict[str, None] = {}
    n_edited = n_confirmed = 0
    with Store.open(db, create=False) as store:
        for record in found.rows:
            said, name, of = (_cell(record.values.get(column), guarded=guarded) for column in ("edited", "id", "source"))
            if not said:
                continue
            try:
                run, changed = take_edit(store, name, said, of=of)
            except UsageError as error:
                left.append(f"line {record.line}: {error.message}")
                continue
            runs.setdefault(run)
            n_edited += changed
            n_confirmed += not changed
    return Taken(tuple(runs), n_edited, n_confirmed, tuple(left))


def take_edit(store: Store, trajectory_id: str, text: str, *, of: str = "") -> tuple[str, bool]:
    """Write a person's edit of a translation; return its run, and whether it changed the translation. `of` is the sentence it is meant for.

    Raises:
        UnknownName: there is no such trajectory.
        BadConfig: it is no translation, its sentence is another one, or the text is empty or too long.
    """
    run = run_of_trajectory(store, trajectory_id) or ""
    row = next((row for row in edits.solved(store, run, FAMILY, trajectory=trajectory_id)), None)
    if row is None:
        raise BadConfig(f"there is no translation {trajectory_id[:40]!r}", hint="leave the column id as it was written")
    made = _reviewed(row, {})
    if of and " ".join(clean(made.sentence).split()) != of:
        raise BadConfig(f"{trajectory_id} is not a translation of {of[:60]!r}", hint="were the columns sorted apart? write the review anew")
    return run, edits.put_edit(store, trajectory_id, text) != made.translation


def _cell(value: Any, *, guarded: bool) -> str:
    """Return a cell's text on one line; where cells are `guarded`, without the apostrophe before what looks like a formula."""
    text = " ".join(clean(str(value or "")).split())
    return text[1:] if guarded and text.startswith("'") and _FORMULA.match(text) else text


def add_edits(corpus: Path, runs: Sequence[str], *, db: Path | str | None = None) -> Added:
    """Put the edits of runs into a corpus, before all its other examples.

    Raises:
        BadConfig: there are none, or the corpus lacks a language of theirs.
        DataError: see `add_preferred`.
    """
    with Store.read(db) as store:
        lines = [line for run in runs for line in _edited_lines(store, _run_of(store, run))]
    if not lines:
        raise BadConfig("there is no edit to add", hint="'reasoner review --out FILE' writes the file to edit, `--take` takes it in")
    by_source: dict[str, list[dict[str, str]]] = {}
    for source, line in lines:
        by_source.setdefault(source, []).append(line)
    made = [add_preferred(corpus, of_source, source=source) for source, of_source in by_source.items()]
    return Added(sum(a.n_new for a in made), sum(a.n_replaced for a in made), sum(a.n_known for a in made), made[-1].n_lines)


def _edited_lines(store: Store, run: str) -> Iterator[tuple[str, dict[str, str]]]:
    for row in edits.solved(store, run, FAMILY, edited=True):
        made = _reviewed(row, {})
        yield made.source, {made.source: made.sentence, made.target: made.edited}
