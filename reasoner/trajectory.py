"""The trajectory: what one strategy did on one problem, as a directed acyclic graph of thoughts.

Knows thoughts, edges, scores and statuses; does not know who asked, which model answered, or where rows are kept.

    dag = Trajectory("k", root_text="4 9 10 13")
    step = dag.add(dag.root, role="cot/answer", ordinal=0, text="Answer: ...")
    dag.mark(step, status="final"); dag.hash()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx

from reasoner.errors import BadConfig
from reasoner.types import ThoughtStatus, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT_ROLE = "problem"


@dataclass(frozen=True, slots=True)
class Thought:
    """One node. `path` is structural (the same in every run that goes the same way); `id` is unique to the trajectory."""

    id: str
    path: str
    role: str
    """The template that produced it (`cot/answer`), or what the strategy called a part of a reply (`ats/step`)."""
    text: str
    operation: str = ""
    """What was done to get here, in words (`19 * 2 = 38`)."""
    label: str = ""
    """A hierarchical number (`1.2.1`) where the text has one."""
    finish_reason: str = ""
    mean_logprob: float | None = None
    reasoning: str = ""
    """What the model thought before it said the text, where it did and told; no strategy reads it."""


@dataclass(slots=True)
class Mark:
    """What the strategy thinks of a thought. `state` is any JSON value."""

    status: ThoughtStatus = "open"
    score: float | None = None
    state: Any = None


class Trajectory:
    """The growing graph.

    Nodes of `graph` are thought ids with the attributes `thought`, `mark`, `call` (key), `action` (key), `index` (order of arrival), `ordinal` (place
    among equals under the parent) and `depth` (edges from the root).
    """

    def __init__(self, key: str, *, root_text: str, on_add: Callable[[Thought], None] | None = None) -> None:
        """Start a graph; `on_add` is told of every thought that is added after the root, and must not raise."""
        self.key = key
        self._on_add = on_add
        self.graph: nx.DiGraph[str] = nx.DiGraph()
        path = digest("root", root_text)
        self.root = Thought(digest(key, path)[:16], path, ROOT_ROLE, root_text)
        self._insert(self.root, None, ordinal=0, depth=0)
        self._next: dict[tuple[str, str], int] = {}

    def claim(self, parent: Thought, role: str) -> int:
        """Return the next ordinal under (parent, role): 0, 1, 2, … in the order the strategy asks."""
        place = (parent.path, role)
        ordinal = self._next.get(place, 0)
        self._next[place] = ordinal + 1
        return ordinal

    def claimed(self, parent: Thought, role: str, ordinal: int) -> None:
        """Note that an ordinal is taken, without claiming those before it."""
        place = (parent.path, role)
        self._next[place] = max(self._next.get(place, 0), ordinal + 1)

    def child_path(self, parent: Thought, role: str, ordinal: int) -> str:
        """Return the structural path of the child that would stand there."""
        return digest(parent.path, role, str(ordinal))

    def add(
        self,
        parent: Thought,
        *,
        role: str,
        ordinal: int,
        text: str,
        operation: str = "",
        label: str = "",
        state: Any = None,
        finish_reason: str = "",
        mean_logprob: float | None = None,
        call: str | None = None,
        action: str | None = None,
        reasoning: str = "",
    ) -> Thought:
        """Add a child of `parent` and return it.

        Raises:
            BadConfig: the parent is not part of this trajectory.
        """
        self.thought(parent.id)
        path = self.child_path(parent, role, ordinal)
        thought = Thought(digest(self.key, path)[:16], path, role, text, operation, label, finish_reason, mean_logprob, reasoning)
        self._insert(thought, call, action=action, ordinal=ordinal, depth=self.graph.nodes[parent.id]["depth"] + 1)
        self.graph.nodes[thought.id]["mark"].state = state
        self.graph.add_edge(parent.id, thought.id)
        if self._on_add is not None:
            self._on_add(thought)
        return thought

    def _insert(self, thought: Thought, call: str | None, *, action: str | None = None, ordinal: int, depth: int) -> None:
        self.graph.add_node(
            thought.id, thought=thought, mark=Mark(), call=call, action=action, index=len(self.graph), ordinal=ordinal, depth=depth
        )

    def thought(self, thought_id: str) -> Thought:
        """Return a thought by its id.

        Raises:
            BadConfig: it is not part of this trajectory.
        """
        if thought_id not in self.graph:
            raise BadConfig(f"the thought {thought_id} is not part of this trajectory", hint="use a thought this session returned")
        thought: Thought = self.graph.nodes[thought_id]["thought"]
        return thought

    def below(self, thought: Thought) -> list[Thought]:
        """Return all thoughts under a thought, in the order they were added."""
        found = [self.graph.nodes[i] for i in nx.descendants(self.graph, thought.id)]
        return [node["thought"] for node in sorted(found, key=lambda node: node["index"])]

    def mark(self, thought: Thought, *, status: ThoughtStatus | None = None, score: float | None = None, state: Any = None) -> None:
        """Update a thought's status, score or state; None leaves a field as it is."""
        mark = self.mark_of(thought)
        if status is not None:
            mark.status = status
        if score is not None:
            mark.score = float(score)
        if state is not None:
            mark.state = state

    def mark_of(self, thought: Thought) -> Mark:
        """Return the mark of a thought."""
        mark: Mark = self.graph.nodes[thought.id]["mark"]
        return mark

    def call_of(self, thought: Thought) -> str | None:
        """Return the key of the call the thought came from, None for the root."""
        call: str | None = self.graph.nodes[thought.id]["call"]
        return call

    def finish_of(self, thought_id: str | None) -> str:
        """Return how the reply ended that a thought stands in (`stop`, `length`); empty where it stands in none."""
        call = None if thought_id is None else self.graph.nodes[thought_id]["call"]
        return next((t.finish_reason for t in self.thoughts() if t.finish_reason and self.call_of(t) == call), "") if call else ""

    def thoughts(self) -> Iterator[Thought]:
        """Yield all thoughts in the order they were added."""
        for node in self.graph.nodes:
            thought: Thought = self.graph.nodes[node]["thought"]
            yield thought

    def parents(self, thought: Thought) -> list[Thought]:
        """Return the parents of a thought."""
        return [self.graph.nodes[i]["thought"] for i in self.graph.predecessors(thought.id)]

    def children(self, thought: Thought) -> list[Thought]:
        """Return the children of a thought in the order they were added."""
        found = [self.graph.nodes[i] for i in self.graph.successors(thought.id)]
        return [node["thought"] for node in sorted(found, key=lambda node: node["index"])]

    def hash(self) -> str:
        """Return one hash over structure, texts, states, scores and statuses: equal exactly when two searches went the same way.

        Run ids, times and the order in which parallel branches came back do not enter it.
        """
        rows = []
        for node, data in self.graph.nodes(data=True):
            thought: Thought = data["thought"]
            mark: Mark = data["mark"]
            parents = sorted(self.graph.nodes[p]["thought"].path for p in self.graph.predecessors(node))
            rows.append([thought.path, parents, thought.text, thought.operation, thought.label, mark.state, mark.score, mark.status])
        return digest(canonical_json(sorted(rows, key=lambda row: str(row[0]))))
