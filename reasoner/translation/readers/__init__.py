"""Read aligned sentences: tables, JSON Lines, TMX, TBX, XLIFF, PO, spreadsheets, files aligned by line; each also packed by gzip.

    for row in read(Path("seed.tsv.gz"), Wanted({"Italian": "it", "Ligurian": ("lij", "ligurian")})): ...
    for row in read({"Italian": Path("seed.ita"), "Ligurian": Path("seed.lij")}, Wanted({"Italian": "", "Ligurian": ""})): ...

Knows file formats; `reasoner.translation.rows` knows what a usable row is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig
from reasoner.translation.readers.gettext import read_po
from reasoner.translation.readers.json_lines import read_jsonl
from reasoner.translation.readers.markup import read_tbx, read_tmx, read_xliff
from reasoner.translation.readers.tables import read_moses, read_sheet, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reasoner.translation.rows import Row, Wanted

__all__ = ["READERS", "read", "read_jsonl", "read_moses", "read_po", "read_sheet", "read_table", "read_tbx", "read_tmx", "read_xliff"]

READERS: dict[str, Callable[[Path, Wanted], Iterator[Row]]] = {
    ".tsv": read_table, ".tab": read_table, ".csv": read_table, ".txt": read_table, ".xlsx": read_sheet, ".jsonl": read_jsonl,
    ".tmx": read_tmx, ".tbx": read_tbx, ".xlf": read_xliff, ".xliff": read_xliff, ".po": read_po,
}  # fmt: skip


def read(source: Path | Mapping[str, Path], wanted: Wanted) -> Iterator[Row]:
    """Read a file by its ending (before `.gz`), or a mapping of languages to files aligned by line.

    Raises:
        BadConfig: the ending is not known.
        DataError: see the readers.
    """
    if not isinstance(source, Path):
        return read_moses({language: source[language] for language in wanted.languages})
    ending = Path(source.stem).suffix if source.suffix.lower() == ".gz" else source.suffix
    if reader := READERS.get(ending.lower()):
        return reader(source, wanted)
    raise BadConfig(
        f"cannot tell what kind of file {source} is",
        hint=f"it ends in {', '.join(READERS)}, each also with .gz; or use LANGUAGE=FILE pairs",
    )
