"""The dataset card: a README.md as the Hugging Face Hub reads it, with what is in the files and how they came to be.

Rows made by the teacher are named as such. The same export gives the same card.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig
from reasoner.files.target import write_text
from reasoner.text import clean
from reasoner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reasoner.datasets.options import Options
    from reasoner.datasets.records import Kind
    from reasoner.datasets.select import Filters, Tally

NAME = "README.md"
MARK = "Made by reasoner"
"""What every card says, and by which one is known."""
SIDE, OLD_SIDE = ".lineage", ".lineage.jsonl"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
_WHAT = {
    "conversation": "conversations: what a model was asked, and a reply whose answer was verified",
    "pair": "preferences: of two completions of one prompt, the chosen one reached a verified answer and the rejected one did not",
    "label": "single completions, labelled true where they reached a verified answer and false where they did not",
    "steps": "chains of steps, each labelled by whether what follows it reached a verified answer",
    "prompt": "prompts, each with the problem whose exact verifier judges answers to it",
    "group": "prompts, each with all replies to it and their rewards",
    "document": "whole trajectories: every call, every thought, the verdict",
}
TEACHER = (
    "**Rows whose model is `teacher` were written by the exact solver, not by a language model.** They are searches and solutions put into "
    "the format a prompt asks for; they say nothing about any model's skill."
)


def write_card(path: Path, *, format_name: str, kind: Kind, filters: Filters, options: Options, tally: Tally) -> None:
    """Write the card to `path`.

    Raises:
        DataError: it cannot be written.
    """
    others = _others(path.parent, tally)
    lines = [*_front_matter(options, tally, others), *_body(format_name, kind, filters, options, tally), *_beside(others)]
    write_text(path, "\n".join(lines) + "\n")


def check_place(path: Path) -> None:
    """Check that a card may be written to `path`.

    Raises:
        BadConfig: something stands there that no export wrote.
    """
    if not path.exists():
        return
    try:
        there = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        there = ""
    if MARK not in there:
        raise BadConfig(f"{path} is there already, and no export wrote it", hint="export to a folder of its own, or leave `card` out")


def _front_matter(options: Options, tally: Tally, others: list[Path]) -> Iterator[str]:
    """Yield the YAML that the Hub reads. All values are quoted as JSON, which is YAML too."""
    size = size_category(tally.taken)
    yield "---"
    yield f"license: {json.dumps(options.licence)}"
    yield "language:\n- en"
    yield "task_categories:\n- text-generation"
    yield f"size_categories:\n- {json.dumps(size)}"
    yield "tags:\n- reasoning\n- synthetic\n- reasoner"
    yield "configs:\n- config_name: default\n  data_files:"
    for name in _data_files(tally):
        yield f"  - split: {_split_of(name, tally)}\n    path: {json.dumps(name)}"
    for path in others:
        if path.suffix in {".jsonl", ".parquet"} and not path.name.endswith(OLD_SIDE):
            yield f"- config_name: {json.dumps(path.name)}\n  data_files: {json.dumps(path.name)}"
    yield "---"


def _data_files(tally: Tally) -> list[str]:
    return sorted(name for name in tally.files if not name.endswith(SIDE))


def _others(folder: Path, tally: Tally) -> list[Path]:
    """Return the other files of the folder: of earlier exports, or of somebody else."""
    return sorted(
        p for p in folder.iterdir() if p.is_file() and p.name not in tally.files and p.name != NAME and not p.name.startswith(".")
    )


def _split_of(name: str, tally: Tally) -> str:
    return next((part for part in tally.counts.get("split", ()) if f".{part}." in name), "train")


def _body(format_name: str, kind: Kind, filters: Filters, options: Options, tally: Tally) -> Iterator[str]:
    yield f"\n# {tally.taken} rows of format {format_name}\n"
    yield f"{_WHAT[kind].capitalize()}. {MARK} {__version__} with `reasoner export {format_name}`.\n"
    if "teacher" in tally.counts.get("model", {}):
        yield TEACHER + "\n"
    if options.trust_verdicts:
        yield "The stored verdicts were taken as they are; they were not verified again for this export.\n"
    else:
        yield "Every answer was verified again, by an exact solver, when the file was written.\n"
    if options.licence == "unknown":
        yield "No licence was named (`--licence`). Whether texts of a model may be used for training is up to that model's terms.\n"
    yield from table(
        "Files", ("file", "rows", "bytes", "sha256"), [(n, f["rows"], f["bytes"], f["sha256"]) for n, f in sorted(tally.files.items())]
    )
    for what in ("split", "solver", "level", "strategy", "model"):
        counted = tally.counts.get(what)
        if counted:
            yield from table(f"Rows by {what}", (what, "rows"), sorted(counted.items()))
    yield from _lengths(tally)
    yield f"\n## How it was chosen\n\n{tally.seen} trajectories were looked at.\n"
    yield from _settings("Filters", filters.as_dict())
    yield from _settings("Options", options.changed())
    yield from table("Not selected", ("what", "trajectories"), sorted(tally.not_selected.items()))
    yield from table("Left out", ("reason", "how many"), sorted(tally.left_out.items()))
    yield from table("Comparison with the evaluation files", ("what", "texts"), sorted(tally.compared.items()))
    yield from table("Secrets, personal data and control tokens found", ("kind", "how often"), sorted(tally.findings.items()))
    yield "\nThe scan looks for known forms; that it found nothing does not say that there is nothing.\n"
    yield "## Where rows come from\n\n`lineage` (a column, or a file beside) names the run, trajectory and calls of each row: `reasoner trace FILE:LINE`."


def _beside(others: list[Path]) -> Iterator[str]:
    rows = [(path.name, path.stat().st_size) for path in others]
    yield from table("Other files in this folder", ("file", "bytes"), rows)
    if rows:
        yield "\nThis card says nothing of what they hold; each data file among them is a configuration of its own.\n"


def _lengths(tally: Tally) -> Iterator[str]:
    for unit, histogram in tally.lengths.items():
        rows = [(f"{low}–{2 * low - 1}", n) for low, n in sorted(histogram.items())]
        yield from table(f"Length in {unit}, prompt and completion", (unit, "rows"), rows)
        yield f"\n{tally.total_length} {unit} in all, {tally.total_length / max(1, tally.taken):.0f} a row.\n"


def _settings(title: str, values: Mapping[str, Any]) -> Iterator[str]:
    said = ", ".join(f"`{name} = {cell(json.dumps(value))}`" for name, value in values.items())
    yield f"{title}: {said or 'none'}.\n"


def size_category(n_rows: int) -> str:
    """Return what the Hub calls a data set of so many rows."""
    return next((name for most, name in _SIZES if n_rows < most), "n>10M")


def table(title: str, head: tuple[str, ...], rows: list[Any]) -> Iterator[str]:
    """Yield a titled table; nothing where there are no rows."""
    if not rows:
        return
    yield f"\n## {title}\n"
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell(str(value)) for value in row)} |"


def cell(text: str) -> str:
    """Make a value safe in a table: names come from stores, and a store may come from anywhere."""
    return clean(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;").replace("`", "'").strip()[:200]
