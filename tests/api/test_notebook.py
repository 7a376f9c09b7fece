"""A notebook does all of it: a strategy and a solver of its own cells, a free-form question with a type, a tree, inside the kernel's loop."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]

CELLS = {
    "open": """
import reasoner
from reasoner.clients.scripted import ScriptedClient
from pydantic import BaseModel

DB = "notebook.db"
""",
    "strategy": """
class Twice(reasoner.Strategy):
    \"\"\"Answer, and answer again.\"\"\"

    name = "twice"
    summary = "two answers, the last one counts"

    class Params(reasoner.Strategy.Params):
        times: int = 2

    async def run(self, session):
        thought = None
        for _ in range(self.params.times):
            thought = await session.ask("direct/answer", parent=thought)
            session.mark(thought, status="kept")
        session.mark(thought, status="final")
        return session.offer(thought.text, thought)
""",
    "solver": """
class Number(BaseModel):
    model_config = {"frozen": True}
    number: int

class Doubling(reasoner.Solver[Number]):
    \"\"\"Double a number.\"\"\"

    name = "doubling"
    summary = "double a number"
    syntax = "N"
    Instance = Number
    levels = {1: "1..99"}
    default_level = 1

    def parse(self, line):
        return Number(number=int(line))

    def format(self, instance):
        return str(instance.number)

    def generate(self, rng, level):
        return Number(number=rng.randint(1, 99))

    def statement_variables(self, instance):
        return {"number": instance.number}

    def right_answer(self, instance):
        return f"Answer: {2 * instance.number}"

    def verify(self, instance, text):
        right = text.strip().endswith(f"Answer: {2 * instance.number}")
        return reasoner.Verdict(correct=right, score=float(right), reason="compared with twice the number")
""",
    "run": """
model = ScriptedClient(["Answer: 41", "Answer: 42"])
result = reasoner.solve(Doubling, "21", strategy=Twice, model=model, db=DB)
print(result.correct, result.answer, result.spent.calls, len(list(result.trajectory.thoughts())))
""",
    "tree": "result",
    "known by name": """
reasoner.register(Twice)
again = reasoner.solve("doubling", "4", strategy="twice:times=1", model=ScriptedClient(["Answer: 8"]), db=DB)
one = reasoner.solve(Doubling(), "5", strategy=Twice(Twice.Params(times=1)), model=ScriptedClient(["Answer: 9"]), db=DB)
print(again.correct, one.correct, one.strategy)
""",
    "ask": """
class Ticket(BaseModel):
    title: str
    urgent: bool

asked = reasoner.ask(
    "The printer burns. Write a ticket.", output_type=Ticket, model=ScriptedClient(['{"title": "Printer burns", "urgent": true}']), db=DB
)
print(repr(asked.output), asked.correct)
""",
    "ask through a strategy": """
model = ScriptedClient(["It burns.\\nAnswer: urgent", '{"value": {"title": "Printer", "urgent": true}}'])
asked = reasoner.ask("The printer burns.", strategy="cot", output_type=Ticket | None, model=model, db=DB)
print(repr(asked.output), asked.correct)
""",
    "the fault of an answer": """
asked = reasoner.ask("Is it?", output_type=Ticket, model=ScriptedClient(['{"title": "P"}']), db=DB)
print(asked.output, asked.error)
""",
    "typo": """
try:
    reasoner.solve("doubling", "4", strategy="twice", model="teacher", max_tokns=5)
except reasoner.ReasonerError as error:
    print(error)
""",
    "a field named value": """
class Value(BaseModel):
    value: int

print(reasoner.ask("How much?", output_type=Value, model=ScriptedClient(['{"value": 3}']), db=DB).output)
print(reasoner.ask("How much?", output_type=list[int], model=ScriptedClient(['{"value": [1, 2]}']), db=DB).output)
""",
    "bench": """
rows = reasoner.bench(Doubling, strategy=[Twice, "direct"], model=ScriptedClient(lambda request: "Answer: 2"), n=3, db=DB).rows
print([(row.strategy, row.n) for row in rows])
""",
    "interrupt": """
import os, signal, time

def interrupting(request):
    asked.append(request)
    if len(asked) == 1:
        os.kill(os.getpid(), signal.SIGINT)  # the stop button
        time.sleep(0.3)
    return "Answer: 6"

asked = []
try:
    reasoner.solve(Doubling, "3", strategy="twice", model=ScriptedClient(interrupting), db=DB)
except KeyboardInterrupt:
    print("interrupted after", len(asked))
print(reasoner.solve(Doubling, "3", strategy="twice", model=ScriptedClient(interrupting), db=DB).correct, len(asked) <= 3)
""",
    "await": """
result = await reasoner.asolve("game24", "4 9 10 13", strategy="ats", model="teacher", db=DB)
print(result.correct)
""",
}
STATEMENT = '+++\nversion = 1\nvariables = ["number"]\n+++\n{% block text %}Double {{ number }}.{% endblock %}\n'


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run the notebook, and return what each cell printed or showed."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "prompts" / "solvers").mkdir(parents=True)
    (folder / "prompts" / "solvers" / "doubling.jinja").write_text(STATEMENT, encoding="utf-8")
    # Cells are run again: their classes take the place of the earlier ones; one with other code is another run, not the recorded one.
    order = [*CELLS, "strategy", "solver", "run"]
    cells = [CELLS[name] for name in order]
    cells += [CELLS["strategy"].replace("return session.offer(thought.text", 'return session.offer("Answer: 7"'), CELLS["run"]]
    order += ["strategy", "run"]
    code = nbformat.v4.new_code_cell
    book = nbformat.v4.new_notebook(cells=[code(cell) for cell in cells])  # type: ignore[no-untyped-call]  # the package has no types for these
    client = NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "JUPYTER_PLATFORM_DIRS")}
    os.environ.update(PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path]), JUPYTER_PLATFORM_DIRS="1")
    try:
        client.execute()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
    return {
        f"{name} {at}" if at >= len(CELLS) else name: _shown(cell) for at, (name, cell) in enumerate(zip(order, book.cells, strict=True))
    }


def _shown(cell: Any) -> str:
    parts = [out.get("text") or out.get("data", {}).get("text/html") or out.get("data", {}).get("text/plain", "") for out in cell.outputs]
    return "".join(parts).strip()


def test_classes_of_cells_run(said: dict[str, str]) -> None:
    assert said["run"] == "True 42 2 3"
    assert said["known by name"] == "True False twice:times=1"
    assert said["bench"] == "[('twice', 3), ('direct', 3)]"


def test_a_cell_may_run_again(said: dict[str, str]) -> None:
    assert said[f"run {len(CELLS) + 2}"] == "True 42 2 3"
    assert said[f"run {len(CELLS) + 4}"] == "False 7 2 3"


def test_a_result_shows_verdict_answer_and_tree(said: dict[str, str]) -> None:
    assert "<b" in said["tree"]
    assert "correct" in said["tree"]
    assert "3 thoughts" in said["tree"]
    assert "★" in said["tree"]


def test_a_question_gives_an_instance_of_a_type_of_a_cell(said: dict[str, str]) -> None:
    assert said["ask"] == "Ticket(title='Printer burns', urgent=True) None"
    assert said["ask through a strategy"] == "Ticket(title='Printer', urgent=True) None"
    assert said["a field named value"] == "value=3\n[1, 2]"
    assert said["the fault of an answer"].startswith("None the answer does not fit the output type: urgent")


def test_a_typo_is_told_with_a_near_name(said: dict[str, str]) -> None:
    assert "max_tokns" in said["typo"]
    assert "max_tokens" in said["typo"]


def test_top_level_await_works(said: dict[str, str]) -> None:
    assert said["await"] == "True"


def test_the_stop_button_parks_the_run_and_the_same_cell_goes_on(said: dict[str, str]) -> None:
    assert said["interrupt"] == "interrupted after 1\nTrue True"
