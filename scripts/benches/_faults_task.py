"""The questions of `faults_peers` as a task that Inspect's own commands run and retry: `inspect eval _faults_task.py@questions -T folder=FOLDER`."""

from __future__ import annotations

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.solver import generate


@task
def questions(folder: str) -> Task:
    """Return what stands in FOLDER/questions."""
    files = sorted(Path(folder, "questions").glob("*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return Task(dataset=[Sample(id=row["id"], input=row["question"]) for row in rows], solver=generate())
