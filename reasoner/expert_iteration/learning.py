"""What a round learns: the rows that are chosen of its right answers, those of earlier rounds beside them, pairs, and the trainings on these.

    learner.choose(1, report, right) -> 42                               rows in round-1/rows.jsonl
    learner.train(1, rows, "sft", start, out) -> (out, {"steps": 63, ...})

Every file follows from the options and the stored answers, and an adapter says itself how it was trained: what is there is not made again.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reasoner.clients.llamacpp.adapter import read_card
from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.datasets.export import export
from reasoner.datasets.select import Filters
from reasoner.expert_iteration.selection import Tried, select
from reasoner.files.target import write_text
from reasoner.store import Store
from reasoner.tune import Options as TuneOptions
from reasoner.tune import tune
from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reasoner.expert_iteration.options import Options
    from reasoner.expert_iteration.rounds import Folder
    from reasoner.runs.results import Report, Result
    from reasoner.tune import Progress

FORMAT = "prompt-completion"
ROWS = "rows.jsonl"
DPO_RATE = 0.1
"""The learning rate of `dpo`, as a share of that of the rows."""


@dataclass(frozen=True, slots=True)
class Learner:
    """Chooses, mixes and trains in the folder of a loop."""

    folder: Folder
    options: Options
    note: Callable[[str], None]
    on_training: Callable[[Progress], None] | None

    def choose(self, number: int, report: Report, right: Sequence[Result]) -> int:
        """Write the rows of the answers that are chosen, and return how many there are."""
        exported = self.folder.round(number) / "right.jsonl"
        with Store.open(self.folder.db) as store:
            export(store, FORMAT, exported, Filters(run=report.run_id, verdict="correct"))
        tried = [Tried(one.problem.id, one.trajectory_id, one.text or "", one.spent.completion_tokens) for one in right]
        chosen = set(select(tried, keep=self.options.keep))
        kept = [line for line in _lines(exported) if json.loads(line)["lineage"]["trajectory"] in chosen]
        write_text(self.folder.round(number) / ROWS, "".join(kept))
        return len(kept)

    def mixed(self, number: int) -> tuple[Path, int]:
        """Return the rows of a round with as many of earlier ones, or with all of them where each training begins anew; and how many those are."""
        own, *earlier = [_lines(self.folder.path / f"round-{n}" / ROWS) for n in range(number, -1, -1)]
        old = [line for lines in earlier for line in lines]
        if self.options.train_from == "last":
            old = random.Random(int(digest("replay", str(self.options.seed), str(number))[:12], 16)).sample(old, min(len(old), len(own)))
        file = self.folder.round(number) / "learned.jsonl"
        write_text(file, "".join([*own, *old]))
        return file, len(old)

    def pairs(self, number: int, report: Report) -> tuple[Path, int]:
        """Return pairs of a right and a wrong answer to one problem, and how many there are."""
        file = self.folder.round(number) / "pairs.jsonl"
        with Store.open(self.folder.db) as store:
            return file, export(store, "dpo", file, Filters(run=report.run_id)).taken

    def train(
        self, number: int, rows: Path, objective: Literal["sft", "dpo"], start: Path | None, out: Path
    ) -> tuple[Path, dict[str, Any]]:
        """Train an adapter, or take the one that is there; return it and how it was trained."""
        if not out.is_file():
            o, n_rows = self.options, rows.read_bytes().count(b"\n")
            self.note(f"round {number}: training on {n_rows} {'pairs' if objective == 'dpo' else 'rows'}")
            rank, alpha = _shape(start) or (o.rank, o.alpha)
            options = TuneOptions(
                objective=objective, model=o.model, start=start, rank=rank, alpha=alpha, epochs=o.epochs, batch=o.batch, n_ctx=o.n_ctx,
                learning_rate=o.learning_rate * (DPO_RATE if objective == "dpo" else 1.0), seed=o.seed + number, threads=o.threads,
                compiled=o.compiled,
            )  # fmt: skip
            tune(rows, out, options, on_progress=self.on_training)
        return out, _card(out).get("training") or {}


def _lines(file: Path) -> list[str]:
    """Return the rows of a file; none where there is no file, since an export without a row writes none."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="\n") as opened:  # other line separators may stand inside a row
        return list(opened)


def _card(adapter: Path) -> dict[str, Any]:
    return read_card(read_header(adapter)) or {}


def _shape(adapter: Path | None) -> tuple[int, int] | None:
    """Return rank and alpha of an adapter that says so: one that is gone on from keeps its shape."""
    options = _card(adapter).get("options") or {} if adapter is not None else {}
    rank, alpha = options.get("rank"), options.get("alpha")
    return (rank, alpha) if isinstance(rank, int) and isinstance(alpha, int) else None
