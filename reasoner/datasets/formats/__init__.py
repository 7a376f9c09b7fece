"""Dataset formats, one file each; the file's name with hyphens is the format's name.

A format is a subclass of `Format` with `name`, `summary`, `kinds` and `row` (or `rows`, where a record takes several lines). What further members say has a default. Formats add no
lineage to a row: the export does.
"""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from reasoner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reasoner.datasets.records import Kind


class Format(ABC):
    """How records are written for one kind of trainer."""

    registered_as: ClassVar[Literal["format"]] = "format"
    name: ClassVar[str]
    summary: ClassVar[str]
    kinds: ClassVar[tuple[Kind, ...]]
    """The kinds of record it can write, the usual one first."""
    lineage: ClassVar[Literal["column", "sidecar", "inside"]] = "column"
    """Where it stands from which calls a row comes: in a column, in a file beside (no column of ours is allowed), or within the row."""
    bare_names: ClassVar[bool] = False
    """Whether the parts of a split are called by their names alone, `train.jsonl`, and not `OUT.train.jsonl`."""
    packaged: ClassVar[bool] = False
    """Whether what an export is written to is the folder of a package, and not the file of the rows."""
    thinking_field: ClassVar[bool] = False
    """Whether an assistant's message may have a key of its own for what was thought."""

    def row(self, record: Any) -> dict[str, Any] | None:
        """Return the row of one record, JSON values only; None when it cannot be written in this format."""
        raise NotImplementedError(f"format {self.name} has to define row or rows")

    def rows(self, record: Any) -> list[dict[str, Any]] | None:
        """Return the lines of one record, where a record takes several (a session of events); None when it cannot be written."""
        row = self.row(record)
        return None if row is None else [row]

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Take a row apart again, for `reasoner import`: the fields of its record that a row holds.

        Raises:
            DataError: it is no row of this format.
            UsageError: rows of this format cannot be read back.
        """
        raise UsageError(f"rows of format {self.name} cannot be read back", hint=f"the keys of this one are: {', '.join(row)[:200]}")

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any] | None:  # noqa: ARG002 - what a format may need
        """Return a row with everything a row of this kind may hold: Parquet takes its types from it. None: from the first rows.

        `thoughts` are the keys a message calls its thought by.
        """
        return None

    def companion(self, paths: list[Path], kind: Kind) -> tuple[str, dict[str, Any]] | None:  # noqa: ARG002 - what a format may need
        """Return the name of a JSON file that has to stand beside the rows, and the entries it has to hold; None where none has to."""
        return None

    def rows_at(self, path: Path) -> Path:
        """Return the file of the rows of what is exported to `path`; another one where `path` is a folder with more than rows.

        Raises:
            BadConfig: `path` cannot be it.
        """
        return path

    def package(self, path: Path, written: Sequence[Path]) -> dict[Path, str]:  # noqa: ARG002 - what a format may need
        """Return text files to write with the files of rows that were written (one for each part that has rows), by their paths."""
        return {}
