"""Faults over a Ray cluster: `scripts/bench faults --faults 100 --per-run 10 --seed 1`; a row for each campaign, repeated by its seed.

Each campaign is a run of its own on a cluster of its own, `--per-run` faults long, with a ledger of what the server was asked. Says nothing of real networks and
disks: the nodes are processes of this machine, and their disks are folders.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "helpers"))

from _report import print_report
from ray_faults import KINDS, campaign


def main() -> None:
    """Run campaigns until enough faults have happened, and print what they came to."""
    parser = argparse.ArgumentParser(description="bench faults")
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--per-run", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards", type=int, default=6)
    parser.add_argument("--problems", type=int, default=2000, help="questions, of one call each, in a run")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--lease", type=float, default=15.0, help="seconds a worker may be silent")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of faults")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    told = parser.parse_args()
    rows, n, seed = [], 0, told.seed
    while n < told.faults:
        with tempfile.TemporaryDirectory(prefix="ray-faults-") as folder:
            made = campaign(
                Path(folder), seed=seed, n_faults=min(told.per_run, told.faults - n), shards=told.shards, problems=told.problems,
                nodes=told.nodes, lease_s=told.lease, among=told.kinds.split(","),
            )  # fmt: skip
        rows.append(made.as_row(seed))
        print(rows[-1], file=sys.stderr)
        happened = sum(made.faults.values())
        n += happened
        seed += 1
        if not happened:
            break
    names = ("lost", "twice", "paid_again")
    bars = {"faults": float(n)} | {name: float(sum(row[name] for row in rows)) for name in names}
    bars["campaigns_with_other_bytes"] = float(sum(not row["same_bytes"] for row in rows))
    print_report("faults", rows=rows, bars=bars, as_json=told.json, packages=("ray",))


if __name__ == "__main__":
    main()
