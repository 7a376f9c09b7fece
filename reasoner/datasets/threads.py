"""A whole trajectory as conversations, as session traces and spans tell it: what was said in turn, by whom, and what tools gave.

    threads(document)[0] -> [Turn(user), Turn(assistant, call), Turn(tool, action), Turn(assistant, call), ...]

A call goes on the conversation whose messages its own begin with; any other (another sample, a branch, a transcript that was shortened) begins a
conversation of its own. What the tools of a conversation's last reply gave stands at its end, though nobody was asked with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.store.interning import message_of
from reasoner.types import Message

if TYPE_CHECKING:
    from reasoner.datasets.records import Document

Row = dict[str, Any]


@dataclass(slots=True)
class Turn:
    """One message. `call` is the row of the call whose reply it is, `action` that of the thought whose result it is."""

    message: Message
    call: Row | None = None
    action: Row | None = None


def threads(record: Document) -> list[list[Turn]]:
    """Return the conversations of a trajectory, in the order they began."""
    results = results_of(record)
    made: list[list[Turn]] = []
    for call in record.calls:
        asked: tuple[Message, ...] = call["messages"]
        thread = _continued(made, asked)
        if thread is None:
            thread = []
            made.append(thread)
        for message in asked[len(thread) :]:
            thread.append(Turn(message, action=_acted(thread, message, results)))
        thread.append(Turn(reply_of(call), call))
    for thread in made:
        last = thread[-1]
        ids = {one.id for one in last.message.tool_calls}
        for row in results.get(last.call["key"], []) if last.call else ():
            if row["tool_call_id"] in ids:
                thread.append(Turn(Message("tool", row["content"], tool_call_id=row["tool_call_id"]), action=row))
    return made


def reply_of(call: Row) -> Message:
    """Return the reply of a call with all its parts."""
    return message_of("assistant", call["reply"], call["parts"], call["reasoning"])


def results_of(record: Document) -> dict[str, list[Row]]:
    """Return what the tools gave that each reply asked for, by the key of its call, in the order it came."""
    calls = {row["id"]: row["call"] for row in record.thoughts if row["call"]}
    found: dict[str, list[Row]] = {}
    for row in record.thoughts:
        if row["action_key"] and (call := calls.get(row["parents"] or "")):
            found.setdefault(call, []).append(row)
    return found


def _continued(made: list[list[Turn]], asked: tuple[Message, ...]) -> list[Turn] | None:
    """Return the longest conversation that these messages go on; None where there is none."""
    for thread in sorted(made, key=len, reverse=True):
        if len(thread) < len(asked) and all(turn.message == message for turn, message in zip(thread, asked, strict=False)):
            return thread
    return None


def _acted(thread: list[Turn], message: Message, results: dict[str, list[Row]]) -> Row | None:
    """Return the action whose result a tool's message is: the one of this id that is not told yet."""
    if message.role != "tool":
        return None
    told = {id(turn.action) for turn in thread}
    reply = next((turn for turn in reversed(thread) if turn.call is not None), None)
    rows = results.get(reply.call["key"], []) if reply is not None and reply.call is not None else []
    return next((row for row in rows if row["tool_call_id"] == message.tool_call_id and id(row) not in told), None)
