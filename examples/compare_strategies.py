"""Compare strategies on the same problems and look at what the comparison says. Offline: the teacher answers.

python examples/compare_strategies.py table.md
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import reasoner
from reasoner.comparison.markdown import write_markdown


def main() -> None:
    """Compare three strategies on two puzzles at two levels, and write the tables to the file named on the command line."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "table.md")
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "t.db"
        made = reasoner.compare(
            ["number_path", "game24"], strategy="direct,cot,ats", baseline="cot", model="teacher", n=5, level=[1, 2], samples=2, db=db
        )
        again = reasoner.compare_run(db=db, baseline="direct")
    for row in made.rows:
        low, high = row.interval
        print(
            f"{row.solver or 'all':12} {row.strategy:7} {row.correct}/{row.n_answers}  {low:.2f} to {high:.2f}  {row.mean_tokens:.0f} tokens"
        )
    for test in made.tests:
        print(f"{test.strategy} against {test.against}, {test.solver or 'all'}: +{test.gained} -{test.lost}, p = {test.p:.3f}")
    print("read again with another baseline:", again.baseline, "-", len(again.tests), "tests")
    write_markdown(made, out)
    print(f"{out}: written; made by the teacher, not by a model")


if __name__ == "__main__":
    main()
