"""The rows of a file or of a folder of logs, whatever it is written in.

for place, row in Rows(path, importers, faults): ...      ("line 12", {"messages": [...]})
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from reasoner.datasets.export import found_sidecar
from reasoner.datasets.imports import _values as v
from reasoner.errors import BadConfig, DataError
from reasoner.files import read_lines, read_records, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reasoner.datasets.imports._seam import Importer

ENDINGS = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".eval", ".db", ".traj", ".sqlite", ".xml")
NOT_DATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json", "package.json", "tokenizer.json"}
HEAD_BYTES = 32
PROBED = 5
"""Rows of a file that are looked at to tell whether they belong together."""


def files_of(path: Path) -> list[Path]:
    """Return the file, or the data files of a folder in the order of their names; hidden ones and what is no data are left out.

    Raises:
        DataError: there is no such file or folder, or no data file in it.
    """
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"there is no file or folder {path}", hint="name a log, a folder of logs, or - for standard input")
        return [path]
    found = []
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            plain = name.lower().removesuffix(".gz")
            if plain.endswith(ENDINGS) and not name.startswith(".") and name not in NOT_DATA and not plain.endswith(".lineage.jsonl"):
                found.append(path / os.path.relpath(os.path.join(folder, name), path))  # noqa: PTH118 - what os.walk gives
    if not found:
        raise DataError(f"the folder {path} holds no file of data", hint=f"files end in {', '.join(ENDINGS)}, also with .gz")
    return found


def rows_of(
    path: Path, importers: Sequence[Importer], *, root: str, fault: Callable[[str, str], None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row); `fault` is told the place and the reason of what cannot be read.

    Raises:
        DataError: the file cannot be read at all.
        BadConfig: it holds several lists of rows, and `root` does not say which.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    opener = next((one for one in importers if one.opens(path, head)), None)
    if opener is not None:
        yield from opener.rows(path)
        return
    whole = None if head.startswith((b"PAR1", b"[")) else _object(path)
    beside = _lineages(path)
    if whole is not None:
        whole = {**whole, "lineage": beside[1]} if beside is not None and 1 in beside else whole
        if not root and any(one.finds(whole) for one in importers):
            yield "line 1", whole
            return
        root = root or _list_in(whole, importers)
    records = read_records(path, root=root)
    for one in records.faults:
        fault(f"line {one.line}", one.why)
    for record in records.rows:
        values = record.values
        if records.kind not in {"json", "jsonl"}:
            values = {name: v.parsed(value) for name, value in values.items()}
        if beside is not None and (lineage := beside.get(record.line)) is not None:
            values = {**values, "lineage": lineage}
        yield f"line {record.line}", values


def _object(path: Path) -> dict[str, Any] | None:
    """Return the one JSON object a file is; None where it is something else, JSON lines above all."""
    text = read_text(path).text
    if text.lstrip()[:1] != "{":
        return None
    first, _, rest = text.lstrip().partition("\n")
    if rest.strip() and _loads(first) is not None:
        return None
    return _loads(text)


def _loads(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _list_in(whole: dict[str, Any], importers: Sequence[Importer]) -> str:
    """Return the name of the list in an object whose first row an importer knows; empty where there is none, or several."""
    known = [
        name
        for name, value in whole.items()
        if isinstance(value, list) and value and isinstance(value[0], dict) and any(one.finds(value[0]) for one in importers)
    ]
    if len(known) > 1:
        raise BadConfig(f"the file holds {len(known)} lists of rows", hint=f"name one: --root {' or --root '.join(known)}")
    return known[0] if known else ""


def _lineages(path: Path) -> dict[int, dict[str, Any]] | None:
    """Return the lineages in the file beside, by line; None where there is none."""
    beside = found_sidecar(path)
    if not beside.is_file():
        return None
    try:
        lines, _ = read_lines(beside)
        rows = {line.number: json.loads(line.text) for line in lines if line.text.strip()}
    except (DataError, ValueError, RecursionError):
        return None
    return {number: row for number, row in rows.items() if isinstance(row, dict)}
