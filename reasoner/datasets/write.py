"""Write rows, atomically (`reasoner/files/target.py`).

JSON lines are ASCII (other characters are escaped), so U+2028 and its kin cannot split a line. Parquet needs the extra `data`.

    with JsonLines(Path("out.jsonl")) as file:
        file.add({"text": "..."})
        file.commit()
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, Self

from reasoner.errors import DataError, MissingDependency
from reasoner.files.target import Target, cannot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

BLOCK_ROWS = 256
GROUP_ROWS = 10_000
"""Rows of one Parquet row group; what they hold is the most that is in memory at once."""


def _encoder() -> Callable[[Any], str]:
    """Return what writes a value as JSON.

    `JSONEncoder.encode` makes the accelerated encoder anew for every value; here it is made once, where Python has it.
    """
    plain = json.JSONEncoder(ensure_ascii=True, allow_nan=False, check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    strings = json.encoder.encode_basestring_ascii
    pieces = make(
        None, plain.default, strings, None, plain.key_separator, plain.item_separator, plain.sort_keys, plain.skipkeys, plain.allow_nan
    )
    return lambda value: "".join(pieces(value, 0))


encode = _encoder()


class JsonLines:
    """Rows as JSON lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_rows = self.n_bytes = 0
        self._target = Target(path)
        self._hash = hashlib.sha256()
        self._lines: list[str] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Add one row."""
        self.add_line(encode(row))

    def add_ending(self, row: Mapping[str, Any], name: str, text: str) -> None:
        """Add one row of at least one column, with a last column that is ASCII JSON already."""
        self.add_line(f'{encode(row)[:-1]}, "{name}": {text}}}')

    def add_line(self, line: str) -> None:
        """Add one row that is ASCII JSON already, without its line end."""
        self._lines.append(line)
        self.n_rows += 1
        if len(self._lines) >= BLOCK_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._lines:
            return
        self._lines.append("")
        data = "\n".join(self._lines).encode("ascii")
        self._lines.clear()
        try:
            self._target.file.write(data)
        except OSError as error:
            raise cannot(self.path, error) from error
        self._hash.update(data)
        self.n_bytes += len(data)

    def commit(self) -> None:
        """Give the file its name."""
        self._flush()
        self._target.commit()

    def facts(self) -> dict[str, Any]:
        """Return rows, bytes and checksum."""
        self._flush()
        return {"rows": self.n_rows, "bytes": self.n_bytes, "sha256": self._hash.hexdigest()}

    def close(self) -> None:
        """Close it; what was not committed is gone."""
        self._target.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Parquet(JsonLines):
    """Rows as a Parquet file; the columns are those of the first rows, their types those of `example` where it has them."""

    def __init__(self, path: Path, example: Mapping[str, Any] | None = None) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            import pyarrow.parquet as pq  # noqa: PLC0415
        except ImportError as error:
            raise MissingDependency("pyarrow, which writes Parquet,", extra="data") from error
        super().__init__(path)
        self._pa, self._pq, self._example = pa, pq, example
        self._writer: Any = None
        self._rows: list[Mapping[str, Any]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Add one row."""
        self._rows.append(row)
        self.n_rows += 1
        if len(self._rows) >= GROUP_ROWS:
            self._flush()

    def add_ending(self, row: Mapping[str, Any], name: str, text: str) -> None:
        """Add one row with a last column that is given as JSON."""
        self.add({**row, name: json.loads(text)})

    def add_line(self, line: str) -> None:
        """Add one row given as JSON."""
        self.add(json.loads(line))

    def _flush(self) -> None:
        if not self._rows:
            return
        try:
            if self._writer is None:
                self._schema = self._first_schema()
                self._writer = self._pq.ParquetWriter(self._target.file, self._schema, compression="zstd")
            self._writer.write_table(self._pa.Table.from_pylist(self._rows, schema=self._schema))
        except self._pa.ArrowException as error:
            raise DataError(
                f"cannot write {self.path}: the rows do not have one shape: {error}", hint="write JSON lines instead"
            ) from error
        self._rows.clear()

    def _first_schema(self) -> Any:
        """Return the columns of the example, and what further ones the first rows have."""
        known = self._pa.Table.from_pylist([self._example]).schema if self._example else ()
        fields = {field.name: field for field in known}
        for field in self._pa.Table.from_pylist([{k: v for k, v in row.items() if k not in fields} for row in self._rows]).schema:
            fields[field.name] = field.with_type(_known(self._pa, field.type))
        return self._pa.schema(list(fields.values()))

    def commit(self) -> None:
        """Finish the file and give it its name."""
        self.facts()
        self._target.commit()

    def close(self) -> None:
        """Close it; what was not committed is gone."""
        if self._writer is not None:
            self._writer.close()  # it would do so when it is collected, and find its file closed
            self._writer = None
        super().close()

    def facts(self) -> dict[str, Any]:
        """Return rows, bytes and checksum."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        file = self._target.file
        file.flush()
        file.seek(0)
        hashed = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]  # a real file
        return {"rows": self.n_rows, "bytes": file.seek(0, os.SEEK_END), "sha256": hashed.hexdigest()}


def _known(pa: Any, kind: Any) -> Any:
    """Return a type for columns that were empty so far: text; in lists and objects as well."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([f.with_type(_known(pa, f.type)) for f in kind])
    if pa.types.is_list(kind):
        return pa.list_(_known(pa, kind.value_type))
    return kind


def open_rows(path: Path, example: Mapping[str, Any] | None = None) -> JsonLines:
    """Open a file for rows: Parquet where its name ends so (with the types of an example row), JSON lines otherwise."""
    return Parquet(path, example) if path.suffix == ".parquet" else JsonLines(path)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write the rows to `path` and return how many; with no row at all, no file is made.

    Raises:
        DataError: the file cannot be written.
    """
    with JsonLines(path) as file:
        for row in rows:
            file.add(row)
        if file.n_rows:
            file.commit()
        return file.n_rows
