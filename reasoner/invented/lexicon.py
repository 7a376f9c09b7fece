"""The dictionary: for every English headword its class, its English forms and its stems in the three varieties.

A row of `corpora/invented/lexicon.json`: `{"word": "see", "class": "verb", "forms": ["sees", "saw"], "takes": "object", "Selvan": "bado", ...}`.
Knows rows; does not know grammar.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal

from reasoner.assets import asset_dir
from reasoner.errors import CorruptRecord, MissingAsset

if TYPE_CHECKING:
    from collections.abc import Mapping

WordClass = Literal["noun", "name", "adjective", "verb", "time"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One word. `forms`: plural of a noun; third person and past of a verb. `takes`: nothing, object or recipient."""

    word: str
    word_class: WordClass
    forms: tuple[str, ...]
    takes: str
    stems: Mapping[str, str]


@dataclass(frozen=True)
class Lexicon:
    """All entries, by headword."""

    entries: Mapping[str, Entry]

    def of(self, word_class: WordClass) -> list[Entry]:
        """Return the entries of a class, in the order of the file."""
        return [entry for entry in self.entries.values() if entry.word_class == word_class]

    @cached_property
    def names(self) -> frozenset[str]:
        """The headwords that are names."""
        return frozenset(entry.word for entry in self.of("name"))


@cache
def load() -> Lexicon:
    """Read the shipped dictionary.

    Raises:
        MissingAsset: it is not there.
        CorruptRecord: a row of it cannot be used.
    """
    path = asset_dir("corpora") / "invented" / "lexicon.json"
    if not path.is_file():
        raise MissingAsset(f"the dictionary {path} is missing", hint="reinstall reasoner-llm")
    entries: dict[str, Entry] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            stems = {language: row[language] for language in ("Selvan", "Torvic", "Mesrin")}
            entries[row["word"]] = Entry(row["word"], row["class"], tuple(row["forms"]), row["takes"], stems)
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptRecord(path, number, f"not a dictionary row: {error}") from error
    return Lexicon(entries)
