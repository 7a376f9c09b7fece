"""From a file to its questions: what it was understood as, the rows that can be asked, and those that cannot, with the reason.

    read_questions(Source.read("dev.csv?root=data"), Path("dev.csv"))  ->  Reading(layout="GPQA", rows=(Row(line=2, question=Question(...)), ...), faults=())

Knows files, layouts and options; does not know runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reasoner.errors import BadConfig, CorruptRecord
from reasoner.files import Fault, Record, complaint, keep, read_records
from reasoner.grading.graders import grader_class
from reasoner.grading.judges import PREFIX
from solvers import _question_layouts as layouts
from solvers._question import Question
from solvers._question_values import text_of
from solvers._record import why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from solvers._question_source import Source

MAX_META_CHARS = 200
"""Longer values of columns that are not used are not kept with the problem."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question of a file, the line it begins at, and its worked solution where the file has one."""

    line: int
    question: Question
    solution: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file was understood as."""

    path: Path
    kind: str
    encoding: str
    layout: str
    columns: dict[str, str]
    """What each field of a question was read from, where options said so."""
    rows: Sequence[Row]
    faults: tuple[Fault, ...]
    graders: frozenset[str]
    """What the rows are judged by."""

    @property
    def n_rows(self) -> int:
        """All rows, usable or not."""
        return len(self.rows) + len(self.faults)

    def remark(self) -> str:
        """Say in one line how many rows were left out, and why the first; empty where none was."""
        if not self.faults:
            return ""
        return f"{self.path}: {len(self.faults)} of {self.n_rows} rows cannot be used and are left out; {self.faults[0]}"


def read_questions(source: Source, path: Path) -> Reading:
    """Read a file.

    Raises:
        MissingAsset: it cannot be read.
        BadConfig: no layout fits its columns, or `--map` names a column it does not have.
        CorruptRecord: no row of it can be used, or one cannot and `strict` was asked for.
    """
    names = layouts.NAMES | {column.lower() for column in source.columns.values()}
    records = read_records(path, root=source.root, names=names, hint="write question:FILE")
    if not records.rows:
        raise complaint(path, records.faults, records.n_rows) if records.faults else CorruptRecord(path, 1, "the file has no row")
    faults = list(records.faults)
    if any(isinstance(record.values.get("paragraphs"), list) for record in records.rows[:20]):
        records = replace(records, rows=keep(_of_paragraphs(records.rows, faults), write=_record_written, read=_record_read))
    layout = _layout(source, path, records.rows)
    if source.grader.startswith(PREFIX) and any(record.values.get("grader") == PREFIX for record in records.rows):
        # Where rows ask for a judge themselves, it is theirs alone: the others have golds that are compared exactly.
        source = replace(source, grader="", judge=source.grader)
    graders: set[str] = set()
    rows = keep(_usable(records.rows, layout, source, faults, graders), write=_written, read=_read)
    faults.sort(key=lambda fault: fault.line)
    if faults and (source.strict or not rows):
        raise complaint(path, faults, len(rows) + len(faults))
    return Reading(path, records.kind, records.encoding, layout.name, dict(source.columns), rows, tuple(faults), frozenset(graders))


def _usable(records: Iterable[Record], layout: layouts.Layout, source: Source, faults: list[Fault], graders: set[str]) -> Iterator[Row]:
    """Yield the rows that can be asked; what is wrong with the others is added to the faults, what judges them to the graders."""
    for record in records:
        try:
            row = _row(record, layout, source)
            graders.add(row.question.grading)
            yield row
        except ValidationError as error:
            faults.append(Fault(record.line, 0, why(error)))
        except BadConfig as error:
            faults.append(Fault(record.line, 0, error.message))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            faults.append(Fault(record.line, 0, str(error) or type(error).__name__))


def _of_paragraphs(articles: Iterable[Record], faults: list[Fault]) -> Iterator[Record]:
    """Yield the questions of articles, each with its paragraph: `{"title", "paragraphs": [{"context", "qas": [{"question", ...}]}]}`, as SQuAD is published."""
    for article in articles:
        paragraphs = article.values.get("paragraphs")
        for paragraph in paragraphs if isinstance(paragraphs, list) else [None]:
            asked = paragraph.get("qas") if isinstance(paragraph, dict) else None
            if paragraph is None or not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
                faults.append(Fault(article.line, 0, "an article whose paragraphs have no questions (qas)"))
                continue
            above = {"title": article.values.get("title"), "context": paragraph.get("context")}
            yield from (Record(article.line, {**above, **one}) for one in asked)


def _record_written(record: Record) -> tuple[int, str]:
    return record.line, json.dumps(record.values)  # a file's own values, which may nest deeper than plain values can be written


def _record_read(written: tuple[int, str]) -> Record:
    line, text = written
    return Record(line, json.loads(text))


def _written(row: Row) -> tuple[int, tuple[Any, ...], str]:
    return row.line, row.question.values(), row.solution


def _read(values: tuple[int, tuple[Any, ...], str]) -> Row:
    line, question, solution = values
    return Row(line, Question.restored(question), solution)


def _layout(source: Source, path: Path, rows: Sequence[Record]) -> layouts.Layout:
    sample = [record.values for record in rows[:200]]
    there = {name.strip().lower() for values in sample for name in values}
    if source.columns:
        missing = next((column for column in source.columns.values() if column.lower() not in there), None)
        if missing is not None:
            raise BadConfig(f"{path} has no column {missing[:60]!r}", hint=_columns(sample))
        return layouts.MAPPED
    layout = layouts.layout_of(sample)
    if layout is None:
        raise BadConfig(
            f"{path}: no known layout has its columns", hint=f"{_columns(sample)}; say what they are: --map question=COLUMN,answer=COLUMN"
        )
    return layout


def _columns(sample: list[dict[str, Any]]) -> str:
    return "its columns are: " + ", ".join(dict.fromkeys(str(name)[:40] for values in sample for name in values))[:300]


def _row(record: Record, layout: layouts.Layout, source: Source) -> Row:
    row = layouts.Row(record.values, source.columns)
    made = layout.fields(row)
    if made.grader and not made.grader.startswith("judge:") and not grader_class(made.grader.partition(":")[0]).trusted:
        raise ValueError(f"a file may not choose the grader {made.grader[:40]!r}, which runs code: name it with --grader")
    if made.grader.startswith("judge:") and made.grader != "judge:":
        raise ValueError(f"a file may not choose the judge {made.grader[6:40]!r}, whose calls cost: name it with --grader")
    grader = source.grader or (source.judge if made.grader == PREFIX else "") or made.grader
    fields: dict[str, Any] = {
        "question": made.question, "context": made.context, "pair": made.pair, "direction": made.direction,
        "grader": "" if made.choices and grader != "choice" and not source.grader else grader,
        "reader": source.reader or made.reader, "rubric": made.rubric, "baseline": made.baseline, "turns": made.turns, "references": made.references,
        "may_be_unanswerable": made.may_be_unanswerable,
        "meta": _meta(record.values, made.used),
    }  # fmt: skip
    if made.choices:
        assert made.right is not None
        fields |= {"answer": made.choices[made.right], "choices": made.choices, **({"order": made.order} if made.order else {})}
        fields["grader"] = "" if fields["grader"] == "choice" else fields["grader"]
    else:
        fields |= {"answer": made.golds[0] if made.golds else "-", "aliases": made.golds[1:]}
    question = Question.model_validate(fields)
    return Row(record.line, question, made.solution)


def _meta(values: dict[str, Any], used: set[str]) -> dict[str, str]:
    """Return the columns that were not used and hold a short value."""
    kept = {str(name): text_of(value) for name, value in values.items() if name not in used and isinstance(value, str | int | float)}
    return {name: value for name, value in kept.items() if value and len(value) <= MAX_META_CHARS and value.isprintable()}
