"""Read many trajectories with what they were asked and answered, a page at a time, so that memory stays flat however many there are.

    for row in answered(store, chosen(solver="game24", correct=(1,))): row.reply, row.last_content

One joined query per page of a thousand trajectories.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from reasoner.store.interning import message_of, packed
from reasoner.store.queries import prompt_of
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reasoner.store.database import Store
    from reasoner.types import ToolCall

PAGE = 1000
MAX_KEPT_CONTEXTS = 4096

_ANSWERED = """
SELECT t.rowid, t.id, t.run_id, t.strategy, t.model, t.answer, t.calls, p.id, p.solver, p.instance, p.line, p.level,
       v.correct, v.score, v.reason, c.key, x.id, x.parent_id, u.role, u.content, u.parts,
       (SELECT content FROM messages WHERE id = u.reasoning_id), m.content, m.parts, (SELECT content FROM messages WHERE id = m.reasoning_id),
       (SELECT tools FROM call_settings WHERE id = c.settings_id), coalesce(v.judged_by, '')
FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id
LEFT JOIN thoughts a ON a.id = t.answer_thought LEFT JOIN calls c ON c.id = a.call_id AND c.state = 'done'
LEFT JOIN messages m ON m.id = c.reply_id LEFT JOIN contexts x ON x.id = c.context_id LEFT JOIN messages u ON u.id = x.message_id
"""


@dataclass(slots=True)
class Where:
    """Conditions on trajectories that have ended, joined by AND, with their parameters."""

    clauses: list[str] = field(default_factory=lambda: ["t.status <> 'open'"])
    params: list[Any] = field(default_factory=list)

    def add(self, clause: str, *params: Any) -> None:
        """Add a condition."""
        self.clauses.append(clause)
        self.params.extend(params)

    def __str__(self) -> str:
        return " AND ".join(self.clauses)


def chosen(
    *,
    run: str = "",
    model: str = "",
    solver: str = "",
    strategy: str = "",
    correct: Sequence[int] | None = None,
    min_score: float | None = None,
    min_tokens: int | None = None,
    max_tokens: int | None = None,
    since: str = "",
    until: str = "",
    label: str = "",
) -> Where:
    """Return the conditions for trajectories of these; what is empty or None is no condition.

    `solver` and `strategy` match a whole name (`question:mine.jsonl`, `ats:order=dfs`) or what stands before its colon. `correct` are the
    verdicts taken. Tokens are those of all completions. `until` is not included.
    `label` is that of the trajectory's annotation.
    """
    where = Where()
    for column, value in (("t.run_id", run), ("t.model", model)):
        if value:
            where.add(f"{column} = ?", value)
    for column, value in (("p.solver", solver), ("t.strategy", strategy)):
        if value:
            where.add(f"({column} = ? OR substr({column}, 1, instr({column} || ':', ':') - 1) = ?)", value, value)
    if correct is not None:
        # The sign keeps SQLite from going through all correct verdicts for each page of trajectories.
        where.add(f"+v.correct IN ({', '.join('?' * len(correct))})", *correct)
    for condition, bound in (
        ("+v.score >= ?", min_score), ("t.completion_tokens >= ?", min_tokens), ("t.completion_tokens <= ?", max_tokens),
        ("t.created >= ?", since or None), ("t.created < ?", until or None),
    ):  # fmt: skip
        if bound is not None:
            where.add(condition, bound)
    if label:
        where.add("EXISTS (SELECT 1 FROM annotations WHERE trajectory_id = t.id AND label = ?)", label)
    return where


class Answered(NamedTuple):
    """One trajectory, with the call its answer came from. `key` is None where no call of its own holds the answer."""

    number: int
    id: str
    run_id: str
    strategy: str
    model: str
    answer: str | None
    n_calls: int
    problem_id: str
    solver: str
    instance: str
    line: str
    level: int | None
    correct: int | None
    score: float | None
    reason: str | None
    key: str | None
    context_id: int | None
    parent_context: int | None
    last_role: str | None
    last_content: str | None
    last_parts: str | None
    last_reasoning: str | None
    reply: str | None
    reply_parts: str | None
    """Tool calls and opaque items of the reply, as JSON; None where it has none."""
    reasoning: str | None
    """What was thought before the reply, None where nothing was."""
    tools: str | None
    """The tools the call was offered, as `interning.tools_text` writes them."""
    judged_by: str = ""
    """The models whose verdict it is; empty for an exact one."""

    @property
    def turn(self) -> Message:
        """The reply with all its parts."""
        return message_of("assistant", self.reply or "", self.reply_parts, self.reasoning)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that the reply asks for."""
        return self.turn.tool_calls if self.reply_parts is not None else ()


class Contexts:
    """The beginnings of conversations, read once each while they keep coming up."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, tuple[Message, ...]] = {}

    def of(self, row: Answered) -> tuple[Message, ...]:
        """Return what the answering call was asked, first to last."""
        role: Any = row.last_role or "user"
        text, parts, reasoning = row.last_content or "", row.last_parts, row.last_reasoning
        last = Message(role, text) if parts is None and reasoning is None else message_of(role, text, parts, reasoning)
        return (*self.get(row.parent_context), last) if row.parent_context is not None else (last,)

    def get(self, context_id: int) -> tuple[Message, ...]:
        """Return the messages of a context."""
        found = self._known.get(context_id)
        if found is None:
            if len(self._known) >= MAX_KEPT_CONTEXTS:
                self._known.clear()
            found = self._known[context_id] = prompt_of(self._store, context_id)
        return found


def answered(store: Store, where: Where) -> Iterator[Answered]:
    """Yield trajectories in the order they were opened."""
    for page in _pages(store, _ANSWERED, where):
        yield from map(Answered._make, page)


def _pages(store: Store, select: str, where: Where) -> Iterator[list[tuple[Any, ...]]]:
    """Yield a page of rows after another; their first column is `t.rowid`."""
    after = 0
    sql = f"{select} WHERE {where} AND t.rowid > ? ORDER BY t.rowid LIMIT {PAGE}"
    while True:
        page = store.tuples(sql, (*where.params, after))
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1][0]


def answered_by_problem(store: Store, where: Where) -> Iterator[list[Answered]]:
    """Yield the trajectories of one problem after another, each problem's in the order they were opened."""
    after: tuple[str, int] = ("", 0)
    sql = f"{_ANSWERED} WHERE {where} AND (t.problem_id, t.rowid) > (?, ?) ORDER BY t.problem_id, t.rowid LIMIT {PAGE}"
    group: list[Answered] = []
    while True:
        page = store.tuples(sql, (*where.params, *after))
        for found in map(Answered._make, page):
            if group and group[0].problem_id != found.problem_id:
                yield group
                group = []
            group.append(found)
        if len(page) < PAGE:
            break
        after = (group[-1].problem_id, group[-1].number)
    if group:
        yield group


def by_verdict(store: Store, where: Where) -> dict[int | None, int]:
    """Return how many trajectories were judged correct (1), wrong (0) and not at all (None)."""
    sql = (
        "SELECT v.correct, count(*) FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id"  # noqa: S608 - clauses are ours
        f" WHERE {where} GROUP BY v.correct"
    )
    return dict(store.tuples(sql, tuple(where.params)))


def call_keys(store: Store, trajectory_id: str) -> list[str]:
    """Return the keys of the committed calls of a trajectory, in order."""
    return [
        key for (key,) in store.tuples("SELECT key FROM calls WHERE trajectory_id = ? AND state = 'done' ORDER BY id", (trajectory_id,))
    ]


def imported(store: Store) -> set[str]:
    """Return the runs that were read from a file; what they hold may know less than what was searched here."""
    return {run for (run,) in store.tuples("SELECT id FROM runs WHERE json_extract(manifest, '$.imported') IS NOT NULL")}


def imported_records(store: Store, where: Where, kind: str) -> Iterator[tuple[str, str, str]]:
    """Yield (id, state of the root, instance) of trajectories that hold a record of a kind as a file had it, in the order they were imported."""
    select = (
        "SELECT t.rowid, t.id, h.state, p.instance FROM trajectories t JOIN problems p ON p.id = t.problem_id JOIN thoughts h ON h.trajectory_id = t.id"
        " AND h.depth = 0 AND json_extract(h.state, '$.kind') = ?"
        " JOIN runs r ON r.id = t.run_id AND json_extract(r.manifest, '$.imported') IS NOT NULL"
    )
    for page in _pages(store, select, Where(where.clauses, [kind, *where.params])):
        for _, name, state, instance in page:
            yield name, state, instance


def root_state(store: Store, trajectory_id: str) -> dict[str, Any]:
    """Return what an import noted on the root of a trajectory; empty where there is nothing."""
    found = store.tuples("SELECT state FROM thoughts WHERE trajectory_id = ? AND depth = 0", (trajectory_id,))
    value = json.loads(found[0][0]) if found and found[0][0] else {}
    return value if isinstance(value, dict) else {}


def whole(store: Store, trajectory_id: str) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a trajectory's row (with its run's version and its verdict), its committed calls with replies, and its thoughts with parents."""
    trajectory = store.rows(
        "SELECT t.*, r.version, p.solver, p.instance, p.line, p.level, v.correct, v.score, v.reason, v.unparsed FROM trajectories t"
        " JOIN runs r ON r.id = t.run_id JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id WHERE t.id = ?",
        (trajectory_id,),
    )[0]
    calls = store.rows(
        "SELECT c.*, m.content AS reply, m.parts, (SELECT content FROM messages WHERE id = m.reasoning_id) AS reasoning,"
        " (SELECT tokens FROM calls WHERE id = c.id) AS tokens FROM call_details c JOIN messages m ON m.id = c.reply_id WHERE c.trajectory_id = ? AND c.state = 'done'"
        " ORDER BY c.id",
        (trajectory_id,),
    )
    thoughts = store.rows(
        "SELECT t.*, c.key AS call, a.key AS action_key, a.tool, a.effect, a.state AS action_state, a.call_id AS tool_call_id, a.seconds AS action_seconds, a.created AS action_created,"
        " p.content AS arguments, (SELECT key FROM actions WHERE id = a.within) AS within, coalesce(t.text, m.content) AS content, (SELECT group_concat(parent) FROM (SELECT parent FROM"
        " thought_edges WHERE child = t.id ORDER BY parent)) AS parents FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id"
        " LEFT JOIN calls c ON c.id = t.call_id LEFT JOIN actions a ON a.id = t.action_id LEFT JOIN messages p ON p.id = a.arguments_id"
        " WHERE t.trajectory_id = ? ORDER BY t.position",
        (trajectory_id,),
    )
    return trajectory, calls, thoughts


def any_annotated(store: Store, where: Where) -> bool:
    """Tell whether a trajectory has an annotation, or came from a file whose lineages have a place for one."""
    tables = "trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id"
    here = f"SELECT 1 FROM {tables} JOIN annotations n ON n.trajectory_id = t.id WHERE {where} LIMIT 1"  # noqa: S608 - clauses are ours
    if store.tuples("SELECT 1 FROM annotations LIMIT 1") and store.tuples(here, tuple(where.params)):
        return True
    if not imported(store):
        return False
    # A root holds the lineage of a conversation, or a whole record with its own; what a strategy left there may be anything.
    noted = " OR ".join(
        f"CASE WHEN json_valid(json_extract(h.state, '$.{name}')) THEN json_type(json_extract(h.state, '$.{name}'), '{path}') END = 'text'"
        for name, path in (("lineage", "$.annotation.label"), ("record", "$.lineage.annotation.label"))
    )
    sql = (
        f"SELECT 1 FROM {tables} JOIN runs r ON r.id = t.run_id AND json_extract(r.manifest, '$.imported') IS NOT NULL"  # noqa: S608 - clauses are ours
        f" JOIN thoughts h ON h.trajectory_id = t.id AND h.depth = 0 AND ({noted}) WHERE {where} LIMIT 1"
    )
    return bool(store.tuples(sql, tuple(where.params)))


def edited(where: Where) -> Where:
    """Return the conditions with that of an edit beside them."""
    return Where([*where.clauses, "EXISTS (SELECT 1 FROM edits WHERE trajectory_id = t.id)"], [*where.params])


def by_agents(where: Where, *, none: bool = False) -> Where:
    """Return the conditions for those of the trajectories in which a tool was called, or with `none` those in which none was."""
    acted = "EXISTS (SELECT 1 FROM actions WHERE trajectory_id = t.id)"
    return Where([*where.clauses, f"NOT {acted}" if none else acted], [*where.params])


def tokens(store: Store, key: str) -> str | None:
    """Return what was recorded of a call's tokens, as text; None where nothing was."""
    found = store.tuples("SELECT tokens FROM calls WHERE key_bytes = ? AND state = 'done'", (packed(key),))
    return found[0][0] if found else None


def any_actions(store: Store) -> bool:
    """Tell whether anything was ever done here, and not only said."""
    return bool(store.tuples("SELECT 1 FROM actions LIMIT 1", ()))


def any_offered_tools(store: Store, where: Where) -> bool:
    """Tell whether the answering call of a trajectory was offered tools."""
    if not store.tuples("SELECT 1 FROM call_settings WHERE tools IS NOT NULL LIMIT 1", ()):
        return False
    sql = (
        "SELECT 1 FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id"  # noqa: S608 - clauses are ours
        " JOIN thoughts a ON a.id = t.answer_thought JOIN calls c ON c.id = a.call_id JOIN call_settings s ON s.id = c.settings_id"
        f" WHERE {where} AND s.tools IS NOT NULL LIMIT 1"
    )
    return bool(store.tuples(sql, tuple(where.params)))


def submitted(store: Store, trajectory_id: str, answer: str) -> bool:
    """Tell whether an action that the answering reply asked for gave the answer (a submission, the last move of an environment)."""
    rows = store.tuples(
        "SELECT r.content FROM trajectories t JOIN actions a ON a.trajectory_id = t.id AND a.parent_thought = t.answer_thought AND a.state = 'done'"
        " JOIN messages r ON r.id = a.result_id WHERE t.id = ?",
        (trajectory_id,),
    )
    body = answer.removeprefix("Answer:").strip()
    return bool(body) and any(text.removeprefix("Answer:").strip() == body or text.rpartition("\n")[2].endswith(body) for (text,) in rows)
