"""Each pipeline without a verifier runs offline, gives what its script makes it give, and asks nothing when it is run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from forks import Forks

FOLDER = Path(__file__).parents[2] / "examples" / "pipelines"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def run(name: str, forks: Forks, cwd: Path) -> list[dict[str, Any]]:
    code = f"import runpy; runpy.run_path({str(FOLDER / (name + '.py'))!r}, run_name='__main__'); raise SystemExit(0)"
    done = forks.run([name], cwd=cwd, prelude=code)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{name}.jsonl: ")
    return [json.loads(line) for line in (cwd / f"{name}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_runs_and_is_short(name: str, forks: Forks, tmp_path: Path) -> None:
    rows = run(name, forks, tmp_path)
    assert rows
    card = (tmp_path / f"{name}.md").read_text()
    assert "`reasoner map`. No verifier has judged these rows: they are what script wrote" in card
    assert run(name, forks, tmp_path) == rows
    assert (tmp_path / f"{name}.md").read_text() == card
    body = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in body if line.strip()]) < 60
    if name == "skillmix":
        assert len(rows) < 12
        assert not [row for row in rows if "you could" in row["completion"]]
    elif name == "self_instruct":
        tasks = [row["task"] for row in rows]
        assert len(tasks) == len(set(tasks))
        assert "List the drugs in the note." not in tasks, "it is one of the seeds"
    elif name == "irac":
        assert len(rows) == 2
        assert all(row["completion"].endswith("Answer: B") for row in rows)
    elif name == "helpsteer":
        assert [(row["preference_strength"], row["helpfulness"]) for row in rows] == [(1, 1), (-1, 0)]
    else:
        assert [(row["context"], row["chosen"]) for row in rows if row["pair"] == 0] == [
            ("I know the field and am in a hurry.", "sorted(x)"),
            ("I am new to this.", "Call sorted(x): it returns a new list and leaves x as it is."),
        ]
        assert {row["pair"] for row in rows} == {0}
