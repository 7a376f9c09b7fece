"""The graph of thoughts: structural ids, ordinals, a hash that sees what matters and nothing else."""

from __future__ import annotations

import pytest

from reasoner.errors import BadConfig
from reasoner.trajectory import Trajectory


def grow(key: str, *, order: tuple[str, ...] = ("a", "b"), status: str = "kept") -> Trajectory:
    dag = Trajectory(key, root_text="p")
    ordinals = {name: dag.claim(dag.root, "r") for name in ("a", "b")}
    for name in order:
        dag.add(dag.root, role="r", ordinal=ordinals[name], text=name)
    dag.mark(next(t for t in dag.thoughts() if t.text == "a"), status=status, score=1, state={"x": [1]})  # type: ignore[arg-type]  # a ThoughtStatus, from a parameter
    return dag


def test_hash_ignores_run_and_order_of_arrival() -> None:
    assert grow("run1").hash() == grow("run2", order=("b", "a")).hash()


def test_hash_sees_text_status_and_state() -> None:
    base = grow("k").hash()
    assert grow("k", status="pruned").hash() != base
    other = grow("k")
    other.mark(other.root, state="s")
    assert other.hash() != base
    more = grow("k")
    more.add(more.root, role="r", ordinal=more.claim(more.root, "r"), text="c")
    assert more.hash() != base


def test_ids_are_unique_to_the_trajectory_and_paths_are_not() -> None:
    one, two = grow("k1"), grow("k2")
    assert {t.path for t in one.thoughts()} == {t.path for t in two.thoughts()}
    assert not {t.id for t in one.thoughts()} & {t.id for t in two.thoughts()}


def test_children_keep_their_order_and_depth() -> None:
    dag = grow("k", order=("b", "a"))
    assert [t.text for t in dag.children(dag.root)] == ["b", "a"]
    assert dag.graph.nodes[dag.children(dag.root)[0].id]["depth"] == 1
    assert dag.parents(dag.children(dag.root)[0]) == [dag.root]


def test_a_foreign_parent_is_refused() -> None:
    dag, other = grow("k1"), grow("k2")
    with pytest.raises(BadConfig, match="not part"):
        dag.add(other.root, role="r", ordinal=9, text="x")
