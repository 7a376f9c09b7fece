"""Malformed answers by the thousand, in both dialects, whole and streamed: no fault of ours, no hang, nothing incomplete taken for whole.

`REASONER_MALFORMED=10000` runs the full number; `REASONER_MALFORMED_SEED` another seed. What is taken for a complete answer is checked by
readers of this file's own, which share nothing with the client's.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from typing import Any

import pytest
from canned import anthropic_events, ask, message, openai_events, stream
from fault_server import chat, error_body

from reasoner.errors import ClientError

N = int(os.environ.get("REASONER_MALFORMED", "1000"))
SEED = int(os.environ.get("REASONER_MALFORMED_SEED", "20261124"))
HANG_S = 10.0

WHOLE = {"openai": [chat("Answer: 24"), chat("x"), error_body("overloaded")], "anthropic": [message(), message("x"), error_body("no")]}
STREAMED = {
    "openai": [stream(openai_events()), stream(openai_events("ab", usage=False), newline=b"\r\n")],
    "anthropic": [stream(anthropic_events()), stream(anthropic_events("ab"))],
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


def events_of(data: bytes) -> list[bytes]:
    """Split a stream into the data of its finished events, by the letter of the standard, slowly."""
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found: list[bytes] = []
    held: list[bytes] = []
    for line in text.split(b"\n")[:-1]:
        if not line:
            found += [b"\n".join(held)] if held else []
            held = []
        elif line.split(b":", 1)[0] == b"data":
            rest = line[5:]
            held.append(rest[1:] if rest[:1] == b" " else rest)
    return found


def says(scheme: str, data: bytes, *, streamed: bool) -> str:
    """Return the text of an answer that is whole; anything about it that is not raises."""
    if not streamed:
        value = json.loads(data)
        if scheme == "openai":
            assert not value.get("error")
            assert value["choices"][0]["finish_reason"] == "stop"
            return str(value["choices"][0]["message"]["content"])
        assert value["stop_reason"] in {"end_turn", "stop_sequence"}
        return "".join(block.get("text", "") for block in value["content"] if block["type"] == "text")
    events = events_of(data)
    if scheme == "openai":
        chunks = [json.loads(e) for e in events[: [e.strip() for e in events].index(b"[DONE]")]]
        choices = [c for chunk in chunks for c in chunk["choices"] if c.get("index", 0) == 0]
        reasons = [c["finish_reason"] for c in choices if c.get("finish_reason")]
        assert reasons[-1] == "stop"
        return "".join((c.get("delta") or {}).get("content") or "" for c in choices)
    values = [json.loads(e) for e in events]
    kinds = [value.get("type") for value in values]
    assert "message_start" in kinds
    assert "message_stop" in kinds
    blocks: dict[int, str] = {}
    for value in values:
        if value.get("type") == "content_block_start" and value["content_block"]["type"] == "text":
            blocks[value["index"]] = value["content_block"].get("text", "")
        if value.get("type") == "content_block_delta" and value["delta"]["type"] == "text_delta":
            blocks[value["index"]] = blocks.get(value["index"], "") + value["delta"].get("text", "")
        if value.get("type") == "message_stop" and "message_delta" in kinds:
            break
    return "".join(blocks.values())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scheme", ["openai", "anthropic"])
async def test_no_malformed_answer_is_a_fault_of_ours_or_a_success(scheme: str, streamed: bool) -> None:
    rng = random.Random(f"{SEED}/{scheme}/{streamed}")
    tally: Counter[str] = Counter()
    for number in range(N // 4):
        body = spoiled(rng, scheme, streamed=streamed)
        size = rng.choice([len(body) or 1, 50, 7])
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        where = f"seed {SEED}, {scheme}, streamed={streamed}, number {number}: {body[:2000]!r}"
        try:
            async with asyncio.timeout(HANG_S):
                made = await ask(scheme, body, streamed=streamed, pieces=pieces, breaks=rng.random() < 0.1)
        except ClientError as error:
            tally[type(error).__name__] += 1
            assert "\n" not in str(error), where
            continue
        except Exception as error:
            raise AssertionError(where) from error
        tally[made.finish_reason] += 1
        if made.finish_reason == "stop":
            try:
                assert made.text == says(scheme, body, streamed=streamed), where
            except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
                raise AssertionError(where) from error
    print(f"seed {SEED}: {scheme}, {'streamed' if streamed else 'whole'}: {dict(tally)}")  # noqa: T201
    assert sum(tally.values()) == N // 4
    assert len(tally) >= 3, "the mutations are of one kind only"
