"""Answers that are well formed and odd, as servers send them: each with what it says, how it ended, and the counts that can be read.

body, (text, thought, finish), (prompt_tokens, completion_tokens) = odd_openai(random.Random(1), streamed=True)
"""

from __future__ import annotations

import json
import random
from typing import Any

from canned import stream

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
