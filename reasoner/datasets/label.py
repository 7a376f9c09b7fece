"""Labels the search itself earned: preferences between siblings, kept and pruned, steps that lead somewhere.

    pairs(tree, ...)    two steps with the same steps before them, one of whose branches reached a verified answer, the other's none
    labels(tree, ...)   kept steps that led there, pruned steps that did not
    steps(tree, ...)    every branch of known outcome, each step labelled by what its subtree reached

Every label rests on a verdict given now (see `tree`); where none can be given, the row is left out and counted. Nothing is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.datasets.records import Label, Pair, Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reasoner.datasets.records import Origin
    from reasoner.datasets.tree import Node, StepTree
    from reasoner.types import Message

MAX_BRANCHES = 64
"""Branches of one trajectory that become rows; a wide search must not outweigh all others."""

Lineage = dict[str, Any]

BETWEEN = "a step of the branch has no known outcome"
DISAGREE = "what the search made of a step and what its branches came to disagree"


def steps(tree: StepTree, *, prompt: str, origin: Origin, lineage: Lineage, leave_out: Callable[[str], None]) -> Iterator[Steps]:
    """Yield one record per branch whose outcome is known; `scores` holds the share of each step's branches that succeeded."""
    n_taken = 0
    for leaf in tree.leaves():
        if leaf.outcome is None:
            leave_out(leaf.why)
            continue
        path = leaf.path()
        labels = [node.verdict for node in path]
        if any(label is None for label in labels):
            leave_out(BETWEEN)
            continue
        if n_taken >= MAX_BRANCHES:
            leave_out(f"more than {MAX_BRANCHES} branches in one trajectory")
            continue
        n_taken += 1
        made = Steps(
            origin,
            {**lineage, "thoughts": [node.thought.id for node in path]},
            prompt,
            [tree.text(n) for n in path],
            [bool(v) for v in labels],
        )
        made.columns["scores"] = [round(node.share, 6) for node in path]
        yield made


def pairs(
    tree: StepTree,
    *,
    messages: tuple[Message, ...],
    origin: Origin,
    lineage: Lineage,
    min_gap: float,
    limit: int,
    leave_out: Callable[[str], None],
) -> Iterator[Pair]:
    """Yield pairs of siblings, the better first: the steps they share and then the one or the other."""
    n_taken = 0
    for brothers in _families(tree):
        good = [node for node in brothers if node.verdict is True]
        bad = [node for node in brothers if node.verdict is False]
        for better in good:
            for worse in bad:
                if better.share - worse.share < min_gap:
                    leave_out("the scores are too close")
                    continue
                if n_taken >= limit:
                    leave_out("more pairs of one trajectory than `max_pairs`")
                    continue
                n_taken += 1
                both = {"chosen_thought": better.thought.id, "rejected_thought": worse.thought.id}
                pair = Pair(origin, {**lineage, "rejected": lineage, **both}, messages, _so_far(tree, better), _so_far(tree, worse))
                pair.columns["chosen_score"], pair.columns["rejected_score"] = round(better.share, 6), round(worse.share, 6)
                yield pair


def labels(
    tree: StepTree, *, messages: tuple[Message, ...], origin: Origin, lineage: Lineage, leave_out: Callable[[str], None]
) -> Iterator[Label]:
    """Yield kept steps that led to a verified answer as good, and pruned ones that did not as not; others say nothing certain."""
    for node in tree.nodes:
        if node.status == "open":
            continue
        kept = node.status in {"kept", "final"}
        if node.verdict is None:
            leave_out(node.why or BETWEEN)
        elif node.verdict != kept:
            leave_out(DISAGREE)
        else:
            yield Label(origin, {**lineage, "thought": node.thought.id}, messages, _so_far(tree, node), kept)


def _families(tree: StepTree) -> Iterator[list[Node]]:
    yield tree.roots
    for node in tree.nodes:
        yield node.children


def _so_far(tree: StepTree, node: Node) -> str:
    """Return the steps up to a node, a line each."""
    return "\n".join(tree.text(step) for step in node.path())
