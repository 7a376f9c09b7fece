"""Sound answers of every dialect, and ways to spoil them: cut, flipped and doubled bytes, fields replaced or dropped, events lost or swapped.

spoiled(random.Random(1), "responses", streamed=True)  -> bytes that may or may not be an answer still
"""

from __future__ import annotations

import json
import random
from typing import Any

from canned import anthropic_events, message, openai_events, response, responses_events, stream
from fault_server import chat, error_body

WHOLE = {
    "openai": [chat("Answer: 24"), chat("x"), error_body("overloaded")],
    "anthropic": [message(), message("x"), error_body("no")],
    "responses": [response(), response("x"), error_body("overloaded")],
}
STREAMED = {
    "openai": [stream(openai_events()), stream(openai_events("ab", usage=False), newline=b"\r\n")],
    "anthropic": [stream(anthropic_events()), stream(anthropic_events("ab"))],
    "responses": [stream(responses_events()), stream([*responses_events("ab"), "[DONE]"], newline=b"\r\n")],
}
PAGES = [
    b"<!doctype html><title>Sign in</title><form>",
    b"",
    b"null",
    b"[]",
    b"data: [DONE]\n\n",
    b"\xff\xfe" * 40,
    b"{" * 5000,
    b"[" * 5000,
]
VALUES: list[Any] = [None, True, -1, 1.5, 10**30, float("nan"), float("inf"), "", "text", [], {}, [None], {"a": 1}, "\ud800", [[["x"]]]]


def spoil_tree(rng: random.Random, value: Any) -> Any:
    """Replace, drop or add something somewhere in a JSON value."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if kind < 0.3:
            return value | {key: rng.choice(VALUES)}
        return value | {key: spoil_tree(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], *([] if rng.random() < 0.2 else [spoil_tree(rng, value[at])]), *value[at + 1 :]]
    return rng.choice(VALUES)


def spoil_bytes(rng: random.Random, data: bytes) -> bytes:
    """Cut, flip, insert, double or drop bytes."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(5):
            case 0:
                del out[at:]
            case 1 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case 2:
                out[at:at] = rng.choice([b"\n", b"\r", b"\x00", b'"', b"}", b"\xf0\x9f", b"data: ", b"NaN", b"\n\n", b"[DONE]"])
            case 3:
                out[at:at] = out[at : at + rng.randint(1, 60)]
            case 4:
                del out[at : at + rng.randint(1, 30)]
    return bytes(out)


def spoil_events(rng: random.Random, data: bytes) -> bytes:
    """Drop, repeat, swap or spoil whole events of a stream."""
    end = b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n"
    events = data.split(end)
    at, other = rng.randrange(len(events)), rng.randrange(len(events))
    match rng.randrange(4):
        case 0:
            del events[at]
        case 1:
            events.insert(at, events[other])
        case 2:
            events[at], events[other] = events[other], events[at]
        case 3:
            head, mark, text = events[at].partition(b"data: ")
            try:
                events[at] = head + mark + json.dumps(spoil_tree(rng, json.loads(text))).encode()
            except ValueError:
                events[at] = spoil_bytes(rng, events[at])
    return end.join(events)


def spoiled(rng: random.Random, scheme: str, *, streamed: bool) -> bytes:
    kind = rng.random()
    if kind < 0.04:
        return rng.choice(PAGES)
    body = rng.choice((STREAMED if streamed else WHOLE)[scheme])
    if kind < 0.5:
        return spoil_bytes(rng, body)
    return spoil_events(rng, body) if streamed else json.dumps(spoil_tree(rng, json.loads(body))).encode()
