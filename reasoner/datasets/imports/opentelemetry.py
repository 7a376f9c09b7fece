"""Spans of OpenTelemetry's conventions for generative AI: OTLP as JSON, or one span a line; also OpenInference and OpenLLMetry attributes.

Source: OpenTelemetry, "Semantic conventions for generative AI"; OpenInference specification.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _own_spans
from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.store.imports import ReadTrajectory

_NUMBERED = re.compile(r"(gen_ai\.prompt|gen_ai\.completion|llm\.input_messages|llm\.output_messages)\.(\d{1,6})\.(?:message\.)?(.+)")
_NESTED = re.compile(r"tool_calls\.(\d{1,4})\.(?:tool_call\.)?(?:function\.)?(.+)")
EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
MODEL = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
SAMPLING = {"gen_ai.request.temperature": "temperature", "gen_ai.request.top_p": "top_p", "gen_ai.request.max_tokens": "max_tokens"}


class Opentelemetry(Importer):
    """Spans with messages in their attributes or events."""

    name: ClassVar[str] = "opentelemetry"
    summary: ClassVar[str] = "OpenTelemetry GenAI spans (OTLP JSON or one a line), OpenInference, OpenLLMetry"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell an OTLP document, or a span with attributes of a model's call."""
        if "resourceSpans" in row or "resource_spans" in row:
            return 90
        names = _attributes(row.get("attributes"))
        return 80 if any(str(name).startswith(("gen_ai.", "llm.")) for name in names) else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript | ReadTrajectory]:
        """Read the spans that are calls of a model; those of a trajectory of ours as one."""
        spans = [(span, _attributes(span.get("attributes"))) for span in _spans(row)]
        if any(_own_spans.ABOUT in attributes for _, attributes in spans):
            yield _own_spans.read_spans(spans)
            return
        for span, attributes in spans:
            if not any(str(name).startswith(("gen_ai.", "llm.")) for name in attributes):
                continue
            if str(attributes.get("gen_ai.operation.name")) in {"execute_tool", "embeddings", "create_agent", "invoke_agent", "retrieval"}:
                continue
            yield _span(span, attributes)


def _spans(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    resources = row.get("resourceSpans", row.get("resource_spans"))
    if resources is None:
        yield dict(row)
        return
    for resource in resources if isinstance(resources, list) else ():
        for scope in v.first(resource, ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")) or ():
            yield from (span for span in scope.get("spans") or () if isinstance(span, dict))


def _attributes(value: Any) -> dict[str, Any]:
    """Return attributes as a dictionary; OTLP writes them as a list of keys and typed values."""
    if isinstance(value, dict):
        return value
    found = value if isinstance(value, list) else []
    return {one["key"]: _plain(one.get("value")) for one in found if isinstance(one, dict) and isinstance(one.get("key"), str)}


def _plain(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind in {"intValue", "doubleValue"} and isinstance(inner, str):
        try:
            return int(inner) if kind == "intValue" else float(inner)
        except ValueError:
            return inner
    if kind == "arrayValue":
        return [_plain(one) for one in v.at(inner, "values") or ()]
    return _attributes(v.at(inner, "values")) if kind == "kvlistValue" else inner if kind.endswith("Value") else value


def _span(span: Mapping[str, Any], attributes: Mapping[str, Any]) -> Transcript:
    events = [
        (one.get("name"), _attributes(one.get("attributes")) or one.get("body") or {})
        for one in span.get("events") or ()
        if isinstance(one, dict)
    ]
    told = [attributes, *(inner for _, inner in events)]
    asked = (
        _listed(told, "gen_ai.input.messages", "gen_ai.prompt")
        or _numbered(attributes, ("gen_ai.prompt", "llm.input_messages"))
        or _of_events(events)
    )
    said = _listed(told, "gen_ai.output.messages", "gen_ai.completion") or _numbered(
        attributes, ("gen_ai.completion", "llm.output_messages")
    )
    said = said or [_choice(inner) for name, inner in events if name == "gen_ai.choice"]
    if not asked or not said:
        raise Unusable("a span holds no messages (content is recorded only where it was switched on)")
    system = v.parsed(next((one["gen_ai.system_instructions"] for one in told if one.get("gen_ai.system_instructions")), None))
    before = [*(v.message({"role": "system", "content": system}) if system else []), *(m for one in asked for m in _message(one))]
    reply = v.message({"role": "assistant", **_parts(said[0])}, told=True)[-1]
    usage, bad = v.usage(
        {
            "input_tokens": v.first_of(attributes, ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")),
            "output_tokens": v.first_of(
                attributes, ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
            ),
            "cached_tokens": attributes.get("gen_ai.usage.cache_read.input_tokens"),
        }
    )
    ends = attributes.get("gen_ai.response.finish_reasons") or [said[0].get("finish_reason")]
    model = v.text(v.first_of(attributes, MODEL))
    call = {**usage, **v.finish(ends[0] if isinstance(ends, list) and ends else ends), "model": model}
    left = {
        name: value
        for name, value in attributes.items()
        if not _NUMBERED.match(name) and not name.endswith((".messages", "system_instructions"))
    }
    facts = v.facts({"trace_id": v.first(span, ("traceId", "trace_id", "context.trace_id")), "span_id": v.first(span, ("spanId", "span_id", "context.span_id")), "name": span.get("name"), "attributes": left})  # fmt: skip
    sampling = {name: attributes[key] for key, name in SAMPLING.items() if attributes.get(key) is not None}
    tools = v.tools(v.parsed(attributes.get("gen_ai.tool.definitions")))
    agent = v.text(attributes.get("gen_ai.agent.name"))
    return Transcript(
        [*before, reply], model=model, agent=agent, calls={len(before): call}, tools=tools, sampling=sampling, facts=facts, n_bad_usage=bad
    )


def _listed(told: list[Any], *names: str) -> list[dict[str, Any]]:
    """Return the messages in an attribute that holds them all, as values or as JSON text."""
    for name in names:
        for one in told:
            value = v.parsed(one.get(name))
            if isinstance(value, list) and value and isinstance(value[0], dict):
                return value
            if isinstance(value, str) and value:
                return [{"role": "user" if "input" in name or "prompt" in name else "assistant", "content": value}]
    return []


def _numbered(attributes: Mapping[str, Any], heads: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return messages whose fields are attributes of their own: `llm.input_messages.0.message.role`."""
    made: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        match = _NUMBERED.fullmatch(str(name))
        if match is None or match[1] not in heads:
            continue
        row = made.setdefault(int(match[2]), {})
        inner = _NESTED.fullmatch(match[3])
        if inner is None:
            row[match[3]] = value
        else:
            calls = row.setdefault("calls", {})
            calls.setdefault(int(inner[1]), {})[inner[2]] = value
    for row in made.values():
        if "calls" in row:
            calls = row.pop("calls")
            row["tool_calls"] = [calls[n] for n in sorted(calls)]
    return [made[n] for n in sorted(made)]


def _of_events(events: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    return [{**inner, "role": EVENTS[name]} for name, inner in events if name in EVENTS and isinstance(inner, dict)]


def _choice(inner: Mapping[str, Any]) -> dict[str, Any]:
    said = v.parsed(inner.get("message"))
    return {**(said if isinstance(said, dict) else {"content": said}), "finish_reason": inner.get("finish_reason")}


def _parts(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with its parts as its content."""
    return {**value, "content": value["parts"]} if isinstance(value.get("parts"), list) else dict(value)


def _message(value: Any) -> list[Any]:
    return v.message(_parts(value), told=True) if isinstance(value, dict) else v.message(value)
