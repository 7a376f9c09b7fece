"""Answers of earlier calls that may stand for a call about to be made: of any run (`--cache`), or of the trajectory a fork comes from.

    cached(store, request, fingerprint="sha256:...", sample=0) -> Kept(completion, source=4711) or None

What was asked must be the same to the last character (messages, sampling, seed, constraint), of the same model, as the same sample of its
problem; n samples stay n answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig
from reasoner.store.actions import Committed, committed_actions
from reasoner.store.interning import message_hash, stored, tools_text
from reasoner.store.journal import COMPLETION, Kept, completion_of, constraint_text
from reasoner.store.queries import load_trajectory, prompt_of
from reasoner.text import storable
from reasoner.types import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.store.actions import ActionIntent
    from reasoner.store.database import Store
    from reasoner.store.journal import Intent
    from reasoner.types import Message, Request


def context_of(store: Store, messages: Sequence[Message]) -> int | None:
    """Return the stored conversation with just these messages, None where none was ever asked."""
    context = 0
    for message in messages:
        found = store.tuples(
            "SELECT x.id FROM messages m JOIN contexts x ON x.message_id = m.id AND coalesce(x.parent_id, 0) = ?"
            " WHERE m.hash = ? AND m.role = ? AND m.content = ?",
            (context, message_hash(message), message.role, storable(message.content)),
        )
        if not found:
            return None
        context = found[0][0]
    return context or None


def cached(store: Store, request: Request, *, fingerprint: str, sample: int) -> Kept | None:
    """Return the oldest committed answer to the same request."""
    context = context_of(store, request.messages)
    if context is None:
        return None
    sampling = canonical_json(request.sampling.as_dict())
    rows = store.tuples(
        f"SELECT c.id, {COMPLETION} FROM calls c JOIN messages m ON m.id = c.reply_id"  # noqa: S608 - the columns are a constant
        " JOIN call_settings s ON s.id = c.settings_id JOIN trajectories t ON t.id = c.trajectory_id WHERE c.state = 'done' AND c.cached_from IS NULL AND c.context_id = ? AND c.seed = ?"
        " AND s.sampling = ? AND s.constraint_requested IS ? AND s.tools IS ? AND t.model_fingerprint = ? AND t.sample = ? ORDER BY c.id LIMIT 1",
        (context, request.seed, sampling, constraint_text(request), tools_text(request.tools, request.tool_choice), fingerprint, sample),
    )
    return Kept(completion_of(rows[0][1:]), rows[0][0]) if rows else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call of the trajectory that is forked."""

    kept: Kept
    context_id: int


class Before:
    """The calls of a trajectory whose answers were recorded before one of its thoughts, by their place in the search."""

    def __init__(self, store: Store, trajectory_id: str, thought_id: str) -> None:
        self._store = store
        dag = load_trajectory(store, trajectory_id)
        nodes = dag.graph.nodes
        at = nodes[dag.thought(thought_id).id]["index"]
        calls = _calls(store, trajectory_id)
        self._by_path: dict[str, _Asked] = {
            node["thought"].path: calls[node["call"]]
            for _, node in nodes(data=True)
            if node["index"] < at and node["thought"].finish_reason and node["call"] in calls
        }

    def __len__(self) -> int:
        return len(self._by_path)

    def answer(self, intent: Intent) -> Kept | None:
        """Return the answer to a call at this place, None from the thought on.

        Raises:
            BadConfig: another question was asked there: what is changed in the fork comes into play before the thought.
        """
        asked = self._by_path.get(intent.path)
        if asked is None:
            return None
        if prompt_of(self._store, asked.context_id) != tuple(stored(m) for m in intent.request.messages):
            raise BadConfig(
                f"the fork asks something else in {intent.role} before the thought it begins at (call {asked.kept.source})",
                hint="a change that reaches back so far needs an earlier `at`, or a run of its own",
            )
        return asked.kept


class ActionsBefore:
    """The actions of a trajectory whose results were recorded before one of its thoughts, by their place in the search."""

    def __init__(self, store: Store, trajectory_id: str, thought_id: str) -> None:
        dag = load_trajectory(store, trajectory_id)
        nodes = dag.graph.nodes
        at = nodes[dag.thought(thought_id).id]["index"]
        done, _ = committed_actions(store, trajectory_id)
        self._by_path: dict[str, Committed] = {
            node["thought"].path: done[node["action"]]
            for _, node in nodes(data=True)
            if node["index"] < at and node["action"] is not None and node["action"] in done
        }

    def result(self, intent: ActionIntent) -> Committed | None:
        """Return the result of the action at this place, None from the thought on.

        Raises:
            BadConfig: something else was done there: what is changed in the fork comes into play before the thought.
        """
        done = self._by_path.get(intent.path)
        if done is not None and done.arguments != intent.arguments:
            raise BadConfig(
                f"the fork does something else with {intent.tool} before the thought it begins at (action {done.id})",
                hint="a change that reaches back so far needs an earlier --at, or a run of its own",
            )
        return done


def _calls(store: Store, trajectory_id: str) -> Mapping[str, _Asked]:
    rows = store.tuples(
        f"SELECT c.key, c.id, c.context_id, {COMPLETION} FROM calls c JOIN messages m ON m.id = c.reply_id"  # noqa: S608 - a constant
        " WHERE c.trajectory_id = ? AND c.state = 'done'",
        (trajectory_id,),
    )
    return {row[0]: _Asked(Kept(completion_of(row[3:]), row[1]), row[2]) for row in rows}
