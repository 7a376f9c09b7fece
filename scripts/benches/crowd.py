"""What the number of threads costs where other programs want the cores too: the engine's own count, all cores, and one thread.

    scripts/bench crowd [--json]           one busy loop a core beside the embedded model, and then none; medians of five

Eight sequences are written on together, a fresh model for each figure, so that the engine's count begins at all cores every time and has
to find out; the contenders take turns within a round.
"""

from __future__ import annotations

import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from _report import report

from reasoner.clients.llamacpp import bundled_model
from reasoner.clients.llamacpp.cores import physical_cores
from reasoner.clients.llamacpp.worker.decoder import Slice
from reasoner.clients.llamacpp.worker.model import Model

ROUNDS = 5
SEQUENCES, READ, STEPS = 8, 40, 60


@contextmanager
def busy(n: int) -> Iterator[None]:
    """Keep n cores busy with something else."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def rate(threads: int, most: int | None) -> float:
    """Return tokens written a second, the time in which the count finds its number included."""
    model = Model.load({"path": str(bundled_model()), "n_ctx": 1024, "threads": threads, "most_threads": most, "plain": True})
    model.warm_up()
    for seq in range(SEQUENCES):
        model.decode([Slice(seq, 0, range(100, 100 + READ), wants_logits=True)])
    started = time.perf_counter()
    for step in range(STEPS):
        model.decode([Slice(seq, READ + step, [200 + seq + step], wants_logits=True) for seq in range(SEQUENCES)])
    return SEQUENCES * STEPS / (time.perf_counter() - started)


def main() -> None:
    """Measure and report."""
    logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)
    cores = physical_cores()
    contenders = {"own count": (cores, cores), "all cores": (cores, None), "one thread": (1, None)}
    rows, medians = [], {}
    for beside, n_busy in (("a busy loop a core", cores), ("nothing", 0)):
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        with busy(n_busy):
            for _ in range(ROUNDS):
                for name, threads in contenders.items():
                    rates[name].append(rate(*threads))
        for name, each in rates.items():
            medians[beside, name] = statistics.median(each)
            figures = {"tokens_per_s": round(medians[beside, name], 1), "rounds": f"{min(each):.1f} to {max(each):.1f}"}
            rows.append({"beside": beside, "threads": name, **figures})
    gain, kept = (medians[beside, "own count"] / medians[beside, "all cores"] for beside in ("a busy loop a core", "nothing"))
    report("crowd", rows=rows, bars={"crowded_gain": round(gain, 2), "alone_share": round(kept, 3)}, packages=("llama-cpp-python",))


if __name__ == "__main__":
    main()
