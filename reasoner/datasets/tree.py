"""The steps of a search as a tree, with the outcome of each branch; labels are derived from it.

    tree = StepTree(dag, solver, instance, answer="Answer: 9 -> 10 -> 20", answer_thought="3f...")
    [(tree.text(node), tree.good(node)) for node in tree.nodes]      -> [("1: 9 -> 10 (9 + 1 = 10)", True), ("2: 9 -> 18 ...", None)]

A step is a part of a reply, or a whole reply that was not split into parts; a reply without a state, children or answer (a judge's remark) is
none, nor are ratings, votes and raw JSON. States, statuses and parts decide, whatever the strategy is called. The outcome of a branch is known when its last step

- is, or holds, an answer: the verifier judges it, now;
- is reached by legal moves (see `moves`) and is a goal (the verifier judges the answer of the path), or has no legal move left.

Any other branch is unfinished: its outcome is unknown (None).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner.datasets.moves import Moves
from reasoner.datasets.reply_steps import is_json
from reasoner.layouts.outline import parse
from reasoner.solver import Searchable
from reasoner.text import answer_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.solver import Solver
    from reasoner.trajectory import Thought, Trajectory
    from reasoner.types import ThoughtStatus

NO_REASONING = frozenset({"value", "reward", "vote", "rate", "guide", "rubric", "pair", "correct", "cover", "unusable"})
"""Parts of strategies that say something about steps, and are none: ratings, votes, judges, remarks."""
UNFINISHED = "the branch was left unfinished"
UNREADABLE = "a step of the branch cannot be read as a legal move"


@dataclass(slots=True, eq=False)
class Node:
    """One step. `good`, `known` count the branches below whose outcome is correct, and known."""

    thought: Thought
    parent: Node | None
    status: ThoughtStatus
    score: float | None
    children: list[Node] = field(default_factory=list)
    moves: list[Any] | None = None
    """The legal moves from the start to here; None where they cannot be read."""
    outcome: bool | None = None
    """Of a leaf: what its branch came to."""
    why: str = ""
    """Why the outcome of a leaf is not known."""
    good: int = 0
    known: int = 0
    leaves: int = 0

    @property
    def verdict(self) -> bool | None:
        """True where a branch below reached a verified answer, False where all branches are known not to, None otherwise."""
        if self.good:
            return True
        return False if self.known and self.known == self.leaves else None

    @property
    def share(self) -> float:
        """The share of branches below that reached a verified answer, of those whose outcome is known."""
        return self.good / self.known if self.known else 0.0

    def path(self) -> list[Node]:
        """Return the nodes from the first step to this one."""
        found: list[Node] = []
        at: Node | None = self
        while at is not None:
            found.append(at)
            at = at.parent
        return found[::-1]


class StepTree:
    """The steps of one trajectory. `nodes` are in the order they were thought, parents first."""

    def __init__(self, dag: Trajectory, solver: Solver[Any], instance: Any, *, answer: str | None, answer_thought: str | None) -> None:
        self.dag = dag
        self.moves = Moves(solver, instance) if isinstance(solver, Searchable) else None
        self._solver = solver
        self._instance = instance
        self.nodes: list[Node] = []
        self._verdicts: dict[str, bool | None] = {}
        self._build()
        answered = self._answer_leaf(answer_thought)
        for node in self.nodes:
            if not node.children:
                node.outcome, node.why = self._outcome(node, answer if node is answered else None)
        self.unknown = Counter(node.why for node in self.leaves() if node.outcome is None)
        for node in reversed(self.nodes):
            if not node.children:
                node.leaves, node.known, node.good = 1, int(node.outcome is not None), int(bool(node.outcome))
            if node.parent is not None:
                node.parent.leaves += node.leaves
                node.parent.known += node.known
                node.parent.good += node.good

    @property
    def roots(self) -> list[Node]:
        """The first steps."""
        return [node for node in self.nodes if node.parent is None]

    def leaves(self) -> Iterator[Node]:
        """Yield the last steps of all branches."""
        return (node for node in self.nodes if not node.children)

    @staticmethod
    def text(node: Node) -> str:
        """Return a step's text."""
        return node.thought.text.strip()

    def _build(self) -> None:
        made: dict[str, Node | None] = {self.dag.root.id: None}  # thought -> the step it is or belongs to
        for thought in self.dag.thoughts():
            if thought is self.dag.root:
                continue
            (first, *_) = self.dag.parents(thought)
            above = made.get(first.id)
            if not self._is_step(thought):
                made[thought.id] = above
                continue
            mark = self.dag.mark_of(thought)
            node = Node(thought, above, mark.status, mark.score)
            if self.moves is not None:
                node.moves = self._moves_to(node, mark.state)
            if above is not None:
                above.children.append(node)
            self.nodes.append(node)
            made[thought.id] = node

    def _is_step(self, thought: Thought) -> bool:
        if not thought.text.strip() or thought.role.rpartition("/")[2] in NO_REASONING or is_json(thought.text):
            return False
        if not thought.finish_reason:
            return True  # a part of a reply, or a note
        children = self.dag.children(thought)
        call = self.dag.call_of(thought)
        if any(not child.finish_reason and self.dag.call_of(child) == call for child in children):
            return False  # its parts are the steps
        if children or self.dag.mark_of(thought).state is not None or self.dag.mark_of(thought).status in {"kept", "final"}:
            return True
        return self._claimed(thought.text) is not None

    def _claimed(self, text: str) -> bool | None:
        """Return what the verifier says of the answer a step claims, None where it claims none: a bare chain of states is a step, not an answer."""
        return self._judged(text) if answer_line(text) is not None else None

    def _judged(self, text: str) -> bool | None:
        """Return what the verifier says of an answer in a text, None where there is none."""
        if text not in self._verdicts:
            verdict = self._solver.verify(self._instance, text)
            self._verdicts[text] = None if verdict.unparsed else verdict.correct
        return self._verdicts[text]

    def _moves_to(self, node: Node, state: Any) -> list[Any] | None:
        """Return the moves to a node: its parent's and one more, or those its own text writes down from the start."""
        moves = self.moves
        assert moves is not None
        before = node.parent.moves if node.parent is not None else []
        thought = node.thought
        if before is not None:
            at = before[-1].state if before else moves.start
            for shown, operation in self._readings(thought, state):
                move = moves.find(at, shown=shown, operation=operation)
                if move is not None:
                    return [*before, move]
        return moves.in_text(thought.text) if thought.finish_reason else None

    @staticmethod
    def _readings(thought: Thought, state: Any) -> Iterator[tuple[str, str]]:
        """Yield (state, operation) as a thought gives them: recorded, or read out of its text."""
        shown = state if isinstance(state, str) else ""
        if shown or thought.operation:
            yield shown, thought.operation
        if thought.operation:
            yield "", thought.operation
        entries = parse(thought.text).entries
        if len(entries) == 1:
            yield entries[0].state, entries[0].operation

    def _answer_leaf(self, answer_thought: str | None) -> Node | None:
        """Return the last step of the branch the trajectory's answer stands for."""
        ids = {thought.id: thought for thought in self.dag.thoughts()}
        if answer_thought not in ids:
            return None
        own = next((node for node in self.nodes if node.thought.id == answer_thought), None)
        if own is not None:
            return own if not own.children else None
        call = self.dag.call_of(ids[answer_thought])
        finals = [n for n in self.nodes if n.status == "final" and not n.children and self.dag.call_of(n.thought) == call]
        return finals[-1] if finals else None

    def _outcome(self, leaf: Node, answer: str | None) -> tuple[bool | None, str]:
        if answer is not None:
            judged = self._judged(answer)
            return bool(judged), ""
        claimed = self._claimed(leaf.thought.text)
        if claimed is not None:
            return claimed, ""
        if self.moves is None or leaf.moves is None:
            return None, UNREADABLE
        if self.moves.is_goal(leaf.moves):
            return self.moves.verifies(leaf.moves), ""
        if self.moves.is_over(leaf.moves):
            return False, ""
        return None, UNFINISHED
