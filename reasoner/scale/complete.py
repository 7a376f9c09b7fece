"""Which shards were declared complete, and with which segments: `done/00003.json`, written once, by whoever merges. Nothing more counts for them.

declare(place, 3, epoch=2, segments=["e0002-000001-....seg"])
complete(place)                  {3}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import BaseModel

from reasoner.canonical import canonical_json
from reasoner.errors import DataError
from reasoner.scale.small_files import read_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.scale.storage import Shared

_NAME = re.compile(r"([0-9]{5})\.json")


class _Done(BaseModel):
    segments: list[str]


def complete(place: Shared) -> set[int]:
    """Return the numbers of the shards that were declared complete."""
    return {int(found[1]) for name in place.names("done") if (found := _NAME.fullmatch(name))}


def declared(place: Shared, shard: int) -> list[str] | None:
    """Return the names of the segments a shard was declared complete with, None where it was not.

    Raises:
        DataError: its file cannot be read as one.
    """
    name = f"done/{shard:05d}.json"
    try:
        done = read_as(place, name, _Done)
    except ValueError as error:
        raise DataError(f"{place.place}/{name} cannot be read", hint="remove it; the next merge writes it anew") from error
    return None if done is None else done.segments


def declare(place: Shared, shard: int, *, epoch: int, segments: Sequence[str]) -> None:
    """Declare a shard complete; what it was declared with before stands."""
    text = canonical_json({"shard": shard, "epoch": epoch, "segments": list(segments)})
    place.create(f"done/{shard:05d}.json", text.encode())
