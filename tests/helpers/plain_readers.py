"""Readers of answers for tests, one for each dialect: slow, by the letter of the formats, and with no line in common with the clients.

says("openai", body, streamed=False) -> ("Answer: 24", "stop")
"""

from __future__ import annotations

import json
from typing import Any


def events_of(data: bytes) -> list[tuple[str, bytes]]:
    """Split a stream into (name, data) of its events, by the letter of the standard, slowly; the last may lack its blank line if it is whole."""
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found: list[tuple[str, bytes]] = []
    held: list[bytes] = []
    name = ""
    for line in text.split(b"\n"):
        field, _, rest = line.partition(b":")
        rest = rest[1:] if rest[:1] == b" " else rest
        if not line:
            found += [(name, b"\n".join(held))] if held else []
            held, name = [], ""
        elif field == b"data":
            held.append(rest)
        elif field == b"event":
            name = rest.decode("utf-8", "replace")
    last = b"\n".join(held)
    try:
        is_whole = last.strip() == b"[DONE]" or isinstance(json.loads(last), dict)
    except (ValueError, RecursionError):
        is_whole = False
    return [*found, (name, last)] if is_whole else found


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
        return _WHOLE[scheme](value)
    values: list[Any] = []
    for name, event in events_of(data):
        if event.strip() == b"[DONE]" and scheme != "responses":  # which has an event of its own for the end
            break
        if event.strip() in (b"", b"null", b"[DONE]"):
            if scheme == "responses" and event.strip() != b"[DONE]":
                values.append({"type": name})  # the name of the event says what it is
            continue
        try:
            value = loads(event)
        except Unsaid:
            value = None
        if scheme == "responses" and isinstance(value, dict) and not (isinstance(value.get("type"), str) and value["type"]):
            value = value | {"type": name}
        values.append(value)
    return _STREAMED[scheme](values)


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


def _said_by_responses(value: dict[str, Any]) -> tuple[str, str]:
    if not isinstance(value.get("output"), list):
        raise Unsaid
    text, refused = _text_of_items(value["output"])
    end = _end_of_response(value, "")
    return plain(text), "content_filter" if refused else end


def _text_of_items(items: list[Any]) -> tuple[str, bool]:
    """Return the text of an output, and whether a part of it is a refusal."""
    text, refused = "", False
    for item in items:
        if not isinstance(item, dict) or item.get("type") != "message":
            if isinstance(item, dict) and item.get("type") == "function_call" and isinstance(item.get("name"), str) and item["name"]:
                raise TooOdd
            continue
        content = item.get("content")
        if isinstance(content, str):
            text += content
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict) and part.get("type") == "refusal":
                refused = True
            elif isinstance(part, dict) and part.get("type") in ("output_text", "text"):
                if not isinstance(part.get("text"), str):
                    raise Unsaid
                text += part["text"]
    return text, refused


def _end_of_response(value: dict[str, Any], kind: str) -> str:
    status = value.get("status")
    status = (status if isinstance(status, str) and status else kind).strip().lower()
    if status == "incomplete":
        details = value.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        named = {"max_output_tokens": "length", "max_tokens": "length", "content_filter": "content_filter"}
        return named.get(reason.strip().lower(), "truncated") if isinstance(reason, str) else "truncated"
    return "stop" if status == "completed" else "truncated"


def _streamed_by_responses(values: list[Any]) -> tuple[str, str]:
    """Look for the text in the whole response at the end, then in the items, then in the pieces; the last two count only if all of them came."""
    pieces: list[Any] = []
    items: list[Any] = []
    n_lost = 0
    for value in values:
        if not isinstance(value, dict):
            n_lost += 1
            continue
        told = value.get("response")
        whole: dict[str, Any] = told if isinstance(told, dict) else {}
        if value.get("error") or value.get("type") == "error" or whole.get("error"):
            raise Unsaid
        kind = value.get("type")
        if kind == "response.output_text.delta":
            pieces.append(value.get("delta"))
        elif kind == "response.output_item.done":
            items.append(value.get("item"))
        elif kind in ("response.completed", "response.incomplete", "response.failed", "response.cancelled"):
            end = _end_of_response(whole, kind.removeprefix("response."))
            output = whole.get("output")
            for source in (output if isinstance(output, list) else [], items if not n_lost else []):
                try:
                    text, refused = _text_of_items(source)
                except Unsaid:
                    n_lost += 1
                    continue
                if text or refused:
                    return plain(text), "content_filter" if refused else end
            if n_lost or not all(isinstance(piece, str) for piece in pieces):
                raise Unsaid
            return plain("".join(pieces)), end
    raise Unsaid


_WHOLE = {"openai": _said_by_openai, "anthropic": _said_by_anthropic, "responses": _said_by_responses}
_STREAMED = {"openai": _streamed_by_openai, "anthropic": _streamed_by_anthropic, "responses": _streamed_by_responses}
