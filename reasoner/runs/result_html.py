"""A result as HTML for a notebook: verdict, answer, what it took, and the tree of thoughts. Everything a model wrote is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from reasoner.text import clean, shorten
from reasoner.trajectory import SIGNS

if TYPE_CHECKING:
    from reasoner.runs.results import Result
    from reasoner.trajectory import Trajectory

MAX_THOUGHTS = 200
"""Thoughts that are drawn at most."""
MAX_CHARS = 160


def result_html(result: Result, dag: Trajectory) -> str:
    """Return a self-contained fragment: no style sheet and no script."""
    word, colour = {True: ("correct", "#1a7f37"), False: ("not correct", "#b42318"), None: ("not judged", "#57606a")}[result.correct]
    reason = f": {_text(result.verdict.reason)}" if result.verdict else ""
    spent = result.spent
    used = f"{spent.calls} call(s), {spent.prompt_tokens + spent.completion_tokens} tokens, {spent.seconds:.1f} s"
    error = f"<div>{_text(result.status)}: {_text(result.error)}</div>" if result.error else ""
    return (
        '<div style="font-family:sans-serif">'
        f"<div>{_text(result.problem.solver)} · {_text(result.problem.line)} · {_text(result.strategy)} on {_text(result.model)}</div>"
        f'<div><b style="color:{colour}">{word}</b>{reason}</div>'
        f'<div style="white-space:pre-wrap"><b>{escape(clean(result.answer or "(no answer)"))[:4000]}</b></div>{error}'
        f'<div style="color:#57606a">{used} · trajectory {_text(result.trajectory_id)}</div>'
        f"<details><summary>{len(dag.graph)} thoughts</summary>{_tree(dag)}</details></div>"
    )


def _tree(dag: Trajectory) -> str:
    """Return the first thoughts as lines, each indented by its depth."""
    lines: list[str] = []
    pending = [dag.root]
    while pending and len(lines) < MAX_THOUGHTS:
        thought = pending.pop()
        mark = dag.mark_of(thought)
        depth = int(dag.graph.nodes[thought.id]["depth"])
        body = " ".join(part for part in (thought.label, thought.operation or thought.text) if part)
        dim = ";opacity:.55" if mark.status == "pruned" else ""
        score = f" [{mark.score:g}]" if mark.score is not None else ""
        lines.append(f'<div style="margin-left:{1.2 * min(depth, 40):.1f}em{dim}">{SIGNS[mark.status]} {_text(body)}{score}</div>')
        pending.extend(reversed(dag.children(thought)))
    rest = len(dag.graph) - len(lines)
    return "".join(lines) + (f"<div>… and {rest} more</div>" if rest else "")


def _text(value: str | None) -> str:
    return escape(shorten(clean(value or ""), MAX_CHARS))
