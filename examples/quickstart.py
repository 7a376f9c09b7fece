"""Solve one puzzle with autonomous tree search and look at the thoughts. Offline: the teacher writes the search down.

python examples/quickstart.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import reasoner


def main() -> None:
    """Solve, then print the tree's final path."""
    with tempfile.TemporaryDirectory() as folder:
        result = reasoner.solve("number_path", "4 9 41", strategy="ats:order=dfs", model="teacher", db=Path(folder) / "t.db")
        dag = result.trajectory
        assert dag is not None
        assert result.verdict is not None
        for thought in dag.thoughts():
            status = dag.mark_of(thought).status
            if thought.label:
                print(f"{status:7} {thought.label:10} {thought.operation}")
        print("correct:", result.correct, "-", result.verdict.reason)


if __name__ == "__main__":
    main()
