"""What is shown of one thought: prompt, reasoning, reply and verdict first, in the order they came; settings after them, rounded.

    thought_facts(store, "9f3c...", "11d0...") -> {"heading": "1.2 tot/step", "figures": [["Score", "20"]], "parts": [...], "settings": [...]}

The page without script and the panel beside the tree draw the same values.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.serve.templating import money, seconds, verdict_word
from reasoner.store import queries
from reasoner.text import clean, shorten
from reasoner.types import SIGNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.store import Store
    from reasoner.types import Message

Part = dict[str, Any]
"""`title`, `text`, and whether it is folded at first (`folded`)."""

MAX_OPEN = 1_200
"""A message of a prompt of more characters is folded at first, and so is every one but the last."""
MAX_SETTING = 300


def thought_facts(store: Store, trajectory_id: str, thought_id: str) -> dict[str, Any] | None:
    """Return what is shown of a thought and of the call it came from; None when it is not there."""
    row = queries.thought_row(store, trajectory_id, thought_id)
    if row is None:
        return None
    call = queries.call_row(store, row["call_id"])
    prompt = [] if call is None else queries.prompt_of(store, call["context_id"])
    verdict = _verdict(queries.trajectory_row(store, trajectory_id), thought_id)
    return {
        "id": row["id"],
        "heading": " ".join(filter(None, (row["label"], row["role"]))) or "thought",
        "summary": shorten(clean(row["operation"] or row["content"] or ""), 80),
        "status": row["status"],
        "figures": _figures(row, call),
        "parts": [*_parts(row, call, prompt), *verdict],
        "settings": [] if call is None else _settings(call),
    }


def _figures(row: Mapping[str, Any], call: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the few numbers that stand above the texts."""
    found = [("Status", f"{SIGNS[row['status']]} {row['status']}")]
    if row["score"] is not None:
        found.append(("Score", f"{row['score']:.3g}"))
    if row["operation"]:
        found.append(("Operation", shorten(clean(row["operation"]), MAX_SETTING)))
    if call is not None and call["completion_tokens"] is not None:
        found.append(("Tokens", f"{call['prompt_tokens'] or 0:,} + {call['completion_tokens']:,}"))
        found.append(("Time", seconds(call["seconds"])))
    if call is not None and call["cost"]:
        found.append(("Cost", money(call["cost"])))
    if call is not None and call["error"]:
        found.append(("Error", shorten(clean(call["error"]), MAX_SETTING)))
    return found


def _parts(row: Mapping[str, Any], call: Mapping[str, Any] | None, prompt: Sequence[Message]) -> list[Part]:
    """Return the texts: of a reply after what was asked and thought, of a step that was read from a reply before them."""
    own_reply = call is not None and row["text"] is None
    text = row["content"] or ""
    state = _state(row, text)
    if call is None:
        return [_part("Text", text), *state]
    asked = [part for at, message in enumerate(prompt) for part in _message(message, last=at == len(prompt) - 1)]
    thought = [_part(_reasoning_title(call["reasoning"]), call["reasoning"], folded=True)] if call["reasoning"] else []
    calls = [_part(f"Tool call: {name}", given or "{}") for _, name, given in json.loads(call["parts"] or "{}").get("tool_calls", [])]
    if own_reply:
        return [*asked, *thought, _part("Reply", text), *calls, *state]
    came_from = [_part("Reply it was read from", call["reply"])] if call["reply"] else []
    return [_part("Text", text), *state, *asked, *thought, *came_from, *calls]


def _message(message: Message, *, last: bool) -> list[Part]:
    found = [_part(f"Prompt: {message.role}", message.content, folded=not last or len(message.content) > MAX_OPEN)]
    if message.reasoning:
        found.append(_part(_reasoning_title(message.reasoning), message.reasoning, folded=True))
    return found + [_part(f"Tool call: {call.name}", call.arguments or "{}", folded=not last) for call in message.tool_calls]


def _reasoning_title(text: str) -> str:
    return f"Thought before it ({len(text):,} characters)"


def _state(row: Mapping[str, Any], text: str) -> list[Part]:
    """Return the state of a thought, where it says more than its text."""
    if row["state"] is None:
        return []
    value = json.loads(row["state"])
    shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return [] if shown == text else [_part("State", shown)]


def _verdict(row: Mapping[str, Any] | None, thought_id: str) -> list[Part]:
    """Return the verdict, where the answer stands in this thought."""
    if row is None or row["answer_thought"] != thought_id or row["status"] == "open":
        return []
    word = verdict_word(dict(row))
    return [_part("Verdict", f"{word}: {row['reason']}" if row["reason"] else word)]


def _settings(call: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how the call was made, in words; what says nothing is left out."""
    sampling = {name: value for name, value in _fields(call["sampling"]).items() if value not in (None, [], {})}
    found: list[tuple[str, Any]] = [
        ("Model", call["model"]), ("Ended", call["finish_reason"]), ("Cached tokens", call["cached_tokens"] or None),
        ("Reasoning tokens", call["reasoning_tokens"] or None), ("Usage", "estimated" if call["usage_estimated"] else None),
        ("Mean log probability", None if call["mean_logprob"] is None else f"{call['mean_logprob']:.3g}"), ("Retries", call["retries"] or None),
        ("State", call["state"] if call["state"] != "done" else None), ("Attempt", call["attempt"] or None),
        ("Sampling", ", ".join(f"{name.replace('_', ' ')} {_short_number(value)}" for name, value in sampling.items())), ("Seed", call["seed"]),
        ("Constraint asked for", call["constraint_requested"]), ("Constraint applied", call["constraint_applied"]), ("Tools", call["tools"]),
        ("Template", (call["template_hash"] or "")[:12]), ("Call key", (call["key"] or "")[:16]),
    ]  # fmt: skip
    return [(name, shorten(clean(str(value)), MAX_SETTING)) for name, value in found if value not in (None, "")]


def _fields(text: str | None) -> dict[str, Any]:
    """Return the fields of a JSON object; of a text that is none (a file made by hand), the text itself."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"as written": text}


def _short_number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _part(title: str, text: Any, *, folded: bool = False) -> Part:
    return {"title": clean(title), "text": clean(str(text or "")), "folded": folded}
