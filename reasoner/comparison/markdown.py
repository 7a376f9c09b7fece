"""A comparison as a Markdown page: the command, the tables, the claims, and what the columns mean.

    write_markdown(comparison, Path("table.md"), picture=Path("table.png"))

Names of models and strategies are escaped, whatever is in them.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from reasoner.comparison.tables import UPPER_BOUND, tables
from reasoner.files.target import write_text
from reasoner.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from reasoner.comparison.comparison import Comparison
    from reasoner.comparison.tables import ComparisonTable

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&!])")


def markdown(comparison: Comparison, *, picture: str | None = None) -> str:
    """Return the page as text; `picture` is a link to the plot."""
    parts = [f"# Comparison {comparison.run}", ""]
    if comparison.command:
        parts += [*_code(comparison.command), ""]
    models = ", ".join(_cell(model) for model in comparison.models)
    parts += [f"Models: {models}. Samples of each problem: {comparison.samples}. Baseline: {_cell(comparison.baseline or 'none')}.", ""]
    for table in tables(comparison):
        parts += [f"## {table.title}", "", *_table(table), ""]
    if comparison.inside_thought:
        parts += ["## Replies without an answer", "", *(f"- {_cell(each.sentence())}." for each in comparison.inside_thought), ""]
    if comparison.claims:
        parts += ["## Claims", "", *(f"- {_cell(claim.sentence())}." for claim in comparison.claims), ""]
    if picture:
        parts += [f"![Accuracy against tokens](<{picture}>)", ""]
    return "\n".join([*parts, *_notes(comparison), ""])


def write_markdown(comparison: Comparison, path: Path, *, picture: Path | None = None) -> None:
    """Write the page to a file.

    Raises:
        DataError: the file cannot be written.
    """
    link = os.path.relpath(picture, path.parent).replace(os.sep, "/") if picture else None
    write_text(path, markdown(comparison, picture=link))


def _notes(comparison: Comparison) -> list[str]:
    notes = [
        (
            "An answer that could not be read, or whose call failed, counts as wrong. Accuracy is that of a single answer; pass@k is a "
            "column of its own. The interval is Wilson's at 95 %, for the number of problems. p is the exact McNemar test over the first "
            "sample of each problem, corrected by Holm."
        ),
    ]
    if comparison.qualities:
        signatures = "; ".join(f"{name} `{signature}`" for name, signature in comparison.qualities[0].signatures.items())
        notes.append(
            "Translation: scores of the whole set; ± is half the 95 % interval of sacrebleu's paired bootstrap, p the bootstrap's against the "
            f"baseline, AR that of approximate randomisation; ρ is Spearman's, of coverage and sentence chrF++. {signatures}."
        )
    if any(row.upper_bound for row in comparison.rows):
        notes.append(f"A strategy marked *{UPPER_BOUND}* let the verifier choose its answer; it is not ranked and not tested.")
    if comparison.left_out or comparison.open:
        notes.append(
            f"{comparison.open} planned trajectories are not finished; {comparison.left_out} finished ones are left out, because another "
            "strategy or model has not finished the same problem."
        )
    return [line for note in notes for line in (note, "")]


def _table(table: ComparisonTable) -> list[str]:
    heads = [_cell(column.name) for column in table.columns]
    rules = ["---" if column.words else "---:" for column in table.columns]
    return ["| " + " | ".join(cells) + " |" for cells in (heads, rules, *([_cell(cell) for cell in line] for line in table.lines))]


def _cell(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(clean(text).split()))


def _code(text: str) -> list[str]:
    """Fence text with more backticks than it holds."""
    line = " ".join(clean(text).split())
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return [fence, line, fence]
