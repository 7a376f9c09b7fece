"""Dataset formats, one file each; the file's name with hyphens is the format's name.

A format is a class with `name`, `summary`, `kinds` (the kinds of record it can write, the usual one first) and `row(record)`, which
returns one row as JSON values, or None for a record the format has no way to write. Optional: `read(row)` takes a row apart again for
`reasoner import`; `lineage` is `"sidecar"` where rows may have no column of ours; `thinking_field` says that messages may have a key
`thinking`; `only_messages` says that the row of a conversation is `{"messages": record.turns()}`, which can be written the short way
(`reasoner.datasets.express`); `companion(path, kind)` gives a file that has to stand beside. Formats add no lineage: the export does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from reasoner.datasets.records import Kind


class Format(Protocol):
    """How records are written for one kind of trainer."""

    name: ClassVar[str]
    summary: ClassVar[str]
    kinds: ClassVar[tuple[Kind, ...]]

    def row(self, record: Any) -> dict[str, Any] | None:
        """Return the row of one record, JSON values only; None when it cannot be written in this format."""
        ...
