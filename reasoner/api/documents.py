"""Translate what stands untranslated in a translator's file (PO, XLIFF, TMX, SRT, Markdown, a column of a table), and give the file back with nothing else changed.

    made = translate_document(Path("ui.po"), source="English", target="Selvan", model="teacher", db="trajectories.db")
    Path("ui.selvan.po").write_bytes(made.data)

Each unit is a sentence of `reasoner.api.translate`. A unit that cannot be asked or was not answered is told and left as it is; one whose
codes lack, or that copies its source, is put in and marked for a person. Knows files and runs; does not know models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from reasoner.api.translate import Item, Translated, problem_of, translate
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


def translate_document(
    path: Path,
    *,
    source: str,
    target: str,
    column: str = "",
    codes: str = "",
    strategy: str = "fragment_shot",
    model: str | Client = "local",
    **settings: Unpack[RunSettings],
) -> TranslatedDocument:
    """Translate the untranslated units of a file; see `open_document` for `column` and `codes`.

    Raises:
        DataError: the file cannot be read or is damaged.
        BadConfig: its ending is not known, or nothing in it is untranslated.
        BadInstance: no unit can be asked.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    document = open_document(path, source=source, target=target, column=column, codes=codes)
    if not document.units:
        raise BadConfig(f"nothing in {path} is untranslated", hint="empty the translations that are to be made anew")
    items: dict[int, Item] = {}
    left: list[str] = list(document.left)
    for number, unit in enumerate(document.units):
        item = Item(unit.line, unit.text)
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
            left.append(f"line {unit.line}: {'the model refused' if flag else 'it was not answered'}")
            continue
        _, complete = document.put_back(number, text)
        n_missed = outcome.verdict.metrics.get("terms_missed", 0) if outcome and outcome.verdict else 0
        told = (
            (bool(flag), "a copy of the source"),
            (not complete, "a tag or placeholder lacked, or was out of place"),
            (n_missed > 0, "a term was missed"),
        )
        if faults := [what for is_so, what in told if is_so]:
            doubtful.append(f"line {unit.line}: {', '.join(faults)}")
        filled[number] = Filled(text, is_sure=not faults, from_memory=taken)
    return TranslatedDocument(document.written(filled), made, len(filled), tuple(left), tuple(doubtful))
