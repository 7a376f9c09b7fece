"""ATIF, the Agent Trajectory Interchange Format: one whole trajectory a line, call for call.

    {"schema_version": "ATIF-v1.8", "session_id": run, "trajectory_id": ..., "agent": {...}, "steps": [...], "final_metrics": {...}, "extra": {...}}

Messages that were put to the model become steps of source system or user, each text once; every call's reply is a step of source agent
with its metrics, token ids and log-probabilities among them where they were recorded (`--record tokens`). What a search knows and ATIF has no field for (which steps a call was asked with, the graph of thoughts, the verdict)
stands in `extra`, so that `reasoner import` gives the same trajectory back.
Source: https://harborframework.com/docs/trajectory-format
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from reasoner import token_record
from reasoner.datasets.formats import Format
from reasoner.datasets.formats._sessions import arguments
from reasoner.datasets.records import Document, Kind
from reasoner.store.interning import message_of
from reasoner.types import canonical_json

if TYPE_CHECKING:
    from reasoner.types import Message

VERSION = "ATIF-v1.8"
CALL_FIELDS = (
    "role", "ordinal", "attempt", "parent_thought", "template_hash", "seed", "sampling", "constraint_requested", "constraint_applied",
    "finish_reason", "seconds", "mean_logprob", "retries", "created",
)  # fmt: skip
"""Columns of a call that ATIF has no field for."""
THOUGHT_FIELDS = ("id", "position", "ordinal", "role", "label", "operation", "state", "score", "status", "depth", "call")
ACTION_FIELDS = {
    "key": "action_key", "tool": "tool", "effect": "effect", "state": "action_state", "call_id": "tool_call_id", "seconds": "action_seconds",
    "arguments": "arguments", "within": "within",
}  # fmt: skip
"""What is kept of an action, and the columns it stands in."""
PROBLEM_FIELDS = ("problem_id", "solver", "instance", "line", "level")
END_FIELDS = ("status", "answer", "answer_thought", "error", "error_kind", "dag_hash", "calls", "seconds", "created", "finished")
LATER_FIELDS = ("reasoning_tokens", "usage_estimated", "tools")
"""The same, where they say something: most calls have none of them."""
TOKEN_FIELDS = ("prompt_token_ids", "completion_token_ids", "logprobs")
"""Metrics of a step that hold what a `TokenRecord` does, in its order."""
SOURCES = {"system": "system", "user": "user", "assistant": "agent", "tool": "user"}


class Atif(Format):
    """Whole trajectories for other tools."""

    name: ClassVar[str] = "atif"
    summary: ClassVar[str] = "ATIF trajectories, one document a line"
    kinds: ClassVar[tuple[Kind, ...]] = ("document",)
    lineage: ClassVar[Literal["column", "sidecar", "inside"]] = "inside"

    def row(self, record: Document) -> dict[str, Any]:
        """Return the document of one trajectory."""
        t = record.trajectory
        steps = _steps(record.calls, _results(record.thoughts))
        totals = {
            "total_prompt_tokens": t["prompt_tokens"],
            "total_completion_tokens": t["completion_tokens"],
            "total_cached_tokens": t["cached_tokens"],
            "total_steps": len(steps),
        }
        verdict = None if t["correct"] is None else {name: t[name] for name in ("correct", "score", "reason", "unparsed")}
        own = {"strategy": t["strategy"], "params": t["params"], "model_fingerprint": t["model_fingerprint"], "sample": t["sample"]}
        return {
            "schema_version": VERSION,
            "session_id": t["run_id"],
            "trajectory_id": t["id"],
            "agent": {"name": "reasoner", "version": t["version"], "model_name": t["model"], "extra": own},
            "steps": steps,
            "final_metrics": totals if t["cost"] is None else {**totals, "total_cost_usd": t["cost"]},
            "extra": {
                "lineage": record.lineage,
                "problem": {name: t[name] for name in PROBLEM_FIELDS},
                "end": {name: t[name] for name in END_FIELDS},
                "verdict": verdict,
                "thoughts": [_thought(row) for row in record.thoughts],
            },
        }


def _results(thoughts: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return what the tools gave that each call's reply asked for, by the key of the call."""
    calls = {row["id"]: row["call"] for row in thoughts if row["call"]}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in thoughts:
        if row["action_key"] and (call := calls.get(row["parents"] or "")):
            extra = {"tool": row["tool"], "arguments": row["arguments"], "state": row["action_state"]}
            found.setdefault(call, []).append({"id": row["tool_call_id"], "content": row["content"], "extra": extra})
    return found


def _observed(results: list[dict[str, Any]], turn: Message) -> dict[str, Any]:
    """Return the observation of an agent's step; empty where no tool gave anything."""
    ids = {call.id for call in turn.tool_calls}
    made = [
        {**({"source_call_id": one["id"]} if one["id"] in ids else {}), "content": one["content"], "extra": one["extra"]} for one in results
    ]
    return {"observation": {"results": made}} if made else {}


def _steps(calls: list[dict[str, Any]], results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    known: dict[tuple[str, str], int] = {}  # a text in a role -> the step that holds it

    def add(source: str, text: str, **more: Any) -> int:
        steps.append({"step_id": len(steps) + 1, "source": source, "message": text, **more})
        return len(steps)

    for call in calls:
        context: list[int] = []
        for message in call["messages"]:
            place = (message.role, canonical_json([message.content, message.parts()]))
            if place not in known:
                known[place] = add(SOURCES[message.role], message.content, **_given(message))
            context.append(known[place])
        metrics = {
            "prompt_tokens": call["prompt_tokens"],
            "completion_tokens": call["completion_tokens"],
            "cached_tokens": call["cached_tokens"],
        }
        if call["cost"] is not None:
            metrics["cost_usd"] = call["cost"]
        if recorded := token_record.read(call["tokens"]):
            metrics |= dict(zip(TOKEN_FIELDS, map(list, recorded), strict=True))
        turn = message_of("assistant", call["reply"], call["parts"], call["reasoning"])
        extra = {"call": call["key"], "context": context, **{name: call[name] for name in CALL_FIELDS}, **_parts(turn)}
        extra |= {name: call[name] for name in LATER_FIELDS if call[name]}
        at = add(
            "agent",
            call["reply"],
            **_fields(turn),
            **_observed(results.get(call["key"], []), turn),
            timestamp=call["finished"],
            model_name=call["model"],
            metrics=metrics,
            extra=extra,
        )
        known.setdefault(("assistant", canonical_json([turn.content, turn.parts()])), at)
    return steps


def _given(message: Message) -> dict[str, Any]:
    """Return what a step of a message that was put to the model has besides its text."""
    if message.role == "tool":
        return {"extra": {"role": "tool", **_parts(message)}}
    extra = {**({"given": True} if message.role == "assistant" else {}), **_parts(message)}
    return {**_fields(message), **({"extra": extra} if extra else {})}


def _parts(message: Message) -> dict[str, Any]:
    """Return a message's parts as they are, for reading back; ATIF's own fields hold calls of tools in another form."""
    parts = message.parts()
    return {"parts": parts} if parts else {}


def _fields(message: Message) -> dict[str, Any]:
    """Return the thought and the calls of tools of an agent's step, as ATIF has them."""
    made: dict[str, Any] = {"reasoning_content": message.reasoning} if message.reasoning else {}
    if message.tool_calls:
        made["tool_calls"] = [
            {"tool_call_id": call.id, "function_name": call.name, "arguments": arguments(call.arguments)} for call in message.tool_calls
        ]
    return made


def _thought(row: dict[str, Any]) -> dict[str, Any]:
    made = {name: row[name] for name in THOUGHT_FIELDS}
    made["parents"] = row["parents"].split(",") if row["parents"] else []
    made["state"] = None if row["state"] is None else json.loads(row["state"])
    if row["action_key"]:
        acted = {name: row[source] for name, source in ACTION_FIELDS.items()}
        return made | {"text": row["content"], "action": acted}
    # The text of a reply stands in its step.
    return made | {"text": row["text"] if row["message_id"] is None else (row["content"] if row["depth"] == 0 else None)}
