"""What the two forms of session traces share: times, what is kept of a trajectory beside its messages, and exactness.

A message is written as the form has it. Where reading that gives another message (arguments that are no object, a signature), the message as it
was stands beside it under `extra`, so that an import loses nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.types import Message

if TYPE_CHECKING:
    from reasoner.datasets.records import Document

END_FIELDS = ("status", "answer", "error", "error_kind", "created", "finished", "version")


def about(record: Document) -> dict[str, Any]:
    """Return what a reader of ours needs of a trajectory besides its messages."""
    t = record.trajectory
    return {"lineage": record.lineage, "end": {**{name: t[name] for name in END_FIELDS}, "judged": t["correct"] is not None}}


def zulu(time: str | None) -> str:
    """Write a time in UTC as session traces do: with a Z."""
    text = time or ""
    return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text


def from_zulu(time: Any) -> str | None:
    """Read what `zulu` wrote."""
    text = str(time or "")
    return (f"{text.removesuffix('Z')}+00:00" if text.endswith("Z") else text) or None


def arguments(text: str) -> dict[str, Any]:
    """Return arguments as an object that JSON can say; what a model wrote may be none: no object, no finite number, nested without end."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # half a surrogate pair cannot be read by all
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"text": text}


def exact(message: Message) -> dict[str, Any]:
    """Return a message as it is, for reading back."""
    return {"message": [message.role, message.content, message.parts()]}


def from_exact(extra: Any) -> Message | None:
    """Read what `exact` wrote; None where nothing stands there."""
    found = extra.get("message") if isinstance(extra, dict) else None
    if found is None:
        return None
    role, content, parts = found
    return Message.of_parts(role, content, parts)
