"""OpenTelemetry spans that reasoner wrote: the trajectory they came from, with its calls and all of its actions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from reasoner.datasets.formats._spans import read_parts
from reasoner.datasets.formats.opentelemetry import KEPT, NUMBERS
from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._own_session import WRONG, Acted, storable_message, trajectory
from reasoner.datasets.imports._seam import Unusable
from reasoner.store.imports import ReadCall
from reasoner.types import Message, canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.store.imports import ReadTrajectory

Span = tuple[dict[str, Any], dict[str, Any]]
"""A span, and its attributes as a dictionary."""
ABOUT = "reasoner.about"


def read_spans(spans: Sequence[Span]) -> ReadTrajectory:
    """Read the spans of one trajectory of ours."""
    try:
        return _read(spans)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise Unusable(WRONG) from error


def _read(spans: Sequence[Span]) -> ReadTrajectory:
    about = json.loads(next(said[ABOUT] for _, said in spans if ABOUT in said))
    chats = [(span, said) for span, said in spans if said["gen_ai.operation.name"] == "chat"]
    tools = [(span, said) for span, said in spans if said["gen_ai.operation.name"] == "execute_tool"]
    keys = {span["spanId"]: said["gen_ai.response.id"] for span, said in chats}
    places = {said["reasoner.action.key"]: n for n, (_, said) in enumerate(tools)}
    acted = [_acted(span, said, keys, places) for span, said in tools]
    made = trajectory(about, [_call(span, said) for span, said in chats], acted, keys=list(places))
    root = next(said for _, said in spans if ABOUT in said)
    totals = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens", "cached_tokens": "cache_read.input_tokens"}
    made.columns = {**made.columns, **{column: root[f"gen_ai.usage.{name}"] for column, name in totals.items()}}
    return made


def _call(span: Mapping[str, Any], said: Mapping[str, Any]) -> ReadCall:
    written = [*json.loads(said["gen_ai.input.messages"]), *json.loads(said["gen_ai.output.messages"])]
    exact = json.loads(said.get("reasoner.messages", "{}"))
    *asked, reply = (
        storable_message(Message.of_parts(*exact[str(n)]) if str(n) in exact else read_parts(one)) for n, one in enumerate(written)
    )
    columns = {name: said.get(f"reasoner.call.{name}") for name in KEPT}
    columns |= {
        "model": said["gen_ai.request.model"], "finish_reason": said["gen_ai.response.finish_reasons"][0], "seed": said["gen_ai.request.seed"],
        "prompt_tokens": said["gen_ai.usage.input_tokens"], "completion_tokens": said["gen_ai.usage.output_tokens"],
        "cached_tokens": said["gen_ai.usage.cache_read.input_tokens"], "cost": said.get("reasoner.call.cost"), "sampling": _sampling(said),
        "created": _time(span["startTimeUnixNano"]), "finished": _time(span["endTimeUnixNano"]),
    }  # fmt: skip
    if "gen_ai.usage.reasoning.output_tokens" in said:
        columns["reasoning_tokens"] = said["gen_ai.usage.reasoning.output_tokens"]
    tools = v.tools(said.get("gen_ai.tool.definitions"))
    return ReadCall(said["gen_ai.response.id"], tuple(asked), reply.content, columns, reply.parts(), tools)


def _sampling(said: Mapping[str, Any]) -> str:
    found = {name: said[f"gen_ai.request.{name}"] for name in NUMBERS if f"gen_ai.request.{name}" in said}
    if "gen_ai.request.stop_sequences" in said:
        found["stop"] = said["gen_ai.request.stop_sequences"]
    return canonical_json(found | json.loads(said.get("reasoner.call.sampling", "{}")))


def _acted(span: Mapping[str, Any], said: Mapping[str, Any], keys: Mapping[str, str], places: Mapping[str, int]) -> Acted:
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    within = said.get("reasoner.action.within")
    return Acted(
        keys.get(span.get("parentSpanId", ""), ""), said["gen_ai.tool.name"], said["gen_ai.tool.call.arguments"],
        said["gen_ai.tool.call.result"], said.get("gen_ai.tool.call.id", ""), said["reasoner.action.state"], said["reasoner.action.effect"],
        (end - start) / 1e9, _time(start), places.get(within) if within else None,
    )  # fmt: skip


def _time(nanoseconds: Any) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(nanoseconds) // 1000)
    return moment.isoformat(timespec="microseconds" if moment.microsecond % 1000 else "milliseconds")
