"""How long `import reasoner` takes, over an interpreter that imports nothing, and what a first use loads.

Medians of nine fresh interpreters each, taken in turn so that a change of the machine's speed falls on all alike.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from _report import report

STATEMENTS = {
    "nothing": "pass",
    "import reasoner": "import reasoner",
    "reasoner.solve (engine loaded)": "import reasoner; reasoner.solve",
    "reasoner --version": "import sys; sys.argv = ['reasoner', '--version']\ntry:\n    from reasoner.cli import main; main()\nexcept SystemExit: pass",
}
RUNS = 9


def seconds(statement: str) -> float:
    """Time one fresh interpreter that runs a statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure and report."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(RUNS):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    medians = {name: statistics.median(found) for name, found in times.items()}
    floor = medians["nothing"]
    rows = [{"statement": n, "median_s": round(m, 4), "over_nothing_s": round(m - floor, 4), "runs": RUNS} for n, m in medians.items()]
    report(
        "import",
        rows=rows,
        bars={"import_reasoner_s": round(medians["import reasoner"] - floor, 4)},
        packages=("pydantic", "networkx", "typer"),
    )


if __name__ == "__main__":
    main()
