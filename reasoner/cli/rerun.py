"""`reasoner resume`, `replay`, `fork`: go on with a run, check it, take another way from a thought."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reasoner.cli import options as o
from reasoner.cli.bench import Watch, table
from reasoner.cli.ending import EXIT_INTERRUPTED
from reasoner.cli.output import guarded, out, print_json, safe, say
from reasoner.cli.solve import as_dict, exit_code, show
from reasoner.errors import BadConfig

Which = Annotated[str, typer.Argument(help="Id of a run, or the beginning of one; 'last' is the newest.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Examples:\n\n  reasoner resume last\n\n  reasoner resume 3f0c --run-max-cost 5")(resume)
    app.command(epilog="Example:\n\n  reasoner replay last")(replay)
    app.command(
        epilog="Examples:\n\n  reasoner fork last --at 9b21 --temperature 0.8\n\n  reasoner fork 3f0c --at 9b21 --set breadth=3 --seed 7"
    )(fork)


@guarded
def resume(
    run: Which = "last",
    db: o.Db = None,
    force: Annotated[
        bool, typer.Option("--force", help="Resume although prompts, model or parameters changed, in a new run that says so.")
    ] = False,
    run_max_calls: o.RunMaxCalls = None,
    run_max_tokens: o.RunMaxTokens = None,
    run_max_cost: o.RunMaxCost = None,
    run_max_seconds: o.RunMaxSeconds = None,
    prices: o.Prices = None,
    allow_unpriced: o.AllowUnpriced = False,
    on_unknown: o.Unknown = o.UnknownChoice.auto,
    cache: o.Cache = False,
    retry_poisoned: o.RetryPoisoned = False,
    json: o.Json = False,
) -> None:
    """Resume a run with its own options; none has to be repeated. Refuses, naming the difference, where the run would not be the same."""
    from reasoner.api.resume import resume as go_on  # noqa: PLC0415 - only commands that run need these
    from reasoner.comparison import tabulate  # noqa: PLC0415

    told = o.run_settings(
        {
            "run_max_calls": run_max_calls, "run_max_tokens": run_max_tokens, "run_max_cost": run_max_cost, "run_max_seconds": run_max_seconds,
            "prices": prices, "allow_unpriced": allow_unpriced, "on_unknown": on_unknown, "cache": cache, "retry_poisoned": retry_poisoned,
        }
    )  # fmt: skip
    watch = Watch()
    try:
        with watch:
            report = go_on(run, force=force, **{**told, "db": db, "progress": watch, "command": ""})
    except KeyboardInterrupt as interrupt:
        say(watch.interrupted(db))
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    rows = tabulate(report.results)
    if json:
        print_json({"run": report.run_id, "rows": [row.as_dict() for row in rows]})
    else:
        out.print(table(rows))
        out.print(safe(f"run {report.run_id}: look with 'reasoner show {report.run_id}'", style="dim"))
    watch.finish()


@guarded
def replay(run: Which = "last", db: o.Db = None, prompts: o.PromptDir = None, json: o.Json = False) -> None:
    """Run a run's strategies again on its journal alone, without one call, and compare every graph. Exits with 1 where one differs."""
    from reasoner.api.replay import replay as run_again  # noqa: PLC0415

    found = run_again(run, db=db, prompts=prompts)
    if json:
        print_json(
            {
                "run": found.run_id, "compared": found.compared, "left_out": found.left_out, "calls_made": 0, "calls_read": found.calls_read,
                "mismatches": dict(found.mismatches),
            }
        )  # fmt: skip
    else:
        for trajectory, why in found.mismatches.items():
            out.print(safe(f"{trajectory}  {why}"), soft_wrap=True)
        same = found.compared - len(found.mismatches)
        rest = f"; {found.left_out} have not ended or failed, and are not compared" if found.left_out else ""
        out.print(
            safe(
                f"run {found.run_id}: {same} of {found.compared} trajectories went the same way, {found.calls_read} calls read, 0 made{rest}"
            )
        )
    raise typer.Exit(0 if found.exact else 1)


@guarded
def fork(
    run: Which = "last",
    at: Annotated[str, typer.Option("--at", help="Id of the thought to branch off at, see 'reasoner tree --json'.")] = "",
    changed: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a parameter of the strategy.", show_default=False)
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Another model.", show_default=False)] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", "-t", help="Another temperature.", show_default=False)] = None,
    top_p: o.TopP = None,
    top_k: o.TopK = None,
    min_p: o.MinP = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="Another limit of tokens for a completion.", show_default=False)
    ] = None,
    thinking: o.Thinking = None,
    extra_body: o.ExtraBody = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed, from that thought on.", show_default=False)] = None,
    base_url: o.BaseUrl = None,
    api_key_env: o.KeyEnv = None,
    prompts: o.PromptDir = None,
    db: o.Db = None,
    json: o.Json = False,
) -> None:
    """Take another way from a thought: earlier calls are reused, the rest is sampled again."""
    from reasoner.api.resume import fork as take  # noqa: PLC0415

    if not at:
        raise BadConfig("no thought is named", hint="name one with --at, see 'reasoner tree --json'")
    pairs = [text.partition("=") for text in changed or []]
    if bad := next((key for key, equals, _ in pairs if not equals), None):
        raise BadConfig(f"--set {bad}: it is not KEY=VALUE", hint="for example --set breadth=3")
    told = {
        "temperature": temperature, "max_tokens": max_tokens, "seed": seed, "base_url": base_url or None, "api_key_env": api_key_env, "prompts": prompts,
        "db": db, "command": o.command_line(), "top_p": top_p, "top_k": top_k, "min_p": min_p, "thinking": thinking, "extra_body": extra_body,
    }  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    result = take(run, at=at, params={key.strip(): value.strip() for key, _, value in pairs}, model=model, **given)
    if json:
        print_json(as_dict(result))
    else:
        show(result)
    raise typer.Exit(exit_code(result))
