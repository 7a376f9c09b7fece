"""The course of a trajectory in time: when each call and action ran, and what was said in them.

    timeline_values(store, "9f3c...", page=0) -> {"rows": [{"name": "cot/answer", "x": 0.0, "width": 812.0, ...}], "n": 1, ...}

Knows rows and times; does not know a template.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reasoner.store import queries
from reasoner.store.timeline import n_steps, span, texts, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.store import Store
    from reasoner.types import Message

ROWS = 100
"""Calls and actions of one page of the timeline."""
SAID = 25
"""Those of one page of the transcript."""
WIDTH = 1_000.0
"""Units of the timeline from its first call to the end of its last."""
MAX_SAID = 6_000
"""Characters of one text of a transcript; the page of its thought has all."""
PAUSE_S = 60.0
"""A longer time in which nothing ran (a run that was resumed) is drawn as short as `PAUSE_DRAWN_S`."""
PAUSE_DRAWN_S = 1.0


def timeline_values(store: Store, trajectory_id: str, *, page: int) -> dict[str, Any]:
    """Return one page of calls and actions with their bars, in units of `WIDTH` over the page."""
    n = n_steps(store, trajectory_id)
    steps = timeline(store, trajectory_id, limit=ROWS, offset=page * ROWS)
    ends = span(store, trajectory_id)
    times, pauses = _without_pauses([(_stamp(step["created"]), _stamp(step["finished"] or step["created"])) for step in steps])
    whole = max((end for _, end in times), default=0.0) or 1.0
    rows = []
    for step, (begin, end) in zip(steps, times, strict=True):
        bar = {"x": round(WIDTH * begin / whole, 1), "width": round(max(WIDTH * (end - begin) / whole, 3.0), 1), "begin": begin}
        rows.append(step | bar)
    return {
        "rows": rows, "n": n, "page": page, "more": (page + 1) * ROWS < n, "pauses": pauses, "whole": whole,
        "wall": None if ends is None else _stamp(ends[1]) - _stamp(ends[0]),
    }  # fmt: skip


def transcript_values(store: Store, trajectory_id: str, *, page: int) -> dict[str, Any]:
    """Return one page of what was said: of each call the messages that the call before it had not, its reasoning and reply; of each action its result."""
    n = n_steps(store, trajectory_id)
    steps = timeline(store, trajectory_id, limit=SAID, offset=page * SAID)
    wanted = [
        step[name]
        for step in steps
        for name in ("reply_id", "context_id")
        if step[name] and (name == "reply_id" or step["kind"] == "action")
    ]
    said = texts(store, wanted)
    nothing = {"content": "", "reasoning": "", "parts": None}
    before: Sequence[Message] = ()
    turns = []
    for step in steps:
        reply = said.get(step["reply_id"] or 0, nothing)
        turn: dict[str, Any] = step | {"asked": [], "earlier": 0, "given": "", "tool_calls": []}
        if step["kind"] == "action":
            turn["given"] = _cut(said.get(step["context_id"], nothing)["content"])
        else:
            prompt = queries.prompt_of(store, step["context_id"])
            same = _n_shared(before, prompt)
            turn["asked"] = [{"role": message.role, "text": _cut(message.content)} for message in prompt[same:]]
            turn["earlier"], before = same, prompt
            turn["tool_calls"] = [(name, _cut(given)) for _, name, given in json.loads(reply["parts"] or "{}").get("tool_calls", [])]
        turns.append(turn | {"reply": _cut(reply["content"]), "reasoning": _cut(reply["reasoning"] or "")})
    return {"turns": turns, "n": n, "page": page, "first": page * SAID + 1, "more": (page + 1) * SAID < n}


def _stamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _without_pauses(times: Sequence[tuple[float, float]]) -> tuple[list[tuple[float, float]], int]:
    """Return times from zero, long ones in which nothing ran cut short, and how many were."""
    if not times:
        return [], 0
    found: list[tuple[float, float]] = []
    shift, busy_until, n_cut = times[0][0], times[0][0], 0
    for begin, end in times:
        if begin - busy_until > PAUSE_S:
            shift += begin - busy_until - PAUSE_DRAWN_S
            n_cut += 1
        busy_until = max(busy_until, end)
        found.append((begin - shift, max(end, begin) - shift))
    return found, n_cut


def _n_shared(one: Sequence[Message], other: Sequence[Message]) -> int:
    """Return how many messages two prompts share from their beginning; the last of a prompt is always shown."""
    n = 0
    while n < min(len(one), len(other) - 1) and one[n] == other[n]:
        n += 1
    return n


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SAID else f"{text[:MAX_SAID]}\n[… {len(text) - MAX_SAID:,} further characters]"
