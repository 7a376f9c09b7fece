"""`reasoner map`: the rows of a table through prompt templates, columns in, columns out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reasoner.cli import cluster_options as c
from reasoner.cli import options as o
from reasoner.cli.output import guarded, print_json, say
from reasoner.errors import UsageError

if TYPE_CHECKING:
    from reasoner.api.mapping import Mapped

EPILOG = (
    "Examples:\n\n  reasoner map topics.csv --prompt question.jinja --prompt answer.jinja --out rows.jsonl --model openai:NAME\n\n"
    "  reasoner map rows.jsonl --prompt rate.jinja --out rated.jsonl --samples 3 --temperature 0.7"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("map", epilog=EPILOG)(map_)


@guarded
@o.expanded
@c.expanded
def map_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Table of rows: .jsonl, .json, .csv, .tsv or .parquet.", show_default=False)],
    prompt: Annotated[
        list[Path],
        typer.Option(
            "--prompt", help="Template of a step; its variables are columns. Repeatable: steps in their order.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write: .jsonl, or .parquet.", show_default=False)],
    model: o.Model = "local",
    strategy: Annotated[str, typer.Option("--strategy", "-s", help="NAME or NAME:key=value; plain adds no word.")] = "plain",
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="Times each row is asked at the first step; it goes on as so many rows.")
    ] = 1,
    card: Annotated[bool, typer.Option("--card", help="Write a card, README.md, beside the file: every model, prompt and count.")] = False,
    licence: Annotated[str, typer.Option("--licence", help="Licence the card names.")] = "unknown",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first rows of the table.", show_default=False)] = None,
    *,
    cluster: c.OnCluster,
    common: o.Common,
    json: o.Json = False,
) -> None:
    """Put rows through prompt templates, one step after the other; recorded like every run, and resumed by the same command."""
    from reasoner.api.map_card import write_map_card  # noqa: PLC0415 - loading the engine only when it is needed
    from reasoner.api.mapping import map_rows, read_step, read_table  # noqa: PLC0415
    from reasoner.datasets.card import check_place  # noqa: PLC0415
    from reasoner.datasets.write import open_rows  # noqa: PLC0415

    beside = out.parent / "README.md"
    if card:
        check_place(beside)
    steps = [read_step(one) for one in prompt]
    rows = read_table(path)[:limit]
    with open_rows(out) as file:  # what cannot be written is said before the work
        mapped = map_rows(
            rows, steps, model=model, strategy=strategy, **common.settings(samples=samples, progress=True, **cluster.settings())
        )
        for row in mapped.rows:
            file.add(row)
        if mapped.rows:
            file.commit()
    if card and mapped.rows:
        write_map_card(beside, [out], [mapped], n_rows=len(mapped.rows), licence=licence)
    if not mapped.rows:
        why = "".join(f"; {count}: {reason}" for reason, count in sorted(mapped.left_out.items()))
        raise UsageError(f"no row came through ({mapped.n_given} were read{why}); {out} was not written", hint="see 'reasoner show'")
    _report(mapped, out, json=json)


def _report(mapped: Mapped, out: Path, *, json: bool) -> None:
    if json:
        facts = {
            "rows": len(mapped.rows),
            "given": mapped.n_given,
            "left_out": mapped.left_out,
            "runs": mapped.runs,
            "models": mapped.models,
        }
        print_json({"path": str(out), **facts})
        return
    say(f"{out}: {len(mapped.rows)} rows from {mapped.n_given}, by {', '.join(mapped.models)}; runs {', '.join(mapped.runs)}")
    for reason, count in sorted(mapped.left_out.items()):
        say(f"  left out {count}: {reason}")
