"""Session traces that reasoner wrote: the trajectory they came from, with its calls, and its actions as far as the trace tells of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner.datasets.formats._sessions import END_FIELDS, from_exact, from_zulu
from reasoner.datasets.formats.claude_code import read_message
from reasoner.datasets.formats.codex import USAGE, read_items
from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._problems import judged, of_lineage
from reasoner.datasets.imports._seam import Unusable
from reasoner.datasets.imports.own_export import lineage_of
from reasoner.store.annotations import said_in
from reasoner.store.imports import ReadCall, ReadTrajectory
from reasoner.text import storable
from reasoner.types import Message, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WRONG = "it says that reasoner wrote it, and does not hold what reasoner writes"


@dataclass(slots=True)
class Acted:
    """An action as a file tells of it: `call` is the key of the call whose reply asked for it."""

    call: str
    tool: str
    arguments: str
    text: str
    call_id: str = ""
    state: str = "done"
    effect: str = "pure"
    seconds: float | None = None
    created: str | None = None
    within: int | None = None
    """The place of the action whose program made this one, in the list they stand in."""


def is_own(row: Mapping[str, Any]) -> bool:
    """Tell an event that begins a session of ours."""
    return lineage_of(row) is not None


def read_events(rows: Sequence[Mapping[str, Any]]) -> ReadTrajectory:
    """Read the events of one session in Claude Code's form."""
    try:
        return _read_events(rows)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Unusable(WRONG) from error


def _read_events(rows: Sequence[Mapping[str, Any]]) -> ReadTrajectory:
    calls: list[ReadCall] = []
    acted: list[Acted] = []
    thread: list[Message] = []
    for row in rows:
        if row["parentUuid"] is None:
            thread = []
        message = storable_message(from_exact(row.get("extra")) or read_message(row))
        if message.role == "tool":
            failed = row["message"]["content"][0].get("is_error") is True
            _observe(acted, calls, message, failed=failed)
        if "requestId" in row:
            said = row["message"]
            usage = said["usage"]
            columns = {
                "model": said["model"], "prompt_tokens": usage["input_tokens"] + usage["cache_read_input_tokens"],
                "cached_tokens": usage["cache_read_input_tokens"], "completion_tokens": usage["output_tokens"],
                "finish_reason": v.finish(said["stop_reason"]).get("finish_reason"), "finished": from_zulu(row["timestamp"]),
            }  # fmt: skip
            calls.append(_call(row["requestId"], thread, message, columns))
        thread.append(message)
    return trajectory(rows[0]["extra"], calls, acted)


def read_sessions(sessions: Iterable[Sequence[Mapping[str, Any]]]) -> ReadTrajectory:
    """Read the sessions of one trajectory in Codex's form."""
    try:
        return _read_sessions(sessions)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Unusable(WRONG) from error


def _read_sessions(sessions: Iterable[Sequence[Mapping[str, Any]]]) -> ReadTrajectory:
    calls: list[ReadCall] = []
    acted: list[Acted] = []
    about: Mapping[str, Any] = {}
    for rows in sessions:
        about = about or rows[0]["extra"]
        keys = iter(rows[0]["extra"]["calls"])
        thread: list[Message] = []
        model, n = "", 1
        while n < len(rows):
            row = rows[n]
            payload = row["payload"]
            n += 1
            if row["type"] == "turn_context":
                model = payload["model"]
            elif row["type"] == "event_msg":
                used = payload["info"]["last_token_usage"]
                columns = {
                    **{column: used[name] for name, column in USAGE.items()},
                    "model": model,
                    "finished": from_zulu(row["timestamp"]),
                }
                calls.append(_call(next(keys), thread[:-1], thread[-1], columns))
            else:
                items = [payload]
                while n < len(rows) and rows[n]["type"] == "response_item" and rows[n]["payload"]["id"] == payload["id"]:
                    items.append(rows[n]["payload"])
                    n += 1
                message = storable_message(from_exact(row.get("extra")) or read_items(items))
                if message.role == "tool":
                    _observe(acted, calls, message, failed=False)
                thread.append(message)
    return trajectory(about, calls, acted)


def storable_message(message: Message) -> Message:
    """Return a message whose text can be stored."""
    return replace(message, content=storable(message.content))


def _call(key: str, asked: Sequence[Message], reply: Message, columns: Mapping[str, Any]) -> ReadCall:
    return ReadCall(key, tuple(asked), reply.content, columns, reply.parts())


def _observe(acted: list[Acted], calls: list[ReadCall], message: Message, *, failed: bool) -> None:
    """Note what a tool gave, where the reply before asked for it; ids may stand twice."""
    if not calls:
        return
    asked = [call for call in calls[-1].parts.get("tool_calls") or () if call[0] == message.tool_call_id]
    told = sum(one.call == calls[-1].key and one.call_id == message.tool_call_id for one in acted)
    if told < len(asked):
        _, name, arguments = asked[told]
        acted.append(Acted(calls[-1].key, name, arguments, message.content, message.tool_call_id, "failed" if failed else "done"))


def trajectory(
    about: Mapping[str, Any], calls: Sequence[ReadCall], acted: Sequence[Acted], *, keys: Sequence[str] | None = None
) -> ReadTrajectory:
    """Return the trajectory of calls and actions; `about` is what `formats._sessions.about` wrote, `keys` those of the actions where known."""
    lineage, end = about["lineage"], about["end"]
    order = {key: n for n, key in enumerate(lineage["calls"])}
    calls = sorted(calls, key=lambda call: order[call.key])
    answer = None if end["answer"] is None else storable(str(end["answer"]))
    problem, _ = of_lineage(lineage, None)
    columns: dict[str, Any] = {name: end[name] for name in END_FIELDS if name not in {"answer", "version"}}
    columns |= {
        name: sum(call.columns.get(name) or 0 for call in calls) for name in ("prompt_tokens", "completion_tokens", "cached_tokens")
    }
    name = str(lineage["trajectory"])
    thoughts = _thoughts(name, calls, acted, keys or [digest(name, "action", str(n)) for n in range(len(acted))])
    columns["answer_thought"] = thoughts[len(calls)]["id"]
    return ReadTrajectory(
        str(lineage["run"]), name, problem, str(lineage["strategy"]), str(lineage["model"]), version=str(end["version"]),
        problem_id=str(lineage["problem"]), verdict=judged(problem, answer) if end["judged"] else None, answer=answer, calls=calls,
        thoughts=thoughts, columns=columns, annotation=said_in(lineage),
    )  # fmt: skip


def _thoughts(name: str, calls: Sequence[ReadCall], acted: Sequence[Acted], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return a root, the replies as a chain, and below each what its tools gave."""
    asked = calls[0].messages
    first = next((m.content for m in reversed(asked) if m.role == "user"), asked[-1].content if asked else "")
    base = {"ordinal": 0, "label": "", "operation": "", "state": None, "score": None, "call": None, "action": None}
    root = digest(name, "root")[:16]
    made = [{**base, "id": root, "position": 0, "role": "problem", "status": "open", "depth": 0, "parents": [], "text": first}]
    places: dict[str, str] = {}
    for n, call in enumerate(calls, start=1):
        above = str(made[-1]["id"])
        places[call.key] = digest(name, "call", call.key)[:16]
        status = "final" if n == len(calls) else "kept"
        made.append(
            {**base, "id": places[call.key], "position": n, "role": "imported", "status": status, "depth": n, "call": call.key}
            | {"parents": [above], "text": None}
        )
    for n, one in enumerate(acted):
        action = {
            "key": keys[n], "tool": one.tool, "effect": one.effect, "state": one.state, "call_id": one.call_id, "seconds": one.seconds,
            "arguments": one.arguments, "within": None if one.within is None else keys[one.within], "created": one.created,
        }  # fmt: skip
        made.append(
            {
                **base,
                "id": digest(name, keys[n])[:16],
                "ordinal": n,
                "position": len(calls) + 1 + n,
                "role": f"act/{one.tool}",
                "status": "kept",
            }
            | {"depth": len(calls) + 1, "parents": [places.get(one.call, root)], "text": one.text, "action": action}
        )
    return made
