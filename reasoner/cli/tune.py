"""`reasoner tune`: train a LoRA adapter on an exported dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import options as o
from reasoner.cli.ending import EXIT_INTERRUPTED
from reasoner.cli.output import guarded, print_json, say

if TYPE_CHECKING:
    from reasoner.tune.options import Estimate, Progress, Report

EPILOG = (
    "Examples:\n\n  reasoner export prompt-completion data.jsonl --split train=0.9,test=0.1\n\n"
    "  reasoner tune data.train.jsonl --held-out data.test.jsonl --out adapter.gguf --minutes 20\n\n"
    "  reasoner bench number_path --strategy ats:layout=fan --adapter adapter.gguf\n\n"
    "After an interruption or a kill, the same command resumes at the last checkpoint."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(tune)


@guarded
def tune(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET", help="JSON lines of an export: prompt-completion, sft, openai-sft; dpo, kto.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the adapter (GGUF).", show_default=False)],
    objective: Annotated[
        str, typer.Option("--objective", help="sft learns replies; dpo and kto learn from the exports of these names.")
    ] = "sft",
    beta: Annotated[float, typer.Option("--beta", help="How closely dpo and kto keep to the base.")] = 0.1,
    model: Annotated[str, typer.Option("--model", "-m", help="The base: local, or a path to a .gguf.")] = "local",
    held_out: Annotated[Path | None, typer.Option("--held-out", help="Rows to measure the loss on.", show_default=False)] = None,
    start: Annotated[
        Path | None, typer.Option("--from", help="An adapter to continue from, of the same base, rank and alpha.", show_default=False)
    ] = None,
    epochs: Annotated[float, typer.Option("--epochs", help="Passes over the data.")] = 3.0,
    minutes: Annotated[float, typer.Option("--minutes", help="Limit in minutes; 0: no limit but the epochs.")] = 0.0,
    tokens: Annotated[int, typer.Option("--tokens", help="Limit in training tokens; 0: no limit but the epochs.")] = 0,
    rank: Annotated[int, typer.Option("--rank", help="Rank of the adapter.")] = 16,
    alpha: Annotated[int, typer.Option("--alpha", help="Scale of the adapter: alpha / rank.")] = 32,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Highest learning rate; it falls linearly to zero.")] = 1e-3,
    batch: Annotated[int, typer.Option("--batch", help="Rows of a step.")] = 8,
    n_ctx: Annotated[int, typer.Option("--n-ctx", help="The most tokens a row may have.")] = 2048,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    quantized: Annotated[bool, typer.Option("--quantized", help="QLoRA: the base in four bits (CUDA and bitsandbytes).")] = False,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile", help="Compile the layers for this machine first (a minute; needs a C++ compiler), which makes training faster."
        ),
    ] = False,
    threads: o.Threads = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of order and adapter.")] = 0,
    new: Annotated[bool, typer.Option("--new", help="Start over even where a checkpoint could be resumed.")] = False,
    json: o.Json = False,
) -> None:
    """Train a LoRA adapter over a local model, and write it as GGUF for --adapter."""
    from reasoner.api.settings import checked  # noqa: PLC0415 - keeps --help quick
    from reasoner.tune import Options  # noqa: PLC0415
    from reasoner.tune import tune as run  # noqa: PLC0415

    given: dict[str, Any] = {
        "objective": objective, "beta": beta, "model": model, "held_out": held_out, "from": start, "epochs": epochs, "minutes": minutes, "tokens": tokens, "rank": rank, "alpha": alpha,
        "learning_rate": learning_rate, "batch": batch, "n_ctx": n_ctx, "device": device, "quantized": quantized, "threads": threads,
        "seed": seed, "new": new, "compile": compiled,
    }  # fmt: skip
    names = {name: name for name in given} | {"tokens": "max_tokens", "new": "fresh", "compile": "compiled", "from": "start"}
    options = checked(Options, names, given)
    try:
        report = run(dataset, out, options, on_estimate=_estimate, on_progress=_progress, on_note=say)
    except KeyboardInterrupt as interrupt:
        say(f"interrupted: the same command resumes at the checkpoint beside {out}")
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    if json:
        print_json(report.model_dump())
    else:
        _report(report)


def _estimate(found: Estimate) -> None:
    there = f" of {found.available_bytes / 1e9:.1f} GB" if found.available_bytes is not None else ""
    took = f", about {found.seconds / 60:.1f} min" if found.seconds is not None else ""
    say(
        f"{found.rows} rows, {found.tokens_per_epoch} tokens an epoch, the longest {found.longest}; at most {found.steps} steps, "
        f"about {found.memory_bytes / 1e9:.1f} GB{there}{took}"
    )


def _progress(at: Progress) -> None:
    say(
        f"step {at.step}/{at.steps}, epoch {at.epoch:.2f}: loss {at.loss:.4f}, {at.tokens} tokens, {at.tokens_per_s:.0f} tokens/s, "
        f"ETA {at.eta_s / 60:.1f} min"
    )


def _report(made: Report) -> None:
    held = f", held out {made.held_out_before:.4f} -> {made.held_out_after:.4f}" if made.held_out_before is not None else ""
    say(
        f"{made.adapter}: {made.steps} steps, {made.tokens} tokens in {made.seconds / 60:.1f} min (ended by {made.stopped_by}); "
        f"loss {made.first_loss:.4f} -> {made.last_loss:.4f}{held}"
    )
    say(f"  {made.size_bytes / 1e6:.1f} MB, sha256 {made.sha256}; use it with --adapter {made.adapter}")
