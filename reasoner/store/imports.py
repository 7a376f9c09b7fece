"""Put what was read from a file into the store, as runs, trajectories, calls and thoughts like any other.

A run that was read from a file has `imported` in its manifest. What is there already stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner.store.actions import ARGUMENTS, RESULT
from reasoner.store.annotations import put_annotation
from reasoner.store.interning import extend_context, intern_context, intern_message, intern_settings, intern_text, packed, tools_text
from reasoner.store.times import now
from reasoner.text import storable
from reasoner.types import Message, Problem, ToolSpec, Verdict, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.store.connection import Connection


@dataclass(slots=True)
class ReadCall:
    """One call as a file tells of it. `columns` are further columns of `calls`."""

    key: str
    messages: tuple[Message, ...]
    reply: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    """What the reply holds besides its text, as `Message.parts` gives it: `reasoning`, `tool_calls`, `opaque`."""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = ""


@dataclass(slots=True)
class ReadTrajectory:
    """One trajectory as a file tells of it. `columns` are further columns of `trajectories`; `thoughts` are rows of `thoughts`."""

    run_id: str
    id: str
    problem: Problem
    strategy: str
    model: str
    version: str = ""
    problem_id: str = ""
    verdict: Verdict | None = None
    answer: str | None = None
    calls: Sequence[ReadCall] = ()
    thoughts: Sequence[Mapping[str, Any]] = ()
    note: Any = None
    """Kept as the state of the root thought."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    annotation: tuple[str, str] | None = None
    """What a person said of it: label and note."""


def put(c: Connection, read: ReadTrajectory, *, source: str, command: str) -> bool:
    """Insert a trajectory; False when one with its id is there already."""
    if c.execute("SELECT 1 FROM trajectories WHERE id = ?", (read.id,)).fetchone():
        return False
    manifest = canonical_json({"imported": source, "run": read.run_id})
    c.execute(
        "INSERT OR IGNORE INTO runs (id, manifest, manifest_hash, ordinal, status, epoch, command, version, created, updated)"
        " VALUES (?, ?, ?, 0, 'finished', 1, ?, ?, ?, ?)",
        (read.run_id, manifest, digest(manifest), command, read.version, now(), now()),
    )
    problem = read.problem
    problem_id = read.problem_id or problem.id
    c.execute(
        "INSERT OR IGNORE INTO problems (id, solver, instance, line, level) VALUES (?, ?, ?, ?, ?)",
        (problem_id, problem.solver, problem.instance, problem.line, problem.level),
    )
    columns: dict[str, Any] = {
        "id": read.id, "run_id": read.run_id, "problem_id": problem_id, "strategy": read.strategy, "params": "{}", "model": read.model,
        "model_fingerprint": "", "sample": 0, "status": "closed", "answer": read.answer, "calls": len(read.calls), "created": now(),
    }  # fmt: skip
    _insert(c, "trajectories", columns | dict(read.columns))
    if read.verdict is not None:
        v = read.verdict
        c.execute(
            "INSERT INTO verdicts (trajectory_id, correct, score, reason, unparsed, grader, reader, judged_by, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                read.id,
                None if v.correct is None else int(v.correct),
                v.score,
                v.reason,
                int(v.unparsed),
                v.grader,
                v.reader,
                v.judged_by,
                now(),
            ),
        )
    if read.annotation is not None:
        put_annotation(c, read.id, *read.annotation)
    contexts = _Contexts(c)
    calls = {call.key: _put_call(c, read.id, call, contexts) for call in read.calls}
    if read.thoughts:
        _put_thoughts(c, read.id, read.thoughts, calls)
    else:
        _put_chain(c, read, calls)
    return True


class _Contexts:
    """Conversations of one trajectory; what the one before began with too is not looked up again."""

    def __init__(self, c: Connection) -> None:
        self._c = c
        self._messages: tuple[Message, ...] = ()
        self._ids: list[int] = []

    def of(self, messages: tuple[Message, ...]) -> int:
        """Return the id of a conversation, storing what of it is new."""
        n = next(
            (n for n, both in enumerate(zip(self._messages, messages, strict=False)) if both[0] is not both[1]),
            min(len(self._messages), len(messages)),
        )
        self._ids = self._ids[:n]
        for depth, message in enumerate(messages[n:], start=n):
            self._ids.append(extend_context(self._c, self._ids[-1] if self._ids else None, message, depth))
        self._messages = messages
        return self._ids[-1] if self._ids else intern_context(self._c, messages)


def _put_call(c: Connection, trajectory_id: str, call: ReadCall, contexts: _Contexts) -> tuple[int, int]:
    reply_id = intern_message(c, Message.of_parts("assistant", call.reply, call.parts))
    columns: dict[str, Any] = {
        "key_bytes": packed(call.key), "attempt": 0, "trajectory_id": trajectory_id, "state": "done", "parent_thought": "", "role": "imported",
        "ordinal": 0, "context_id": contexts.of(call.messages), "seed": 0, "epoch": 1,
        "reply_id": reply_id, "finish_reason": "stop", "created": now(), "finished": now(), "model": "", "prompt_tokens": 0,
        "completion_tokens": 0, "cached_tokens": 0, "seconds": 0.0,
    }  # fmt: skip
    columns |= call.columns
    columns["settings_id"] = intern_settings(
        c, template_hash=columns.pop("template_hash", ""), sampling=columns.pop("sampling", "{}"),
        constraint=columns.pop("constraint_requested", None), tools=tools_text(call.tools, call.tool_choice),
    )  # fmt: skip
    return _insert(c, "calls", columns), reply_id


def _put_chain(c: Connection, read: ReadTrajectory, calls: Mapping[str, tuple[int, int]]) -> None:
    """Insert a root, and below it one thought per call, each under the one before; the last holds the answer."""
    note = None if read.note is None else canonical_json(read.note)
    asked = read.calls[0].messages if read.calls else ()
    first = storable(next((m.content for m in reversed(asked) if m.role == "user"), asked[-1].content if asked else read.problem.line))
    path = digest("root", first)  # ids as `Trajectory` makes them
    root = digest(read.id, path)[:16]
    message = intern_message(c, Message("user", first))
    base = {"trajectory_id": read.id, "label": "", "operation": "", "score": None}
    _insert(
        c,
        "thoughts",
        base
        | {"id": root, "position": 0, "ordinal": 0, "role": "problem", "message_id": message, "state": note, "status": "open", "depth": 0},
    )
    parent = root
    for n, (call_id, reply_id) in enumerate(calls.values(), start=1):
        path = digest(path, "imported", "0")
        thought = digest(read.id, path)[:16]
        status = "final" if n == len(calls) else "kept"
        row = {
            "id": thought,
            "call_id": call_id,
            "position": n,
            "ordinal": 0,
            "role": "imported",
            "message_id": reply_id,
            "status": status,
            "depth": n,
        }
        _insert(c, "thoughts", base | row)
        c.execute("INSERT INTO thought_edges (parent, child) VALUES (?, ?)", (parent, thought))
        parent = thought
    if calls:
        c.execute("UPDATE trajectories SET answer_thought = ? WHERE id = ?", (parent, read.id))


def _put_thoughts(c: Connection, trajectory_id: str, thoughts: Sequence[Mapping[str, Any]], calls: Mapping[str, tuple[int, int]]) -> None:
    actions: dict[str, int] = {}
    later: list[tuple[str, int]] = []
    for thought in thoughts:
        row = dict(thought)
        parents, key, text, action = row.pop("parents"), row.pop("call"), row.pop("text"), row.pop("action", None)
        call_id, reply_id = calls.get(key or "", (None, None))
        row |= {"trajectory_id": trajectory_id, "call_id": call_id, "text": text, "message_id": None}
        if row["depth"] == 0:
            row |= {"text": None, "message_id": intern_message(c, Message("user", text or ""))}
        elif action is not None:
            row |= {"text": None, **_put_action(c, trajectory_id, row, action, parents, text or "", actions)}
        elif text is None:
            row["message_id"] = reply_id
        row["state"] = None if row["state"] is None else canonical_json(row["state"])
        _insert(c, "thoughts", row)
        if action is not None and action["within"]:
            later.append((action["within"], actions[action["key"]]))
        for parent in parents:
            c.execute("INSERT OR IGNORE INTO thought_edges (parent, child) VALUES (?, ?)", (parent, row["id"]))
    for within, action_id in later:  # the program that made an action comes after it
        c.execute("UPDATE actions SET within = ? WHERE id = ?", (actions.get(within), action_id))


def _put_action(
    c: Connection,
    trajectory_id: str,
    thought: Mapping[str, Any],
    action: Mapping[str, Any],
    parents: Sequence[str],
    text: str,
    known: dict[str, int],
) -> dict[str, Any]:
    """Insert the action whose result a thought is, and return the columns of the thought that name it."""
    result = intern_text(c, RESULT, text)
    known[action["key"]] = _insert(
        c,
        "actions",
        {
            "key_bytes": packed(action["key"]), "attempt": 0, "trajectory_id": trajectory_id, "state": action["state"], "epoch": 0,
            "parent_thought": parents[0] if parents else "", "ordinal": thought["ordinal"], "tool": action["tool"], "effect": action["effect"],
            "tool_fingerprint": "", "call_id": action["call_id"], "arguments_id": intern_text(c, ARGUMENTS, action["arguments"]),
            "result_id": result, "seconds": action["seconds"], "size_bytes": len(text.encode()), "created": action.get("created") or now(),
        },
    )  # fmt: skip
    return {"message_id": result, "action_id": known[action["key"]]}


def _insert(c: Connection, table: str, columns: Mapping[str, Any]) -> int:
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    return int(c.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values())).lastrowid)  # noqa: S608 - column names are ours
