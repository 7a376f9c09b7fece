"""Translate what stands untranslated in a translator's file (PO, XLIFF, TMX, SRT, Markdown, Word, a column of a table, a text by sentences), and give the file back with nothing else changed.

    made = translate_document(Path("ui.po"), source="English", target="Selvan", model="teacher", db="trajectories.db")
    Path("ui.selvan.po").write_bytes(made.data)

Each unit is a sentence of `reasoner.api.translate`. A unit that cannot be asked or was not answered is told and left as it is; one whose
codes lack, or that copies its source, is put in and marked for a person. Knows files and runs; does not know models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from reasoner.api.translate import Item, Translated, in_order, problem_of, translate
from reasoner.errors import BadConfig, BadInstance
from reasoner.translation.documents import Filled, open_document

if TYPE_CHECKING:
    from pathlib import Path

    from reasoner.api.settings import RunSettings
    from reasoner.types import Client


@dataclass(frozen=True, slots=True)
class TranslatedDocument:
    """The file with its translations, and what became of its units."""

    data: bytes
    made: Translated
    n_filled: int
    left: tuple[str, ...]
    """Units that stay untranslated: where, and why."""
    doubtful: tuple[str, ...]
    """Units that are marked for a person: where, and why."""
    remarks: tuple[str, ...] = ()
    """In which character set the file was read and written, where that is not UTF-8."""


def translate_document(
    path: Path,
    *,
    source: str,
    target: str,
    column: str = "",
    codes: str = "",
    sentences: bool = False,
    strategy: str = "fragment_shot",
    model: str | Client = "local",
    context: int = 0,
    **settings: Unpack[RunSettings],
) -> TranslatedDocument:
    """Translate the untranslated units of a file; see `open_document` for `column`, `codes` and `sentences`.

    With `context` each unit is shown with so many sentences before it in the file, those that are translated already with their translations.

    Raises:
        DataError: the file cannot be read or is damaged.
        BadConfig: its ending is not known, or nothing in it is untranslated.
        BadInstance: no unit can be asked.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    document = open_document(path, source=source, target=target, column=column, codes=codes, sentences=sentences)
    if not document.units:
        raise BadConfig(f"nothing in {path} is untranslated", hint="empty the translations that are to be made anew")
    items: dict[int, Item] = {}
    left: list[str] = list(document.left)
    all_items = in_order(
        [Item(unit.line, unit.text) for unit in document.units], context, source=source, target=target,
        known=[(done.before, done.text, done.translation) for done in document.done],
    )  # fmt: skip
    for number, item in enumerate(all_items):
        try:
            problem_of(item, source=source, target=target)
        except BadInstance as error:
            left.append(error.message)
            if not items and number == len(document.units) - 1:
                raise
        else:
            items[number] = item
    made = translate(list(items.values()), source=source, target=target, strategy=strategy, model=model, **settings)
    filled: dict[int, Filled] = {}
    doubtful: list[str] = []
    for number, text, flag, taken, outcome in zip(items, made.translations, made.flags, made.from_memory, made.outcomes, strict=True):
        unit = document.units[number]
        if not text:
            why = "the model refused" if flag else (outcome.error if outcome else "") or "it was not answered"
            left.append(f"line {unit.line}: {why}")
            continue
        _, complete = document.put_back(number, text)
        metrics = outcome.verdict.metrics if outcome and outcome.verdict else {}
        told = (
            (bool(flag), "a copy of the source"),
            (not complete, "a tag or placeholder lacked, or was out of place"),
            (metrics.get("terms_missed", 0) > 0, "a term was missed"),
            (metrics.get("parts", 1) > 1, f"it did not fit and was translated in {metrics.get('parts', 1):g} parts"),
            (bool(metrics.get("cut")) or bool(outcome and outcome.at_limit), "the reply was cut off"),
        )
        if faults := [what for is_so, what in told if is_so]:
            doubtful.append(f"line {unit.line}: {', '.join(faults)}")
        filled[number] = Filled(text, is_sure=not faults, from_memory=taken)
    return TranslatedDocument(document.written(filled), made, len(filled), tuple(left), tuple(doubtful), tuple(document.remarks(filled)))
