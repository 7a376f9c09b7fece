"""A tree of many thousand thoughts is drawn in parts, and the parts together are the whole."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from large_store import fill_chain
from starlette.requests import Request

from reasoner.serve import trajectory_page
from reasoner.serve.settings import Settings
from reasoner.serve.tree import MAX_CHARS, Box, Shape, best_path, card, layout
from reasoner.serve.viewer import Viewer
from reasoner.store import Store, queries
from reasoner.store.queries import Place, skeleton, thoughts_of
from reasoner.trajectory import Trajectory
from reasoner.types import SIGNS


def grown(n: int, seed: int) -> Trajectory:
    rng = random.Random(seed)
    dag = Trajectory("k", root_text="root")
    thoughts = [dag.root]
    for index in range(n):
        parent = rng.choice(thoughts[-9:])
        thoughts.append(dag.add(parent, role="step", ordinal=index, text=f"step {index}", label=str(index)))
        dag.mark(thoughts[-1], status=rng.choice(list(SIGNS)), score=index / 7)
    return dag


def shape_of(dag: Trajectory) -> tuple[Shape, dict[str, Any]]:
    places, rows = [], {}
    for thought in dag.thoughts():
        parents, mark = dag.parents(thought), dag.mark_of(thought)
        depth = dag.graph.nodes[thought.id]["depth"]
        places.append(Place(thought.id, parents[0].id if parents else None, depth, mark.status))
        rows[thought.id] = {
            "role": thought.role, "label": thought.label, "operation": "", "state": None, "score": mark.score, "status": mark.status, "text": thought.text,
        }  # fmt: skip
    return Shape(places), rows


@pytest.mark.parametrize("seed", range(4))
def test_the_parts_are_the_whole(seed: int) -> None:
    dag = grown(700, seed)
    whole = layout(dag)
    shape, rows = shape_of(dag)
    assert (shape.width, shape.height) == (whole.width, whole.height)
    nodes: list[Any] = []
    edges: list[Any] = []
    for x in range(0, shape.width, 3_000):
        for y in range(0, shape.height, 1_000):
            box = Box(x, y, 3_000, 1_000)
            inside = shape.inside(box, most=10_000)
            plan = shape.plan(box, {name: rows[name] for name in inside})
            assert all(box.x <= node.x < box.x + 3_000 and box.y <= node.y < box.y + 1_000 for node in plan.nodes)
            nodes += plan.nodes
            edges += plan.edges
    assert sorted(nodes, key=lambda n: n.id) == sorted(whole.nodes, key=lambda n: n.id)
    assert sorted(edges, key=lambda e: e.child) == sorted(whole.edges, key=lambda e: e.child)
    assert shape.plan(Box(0, 0, 1, 1), {}).statuses == whole.statuses
    assert shape.inside(Box(0, 0, 10**6, 10**6), most=5) == [thought.id for thought in dag.thoughts()][:5]


@pytest.fixture
def chain(tmp_path: Path) -> Any:
    found = fill_chain(tmp_path / "c.db", 3_000)
    with Store.read(tmp_path / "c.db") as store:
        yield store, found


def asked(trajectory: str, **params: int) -> Request:
    query = "&".join(f"{name}={value}" for name, value in params.items()).encode()
    return Request({"type": "http", "path_params": {"trajectory": trajectory}, "query_string": query, "headers": []})


def test_the_page_of_a_long_chain_holds_what_is_seen(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store, found = chain
    read: list[int] = []
    true = queries.thoughts_of

    def counted(store: Store, ids: Any, **more: Any) -> Any:
        read.append(len(ids))
        return true(store, ids, **more)

    monkeypatch.setattr(queries, "thoughts_of", counted)
    monkeypatch.setattr(trajectory_page, "load_trajectory", lambda *_: pytest.fail("the whole tree was read"))
    pages = Viewer(store, Settings("t" * 32))
    text = bytes(pages.trajectory(asked(found)).body).decode()
    assert text.count('class="node ') == read[0] == 25
    assert len(read) == 2, "the part, and the way to the answer"
    assert read[1] <= trajectory_page.MAX_PATH
    assert "25 of 3,000 thoughts are drawn here" in text
    assert 'href="?x=7300&amp;y=0">deeper' in text
    assert "towards the root" not in text
    further = bytes(pages.trajectory(asked(found, x=7_300, y=0)).body).decode()
    assert "Thought 25:" in further
    assert "towards the root" in further
    assert b"Thought 60:" in pages.window(asked(found, x=15_500, y=10)).body
    assert pages.window(asked("none")).status_code == 404
    assert pages.window(asked(found, x=10**8, y=-5_000)).body == b'{"nodes":[],"edges":[]}'


def test_what_is_read_of_thoughts_is_what_is_asked_for(chain: Any) -> None:
    store, found = chain
    places = skeleton(store, found)
    assert [place.depth for place in places] == list(range(3_000))
    assert [place.parent for place in places[1:]] == [place.id for place in places[:-1]]
    rows = thoughts_of(store, [places[7].id, places[2].id], n_chars=9)
    assert {name: row["text"] for name, row in rows.items()} == {places[7].id: "Thought 7", places[2].id: "Thought 2"}


def test_the_way_to_the_answer_is_one_straight_line() -> None:
    dag = grown(300, 7)
    last = list(dag.thoughts())[250]
    plan = layout(dag, last.id)
    way = [node for node in plan.nodes if node.best]
    assert [node.id for node in way] == list(plan.best)
    assert plan.best[0] == dag.root.id
    assert plan.best[-1] == last.id
    assert len({node.y for node in way}) == 1
    assert {edge.child for edge in plan.edges if edge.best} == set(plan.best[1:])
    places = {(node.x, node.y) for node in plan.nodes}
    assert len(places) == len(plan.nodes), "no card lies on another"


def test_without_an_answer_the_last_final_thought_is_the_end_of_the_way() -> None:
    parents = {"r": None, "a": "r", "b": "a", "c": "a"}
    assert best_path(parents, {"r": "open", "a": "kept", "b": "final", "c": "final"}, None) == ("r", "a", "c")
    assert best_path(parents, {"r": "open", "a": "kept", "b": "final", "c": "final"}, "b") == ("r", "a", "b")
    assert best_path(parents, dict.fromkeys(parents, "open"), "gone") == ()


def test_a_card_holds_two_lines_of_what_is_said() -> None:
    lines = card(
        role="tot/step", label="1.2", operation="", state=None, score=0.123456, text="the quick brown fox jumps over the lazy dog " * 3
    )
    assert lines[0] == "1.2  tot/step  [0.123]"
    assert lines[1] == "the quick brown fox jumps"
    assert lines[2].startswith("over the lazy dog")
    assert lines[2].endswith("…")
    assert all(len(line) <= MAX_CHARS for line in lines)
    wide = card(role="r" * 80, label="", operation="", state=None, score=None, text="字" * 80)
    assert [len(line) for line in wide] == [MAX_CHARS, MAX_CHARS // 2, MAX_CHARS // 2]
    assert card(role="r", label="", operation="", state={"a": 1}, score=None, text="") == ("r", '{"a": 1}', "")
