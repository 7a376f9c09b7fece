"""Dataset formats, one file each; the file's name with hyphens is the format's name.

A format is a class with `name`, `summary` and `row(selected) -> dict`; one row is one line of JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from reasoner.datasets.select import Selected


class Format(Protocol):
    """How a verified trajectory is written for one kind of trainer."""

    name: ClassVar[str]
    summary: ClassVar[str]

    def row(self, selected: Selected) -> dict[str, Any]:
        """Return the row of one trajectory, JSON values only."""
        ...
