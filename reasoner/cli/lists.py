"""The tables of `reasoner runs` and `reasoner show RUN`.

out.print(runs_table(rows, asked, width=80))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.cli.columns import Fit, fitted
from reasoner.cli.output import safe
from reasoner.text import answer_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.text import Text

N_CHARS = 300
"""So much of a text is looked at for a cell."""
NONE = "–"


def runs_table(rows: Sequence[Mapping[str, Any]], asked: Mapping[str, Mapping[str, Any]], *, width: int) -> Any:
    """Return the runs, newest first: what they were about (question and answer of `ask` and of served requests), how many were right."""
    told = any(_status(row) != "finished" for row in rows)
    columns = [
        Fit("run"), *([Fit("status", drop=1)] if told else []), Fit("started (UTC)", drop=3), Fit("task", text=True),
        *([Fit("answer", text=True)] if asked else []), Fit("strategies", text=True, drop=2), Fit("models", text=True, drop=4), Fit("right", right=True), Fit("tokens", right=True),
    ]  # fmt: skip
    lines = []
    for row in rows:
        question = asked.get(row["id"])
        task = question["asked"] if question else ", ".join(row["solvers"])
        lines.append(
            [
                safe(row["id"]), *([safe(_status(row))] if told else []), safe(row["created"][5:16].replace("T", " ")), _cell(task),
                *([_cell((question and question["answer"]) or "")] if asked else []), _cell(", ".join(row["strategies"])), _cell(", ".join(row["models"])),
                safe(f"{row['correct']}/{row['judged']}" if row["judged"] else NONE), safe(str(row["prompt_tokens"] + row["completion_tokens"])),
            ]
        )  # fmt: skip
    return fitted(columns, lines, width=width)


def _status(row: Mapping[str, Any]) -> str:
    """Write a run's status: `running` only where somebody is at it, and an arrow where `reasoner resume` would go on."""
    return ("interrupted" if row["status"] == "running" and row["resumable"] else str(row["status"])) + (" ↻" if row["resumable"] else "")


def trajectories_table(rows: Sequence[Mapping[str, Any]], *, width: int) -> Any:
    """Return the trajectories of a run: question, answer, whether it was right (a dash where nothing was judged), and why."""
    many = {name for name in ("strategy", "model", "solver") if len({row[name] for row in rows}) > 1}
    labelled = any(row["annotation_label"] is not None for row in rows)
    columns = [
        Fit("trajectory"), *([Fit("solver", text=True, drop=2)] if "solver" in many else []), Fit("question", text=True),
        *([Fit("strategy", text=True, drop=3)] if "strategy" in many else []), *([Fit("model", text=True, drop=4)] if "model" in many else []),
        Fit("right"), Fit("answer", text=True), *([Fit("label", text=True)] if labelled else []), Fit("reason", text=True, drop=5), Fit("tokens", right=True, drop=1),
    ]  # fmt: skip
    lines = []
    for row in rows:
        sign = {None: NONE, 0: "✗", 1: "✓"}[row["correct"]]
        word = f"{sign} {row['status']}" if row["status"] in {"open", "failed"} else sign
        lines.append(
            [
                safe(row["id"]), *([_cell(row["solver"])] if "solver" in many else []), _cell(row["asked"]),
                *([_cell(row["strategy"])] if "strategy" in many else []), *([_cell(row["model"])] if "model" in many else []),
                safe(word, style="green" if row["correct"] else ""), _cell(answer_line(row["answer"] or "") or row["answer"] or ""),
                *([_cell(_label(row))] if labelled else []), _cell(row["reason"] or row["error"] or ""), safe(str(row["tokens"])),
            ]
        )  # fmt: skip
    return fitted(columns, lines, width=width)


def _label(row: Mapping[str, Any]) -> str:
    """Return the label that a person gave; a sign where there is but a note."""
    return str(row["annotation_label"] or ("✎" if row["annotation_note"] else ""))


def _cell(text: str) -> Text:
    return safe(text, n_chars=N_CHARS)
