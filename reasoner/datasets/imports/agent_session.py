"""Session traces of coding agents as JSON lines: events of one session a file, in the two shapes in use, and SWE-agent's trajectories.

    {"type": "assistant", "message": {"role", "content": [blocks]}, "uuid", "parentUuid", "sessionId", ...}
    {"timestamp", "type": "response_item", "payload": {"type": "message" | "reasoning" | "function_call" | "function_call_output", ...}}
    {"history" | "messages": [...], "trajectory": [...], "info": {...}}                                          (one object a file)

Side conversations of sub-agents become transcripts of their own. Events that say nothing (progress, titles, snapshots) are passed over.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _own_session as own
from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports import own_export
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.store.imports import ReadTrajectory
    from reasoner.types import Message

PAYLOADS = {
    "message",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "local_shell_call",
}


class AgentSession(Importer):
    """Sessions, turn by turn."""

    name: ClassVar[str] = "agent-session"
    summary: ClassVar[str] = "session traces of coding agents (JSON lines), SWE-agent trajectories"
    session: ClassVar[bool] = True

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell an event of a session, or a trajectory file."""
        if "sessionId" in row and ("message" in row or "uuid" in row):
            return 85
        if str(row.get("type")) in {"session_meta", "response_item", "event_msg", "turn_context"} and isinstance(row.get("payload"), dict):
            return 85
        if "info" in row and ("trajectory_format" in row or isinstance(row.get("trajectory"), list)):
            return 85
        return 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript | ReadTrajectory]:
        """Read the sessions in a file, one mostly."""
        rows = row["rows"]
        if any(isinstance(one.get("payload"), dict) for one in rows):
            yield from _rollouts(rows)
            return
        whole = [one for one in rows if "info" in one and ("trajectory_format" in one or isinstance(one.get("trajectory"), list))]
        if whole:
            for one in whole:
                yield _trajectory(one)
            return
        for session in _by(rows, "sessionId"):
            yield from _session(session)


def _by(rows: list[dict[str, Any]], name: str) -> list[list[dict[str, Any]]]:
    """Return the events of each session in a file, in the order the sessions began; events that name none belong to all there is."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for one in rows:
        if one.get(name):
            found.setdefault(one[name], []).append(one)
    nameless = [one for one in rows if not one.get(name)]
    return [nameless + found.popitem()[1]] if len(found) == 1 else list(found.values())


def _session(rows: list[dict[str, Any]]) -> Iterator[Transcript | ReadTrajectory]:
    """Read one session whose messages hold blocks; what its sub-agents said apart."""
    if own.is_own(rows[0]):
        yield own.read_events(rows)
        return
    main = [one for one in rows if not one.get("isSidechain")]
    side = [one for one in rows if one.get("isSidechain")]
    if main:
        yield _events(main)
    if side:
        yield _events(side)


def _rollouts(rows: list[dict[str, Any]]) -> Iterator[Transcript | ReadTrajectory]:
    """Read sessions of items, each from its head on; those of one trajectory of ours as one."""
    heads = [n for n, one in enumerate(rows) if one.get("type") == "session_meta"] or [0]
    sessions = [rows[start:end] for start, end in pairwise([*heads, len(rows)])]
    for trajectory, group in groupby(sessions, key=lambda session: (own_export.lineage_of(session[0]) or {}).get("trajectory")):
        if trajectory is None:
            yield from map(_items, group)
        else:
            yield own.read_sessions(group)


def _events(rows: list[dict[str, Any]]) -> Transcript:
    """Read events whose messages hold blocks; blocks of one message that stand in several events are one reply."""
    found: list[Message] = []
    calls: dict[int, dict[str, Any]] = {}
    n_bad = 0
    before = ""
    for row in rows:
        said = row.get("message")
        if str(row.get("type")) not in {"user", "assistant"} or not isinstance(said, dict) or row.get("isMeta"):
            continue
        made = v.message({"role": row["type"], **said})
        name = v.text(said.get("id")) if made[-1].role == "assistant" else ""
        if name and name == before and found[-1].role == "assistant":
            found[-1] = _joined(found[-1], made[-1])
        else:
            found += made
        before = name
        if made[-1].role == "assistant":
            usage, bad = v.usage(said.get("usage"))
            n_bad += bad
            calls[len(found) - 1] = {**usage, **v.finish(said.get("stop_reason")), "model": v.text(said.get("model"))}
    facts = {
        name: next((row[name] for row in rows if row.get(name)), None) for name in ("sessionId", "cwd", "version", "gitBranch", "timestamp")
    }
    facts["summary"] = next((row["summary"] for row in rows if row.get("type") == "summary" and row.get("summary")), None)
    return _transcript(found, calls, "agent-session", facts, n_bad)


def _joined(one: Message, other: Message) -> Message:
    """Return two pieces of one reply as one."""
    texts = "\n".join(filter(None, (one.content, other.content)))
    thoughts = "\n\n".join(filter(None, (one.reasoning, other.reasoning)))
    return replace(one, content=texts, reasoning=thoughts, tool_calls=(*one.tool_calls, *other.tool_calls))


def _items(rows: list[dict[str, Any]]) -> Transcript:
    """Read items of a Responses conversation; thought, text and calls that follow each other are one reply."""
    found: list[Message] = []
    model, facts = "", {}
    for row in rows:
        payload = row["payload"] if isinstance(row.get("payload"), dict) else {}
        if row.get("type") == "session_meta":
            facts = v.facts(payload, but=("base_instructions", "instructions"))
        elif row.get("type") == "turn_context":
            model = v.text(payload.get("model")) or model
        if row.get("type") != "response_item" or str(payload.get("type")) not in PAYLOADS:
            continue
        made = _item(payload)
        if made is None:
            continue
        if (made.role == "assistant" and found and found[-1].role == "assistant" and not found[-1].tool_calls) or (
            made.role == "assistant" and made.tool_calls and found and found[-1].role == "assistant"
        ):
            found[-1] = _joined(found[-1], made)
        else:
            found.append(made)
    calls = {place: {"model": model} for place, m in enumerate(found) if m.role == "assistant"}
    return _transcript(found, calls, v.text(facts.get("originator")) or "agent-session", facts, 0)


def _item(payload: Mapping[str, Any]) -> Message | None:
    kind = payload["type"]
    if kind == "message":
        return v.message(payload)[-1]
    if kind == "reasoning":
        parts = [*(payload.get("summary") or ()), *(payload.get("content") or ())]
        thought = "\n\n".join(v.text(part.get("text")) for part in parts if isinstance(part, dict))
        return v.message({"role": "assistant", "content": "", "reasoning_content": thought})[-1] if thought else None
    place = v.text(payload.get("call_id"))
    if kind.endswith("_output"):
        output = payload.get("output")
        text = output if isinstance(output, str) else v.text(v.first(output, ("content", "output")) if isinstance(output, dict) else output)
        return v.message({"role": "tool", "content": text, "tool_call_id": place})[-1]
    call = {"id": place, "name": payload.get("name") or "shell", "arguments": v.first(payload, ("arguments", "input", "action"))}
    return v.message({"role": "assistant", "content": "", "tool_calls": [call]})[-1]


def _trajectory(row: Mapping[str, Any]) -> Transcript:
    """Read the history of a trajectory file: the messages the model saw."""
    values = row.get("messages") or row.get("history")
    found = v.messages(values, told=True)
    info = row["info"] if isinstance(row["info"], dict) else {}
    model = v.text(v.first(info, ("config.model.model_name", "model_name", "config.agent.model.name")))
    usage, bad = v.usage(None, cost=v.first(info, ("model_stats.instance_cost", "model_stats.total_cost")))
    calls = {place: {"model": model} for place, m in enumerate(found) if m.role == "assistant" and place}
    if calls:
        calls[max(calls)] |= usage
    return _transcript(found, calls, "swe-agent", v.facts(info, but=("config",)) | {"environment": row.get("environment")}, bad)


def _transcript(found: list[Message], calls: dict[int, dict[str, Any]], agent: str, facts: Mapping[str, Any], n_bad: int) -> Transcript:
    kept, after = v.cut_at_reply(found) if found else ([], [])
    if not kept:
        raise Unusable("the session holds no reply of an agent")
    places = [place for place in sorted(calls) if 0 < place < len(kept)]
    told = v.facts(facts) | ({"after": [[m.role, m.content] for m in after]} if after else {})
    model = next((v.text(calls[place].get("model")) for place in reversed(places) if calls[place].get("model")), "")
    return Transcript(kept, places, model=model, agent=agent, calls=calls, facts=told, n_bad_usage=n_bad)
