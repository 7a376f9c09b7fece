"""Process labels over turns of agents: a turn is good where a trajectory that went through it came to a right end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.store import Store
from reasoner.types import Completion, ToolCall

RIGHT, WRONG = "9 -> 10 -> 20", "9 -> 18 -> 36"


def said(*calls: tuple[str, dict[str, Any]], text: str = "") -> Completion:
    made = tuple(ToolCall(f"c{n}", name, json.dumps(arguments)) for n, (name, arguments) in enumerate(calls))
    return Completion(text, tool_calls=made, finish_reason="tool_calls")


def rows_of(tmp_path: Path, *scripts: list[Completion | str], strategy: str = "react") -> list[dict[str, Any]]:
    db = tmp_path / "t.db"
    for n, script in enumerate(scripts):
        client = ScriptedClient(list(script), name=f"m{n}")
        reasoner.solve("number_path", "2 9 20", strategy=strategy, model=client, tools=["calculator"], db=db)
    out = tmp_path / "p.jsonl"
    with Store.open(db) as store:
        export(store, "prm", out, options=Options(labels_from="tree"))
    return [json.loads(line) for line in out.read_text(encoding="ascii").splitlines()]


def test_trajectories_that_begin_the_same_are_laid_over_each_other(tmp_path: Path) -> None:
    first = said(("calculator", {"expression": "9+1"}), text="I look.")
    right, wrong = said(("submit", {"answer": RIGHT})), said(("submit", {"answer": WRONG}))
    lost = said(("calculator", {"expression": "1/0"}))
    rows = rows_of(tmp_path, [first, right], [first, wrong], [lost, wrong], [first, right])
    found = {tuple(row["completions"]): (row["labels"], row["scores"]) for row in rows}
    begun = 'I look.\ncalculator({"expression":"9+1"})\n-> 10'
    end, bad = (f'submit({{"answer":"{text}"}})\n-> {text}' for text in (RIGHT, WRONG))
    failed = next(path[0] for path in found if path[0].startswith("calculator"))
    assert failed.startswith('calculator({"expression":"1/0"})\n-> Error')
    assert found == {
        (begun, end): ([True, True], [0.666667, 1.0]),
        (begun, bad): ([True, False], [0.666667, 0.0]),
        (failed, bad): ([False, False], [0.0, 0.0]),
    }
    assert all(len(row["lineage"]["thoughts"]) == 2 for row in rows)


def test_branches_of_one_trajectory_are_judged_by_what_they_submitted(tmp_path: Path) -> None:
    answers = [said(("submit", {"answer": text})) for text in (RIGHT, WRONG, RIGHT)]
    rows = rows_of(tmp_path, list(answers), strategy="self_consistency(react):n=3")
    assert sorted((row["labels"], row["completions"][0].splitlines()[0]) for row in rows) == [
        ([False], f'submit({{"answer":"{WRONG}"}})'),
        ([True], f'submit({{"answer":"{RIGHT}"}})'),
    ]


def test_what_a_program_did_counts_by_its_end(tmp_path: Path) -> None:
    begin, end = "```python\nx = calculator('9+1')\nprint(x)\n```", f"```python\nsubmit('{RIGHT}')\n```"
    (row,) = rows_of(tmp_path, [begin, end], strategy="code_act")
    assert row["labels"] == [True, True]
    assert row["completions"][0] == f"{begin}\n-> 10"
    assert row["completions"][1].startswith(f"{end}\n-> ")
