"""Malformed answers by the thousand, in every dialect, whole and streamed: no fault of ours, no hang, no paid answer lost or asked for twice.

`REASONER_MALFORMED=10000` runs the full number; `REASONER_MALFORMED_SEED` another seed. What an answer says and how it ended is checked by
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

from reasoner.calling.retry import RetryPolicy, with_retry
from reasoner.errors import ClientError
from reasoner.types import Completion

N = int(os.environ.get("REASONER_MALFORMED", "1000"))
SEED = int(os.environ.get("REASONER_MALFORMED_SEED", "20261124"))
HANG_S = 10.0
QUICK = RetryPolicy(first_wait_s=0.0, max_wait_s=0.0)

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
    """Split a stream into the data of its events, by the letter of the standard, slowly; the last one may lack its blank line if it is whole."""
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found: list[bytes] = []
    held: list[bytes] = []
    for line in text.split(b"\n"):
        if not line:
            found += [b"\n".join(held)] if held else []
            held = []
        elif line.split(b":", 1)[0] == b"data":
            rest = line[5:]
            held.append(rest[1:] if rest[:1] == b" " else rest)
    last = b"\n".join(held)
    try:
        is_whole = last.strip() == b"[DONE]" or isinstance(json.loads(last), dict)
    except (ValueError, RecursionError):
        is_whole = False
    return [*found, last] if is_whole else found


class Unsaid(Exception):
    """By the reader below, an answer has no readable text, or does not say how it ended."""


class TooOdd(Exception):
    """The reader below does not know what to make of it."""


ENDS = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "end_turn": "stop", "stop_sequence": "stop", "length": "length", "max_tokens": "length",
    "content_filter": "content_filter", "refusal": "content_filter", "tool_calls": "tool_calls", "tool_use": "tool_calls",
}  # fmt: skip


def loads(data: bytes) -> Any:
    try:
        return json.loads(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Unsaid from error


def text_of(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Unsaid
    found = ""
    for part in content:
        if isinstance(part, str):
            found += part
        elif not isinstance(part, dict):
            raise Unsaid
        elif part.get("type") in ("text", "output_text"):
            if not isinstance(part.get("text"), str):
                raise Unsaid
            found += part["text"]
    return found


def plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def says(scheme: str, data: bytes, *, streamed: bool) -> tuple[str, str]:
    """Return (text, how it ended) of an answer that was paid for, by a reader that is as lenient as the client has to be, and no more.

    Raises:
        Unsaid: it has no text to read, or it is an error.
    """
    if not streamed:
        value = loads(data)
        if not isinstance(value, dict) or value.get("error"):
            raise Unsaid
        return _said_by_openai(value) if scheme == "openai" else _said_by_anthropic(value)
    values: list[Any] = []
    for event in events_of(data):
        if event.strip() == b"[DONE]":
            break
        if event.strip() in (b"", b"null"):
            continue
        try:
            value = loads(event)
        except Unsaid:
            value = None
        values.append(value)
    return _streamed_by_openai(values) if scheme == "openai" else _streamed_by_anthropic(values)


def _said_by_openai(value: dict[str, Any]) -> tuple[str, str]:
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict) or not isinstance(choices[0].get("message"), dict):
        raise Unsaid
    message = choices[0]["message"]
    finish = choices[0].get("finish_reason")
    end = ENDS.get(finish.strip().lower(), "truncated") if isinstance(finish, str) else "truncated"
    return plain(text_of(message.get("content"))), "content_filter" if message.get("refusal") else end


def _said_by_anthropic(value: dict[str, Any]) -> tuple[str, str]:
    if not isinstance(value.get("content"), list):
        raise Unsaid
    text = ""
    for block in value["content"]:
        if isinstance(block, dict) and block.get("type") == "text":
            if not isinstance(block.get("text", ""), str):
                raise Unsaid
            text += block.get("text", "")
    reason = value.get("stop_reason")
    return plain(text), ENDS.get(reason.strip().lower(), "truncated") if isinstance(reason, str) else "truncated"


def _whole(value: Any, *, ended: bool) -> dict[str, Any]:
    """Return an event's object; one that cannot be read is a fault only before the answer has said how it ended."""
    if not isinstance(value, dict):
        if ended:
            return {}
        raise Unsaid
    if value.get("error"):
        raise Unsaid
    return value


def _streamed_by_openai(values: list[Any]) -> tuple[str, str]:
    text, end = "", ""
    for each in values:
        value = _whole(each, ended=bool(end))
        choices = value.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            index = choice.get("index", 0) if isinstance(choice, dict) else 1
            readable = isinstance(index, int | float) and not isinstance(index, bool) and 0 < index <= 10**12
            if not isinstance(choice, dict) or readable:
                continue
            delta = choice.get("delta") if isinstance(choice.get("delta"), dict) else {}
            delta = delta or (choice["message"] if isinstance(choice.get("message"), dict) else {})
            piece = text_of(delta.get("content"))
            if piece and end:
                raise Unsaid
            text += piece
            if isinstance(choice.get("finish_reason"), str) and choice["finish_reason"]:
                end = choice["finish_reason"]
    if not end:
        raise Unsaid
    return plain(text), ENDS.get(end.strip().lower(), "truncated")


def _streamed_by_anthropic(values: list[Any]) -> tuple[str, str]:
    blocks: dict[int, str] = {}
    end = ""
    for each in values:
        value = _whole(each, ended=bool(end))
        index = value.get("index")
        at = index if isinstance(index, int) and not isinstance(index, bool) and 0 <= index <= 10**12 else 0
        match value.get("type"):
            case "message_start":
                message = value.get("message")
                reason = message.get("stop_reason") if isinstance(message, dict) else None
                end = reason if isinstance(reason, str) and reason else end
            case "content_block_start" | "content_block_delta" if end:
                raise Unsaid
            case "content_block_start":
                block = value.get("content_block")
                if isinstance(block, dict) and block.get("type") == "text":
                    if not isinstance(block.get("text", ""), str):
                        raise Unsaid
                    blocks[at] = block.get("text", "")
                else:
                    raise TooOdd
            case "content_block_delta":
                delta = value.get("delta")
                if isinstance(delta, dict) and delta.get("type") == "text_delta":
                    if not isinstance(delta.get("text", ""), str):
                        raise Unsaid
                    if at not in blocks:
                        raise TooOdd
                    blocks[at] += delta.get("text", "")
            case "message_delta":
                reason = value["delta"].get("stop_reason") if isinstance(value.get("delta"), dict) else None
                end = reason if isinstance(reason, str) and reason else end
            case "message_stop" if end:
                break
    if not end:
        raise Unsaid
    return plain("".join(blocks.values())), ENDS.get(end.strip().lower(), "truncated")


class Asked:
    """Counts how often a server was asked."""

    n = 0


async def asked_once(scheme: str, body: bytes, *, streamed: bool, pieces: list[bytes], breaks: bool = False) -> Completion:
    """Ask as a run does, under the retry layer, and count the requests. One that was answered is not asked again, whatever came back."""
    Asked.n = 0

    async def call() -> Completion:
        Asked.n += 1
        return await ask(scheme, body, streamed=streamed, pieces=pieces, breaks=breaks)

    return await with_retry(call, QUICK, rng=random.Random(0))


def cut_up(rng: random.Random, body: bytes) -> list[bytes]:
    size = rng.choice([len(body) or 1, 50, 7])
    return [body[i : i + size] for i in range(0, len(body), size)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scheme", ["openai", "anthropic"])
async def test_no_malformed_answer_is_a_fault_of_ours_or_lost_or_asked_twice(scheme: str, streamed: bool) -> None:
    rng = random.Random(f"{SEED}/{scheme}/{streamed}")
    tally: Counter[str] = Counter()
    for number in range(N // 4):
        body = spoiled(rng, scheme, streamed=streamed)
        pieces, breaks = cut_up(rng, body), rng.random() < 0.1
        where = f"seed {SEED}, {scheme}, streamed={streamed}, number {number}: {body[:2000]!r}"
        odd = breaks
        try:
            expected = None if breaks else says(scheme, body, streamed=streamed)
        except (Unsaid, TooOdd) as error:
            expected, odd = None, isinstance(error, TooOdd)
        try:
            async with asyncio.timeout(HANG_S):
                made = await asked_once(scheme, body, streamed=streamed, pieces=pieces, breaks=breaks)
        except ClientError as error:
            tally[type(error).__name__] += 1
            assert "\n" not in str(error), where
            assert not expected or not expected[0], f"a paid answer was lost: {error}; {where}"
            continue
        except Exception as error:
            raise AssertionError(where) from error
        tally[made.finish_reason] += 1
        assert Asked.n == 1, f"a paid answer was asked for twice; {where}"
        if expected is not None:
            assert (made.text, made.finish_reason) == expected, where
        else:
            assert odd, where
    print(f"seed {SEED}: {scheme}, {'streamed' if streamed else 'whole'}: {dict(tally)}")  # noqa: T201
    assert sum(tally.values()) == N // 4
    assert len(tally) >= 3, "the mutations are of one kind only"


FINISHES: dict[str, dict[str, tuple[str | None, ...]]] = {
    "openai": {
        "stop": ("stop", "STOP", "eos_token", "eos", "end_turn", "stop_sequence"), "length": ("length", "max_tokens", "MAX_TOKENS"),
        "content_filter": ("content_filter", "SAFETY"), "truncated": ("pause_turn", "banana", "", None),
    },
    "anthropic": {
        "stop": ("end_turn", "stop_sequence"), "length": ("max_tokens", "model_context_window_exceeded"), "content_filter": ("refusal",),
        "truncated": ("pause_turn", "banana"),
    },
}  # fmt: skip
SPLITS = [  # how a thought stands in the text: before it, behind it
    ("<think>\n", "\n</think>\n\n"), ("<thinking>", "</thinking>"), ("<thought>\n", "\n</thought>\n"), ("<reasoning>", "</reasoning>\n"),
    ("[THINK]", "[/THINK]"), ("", "\n</think>\n\n"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]  # fmt: skip
WORDS = ["9 + 1 = 10", "Answer:", "24", "wörds", "🦉", '{"a": 1}', "\n", "\\frac{1}{2}", "so", "“quoted”", "\u2028"]


def said(rng: random.Random, n: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, n))).strip() or "24"


def odd_usage(rng: random.Random, prompt: int, reply: int) -> tuple[Any, tuple[int, int] | None]:
    """Return a usage object, and the counts that can be read from it; None where they cannot."""
    whole = {"prompt_tokens": prompt, "completion_tokens": reply}
    return rng.choice([
        (None, None), ({}, None), ("none", None), ([], None), ({"prompt_tokens": None, "completion_tokens": None}, None),
        ({"prompt_tokens": -1, "completion_tokens": "many"}, None), (whole, (prompt, reply)),
        ({k: float(v) for k, v in whole.items()} | {"cost": 0.1}, (prompt, reply)), (whole | {"prompt_tokens_details": None}, (prompt, reply)),
        (whole | {"total_tokens": prompt + reply + 50}, (prompt, reply + 50)), (whole | {"completion_tokens_details": {}}, (prompt, reply)),
        ({"prompt_tokens": prompt, "total_tokens": prompt + reply}, (prompt, reply)), (whole | {"queue_time": 0.01}, (prompt, reply)),
    ])  # fmt: skip


def odd_openai(rng: random.Random, *, streamed: bool) -> tuple[bytes, tuple[str, str, str], tuple[int, int] | None]:
    text, thought = said(rng, 30), said(rng, 30) if rng.random() < 0.7 else ""
    end = rng.choice(list(FINISHES["openai"]))
    word = rng.choice(FINISHES["openai"][end])
    usage, counts = odd_usage(rng, rng.randint(1, 500), rng.randint(1, 500))
    message: dict[str, Any] = {"content": text}
    if thought and rng.random() < 0.5:
        before, behind = rng.choice(SPLITS)
        message = {"content": f"{before}{thought}{behind}{text}"}
    elif thought:
        message |= dict.fromkeys(rng.sample(["reasoning_content", "reasoning", "thinking"], rng.randint(1, 2)), thought)
    for name in rng.sample(["refusal", "tool_calls", "function_call", "audio", "annotations", "x"], 3):
        message[name] = None if rng.random() < 0.6 or name in ("refusal", "tool_calls") else []
    if not streamed:
        if rng.random() < 0.3 and thought not in message.values():
            message["content"] = [{"type": "text", "text": message["content"]}, {"type": "image_url"}]
        choice = {"index": rng.choice([0, 0.0, None]), "message": message, "finish_reason": word, "logprobs": rng.choice([None, {}, "no"])}
        value = {"choices": [choice, *([{"index": 1}] if rng.random() < 0.2 else [])], "usage": usage, "model": rng.choice(["m", None, 7])}
        body = json.dumps(value | {"error": None, "x": [1]}, ensure_ascii=rng.random() < 0.5).encode()
        return (b"\xef\xbb\xbf" if rng.random() < 0.2 else b"") + body, (text, thought, end), counts
    events: list[Any] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": rng.choice(["", None])}, "finish_reason": None}]}
    ]
    for name in ("reasoning_content", "reasoning", "thinking", "content"):
        piece = message.get(name) or ""
        step = rng.randint(1, 20)
        events += [
            {"choices": [{"index": 0, "delta": {name: piece[i : i + step]}, "finish_reason": rng.choice([None, ""])}]}
            for i in range(0, len(piece), step)
        ]
    for oddity in rng.choices(["null", "", {"choices": []}, {"choices": None}, {}, {"id": 1, "object": "ping"}], k=rng.randint(0, 4)):
        events.insert(rng.randrange(len(events) + 1), oddity)
    if not word:
        word, end = "banana", "truncated"  # a stream without an end is a cut one
    events.append({"choices": [{"index": 0, "delta": rng.choice([{}, None, {"content": ""}]), "finish_reason": word}], "usage": None})
    events.append({"choices": rng.choice([[], None]), "usage": usage} if rng.random() < 0.8 else {"usage": usage})
    body = stream([*events, *(["[DONE]"] if rng.random() < 0.7 else [])], newline=rng.choice([b"\n", b"\r\n"]))
    body = b": comment\n\n" + body if rng.random() < 0.3 else body
    return (body.rstrip() if rng.random() < 0.3 else body), (text, thought, end), counts


def odd_anthropic(rng: random.Random, *, streamed: bool) -> tuple[bytes, tuple[str, str, str], tuple[int, int] | None]:
    text, thought = said(rng, 30), said(rng, 30) if rng.random() < 0.7 else ""
    end = rng.choice(list(FINISHES["anthropic"]))
    word = rng.choice(FINISHES["anthropic"][end])
    prompt, reply = rng.randint(1, 500), rng.randint(1, 500)
    usage, counts = rng.choice([
        (None, None), ({}, None), ({"input_tokens": None, "output_tokens": None}, None), ({"input_tokens": prompt, "output_tokens": reply}, (prompt, reply)),
        ({"input_tokens": float(prompt), "output_tokens": reply, "cache_read_input_tokens": None, "server_tool_use": None}, (prompt, reply)),
        ({"input_tokens": 0, "cache_read_input_tokens": prompt, "output_tokens": reply, "service_tier": "standard"}, (prompt, reply)),
    ])  # fmt: skip
    blocks: list[dict[str, Any]] = [{"type": "thinking", "thinking": thought, "signature": "c2ln"}] if thought else []
    blocks += [{"type": "redacted_thinking", "data": "QUJD"}] if rng.random() < 0.3 else []
    blocks += [{"type": "something_new", "x": 1}] if rng.random() < 0.2 else []
    half = rng.randrange(len(text) + 1)
    blocks += [{"type": "text", "text": part, "citations": None} for part in (text[:half], text[half:])]
    if not streamed:
        value = {
            "type": "message",
            "content": blocks,
            "stop_reason": word,
            "stop_sequence": None,
            "usage": usage,
            "model": rng.choice(["m", None, 7]),
            "container": None,
        }
        return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode(), (text, thought, end), counts
    told = usage or {}
    events: list[Any] = [{"type": "message_start", "message": {"content": [], "model": rng.choice(["m", None]), "usage": told}}]
    for at, block in enumerate(blocks):
        name = {"text": "text", "thinking": "thinking"}.get(block["type"], "")
        events.append({"type": "content_block_start", "index": at, "content_block": block | ({name: ""} if name else {})})
        step = rng.randint(1, 20)
        value = block.get(name, "")
        events += [
            {"type": "content_block_delta", "index": at, "delta": {"type": f"{name}_delta", name: value[i : i + step]}}
            for i in range(0, len(value), step)
        ]
        events.append({"type": "content_block_stop", "index": at})
    for oddity in rng.choices([{"type": "ping"}, {"type": "something_new"}, "null", {}], k=rng.randint(0, 4)):
        events.insert(rng.randrange(1, len(events) + 1), oddity)
    events.append({"type": "message_delta", "delta": {"stop_reason": word}, "usage": rng.choice([None, told])})
    body = stream([*events, *([{"type": "message_stop"}] if rng.random() < 0.8 else [])], newline=rng.choice([b"\n", b"\r\n"]))
    return (body.rstrip() if rng.random() < 0.3 else body), (text, thought, end), counts


def odd_responses(rng: random.Random, *, streamed: bool) -> tuple[bytes, tuple[str, str, str], tuple[int, int] | None]:
    text, thought = said(rng, 30), said(rng, 30) if rng.random() < 0.7 else ""
    end, status, reason = rng.choice([
        ("stop", "completed", None), ("length", "incomplete", "max_output_tokens"), ("content_filter", "incomplete", "content_filter"),
        ("truncated", "incomplete", None), ("truncated", "cancelled", None),
    ])  # fmt: skip
    prompt, reply = rng.randint(1, 500), rng.randint(1, 500)
    usage, counts = rng.choice([
        (None, None), ({}, None), ("none", None), ({"input_tokens": prompt, "output_tokens": reply}, (prompt, reply)),
        ({"input_tokens": float(prompt), "output_tokens": reply, "input_tokens_details": None}, (prompt, reply)),
        ({"input_tokens": prompt, "output_tokens": reply, "total_tokens": prompt + reply + 9}, (prompt, reply + 9)),
    ])  # fmt: skip
    items: list[dict[str, Any]] = []
    if thought:
        name, kind = rng.choice([("summary", "summary_text"), ("content", "reasoning_text")])
        items.append(
            {"type": "reasoning", "summary": [], name: [{"type": kind, "text": thought}], "encrypted_content": rng.choice([None, "QUJD"])}
        )
    items += [{"type": "something_new"}] if rng.random() < 0.2 else []
    half = rng.randrange(len(text) + 1)
    parts = [{"type": "output_text", "text": part, "logprobs": None} for part in (text[:half], text[half:])]
    items.append({"type": "message", "role": "assistant", "content": [*parts, {"type": "something_new"}]})
    value = {
        "status": status,
        "incomplete_details": {"reason": reason} if reason else None,
        "output": items,
        "usage": usage,
        "model": "m",
        "error": None,
    }
    if not streamed:
        return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode(), (text, thought, end), counts
    events: list[Any] = [{"type": "response.output_text.delta", "delta": text[i : i + 9]} for i in range(0, len(text), 9)]
    events += [{"type": "response.output_item.done", "output_index": at, "item": item} for at, item in enumerate(items)]
    for oddity in rng.choices(["null", {}, {"type": "response.something_new"}, {"type": "keepalive"}], k=rng.randint(0, 4)):
        events.insert(rng.randrange(len(events) + 1), oddity)
    told = value | ({"output": []} if rng.random() < 0.3 else {})
    events.append({"type": f"response.{status}", "response": told})
    body = stream([*events, *(["[DONE]"] if rng.random() < 0.3 else [])], newline=rng.choice([b"\n", b"\r\n"]))
    return (body.rstrip() if rng.random() < 0.3 else body), (text, thought, end), counts


ODD = {"openai": odd_openai, "anthropic": odd_anthropic, "responses": odd_responses}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scheme", ODD)
async def test_every_well_formed_answer_is_kept_however_odd_it_is(scheme: str, streamed: bool) -> None:
    rng = random.Random(f"odd/{SEED}/{scheme}/{streamed}")
    for number in range(N // (2 * len(ODD))):
        body, (text, thought, end), counts = ODD[scheme](rng, streamed=streamed)
        where = f"seed {SEED}, {scheme}, streamed={streamed}, number {number}: {body[:3000]!r}"
        try:
            made = await asked_once(scheme, body, streamed=streamed, pieces=cut_up(rng, body))
        except ClientError as error:
            raise AssertionError(f"a paid answer was lost: {error}; {where}") from error
        assert Asked.n == 1, where
        assert (made.text, made.reasoning, made.finish_reason) == (text, thought, end), where
        if counts is None:
            assert made.usage.estimated, where
        else:
            assert (made.usage.prompt_tokens, made.usage.completion_tokens, made.usage.estimated) == (*counts, False), where
