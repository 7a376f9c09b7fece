"""Export: select, format, write.

export(store, "sft", Path("out.jsonl")) -> Tally(seen=120, taken=118, left_out={"the same conversation was taken already": 2})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner import registry
from reasoner.datasets.select import Filters, Tally, select
from reasoner.datasets.write import write_jsonl

if TYPE_CHECKING:
    from pathlib import Path

    from reasoner.datasets.formats import Format
    from reasoner.store import Store


def export(store: Store, format_name: str, path: Path, filters: Filters | None = None) -> Tally:
    """Write the verified trajectories of a store in one format and return the counts.

    Raises:
        UnknownName: there is no such format.
        DataError: the file cannot be written; nothing is left behind.
    """
    chosen: Format = registry.find("format", format_name)()
    tally = Tally()
    write_jsonl(path, (chosen.row(selected) for selected in select(store, filters or Filters(), tally)))
    return tally
