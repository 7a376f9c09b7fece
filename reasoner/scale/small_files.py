"""What the small files of the shared folder say, read by the shape they have to have: they are others' and may be cut off, changed or written by hand.

read_as(place, "leases/00003/e0001.beat", Beat)       None where it is not there
parsed(Beat, b'{"state": "running", "count": 3}')     raises ValueError for all else
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from reasoner.scale.storage import Shared

T = TypeVar("T")


def read_as(place: Shared, name: str, kind: type[T]) -> T | None:
    """Return what a file of the shared folder says; None where it is not there.

    Raises:
        ValueError: see `parsed`.
        StoreError: the shared folder cannot be used.
    """
    data = place.read(name)
    return None if data is None else parsed(kind, data)


def parsed(kind: type[T], data: bytes) -> T:
    """Return what a file says, as a value of a model or dataclass.

    Raises:
        ValueError: it is no JSON, nested too deeply, or has not that shape.
    """
    name: Any = kind
    made: T = _adapter(name).validate_json(data)
    return made


@cache
def _adapter(kind: Any) -> Any:
    return TypeAdapter(kind)
