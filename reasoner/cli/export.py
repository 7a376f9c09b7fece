"""`reasoner export`, `import` and `trace`: trajectories as training files, files as trajectories, and from a row back to its calls."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import completing
from reasoner.cli import options as o
from reasoner.cli.output import guarded, out, over, print_json, safe, say
from reasoner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reasoner.datasets.select import Tally

PREVIEW_ROWS = 5


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog="Examples:\n\n  reasoner export sft train.jsonl\n\n  reasoner export dpo pairs.jsonl --solver game24 --split train=0.9,test=0.1 --card\n\n"
        "  reasoner export prm steps.jsonl --dry-run"
    )(export)
    app.command(
        "import",
        epilog="Examples:\n\n  reasoner import train.jsonl --db other.db\n\n  reasoner import logs/\n\n  reasoner import rows.csv --map prompt=question,reply=answer",
    )(import_)
    app.command(epilog="Example:\n\n  reasoner trace train.jsonl:12")(trace)


def _option(name: str, text: str) -> Any:
    return typer.Option(name, help=text, show_default=False)


@guarded
def export(
    format_name: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT", help="Dataset format, see 'reasoner list'.", show_default=False, autocompletion=completing.formats
        ),
    ],
    path: Annotated[Path, typer.Argument(metavar="OUT", help="File to write: .jsonl, or .parquet.", show_default=False)],
    db: o.Db = None,
    run: Annotated[str, _option("--run", "Only this run.")] = "",
    solver: Annotated[str, _option("--solver", "Only this problem family.")] = "",
    strategy: Annotated[str, typer.Option("--strategy", "-s", help="Only this strategy.", show_default=False)] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="Only this model.", show_default=False)] = "",
    verdict: Annotated[str, _option("--verdict", "correct, incorrect, any [what the format needs].")] = "default",
    min_score: Annotated[float | None, _option("--min-score", "Least score of the verdict.")] = None,
    min_tokens: Annotated[int | None, _option("--min-tokens", "Least completion tokens of a trajectory.")] = None,
    max_tokens: Annotated[int | None, _option("--max-tokens", "Most completion tokens of a trajectory.")] = None,
    since: Annotated[str, _option("--since", "Made on or after this date (UTC).")] = "",
    until: Annotated[str, _option("--until", "Made before this date (UTC).")] = "",
    label: Annotated[
        str, typer.Option("--label", help="Only those that a person gave this label.", show_default=False, autocompletion=completing.labels)
    ] = "",
    records: Annotated[str, _option("--records", "Kind of record, where the format has several: conversation, pair, label, steps.")] = "",
    thinking: Annotated[
        str,
        typer.Option("--thinking", help="Where thoughts are written: reasoning_content, thinking, both, tags (<think>), drop."),
    ] = "reasoning_content",
    ratings: Annotated[bool, typer.Option("--ratings", help="Add the verdict's score and reason as columns.")] = False,
    context: Annotated[bool, typer.Option("--context", help="Add a column that says what decided a preference or label.")] = False,
    labels_from: Annotated[
        str, typer.Option("--labels-from", help="Preferences, labels and steps from whole replies, or from the tree of a search.")
    ] = "replies",
    submissions: Annotated[
        bool, typer.Option("--submissions/--no-submissions", help="Include agents whose answer was submitted by a tool call.")
    ] = True,
    search_to_text: Annotated[str, _option("--search-to-text", "Write searches of many calls as one reply: bfs or dfs.")] = "",
    pass_rate: Annotated[str, _option("--pass-rate", "Prompts and groups with this share of correct answers: 0.1:0.9.")] = "",
    tokens: Annotated[bool, typer.Option("--tokens", help="Groups with the token ids and log-probabilities that --record kept.")] = False,
    min_gap: Annotated[float, typer.Option("--min-gap", help="Least difference of the scores of a pair.")] = 0.0,
    max_pairs: Annotated[int, typer.Option("--max-pairs", help="Pairs of one problem, and of one trajectory.")] = 16,
    allow_length_only: Annotated[
        bool, typer.Option("--allow-length-only", help="Keep pairs in which one text is the beginning of the other.")
    ] = False,
    split: Annotated[str, _option("--split", "Parts by problem: train=0.9,test=0.1.")] = "",
    seed: o.Seed = 0,
    near_duplicates: Annotated[float | None, _option("--near-duplicates", "Leave out texts this similar (0.9) to one before.")] = None,
    contamination: Annotated[
        list[Path], _option("--contamination", "Evaluation file (.jsonl, .json, .csv, .parquet, text) that rows must not hold; repeatable.")
    ] = [],
    ngram: Annotated[int, typer.Option("--ngram", help="Length of a shared sequence for --contamination, in words.")] = 13,
    secrets: Annotated[str, typer.Option("--secrets", help="Rows with secrets or personal data: drop, redact, keep.")] = "drop",
    special_tokens: Annotated[str, typer.Option("--special-tokens", help="Rows with control tokens: drop, escape, keep.")] = "drop",
    tokenizer: Annotated[str, _option("--tokenizer", "Count with this model's tokenizer: local, or a .gguf.")] = "",
    balance: Annotated[str, _option("--balance", "level: the same number of rows of each level, that of the rarest.")] = "",
    limit: Annotated[int | None, _option("--limit", "Greatest number of rows of each solver, strategy and model.")] = None,
    lineage: Annotated[str, _option("--lineage", "Where rows come from: column, sidecar, none [what the format allows].")] = "",
    card: Annotated[bool, typer.Option("--card", help="Write a dataset card, README.md, beside the file.")] = False,
    licence: Annotated[str, typer.Option("--licence", help="Licence the card names.")] = "unknown",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show counts and the first rows.")] = False,
    json: o.Json = False,
) -> None:
    """Write trajectories as training rows; each answer is verified once more, and each row says where it came from."""
    from reasoner.datasets.export import export as write  # noqa: PLC0415
    from reasoner.datasets.options import Options  # noqa: PLC0415
    from reasoner.datasets.select import Filters  # noqa: PLC0415
    from reasoner.store import Store, queries  # noqa: PLC0415

    options = Options(
        submissions=submissions, records=records, thinking=thinking, ratings=ratings, context=context, labels_from=labels_from, search_to_text=search_to_text,  # type: ignore[arg-type]  # Options checks them
        tokens=tokens, pass_rate=pass_rate, min_gap=min_gap, max_pairs=max_pairs, allow_length_only=allow_length_only, split=split, seed=seed, near_duplicates=near_duplicates,
        contamination=tuple(contamination), ngram=ngram, secrets=secrets, special_tokens=special_tokens, tokenizer=tokenizer, balance=balance, limit=limit,
        lineage=lineage, card=card, licence=licence, dry_run=dry_run, preview=PREVIEW_ROWS if dry_run else 0,  # type: ignore[arg-type]
    )  # fmt: skip
    with Store.read(db) as store:
        filters = Filters(
            run=queries.resolve(store, run)[1] if run else "", solver=solver, strategy=strategy, model=model, verdict=verdict,  # type: ignore[arg-type]  # checked there
            min_score=min_score, min_tokens=min_tokens, max_tokens=max_tokens, since=since, until=until, label=label,
        )  # fmt: skip
        tally = write(store, format_name, path, filters, options, progress=_exporting if sys.stderr.isatty() else None)
        over("")
    if not tally.taken and not dry_run:
        asides = {f"not selected, {reason}": count for reason, count in tally.not_selected.items()}
        why = "".join(f"; {count}: {reason}" for reason, count in sorted({**tally.left_out, **asides}.items()))
        raise UsageError(
            f"no row to export ({tally.seen} trajectories looked at{why}); {path} was not written",
            hint="solve something first, or widen the filters",
        )
    if json:
        print_json(_facts(tally, format_name, path, dry_run=dry_run))
    else:
        _report(tally, path, dry_run=dry_run)


def _exporting(seen: int, taken: int) -> None:
    """Write how far an export has come over itself."""
    over(f"{seen:,} trajectories read, {taken:,} rows taken")


def _facts(tally: Tally, format_name: str, path: Path, *, dry_run: bool) -> dict[str, Any]:
    return {
        "path": str(path), "format": format_name, "rows": tally.taken, "seen": tally.seen, "left_out": tally.left_out, "not_selected": tally.not_selected, "files": tally.files,
        "counts": tally.counts, "findings": tally.findings, "compared": tally.compared, "lengths": tally.lengths, "total_length": tally.total_length,
        **({"preview": tally.preview} if dry_run else {}),
    }  # fmt: skip


def _report(tally: Tally, path: Path, *, dry_run: bool) -> None:
    say(f"{path}: {tally.taken} rows from {tally.seen} trajectories{' (dry run, nothing was written)' if dry_run else ''}")
    for name, facts in tally.files.items():
        say(f"  {name}: {facts['rows']} rows, {facts['bytes']} bytes, sha256 {facts['sha256']}")
    for reason, count in sorted(tally.left_out.items()):
        say(f"  left out {count}: {reason}")
    for reason, count in sorted(tally.not_selected.items()):
        say(f"  not selected {count}: {reason} (--verdict chooses)")
    for what, count in sorted(tally.compared.items()):
        say(f"  contamination: {count} {what}")
    for kind, count in sorted(tally.findings.items()):
        say(f"  the scan found {count}: {kind}")
    if "teacher" in tally.counts.get("model", {}):
        say(f"  {tally.counts['model']['teacher']} rows were written by the exact solver (teacher), not by a model")
    if tally.preview:
        _preview(tally.preview)


def _preview(rows: list[dict[str, Any]]) -> None:
    from json import dumps  # noqa: PLC0415

    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    names = list(rows[0])
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        values = (row[name] for name in names)
        table.add_row(*(safe(value if isinstance(value, str) else dumps(value), n_chars=160) for value in values))
    out.print(table)


@guarded
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|FOLDER|-", help="A log, a folder of logs, or - for standard input; its kind is detected.", show_default=False
        ),
    ],
    db: o.Db = None,
    format_name: Annotated[str, _option("--format", "What the rows are, see 'reasoner list'; found from what they hold otherwise.")] = "",
    columns: Annotated[str, _option("--map", "Columns of rows of no known kind: prompt=question,reply=model_output.")] = "",
    root: Annotated[str, _option("--root", "Place of the list of rows in a JSON object: data.items.")] = "",
    solver: Annotated[str, _option("--solver", "Family of the rows' problems; answers are then verified (--map problem=COLUMN).")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse the first row that cannot be used.")] = False,
    json: o.Json = False,
) -> None:
    """Read logs of other tools, or rows of ours, into the database; what cannot be used is counted, the rest goes in."""
    from reasoner.datasets.imports import read_path  # noqa: PLC0415
    from reasoner.store import Store  # noqa: PLC0415

    with ExitStack() as stack:
        place = _spooled(stack) if str(path) == "-" else path
        store = stack.enter_context(Store.open(db))
        found = read_path(
            store, place, kind=format_name, columns=columns, root=root, solver=solver, strict=strict, command=o.command_line(),
            progress=_counting("rows read") if sys.stderr.isatty() else None,
        )  # fmt: skip
        over("")
    if json:
        facts = {name: getattr(found, name) for name in ("rows", "taken", "verified", "skipped", "places", "kinds", "bad_usage")}
        print_json({"path": str(path), **facts})
        return
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(found.kinds.items()))
    say(f"{path}: {found.taken} trajectories from {found.rows} rows{f' ({kinds})' if kinds else ''}, {found.verified} of them verified")
    for reason, count in found.skipped.items():
        where = found.places.get(reason)
        say(f"  skipped {count}: {reason}{f'; first {where}' if where else ''}")
    if found.bad_usage:
        say(f"  {found.bad_usage} counts of tokens, seconds or dollars cannot be right and were left out")


def _spooled(stack: ExitStack) -> Path:
    """Return a file with what standard input holds: it is read more than once."""
    from shutil import copyfileobj  # noqa: PLC0415
    from tempfile import TemporaryDirectory  # noqa: PLC0415

    place = Path(stack.enter_context(TemporaryDirectory(prefix="reasoner-"))) / "standard-input"
    with place.open("wb") as file:
        copyfileobj(sys.stdin.buffer, file)
    return place


def _counting(what: str) -> Callable[[int], None]:
    """Return what writes a count over itself on a terminal."""

    def tell(n: int) -> None:
        over(f"{n:,} {what}")

    return tell


@guarded
def trace(
    place: Annotated[str, typer.Argument(metavar="FILE:LINE", help="A row of an exported file, lines counted from 1.", show_default=False)],
    db: o.Db = None,
    full: Annotated[bool, typer.Option("--full", help="Print whole prompts and replies.")] = False,
    json: o.Json = False,
) -> None:
    """Show the calls an exported row came from."""
    from reasoner.cli.browse import show_trajectory, trajectory_facts  # noqa: PLC0415
    from reasoner.datasets.trace import origins, parse_place  # noqa: PLC0415
    from reasoner.store import Store  # noqa: PLC0415

    lineages = origins(*parse_place(place))
    with Store.read(db) as store:
        found = [(lineage, trajectory_facts(store, str(lineage["trajectory"]))) for lineage in lineages]
    missing = [lineage["trajectory"] for lineage, facts in found if facts is None]
    if missing:
        raise UsageError(
            f"the database does not hold trajectory {str(missing[0])[:40]!r}", hint="name the one it was exported from with --db"
        )
    if json:
        print_json([{"lineage": lineage, **(facts or {})} for lineage, facts in found])
        return
    for lineage, facts in found:
        thoughts = {k: v for k, v in lineage.items() if v and k.endswith(("thought", "thoughts", "written_as"))}
        for name, value in thoughts.items():
            out.print(safe(f"{name} {value if isinstance(value, str) else ' '.join(map(str, value))}", style="dim"))
        if facts is not None:
            show_trajectory(facts, full=full)
