"""The card of rows that prompts made: every model, prompt and count, as a README.md that the Hugging Face Hub reads.

    write_map_card(Path("README.md"), [Path("rows.jsonl")], [mapped], n_rows=len(mapped.rows))

The same rows from the same prompts give the same card.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.datasets.card import MARK, TEACHER, cell, check_place, size_category, table
from reasoner.files.target import write_text
from reasoner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reasoner.api.mapping import Done, Mapped


def write_map_card(path: Path, files: Sequence[Path], mapped: Sequence[Mapped], *, n_rows: int, licence: str = "unknown") -> None:
    """Write the card of files to `path`; `mapped` are all the mappings their rows came out of, in their order.

    A file of no rows is not made, and does not stand in it.

    Raises:
        BadConfig: something stands there that we did not write.
        DataError: it cannot be written.
    """
    check_place(path)
    done = [step for each in mapped for step in each.done]
    files = [each for each in files if each.exists()]
    lines = [*_front_matter(files, n_rows, licence), *_body(files, done, n_rows, licence), *_prompts(done)]
    write_text(path, "\n".join(lines) + "\n")


def _front_matter(files: Sequence[Path], n_rows: int, licence: str) -> Iterator[str]:
    yield f"---\nlicense: {json.dumps(licence)}\ntask_categories:\n- text-generation\nsize_categories:\n- {json.dumps(size_category(n_rows))}"
    yield "tags:\n- synthetic\n- reasoner"
    if files:
        yield "configs:"
    for number, path in enumerate(files):
        yield f"- config_name: {json.dumps('default' if number == 0 else path.name)}\n  data_files: {json.dumps(path.name)}"
    yield "---"


def _body(files: Sequence[Path], done: Sequence[Done], n_rows: int, licence: str) -> Iterator[str]:
    models = sorted({model for step in done for model in step.models})
    yield f"\n# {n_rows} rows made by prompts\n"
    yield f"{MARK} {__version__} with `reasoner map`. No verifier has judged these rows: they are what {cell(', '.join(models)) or 'no model'} wrote under the prompts below.\n"
    if "teacher" in models:
        yield TEACHER + "\n"
    if licence == "unknown":
        yield "No licence was named. Whether texts of a model may be used for training is up to that model's terms.\n"
    yield "No scan for secrets, personal data or contamination was made.\n"
    if not files:
        yield "No row was kept, so there is no file.\n"
    yield from table("Files", ("file", "bytes", "sha256"), [(path.name, path.stat().st_size, file_sha256(path)) for path in files])
    head = ("step", "rows in", "rows out", "model", "strategy", "samples", "seed", "sampling", "prompt tokens", "completion tokens", "run")
    yield from table("Steps", head, [_step(step) for step in done])
    left_out = [(step.name, reason, count) for step in done for reason, count in sorted(step.left_out.items())]
    yield from table("Left out", ("step", "reason", "how many"), left_out)


def _step(step: Done) -> tuple[object, ...]:
    sampling = ", ".join(f"{name} {value}" for name, value in step.sampling.items() if value not in ([], None))
    models = ", ".join(f"{name} ({n})" for name, n in sorted(step.models.items()))
    return (
        step.name, step.n_in, step.n_out, models, step.strategy, step.samples, step.seed, sampling or "default", step.prompt_tokens,
        step.completion_tokens, step.run,
    )  # fmt: skip


def _prompts(done: Sequence[Done]) -> Iterator[str]:
    yield "\n## Prompts\n"
    shown: set[tuple[str, str]] = set()
    for step in done:
        if (step.name, step.hash) in shown:
            continue
        shown.add((step.name, step.hash))
        yield f"### {cell(step.name)}\n\nsha256 `{step.hash}`\n"
        yield from _fenced(step.text, "jinja")
        if step.schema is not None:
            yield "The reply is held to this schema:\n"
            yield from _fenced(json.dumps(step.schema, indent=2), "json")


def _fenced(text: str, kind: str) -> Iterator[str]:
    """Yield a text between fences that are longer than any within it."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    yield f"{fence}{kind}\n{text.rstrip()}\n{fence}\n"
