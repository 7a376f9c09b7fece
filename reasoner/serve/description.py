"""The OpenAPI description of the endpoint, made from the same models that read the requests.

describe()["paths"]["/v1/models"]["get"]
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from reasoner.serve.approvals import DecisionRequest
from reasoner.serve.chat_request import ChatRequest
from reasoner.serve.messages_request import MessagesRequest, TokensRequest
from reasoner.serve.responses_request import ResponsesRequest
from reasoner.version import __version__

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": _TEXT, "type": _TEXT, "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]}},
        }
    },
}
_ANTHROPIC_ERROR = {
    "type": "object",
    "required": ["type", "error"],
    "properties": {
        "type": {"const": "error"},
        "error": {"type": "object", "required": ["type", "message"], "properties": {"type": _TEXT, "message": _TEXT}},
    },
}
_CARD = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {"id": _TEXT, "object": {"const": "model"}, "created": _COUNT, "owned_by": _TEXT},
}
_CHAT_ANSWER = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
        "id": _TEXT,
        "object": {"const": "chat.completion"},
        "created": _COUNT,
        "model": _TEXT,
        "choices": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["index", "message", "finish_reason"],
                "properties": {
                    "index": _COUNT,
                    "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]},
                    "message": {
                        "type": "object",
                        "required": ["role", "content"],
                        "properties": {
                            "role": {"const": "assistant"},
                            "content": {"type": ["string", "null"]},
                            "reasoning_content": _TEXT,
                            "reasoning": _TEXT,
                            "tool_calls": {"type": "array", "items": {"type": "object", "required": ["id", "type", "function"]}},
                        },
                    },
                },
            },
        },
        "usage": {
            "type": "object",
            "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
            "properties": {"prompt_tokens": _COUNT, "completion_tokens": _COUNT, "total_tokens": _COUNT},
        },
        "verdicts": {"type": "array"},
    },
}
_BLOCK = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["thinking", "redacted_thinking", "text", "tool_use"]},
        "thinking": _TEXT,
        "signature": _TEXT,
        "text": _TEXT,
        "id": _TEXT,
        "name": _TEXT,
        "input": {"type": "object"},
    },
}
_MESSAGE_ANSWER = {
    "type": "object",
    "required": ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"],
    "properties": {
        "id": _TEXT,
        "type": {"const": "message"},
        "role": {"const": "assistant"},
        "model": _TEXT,
        "content": {"type": "array", "minItems": 1, "items": _BLOCK},
        "stop_reason": {"enum": ["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]},
        "stop_sequence": {"type": ["string", "null"]},
        "usage": {
            "type": "object",
            "required": ["input_tokens", "output_tokens"],
            "properties": {"input_tokens": _COUNT, "output_tokens": _COUNT},
        },
    },
}
_ACTION = {
    "type": "object",
    "required": ["id", "object", "state", "tool", "run", "trajectory"],
    "properties": {"id": _COUNT, "object": {"const": "action"}, "state": _TEXT, "tool": _TEXT, "run": _TEXT, "trajectory": _TEXT},
}
_STANDING = {
    "type": "object",
    "required": ["id", "object", "run", "status", "answer", "error", "waiting"],
    "properties": {
        "object": {"const": "trajectory"},
        "status": {"enum": ["open", "waiting", "closed", "exhausted", "failed"]},
        "answer": {"type": ["string", "null"]},
        "error": {"type": ["string", "null"]},
        "waiting": {"type": "array", "items": _ACTION},
    },
}
_TRAJECTORY = {
    "X-Reasoner-Trajectory": {"description": "ids of the recorded trajectories, separated by commas", "required": True, "schema": _TEXT},
    "X-Reasoner-Run": {"description": "id of the run they belong to", "required": True, "schema": _TEXT},
}
_WORDS = {
    "400": "the request asks for what cannot be",
    "401": "the token is missing or wrong",
    "403": "the Host or Origin is not this server's, or an action waits for a person (`approval_required`)",
    "404": "no such model, action, trajectory or page",
    "405": "no such method here",
    "409": "a request with this Idempotency-Key is in progress, or the action is not waiting",
    "413": "the body is too large",
    "415": "the body is no JSON",
    "429": "too many requests are in progress, or the model's provider says so",
    "502": "the model failed",
    "503": "the server is stopping, or its database cannot be used",
    "504": "the model did not answer in time",
}


_SCHEMAS = {
    "ChatAnswer": _CHAT_ANSWER,
    "MessagesAnswer": _MESSAGE_ANSWER,
    "ResponsesAnswer": {
        "type": "object",
        "required": ["id", "object", "status", "model", "output", "usage"],
        "properties": {
            "object": {"const": "response"},
            "status": {"enum": ["completed", "incomplete"]},
            "output": {"type": "array", "items": {"type": "object", "required": ["type"]}},
        },
    },
    "TokensAnswer": {"type": "object", "required": ["input_tokens"], "properties": {"input_tokens": _COUNT}},
    "Health": {
        "type": "object",
        "required": ["status", "under_way"],
        "properties": {"status": {"enum": ["ok", "stopping"]}, "under_way": _COUNT},
    },
    "Model": _CARD,
    "ModelList": {
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _CARD}},
    },
    "Action": _ACTION,
    "ActionList": {
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _ACTION}},
    },
    "Trajectory": _STANDING,
    "Error": _OPENAI_ERROR,
    "MessagesError": _ANTHROPIC_ERROR,
}
"""What is answered, by name."""


def _answers(name: str, error: str, headers: dict[str, Any] | None = None, *, streams: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    if streams:
        content["text/event-stream"] = {}  # a stream of events, each described by the dialect
    made: dict[str, Any] = {"200": {"description": "the answer", "content": content, **({"headers": headers} if headers else {})}}
    for status, words in _WORDS.items():
        made[status] = {"description": words, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{error}"}}}}
    return made


def _post(name: str, body: str, answer: str, error: str, *, runs: bool = True) -> dict[str, Any]:
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 200, "pattern": "^[!-~]*$"}}
    return {
        "post": {
            "operationId": name,
            "parameters": [key] if runs else [],
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}},
            "responses": _answers(answer, error, _TRAJECTORY if runs else None, streams=runs),
        }
    }


def describe() -> dict[str, Any]:
    """Return the description as JSON values."""
    _, models = models_json_schema(
        [
            (ChatRequest, "validation"),
            (MessagesRequest, "validation"),
            (TokensRequest, "validation"),
            (ResponsesRequest, "validation"),
            (DecisionRequest, "validation"),
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas = {**models["$defs"], **_SCHEMAS}
    one, action, trajectory = (
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in ("model", "action", "trajectory")
    )
    decide = _post("decide", "DecisionRequest", "Action", "Error", runs=False)
    decide["post"]["parameters"] = [action]
    return {
        "openapi": "3.1.0",
        "info": {"title": "reasoner serve", "version": __version__, "description": "Reasoning strategies as models, in two dialects."},
        "paths": {
            "/v1/chat/completions": _post("chat_completions", "ChatRequest", "ChatAnswer", "Error"),
            "/v1/messages": _post("messages", "MessagesRequest", "MessagesAnswer", "MessagesError"),
            "/v1/messages/count_tokens": _post("count_tokens", "TokensRequest", "TokensAnswer", "MessagesError", runs=False),
            "/v1/responses": _post("responses", "ResponsesRequest", "ResponsesAnswer", "Error"),
            "/health": {"get": {"operationId": "health", "responses": _answers("Health", "Error")}},
            "/v1/models": {"get": {"operationId": "models", "responses": _answers("ModelList", "Error")}},
            "/v1/models/{model}": {"get": {"operationId": "model", "parameters": [one], "responses": _answers("Model", "Error")}},
            "/v1/actions": {"get": {"operationId": "actions", "responses": _answers("ActionList", "Error")}},
            "/v1/actions/{action}": decide,
            "/v1/trajectories/{trajectory}": {
                "get": {"operationId": "trajectory", "parameters": [trajectory], "responses": _answers("Trajectory", "Error")}
            },
        },
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }
