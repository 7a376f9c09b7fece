"""Extract: fields out of a document, as one record that keeps to a schema: doctors' notes, invoices and mails, or documents of the user's own.

    "Mrs Nora Egger was diagnosed with carcinoma of the rectum (ICD-10 C20) on 4 March 2019."
    ->  Answer: {"diagnosis": "carcinoma of the rectum", "icd10": "C20", "first_diagnosed": "2019-03-04"}

A record is right where every field is. The score is the F1 of the fields, and 1 only for a record that is right. What may be seen of an answer
(`visible_check`) is whether it keeps to the schema.

Source: the task follows tumour documentation from doctors' notes (diagnosis, ICD-10 code, date of first diagnosis); all texts are our own.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from reasoner.constraint import Constraint
from reasoner.drawing import Cell, Table
from reasoner.errors import BadConfig, MissingAsset, Unparseable
from reasoner.files import read_text
from reasoner.solver import Seen
from reasoner.text import after_answer, answer_line, clean, shorten, tail
from reasoner.types import Verdict
from solvers import _answer as answers
from solvers import _record_schema as schemas
from solvers._doctors_notes import note
from solvers._letters import invoice, mail
from solvers._own_file import FromFile, OwnFile, OwnRows, first_of
from solvers._record import Record, read
from solvers._worked import N_WORKED, stream, worked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_DOCUMENT_CHARS = 100_000
MAX_FAULTS = 3
_KINDS = (note, invoice, mail)
_FENCE = re.compile(r"^[ \t]*```[ \t]*(?:json)?[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_BEHIND = re.compile(r"[`*. \t]*(?:\n.*)?", re.DOTALL)


class ExtractTask(Record):
    """A document, the schema of the record that is wanted (as JSON text, in its own order; written as `schema`), and the right record."""

    document: str = Field(min_length=1, max_length=MAX_DOCUMENT_CHARS)
    form: str = Field(max_length=50_000)
    gold: dict[str, Any]
    kind: str = Field(default="document", max_length=40)
    steps: tuple[str, ...] = Field(default=(), max_length=50)
    """Why each field is what it is, where that is known."""

    @model_validator(mode="before")
    @classmethod
    def _reads_schema(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "schema" not in values or "form" in values:
            return values
        return {
            **{name: value for name, value in values.items() if name != "schema"},
            "form": json.dumps(values["schema"], ensure_ascii=False),
        }

    @model_validator(mode="after")
    def _fits(self) -> ExtractTask:
        schema = self.schema_
        if schema["type"] != "object":
            raise ValueError(f"the schema is one of {schema['type']}, and an object is needed")
        gold = schemas.ordered(schema, schemas.exact(self.gold))
        if fault := next((each for each in schemas.faults(schema, gold) if " is null, " not in each), ""):
            raise ValueError(f"the gold does not keep to the schema: {fault}")
        return self

    @property
    def schema_(self) -> schemas.Schema:
        """The schema without references and alternatives."""
        return _plain(self.form)


class ExtractSolver(FromFile[ExtractTask]):
    """Fields of documents."""

    name = "extract"
    summary = "take fields out of a document as a record that keeps to a schema (extract:FILE for your own), judged field by field"
    syntax = '{"document": "...", "schema": {"type": "object", "properties": {"total": {"type": "number"}}}, "gold": {"total": 84.5}}'
    Instance = ExtractTask
    levels: ClassVar[Mapping[int, str]] = {
        1: "one field that stands in a short text as it is wanted",
        2: "two fields that stand in a short text as they are wanted",
        3: "three fields; dates and times are written as people write them",
        4: "more dates and numbers than are meant; fields may be missing",
        5: "four or five fields; what is denied, ruled out, or said of others",
        6: "and lists, codes to be chosen, and what was so before",
    }
    default_level = 1
    block = True
    file_options = ("schema",)

    def read_rows(self, file: OwnFile) -> OwnRows[ExtractTask]:
        """Read the documents, with the schema they share where one is named."""
        shared = _schema_file(Path(file.options["schema"])) if "schema" in file.options else None
        return file.rows(lambda values: _task(values, shared, file.path.parent))

    def parse(self, line: str) -> ExtractTask:
        """Read the JSON object."""
        return read(self, ExtractTask, line)

    def format(self, instance: ExtractTask) -> str:
        """Write the JSON object, with the schema as an object of its own."""
        told = instance.model_dump(mode="json", exclude_defaults=True, exclude={"form"})
        return json.dumps({"document": told.pop("document"), "schema": json.loads(instance.form)} | told, ensure_ascii=True)

    def canonical(self, instance: ExtractTask) -> str:
        """Return the document and what is asked of it."""
        return f"{instance.document}\n{instance.form}"

    def draw(self, rng: random.Random, level: int) -> ExtractTask:
        """Draw a document with its fields."""
        return _drawn(rng, rng.choice(_KINDS), level)

    def statement_variables(self, instance: ExtractTask) -> Mapping[str, Any]:
        """Return the `document`, its `kind`, the `fields` (name, type, description), whether there are `dates`, the `schema` where they nest, and the `example` of a form."""
        schema = instance.schema_
        properties = schema["properties"]
        nests = any(
            each["type"] == "object" or (each["type"] == "array" and each["items"]["type"] not in schemas.SCALARS)
            for each in properties.values()
        )
        fields = [
            {"name": name, "type": _type_in_words(each), "description": each.get("description", ""), "enum": each.get("enum", [])}
            for name, each in properties.items()
        ]
        example = "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: ..." for name in properties) + "}"
        shown = instance.form if nests else ""
        return {
            "document": instance.document,
            "kind": instance.kind,
            "fields": fields,
            "schema": shown,
            "example": example,
            "dates": any(each["type"] == "date" for each in fields),
        }

    def answer_constraint(self, instance: ExtractTask) -> Constraint | None:
        """Return the pattern of a record of the schema on one line; None where the right one could not be written so."""
        pattern = schemas.pattern(instance.schema_)
        made = f"Answer: {pattern}"
        fits = pattern is not None and re.fullmatch(made, self.right_answer(instance)) is not None
        return Constraint.regex(made, after_thought=True) if fits else None

    def verify(self, instance: ExtractTask, text: str) -> Verdict:
        """Compare field by field; the score is F1."""
        try:
            given = schemas.leaves(instance.schema_, find_record(text))
        except Unparseable as error:
            return replace(answers.unread(error.message), metrics={"f1": 0.0})
        gold = _gold(instance)
        n_right = sum(given.get(place) == leaf for place, leaf in gold.items())
        wrong = [
            f"{place} is {_shown(given[place])}, not {_shown(leaf)}" if place in given else f"{place} is missing: {_shown(leaf)}"
            for place, leaf in gold.items()
            if given.get(place) != leaf
        ]
        wrong += [f"{place} is {_shown(leaf)}, and nothing is said of it" for place, leaf in given.items() if place not in gold]
        if not wrong:
            return answers.right("every field is right", f1=1.0)
        f1 = 2 * n_right / (len(gold) + len(given))
        reason = shorten(clean(f"{n_right} of {len(gold)} values, F1 {f1:.2f}: {'; '.join(wrong[:MAX_FAULTS])}"), 200)
        return Verdict(correct=False, score=f1, reason=reason, metrics={"f1": f1})

    def visible_check(self, instance: ExtractTask, text: str) -> Seen:
        """Check the record against the schema."""
        try:
            given = find_record(text)
        except Unparseable as error:
            return Seen(passed=False, told=error.message)
        found = list(islice(schemas.faults(instance.schema_, given), MAX_FAULTS))
        return Seen(not found, shorten(clean("; ".join(found)), 400) or "the record keeps to the schema")

    def canonical_answer(self, instance: ExtractTask, text: str) -> str | None:
        """Return what the record says, place by place, in a fixed order."""
        try:
            given = schemas.leaves(instance.schema_, find_record(text))
        except Unparseable:
            return None
        return json.dumps(
            [[place, kind, _plain_value(value)] for place, (kind, value) in sorted(given.items(), key=lambda item: item[0])],
            ensure_ascii=False,
        )

    def right_answer(self, instance: ExtractTask) -> str:
        """Return the right record on one line."""
        return f"Answer: {json.dumps(schemas.ordered(instance.schema_, instance.gold), ensure_ascii=False)}"

    def explain(self, instance: ExtractTask) -> Sequence[str]:
        """Return why each field is what it is."""
        return instance.steps

    def worked(self, kind: str) -> Sequence[tuple[ExtractTask, str]]:
        """Return worked examples of levels 1 to 5, drawn apart from all problems; of a file none, nor for layouts of searches."""
        if self.file is not None:
            return []
        rng = stream("extract")
        return worked(self, kind, [_drawn(rng, _KINDS[n % len(_KINDS)], 1 + n % 5) for n in range(N_WORKED)])

    def drawing(self, instance: ExtractTask, text: str) -> Table | None:
        """Draw the fields with what the answer says of each; wrong ones are struck through."""
        try:
            given = schemas.leaves(instance.schema_, find_record(text))
        except Unparseable:
            return None
        gold = _gold(instance)
        rows = [
            (Cell(shorten(clean(place), 40)), Cell(_shown(given.get(place)), right=given.get(place) == gold.get(place)))
            for place in dict.fromkeys([*instance.schema_["properties"], *gold, *given])
        ][:40]
        return Table(f"The record ({instance.kind})", ("field", "answer"), tuple(rows))


def find_record(text: str) -> dict[str, Any]:
    r"""Return the record of an answer: the last block of JSON, else what follows the last `Answer:`, else the only one of a text.

    >>> find_record('So:\n```json\n{"a": 1}\n```'), find_record('Answer: {"a": null}\nThat is all.')
    ({'a': Decimal('1')}, {'a': None})

    Raises:
        Unparseable: there is none, or more than one.
    """
    text = tail(text)
    blocks = [found for found in _FENCE.findall(text) if found.lstrip().startswith("{")]
    if blocks:
        return schemas.load_record(blocks[-1])
    found = after_answer(text).strip().lstrip("`* ") if answer_line(text) is not None else text[max(0, text.find("{")) :]
    if not found.startswith("{"):
        raise Unparseable("no record was found: no line 'Answer: {...}' and no block of JSON")
    end = _end_of_object(found)
    behind = found[end:]
    if "{" in behind or not _BEHIND.fullmatch(behind):
        raise Unparseable(f"something stands behind the record: {shorten(clean(behind), 40)}")
    return schemas.load_record(found[:end])


def _end_of_object(text: str) -> int:
    """Return where the JSON object ends that a text begins with; the end of the text where it does not end."""
    depth, quoted, skip = 0, False, False
    for at, char in enumerate(text):
        if skip:
            skip = False
        elif quoted:
            quoted, skip = char != '"', char == "\\"
        elif char == '"':
            quoted = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                return at + 1
    return len(text)


def _drawn(rng: random.Random, kind: Callable[[random.Random, int], dict[str, Any]], level: int) -> ExtractTask:
    """Draw a document; on level 1, only one of the fields of level 2 is asked for."""
    made = kind(rng, max(1, level - 1))
    if level == 1:
        kept = rng.randrange(len(made["gold"]))
        name = list(made["gold"])[kept]
        made["schema"] |= {"properties": {name: made["schema"]["properties"][name]}, "required": [name]}
        made |= {"gold": {name: made["gold"][name]}, "steps": [made["steps"][kept]]}
    return ExtractTask.model_validate(made)


@lru_cache(maxsize=512)
def _plain(form: str) -> schemas.Schema:
    return schemas.plain_schema(json.loads(form))


def _gold(instance: ExtractTask) -> dict[str, schemas.Leaf]:
    return schemas.leaves(instance.schema_, schemas.exact(instance.gold))


def _plain_value(value: Any) -> Any:
    """Return a value as JSON can write it, equal numbers alike."""
    if not isinstance(value, Decimal):
        return value
    sign, digits, exponent = value.as_tuple()
    kept = "".join(map(str, digits)).rstrip("0")
    moved = exponent + len(digits) - len(kept) if isinstance(exponent, int) else 0
    return f"{'-' if sign and kept else ''}{kept}e{moved}" if kept else "0"


def _shown(leaf: schemas.Leaf | None) -> str:
    if leaf is None:
        return "null"
    kind, value = leaf
    return (
        shorten(
            clean(json.dumps(value, ensure_ascii=False) if kind == "text" else str(value).lower() if kind == "truth" else str(value)), 40
        )
        or "nothing"
    )


def _type_in_words(schema: schemas.Schema) -> str:
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "object"}
    if schema["type"] == "array":
        return f"list of {_type_in_words(schema['items'])}"
    return "date" if schema.get("format") in {"date", "partial-date"} else words[schema["type"]]


def _schema_file(path: Path) -> dict[str, Any]:
    """Read the schema that all rows of a file share.

    Raises:
        MissingAsset: the file cannot be read.
        BadConfig: it is no schema that can be used.
    """
    try:
        made = json.loads(read_text(path, hint="write extract:FILE?schema=SCHEMA.json").text)
        schemas.plain_schema(made)
    except (ValueError, RecursionError) as error:
        raise BadConfig(
            f"the schema {shorten(str(path), 120)} cannot be used: {shorten(str(error), 150)}", hint="give a JSON schema of an object"
        ) from error
    return dict(made)


def _beside(folder: Path, name: str) -> str:
    """Read a document that a row names; what stands elsewhere is not read, since a model is shown it and the rows may be somebody else's.

    Raises:
        ValueError: it cannot be read, or does not stand in the folder of the file of rows, or below it.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"the document {shorten(name, 80)!r} does not stand in the folder of the file of rows")
    try:
        return read_text(path).text
    except MissingAsset as error:
        raise ValueError(error.message) from error


def _task(values: Mapping[str, Any], shared: Mapping[str, Any] | None, folder: Path) -> ExtractTask:
    """Make an instance of a row: `document` (or `text`, or `file` beside the file of rows), `gold` (or `record`, `answer`), `schema`.

    Raises:
        ValueError: something is missing, or cannot be used.
    """
    document = first_of(values, "document", "text")
    if document is None and isinstance(name := values.get("file"), str):
        document = _beside(folder, name)
    gold, form = first_of(values, "gold", "record", "answer"), first_of(values, "schema") or shared
    for what, value in (("document", document), ("gold", gold), ("schema", form)):
        if value is None:
            raise ValueError(f"the row has no {what}")
    gold, form = (json.loads(value) if isinstance(value, str) else value for value in (gold, form))
    return ExtractTask.model_validate(
        {"document": document, "schema": form, "gold": gold, "kind": str(values.get("kind", "document"))[:40]}
    )


__all__ = ["ExtractSolver", "ExtractTask", "find_record"]
