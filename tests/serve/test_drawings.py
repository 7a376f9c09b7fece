"""A puzzle's answer as a picture: the solver says what is drawn, the pages where it stands, and no text breaks out of it."""

from __future__ import annotations

from typing import Any

import pytest

from reasoner import registry
from reasoner.drawing import Cell, Chain, Drawing, Grid, Stop, Table, Vessel, Vessels, Voice
from reasoner.serve.drawings import MAX_STATES, dialogue, drawing
from reasoner.serve.templating import environment
from reasoner.trajectory import Trajectory


def row(solver: str, line: str, answer: str | None) -> dict[str, Any]:
    return {"solver": solver, "instance": registry.solver(solver).parse(line).model_dump_json(), "answer": answer}


def drawn_by(monkeypatch: pytest.MonkeyPatch, made: Drawing) -> dict[str, Any]:
    """Return what the pages make of a drawing, whichever solver returned it."""
    solver = registry.solver("sum")
    monkeypatch.setattr(type(solver), "drawing", lambda _self, _instance, _text: made)
    found = drawing(row("sum", "1 2", "Answer: 3"))
    assert found is not None
    return found


def page(found: dict[str, Any]) -> str:
    return str(environment().from_string("{% from 'parts.html' import drawn %}{{ drawn(drawing) }}").render(drawing=found))


def test_jugs() -> None:
    answer = "Answer: 0/5 0/7 -> 0/5 7/7 -> 5/5 2/7"
    solver = registry.solver("drop_water")
    states = ((Vessel(0, 5), Vessel(0, 7)), (Vessel(0, 5), Vessel(7, 7)), (Vessel(5, 5), Vessel(2, 7, marked=True)))
    assert solver.drawing(solver.parse("5 7 2 2"), answer) == Vessels("The jugs, wanted: 2 litres", states)
    found = drawing(row("drop_water", "5 7 2 2", answer))
    assert found is not None
    assert (found["width"], found["states"][2][1]["height"], found["states"][2][1]["water"]) == (336, 70, 20)
    assert page(found).count('class="glass"') == 6
    assert page(found).count('class="water goal"') == 1


def test_a_path_shows_its_wrong_step() -> None:
    solver = registry.solver("number_path")
    made = solver.drawing(solver.parse("3 9 21"), "I try.\nAnswer: 9 -> 10 -> 20 → 22")
    assert made == Chain("The path to 21", (Stop("9"), Stop("10", "+ 1"), Stop("20", "× 2"), Stop("22", "?")))


def test_a_grid_tells_right_letters_from_wrong_ones() -> None:
    solver = registry.solver("mini_crossword")
    line = '{"clues": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], "solution": "blissrenalovulenervecreep"}'
    made = solver.drawing(solver.parse(line), "Answer: bliss / renal / ovule / nerve / cree?")
    assert isinstance(made, Grid)
    assert made.title == "The grid: 24 of 25 letters right"
    assert made.rows[0][0] == Cell("B")
    assert made.rows[4][4] == Cell("", right=False)
    assert made.notes[5] == ("column 1", "6")
    found = drawing(row("mini_crossword", line, "Answer: bliss / renal / ovule / nerve / cree?"))
    assert found is not None
    assert page(found).count('<td class="right">') == 24
    assert "<s>·</s>" in page(found)
    assert "struck through" in page(found)


@pytest.mark.parametrize(
    ("solver", "answer"),
    [("number_path", None), ("number_path", "I do not know.\nSorry."), ("number_path", "Answer: none"), ("sum", "Answer: 3")],
)
def test_what_cannot_be_drawn_is_left_out(solver: str, answer: str | None) -> None:
    assert drawing(row(solver, "3 9 21" if solver == "number_path" else "1 2", answer)) is None


def test_a_solver_that_is_gone_and_an_instance_of_another_version_are_left_out() -> None:
    known = row("number_path", "3 9 21", "Answer: 9 -> 10")
    assert drawing(known) is not None
    assert drawing(known | {"solver": "no_such_family"}) is None
    assert drawing(known | {"instance": '{"steps": "many"}'}) is None


def test_a_strategy_says_whose_words_a_dialogue_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    dag = Trajectory("t", root_text="statement")
    first = dag.add(dag.root, role="iot/guide", ordinal=0, text="raw")
    dag.mark(first, state={"thought": "Go on.", "stop": False})
    second = dag.add(first, role="iot/respond", ordinal=0, text="Answer: 3")
    dag.mark(second, state={"response": "Three.", "done": True})
    dag.add(second, role="gone/guide", ordinal=0, text="of a strategy that is not installed")
    dag.add(second, role="cot/answer", ordinal=0, text="of one without voices")
    assert [(turn["who"], turn["side"], turn["text"]) for turn in dialogue(dag)] == [
        ("Guide", "guide", "Go on."),
        ("Responder (ends the dialogue)", "responder", "Three."),
    ]
    monkeypatch.setattr(registry.find("strategy", "cot"), "voices", {"answer": Voice("Thinker")})
    assert dialogue(dag)[-1]["who"] == "Thinker"


def test_what_a_solver_of_ones_own_draws_is_bounded_and_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "<script>alert(1)</script>"
    many = drawn_by(monkeypatch, Chain(hostile, (Stop(hostile, hostile),) * 10_000))
    assert len(many["stops"]) == MAX_STATES
    odd = drawn_by(monkeypatch, Vessels(hostile, ((Vessel(-5, -3), Vessel(10**12, 7), Vessel(1, 0)),) * 1_000))
    assert len(odd["states"]) == MAX_STATES
    assert all(0 <= jug["water"] <= 70 and 0 <= jug["height"] <= 70 for state in odd["states"] for jug in state)
    wide = drawn_by(monkeypatch, Grid(hostile, ((Cell(hostile),) * 1_000,) * 1_000, (("a", hostile),) * 1_000))
    assert (len(wide["rows"]), len(wide["rows"][0]), len(wide["notes"])) == (MAX_STATES, MAX_STATES, 2 * MAX_STATES)
    for found in (many, odd, wide, drawn_by(monkeypatch, Vessels("", ())), drawn_by(monkeypatch, Chain("", ()))):
        assert "<script" not in page(found)


def test_a_table_has_its_head_and_strikes_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Table(
        "Rows <b>", ("name", "<i>"), ((Cell("salt"), Cell("1")), (Cell("<script>"), Cell("2", right=False))), (("rows", "9, 2 are shown"),)
    )
    found = drawn_by(monkeypatch, made)
    shown = page(found)
    assert shown.count("<th scope") == 2
    assert shown.count('<td class="wrong"><s>2</s>') == 1
    assert "&lt;script&gt;" in shown
    assert "rows: 9, 2 are shown" in shown
    assert "struck through" in shown
    wide = drawn_by(monkeypatch, Table("Wide", ("h",) * 100, ((Cell("x"),) * 100,) * 100))
    assert (len(wide["head"]), len(wide["rows"]), len(wide["rows"][0])) == (MAX_STATES,) * 3
