"""From puzzles to a fine-tuning file: run a bench, keep what verifies, export it for TRL. Offline.

python examples/teacher_dataset.py train.jsonl
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import reasoner
from reasoner.datasets.export import export


def main() -> None:
    """Make forty verified trajectories and write them to the file named on the command line."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "train.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "t.db"
        table = reasoner.bench(["number_path", "arithmetic"], strategy="ats,ats:order=dfs", model="teacher", n=10, db=db)
        for row in table.rows:
            print(f"{row.solver:12} {row.strategy:14} {row.correct}/{row.n}")
        with reasoner.Store.open(db) as store:
            tally = export(store, "sft", out)
    print(f"{out}: {tally.taken} rows, made by the teacher, not by a model")


if __name__ == "__main__":
    main()
