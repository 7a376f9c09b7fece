"""Read OTLP JSON with the official packages: the protobuf message, and the names of the semantic conventions."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes, service_attributes

NAMES = {
    value
    for module in (gen_ai_attributes, error_attributes, service_attributes)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}
OPERATIONS = {one.value for one in gen_ai_attributes.GenAiOperationNameValues}


def read(document: dict[str, Any]) -> ExportTraceServiceRequest:
    """Return the request; OTLP writes ids in hexadecimal, where the JSON of protobuf has base64."""
    copied = json.loads(json.dumps(document))
    for resource in copied["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name, size in (("traceId", 16), ("spanId", 8), ("parentSpanId", 8)):
                    if name in span:
                        raw = bytes.fromhex(span[name])
                        assert len(raw) == size
                        span[name] = base64.b64encode(raw).decode()
    request = ExportTraceServiceRequest()
    Parse(json.dumps(copied), request)
    return request


def told(request: ExportTraceServiceRequest) -> list[dict[str, Any]]:
    """Return the attributes of every span; each name is one of the conventions or begins with whose it is."""
    found = []
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                attributes = {one.key: one.value for one in span.attributes}
                events = [one.key for event in span.events for one in event.attributes]
                for name in (*attributes, *events):
                    assert name in NAMES or name.startswith("reasoner."), name
                assert attributes["gen_ai.operation.name"].string_value in OPERATIONS
                assert span.name.startswith(attributes["gen_ai.operation.name"].string_value)
                assert span.end_time_unix_nano >= span.start_time_unix_nano
                found.append(attributes)
    return found
