"""`reasoner improve`: expert iteration, a local model that learns from its own verified answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import cluster_options as c
from reasoner.cli import options as o
from reasoner.cli.ending import EXIT_INTERRUPTED
from reasoner.cli.output import guarded, print_json, say
from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from reasoner.expert_iteration import Improved
    from reasoner.tune.options import Progress

EPILOG = (
    "Examples:\n\n  reasoner improve number_path --out loop --teacher 60 --strategy ats:layout=fan --rounds 3\n\n"
    "  reasoner improve words,countdown --out loop --model qwen.gguf --levels words=1-4 -n 100 --samples 8\n\n"
    "  reasoner bench number_path --strategy ats:layout=fan --adapter loop/adapter.gguf\n\n"
    "  reasoner improve words --out loop --samples 32 --on ray:10.0.0.1:6379 --shared /mnt/team/loop\n\n"
    "After an interruption or a kill, the same command goes on; --rounds may be raised."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(improve)


@guarded
@c.expanded
def improve(
    families: Annotated[str, typer.Argument(metavar="FAMILY[,FAMILY...]", help="Problem families; question:FILE too.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the rounds; the same one goes on.", show_default=False)],
    model: Annotated[str, typer.Option("--model", "-m", help="The model: local, or a path to a .gguf.")] = "local",
    strategy: Annotated[str, typer.Option("--strategy", "-s", help="What is sampled and learned.")] = "cot",
    adapter: Annotated[
        Path | None,
        typer.Option("--adapter", help="Adapter to begin with; without one the model as it is.", show_default=False),
    ] = None,
    teacher: Annotated[int, typer.Option("--teacher", help="Problems of each family that the exact solver shows first.")] = 0,
    rounds: Annotated[int, typer.Option("--rounds", help="Rounds at most.")] = 3,
    levels: Annotated[
        list[str] | None,
        typer.Option("--levels", metavar="FAMILY=A-B", help="The levels of a family, easiest first. Repeatable.", show_default=False),
    ] = None,
    n: Annotated[int, typer.Option("-n", help="Problems of each family in a round.")] = 64,
    samples: Annotated[int, typer.Option("--samples", help="Answers drawn for each.")] = 4,
    temperature: Annotated[float, typer.Option("--temperature", "-t", help="Temperature of these answers.")] = 0.8,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Tokens an answer may have.")] = 512,
    keep: Annotated[int, typer.Option("--keep", help="Right answers of one problem that are learned.")] = 2,
    objective: Annotated[str, typer.Option("--objective", help="sft; dpo: sft, then preferences of right to wrong answers.")] = "sft",
    train_from: Annotated[str, typer.Option("--train-from", help="last or first: the adapter that each training goes on from.")] = "last",
    patience: Annotated[int, typer.Option("--patience", help="Rounds without a gain after which it ends.")] = 1,
    held_out: Annotated[int, typer.Option("--held-out", help="Sealed problems of each family and level.")] = 24,
    eval_temperature: Annotated[
        float, typer.Option("--eval-temperature", help="Temperature of the answers that measure; 0 is greedy.")
    ] = 0.0,
    epochs: Annotated[float, typer.Option("--epochs", help="Passes over the rows of a round.")] = 2.0,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Highest learning rate of a training.")] = 5e-4,
    rank: Annotated[int, typer.Option("--rank", help="Rank of the adapter.")] = 16,
    alpha: Annotated[int, typer.Option("--alpha", help="Scale of the adapter: alpha / rank.")] = 32,
    batch: Annotated[int, typer.Option("--batch", help="Rows of a training step.")] = 8,
    n_ctx: Annotated[int, typer.Option("--n-ctx", help="Tokens a row may have.")] = 2048,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the layers before each training (needs a C++ compiler).")] = False,
    threads: o.Threads = None,
    concurrency: o.Concurrency = None,
    exact: o.Exact = False,
    seed: o.Seed = 0,
    *,
    cluster: c.OnCluster,
    json: o.Json = False,
) -> None:
    """Let a local model learn from its own verified answers, round by round."""
    from reasoner.api.settings import checked  # noqa: PLC0415 - keeps --help quick
    from reasoner.expert_iteration import Options  # noqa: PLC0415
    from reasoner.expert_iteration import improve as run  # noqa: PLC0415

    given: dict[str, Any] = {
        "families": tuple(name.strip() for name in families.split(",") if name.strip()), "model": model, "strategy": strategy, "adapter": adapter,
        "teacher": teacher, "rounds": rounds, "levels": read_ladders(levels or []), "n": n, "samples": samples, "temperature": temperature,
        "max_tokens": max_tokens, "keep": keep, "objective": objective, "train_from": train_from, "patience": patience, "held_out": held_out,
        "eval_temperature": eval_temperature, "epochs": epochs, "learning_rate": learning_rate, "rank": rank, "alpha": alpha, "batch": batch, "n_ctx": n_ctx, "compile": compiled,
        "threads": threads, "concurrency": concurrency, "exact": exact, "seed": seed,
    }  # fmt: skip
    elsewhere = cluster.settings()
    if elsewhere:
        elsewhere["lease_s"] = o.lease_s()
    options = checked(Options, {name: name for name in given} | {"compile": "compiled"}, given)
    try:
        improved = run(out, options, progress=True, on_note=say, on_training=_training, **elsewhere)
    except KeyboardInterrupt as interrupt:
        say(f"interrupted: the same command goes on in {out}")
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    if json:
        print_json(improved.as_dict())
    else:
        _report(improved)


def read_ladders(given: list[str]) -> dict[str, tuple[int, ...]]:
    """Read `FAMILY=1-4` or `FAMILY=1,3,5`.

    Raises:
        BadConfig: one cannot be read.
    """
    found: dict[str, tuple[int, ...]] = {}
    for text in given:
        family, _, levels = text.rpartition("=")
        try:
            parts = [part.split("-", 1) for part in levels.split(",")]
            numbers = tuple(number for part in parts for number in range(int(part[0]), int(part[-1]) + 1))
        except ValueError:
            numbers = ()
        if not family or not numbers or len(numbers) > 1000:
            raise BadConfig(f"--levels {text!r} cannot be read", hint="write FAMILY=A-B or FAMILY=A,B: --levels countdown=1-3")
        found[family] = numbers
    return found


def _training(at: Progress) -> None:
    say(f"  step {at.step}/{at.steps}: loss {at.loss:.4f}, {at.tokens_per_s:.0f} tokens/s, ETA {at.eta_s / 60:.1f} min")


def _report(improved: Improved) -> None:
    best = improved.best
    kept = f"; use it with --adapter {improved.folder / 'adapter.gguf'}" if improved.adapter else ": the model as it was is the best"
    say(f"ended: {improved.reason}. Round {best.number} is the best{kept}. Every round stands in {improved.folder / 'README.md'}")
