"""OpenTelemetry spans of the GenAI conventions: one trajectory a line, as OTLP writes spans in JSON.

    {"resourceSpans": [{"resource": ..., "scopeSpans": [{"scope": ..., "spans": [
        {"name": "invoke_agent react", "attributes": [gen_ai.operation.name, gen_ai.agent.name, ...], "events": [gen_ai.evaluation.result]},
        {"name": "chat gpt-4o", ... gen_ai.input.messages, gen_ai.output.messages, gen_ai.usage.*, gen_ai.tool.definitions ...},
        {"name": "execute_tool calculator", ... gen_ai.tool.name, gen_ai.tool.call.arguments, gen_ai.tool.call.result}]}]}]}

Each line is a request that a collector's OTLP/HTTP endpoint takes (`POST /v1/traces`). The verdict is an event of the first span. What the conventions
have no name for stands under `reasoner.*`.
Source: OpenTelemetry, "Semantic conventions for generative AI"; OTLP specification, "JSON Protobuf encoding".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from reasoner.datasets.formats import Format
from reasoner.datasets.formats._sessions import about, exact
from reasoner.datasets.formats._spans import parts_of, read_parts
from reasoner.datasets.records import tool_row
from reasoner.datasets.threads import reply_of
from reasoner.store.interning import tools_of
from reasoner.types import Message, canonical_json, digest

if TYPE_CHECKING:
    from reasoner.datasets.records import Document, Kind

INTERNAL, CLIENT = 1, 3
FAILED = 2
PROVIDERS = {"openai", "anthropic"}
NUMBERS = {"temperature": float, "top_p": float, "top_k": float, "max_tokens": int, "frequency_penalty": float, "presence_penalty": float}
"""Numbers of a sampling that have a name in the conventions, `gen_ai.request.NAME`, and their types there."""
KEPT = ("role", "ordinal", "attempt", "template_hash", "constraint_requested", "constraint_applied", "mean_logprob", "retries", "seconds")
"""Columns of a call without a name in the conventions."""


class Opentelemetry(Format):
    """Traces for what collects and shows them."""

    name: ClassVar[str] = "opentelemetry"
    summary: ClassVar[str] = "OpenTelemetry GenAI spans, one trajectory a line (OTLP JSON)"
    kinds: ClassVar[tuple[Kind, ...]] = ("document",)
    lineage: ClassVar[Literal["column", "sidecar", "inside"]] = "inside"

    def row(self, record: Document) -> dict[str, Any]:
        """Return the request of one trajectory's spans."""
        t = record.trajectory
        trace, root = digest("trace", t["id"])[:32], digest("span", t["id"])[:16]
        spans = [_agent(record, trace, root)]
        spans += [_chat(record, call, trace, root) for call in record.calls]
        calls = {row["id"]: digest("span", row["call"])[:16] for row in record.thoughts if row["call"]}
        spans += [_tool(row, trace, calls.get(row["parents"] or "", root)) for row in record.thoughts if row["action_key"]]
        resource = {"attributes": _attributes({"service.name": "reasoner", "service.version": t["version"]})}
        scope = {"name": "reasoner", "version": t["version"]}
        return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]}


def _agent(record: Document, trace: str, span: str) -> dict[str, Any]:
    t = record.trajectory
    said = {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": _provider(t["model"]), "gen_ai.agent.name": t["strategy"],
        "gen_ai.conversation.id": t["id"], "gen_ai.request.model": t["model"], "gen_ai.usage.input_tokens": t["prompt_tokens"],
        "gen_ai.usage.output_tokens": t["completion_tokens"], "gen_ai.usage.cache_read.input_tokens": t["cached_tokens"],
        "reasoner.about": canonical_json(about(record)),
    }  # fmt: skip
    start, end = nanoseconds(t["created"]), nanoseconds(t["finished"] or t["created"])
    made = _span(f"invoke_agent {t['strategy']}", INTERNAL, (trace, span, ""), (start, end), said)
    if t["correct"] is not None:
        verdict = {
            "gen_ai.evaluation.name": "verdict", "gen_ai.evaluation.score.label": "pass" if t["correct"] else "fail",
            "gen_ai.evaluation.score.value": float(t["score"] or 0.0), "gen_ai.evaluation.explanation": t["reason"] or "",
        }  # fmt: skip
        made["events"] = [{"timeUnixNano": str(end), "name": "gen_ai.evaluation.result", "attributes": _attributes(verdict)}]
    if t["error_kind"]:
        made["attributes"] += _attributes({"error.type": t["error_kind"]})
        made["status"] = {"code": FAILED, "message": t["error"] or ""}
    return made


def _chat(record: Document, call: dict[str, Any], trace: str, root: str) -> dict[str, Any]:
    t = record.trajectory
    reply = reply_of(call)
    asked = [parts_of(message) for message in call["messages"]]
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": _provider(call["model"]), "gen_ai.conversation.id": t["id"],
        "gen_ai.request.model": call["model"], "gen_ai.response.model": call["model"], "gen_ai.response.id": call["key"],
        "gen_ai.response.finish_reasons": [call["finish_reason"] or "stop"], "gen_ai.usage.input_tokens": call["prompt_tokens"],
        "gen_ai.usage.output_tokens": call["completion_tokens"], "gen_ai.usage.cache_read.input_tokens": call["cached_tokens"],
        "gen_ai.usage.reasoning.output_tokens": call["reasoning_tokens"], "gen_ai.request.seed": call["seed"], **_sampling(call["sampling"]),
        "gen_ai.tool.definitions": json.dumps([tool_row(tool) for tool in tools_of(call["tools"])]) if call["tools"] else None,
        "gen_ai.input.messages": json.dumps(asked),
        "gen_ai.output.messages": json.dumps([{**parts_of(reply), "finish_reason": call["finish_reason"] or "stop"}]),
        **{f"reasoner.call.{name}": call[name] for name in KEPT},
        "reasoner.call.cost": call["cost"],
    }  # fmt: skip
    inexact = {str(n): exact(m)["message"] for n, m in enumerate((*call["messages"], reply)) if not _reads_back(m)}
    if inexact:
        said["reasoner.messages"] = json.dumps(inexact)
    times = nanoseconds(call["created"]), nanoseconds(call["finished"] or call["created"])
    return _span(f"chat {call['model']}", CLIENT, (trace, digest("span", call["key"])[:16], root), times, said)


def _reads_back(message: Message) -> bool:
    return read_parts(parts_of(message)) == message


def _tool(row: dict[str, Any], trace: str, parent: str) -> dict[str, Any]:
    said = {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": row["tool"], "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": row["tool_call_id"] or None, "gen_ai.tool.call.arguments": row["arguments"],
        "gen_ai.tool.call.result": row["content"], "reasoner.action.effect": row["effect"], "reasoner.action.state": row["action_state"],
        "reasoner.action.key": row["action_key"], "reasoner.action.within": row["within"],
        "error.type": "tool_error" if row["action_state"] == "failed" else None,
    }  # fmt: skip
    start = nanoseconds(row["action_created"])
    times = start, start + round((row["action_seconds"] or 0.0) * 1e9)
    made = _span(f"execute_tool {row['tool']}", INTERNAL, (trace, digest("span", row["action_key"])[:16], parent), times, said)
    return {**made, "status": {"code": FAILED}} if row["action_state"] == "failed" else made


def _span(name: str, kind: int, ids: tuple[str, str, str], times: tuple[int, int], said: dict[str, Any]) -> dict[str, Any]:
    trace, own, parent = ids
    place = {"traceId": trace, "spanId": own, **({"parentSpanId": parent} if parent else {})}
    start, end = map(str, times)
    return {**place, "name": name, "kind": kind, "startTimeUnixNano": start, "endTimeUnixNano": end, "attributes": _attributes(said)}


def _attributes(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Write attributes as OTLP does; those without a value are left out."""
    return [{"key": key, "value": _value(value)} for key, value in said.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value(one) for one in value]}}
        case _:
            return {"stringValue": str(value)}


def _sampling(text: str) -> dict[str, Any]:
    """Return a stored sampling under the names of the conventions, and what they have no name for as it is."""
    given = {name: value for name, value in json.loads(text or "{}").items() if value is not None}
    made: dict[str, Any] = {f"gen_ai.request.{name}": kind(given.pop(name)) for name, kind in NUMBERS.items() if name in given}
    if stop := given.pop("stop", None):
        made["gen_ai.request.stop_sequences"] = list(stop)
    return {**made, **({"reasoner.call.sampling": canonical_json(given)} if given else {})}


def _provider(model: str) -> str:
    """Return who answers for a model: a provider the conventions know, by the beginning of its name, or this program."""
    name = model.partition(":")[0]
    return name if name in PROVIDERS else "reasoner"


def nanoseconds(time: str) -> int:
    """Return a time as nanoseconds since 1970."""
    moment = datetime.fromisoformat(time)
    span = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (span.days * 86400 + span.seconds) * 10**9 + span.microseconds * 1000
