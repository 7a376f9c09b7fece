"""`reasoner corpus build | add | stats | search`: parallel corpora."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import fragments
from reasoner.cli import options as o
from reasoner.cli.output import err, guarded, out, print_json, safe, say
from reasoner.errors import BadConfig
from reasoner.files.signatures import CORPUS
from reasoner.files.target import writable, write_text

if TYPE_CHECKING:
    from reasoner.translation.ingest import Ingested
    from reasoner.translation.rows import Report

BUILD = (
    "Examples:\n\n  reasoner corpus build ladin.corpus train.tsv --language Italian=italian --language Ladin=ladin\n\n"
    "  reasoner corpus build ligurian.corpus Ligurian=seed.lij Italian=seed.ita English=seed.eng --hold-out 500\n\n"
    "  reasoner corpus build ladin.corpus memory.tmx ui.po more.csv.gz -l Italian=it -l Ladin=lld -l Ladin=ladin --add"
)
STATS = "Example:\n\n  reasoner corpus stats ligurian.corpus --test ligurian.heldout.tsv --from Italian --to Ligurian"
SEARCH = "Example:\n\n  reasoner corpus search invented 'The old woman sees the river.' --from English --to Selvan"
ADD = "Examples:\n\n  reasoner corpus add ladin.corpus --run last\n\n  reasoner corpus add ladin.corpus corrected.tsv -l Italian=italian -l Ladin=ladin"
SHOWN_FAULTS = 10

Source = Annotated[str | None, typer.Option("--from", help="Language of the text.", show_default=False)]
Target = Annotated[str | None, typer.Option("--to", help="Language of the translation.", show_default=False)]
Window = Annotated[int, typer.Option("--window", min=1, max=16, help="Words a fragment may have.")]
K = Annotated[int, typer.Option("-k", min=0, max=20, help="Examples of each fragment.")]
Ranking = Annotated[str, typer.Option("--ranking", help="shuffle, shortest, similar or diverse.")]
LeaveOut = Annotated[
    bool | None,
    typer.Option(
        "--leave-out/--keep-own", help="Ignore, or use, lines that are the sentence itself (default: ignored where it has a reference)."
    ),
]
MinMatch = Annotated[float, typer.Option("--min-match", min=0, max=100, help="Score from which a whole sentence counts as similar.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(name="corpus", help="Build, add to, measure and search parallel corpora.", no_args_is_help=True, epilog=SEARCH)
    group.command(epilog=BUILD)(build)
    group.command(epilog=ADD)(add)
    group.command(epilog=STATS)(stats)
    group.command(epilog=SEARCH)(search)
    app.add_typer(group)


def _sources(sources: list[str]) -> list[Any]:
    """Return the files to read; LANGUAGE=FILE pairs are one source together, and a language that is there again begins another."""
    made: list[Any] = []
    for text in sources:
        language, equals, file = text.partition("=")
        if not equals or Path(text).is_file():
            made.append(Path(text))
        elif made and isinstance(made[-1], dict) and language not in made[-1]:
            made[-1][language] = Path(file)
        else:
            made.append({language: Path(file)})
    if any(isinstance(source, dict) and len(source) < 2 for source in made):
        raise BadConfig("LANGUAGE=FILE is given once for each of two or more languages", hint="see --help")
    return made


def _columns(languages: list[str], sources: list[Any], path: Path, *, add: bool) -> dict[str, list[str]]:
    """Return language -> its names in the files, in the order to look for them: those that were given, then its own."""
    chosen: dict[str, list[str]] = {}
    for text in languages:
        language, _, column = text.partition("=")
        chosen.setdefault(language, []).extend([column] if column else [])
    if not chosen and add:
        from reasoner.translation.index import Index  # noqa: PLC0415

        chosen = {language: [] for language in Index.open(path).languages}
    aligned = [set(source) for source in sources if isinstance(source, dict)]
    if not chosen and aligned:
        chosen = {language: [] for language in next(source for source in sources if isinstance(source, dict))}
    first = sources[0] if sources else None
    if not chosen and isinstance(first, Path) and first.suffix.lower() in {".tsv", ".csv"} and first.is_file():
        from reasoner.translation.readers.tables import table_rows  # noqa: PLC0415

        _, head = next(table_rows(first), (1, None))
        chosen = {name.strip(): [] for name in head or ()}
    if len(chosen) < 2:
        raise BadConfig("two or more languages are needed", hint="name them with --language NAME or --language NAME=COLUMN")
    if odd := next((each for each in aligned if each != set(chosen)), None):
        raise BadConfig(
            f"LANGUAGE=FILE pairs are for {', '.join(sorted(odd))}, and the corpus has {', '.join(chosen)}", hint="give one file for each"
        )
    return {language: [*names, language] for language, names in chosen.items()}


@guarded
def build(
    path: Annotated[Path, typer.Argument(metavar="OUT", help="Index file to write.", show_default=False)],
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Files (TSV, CSV, TXT with |||, XLSX, JSONL, TMX, TBX, XLIFF, PO; also .gz), and LANGUAGE=FILE pairs aligned by line.",
            show_default=False,
        ),
    ],
    language: Annotated[
        list[str], typer.Option("--language", "-l", help="NAME or NAME=COLUMN (a number where there is no head); again for another name.")
    ] = [],
    normalisation: Annotated[
        str | None,
        typer.Option(
            "--normalisation",
            help="full (default), clitics, lemma, subword, characters, paper (as published), paper-1.0.",
            show_default=False,
        ),
    ] = None,
    window: Window = 7,
    search: Annotated[list[str], typer.Option("--search", help="Languages to index (default: all); once for each.")] = [],
    hold_out: Annotated[int, typer.Option("--hold-out", min=0, help="Rows to keep out for testing.")] = 0,
    seed: o.Seed = 0,
    add: Annotated[bool, typer.Option("--add", help="Keep the lines that OUT has, and its normalisation and window.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="File for everything that was wrong with the input (default: OUT.report.txt, if anything was).",
            show_default=False,
        ),
    ] = None,
    json: o.Json = False,
) -> None:
    """Index aligned sentences. Faults of the input are counted and reported, never silently dropped."""
    from rich.progress import Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    from reasoner.translation.ingest import ingest  # noqa: PLC0415 - only commands that run need it
    from reasoner.translation.normalise import check  # noqa: PLC0415
    from reasoner.translation.rows import Report  # noqa: PLC0415

    read = _sources(sources)
    columns = _columns(language, read, path, add=add)
    if add and (normalisation or search):
        raise BadConfig("an index keeps its normalisation and searched languages", hint="leave --normalisation and --search out with --add")
    # What cannot be written is said before the work, not after it.
    writable(path, over=(CORPUS,))
    if report is not None:
        writable(report)
    found, beside = Report(), path.with_suffix(".report.txt")
    shown = Progress(
        TextColumn("reading, {task.completed:,.0f} rows"), TimeElapsedColumn(), console=err, transient=True, disable=not err.is_terminal
    )
    try:
        with shown:
            task = shown.add_task("read")
            made = ingest(
                read, path, columns=columns, normalisation=check(normalisation or "full"), window=window, searched=search or None,
                hold_out=hold_out, seed=seed, add=add, strict=strict, report=found, on_row=lambda n: shown.update(task, completed=n),
            )  # fmt: skip
    finally:
        if report or found.counts or beside.exists():
            _write_report(report or beside, found)
    if json:
        print_json(_built(made))
        return
    for fault in found.faults[:SHOWN_FAULTS]:
        say(str(fault))
    n_faults = sum(found.counts.values())
    if n_faults > SHOWN_FAULTS:
        say(f"... and {n_faults - SHOWN_FAULTS} more in {report or beside}")
    counted = ", ".join(f"{n} {kind}" for kind, n in sorted(found.counts.items())) or "nothing"
    out.print(safe(f"{path}: {made.n_lines:,} lines, {made.size_bytes / 1e6:.1f} MB; wrong with the input: {counted}"))
    if made.held_out:
        out.print(safe(f"{made.held_out}: {made.n_held_out:,} held-out lines"))


def _write_report(path: Path, found: Report) -> None:
    more = sum(found.counts.values()) - len(found.faults)
    write_text(path, "".join(f"{fault}\n" for fault in found.faults) + (f"... and {more} more\n" if more else ""))


def _built(made: Ingested) -> dict[str, Any]:
    return {
        "corpus": str(made.path),
        "lines": made.n_lines,
        "bytes": made.size_bytes,
        "held_out": str(made.held_out) if made.held_out else None,
        "held_out_lines": made.n_held_out,
        "skipped": made.report.n_skipped,
        "faults": dict(made.report.counts),
        "first_faults": [str(fault) for fault in made.report.faults[:100]],
    }


@guarded
def add(
    path: Annotated[Path, typer.Argument(metavar="CORPUS", help="Index file to add to.", show_default=False)],
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Files as 'reasoner corpus build' reads them.", show_default=False)
    ] = None,
    run: Annotated[
        list[str], typer.Option("--run", help="Run whose edits are added; 'last' is the newest with translations. Repeatable.")
    ] = [],
    language: Annotated[list[str], typer.Option("--language", "-l", help="NAME or NAME=COLUMN, as of 'reasoner corpus build'.")] = [],
    source: Source = None,
    db: o.Db = None,
    json: o.Json = False,
) -> None:
    """Add corrected translations, which come before all other examples; an earlier one of the same sentence is replaced."""
    from reasoner.cli.review import told_of  # noqa: PLC0415 - only commands that run need it

    if bool(sources) == bool(run):
        raise BadConfig("the lines to add come from files or from runs", hint="name a SOURCE, or give --run for edits of 'reasoner review'")
    if run:
        from reasoner.api.review import add_edits  # noqa: PLC0415

        added = add_edits(path, run, db=db)
    else:
        from reasoner.translation.adding import add_preferred  # noqa: PLC0415
        from reasoner.translation.ingest import lines_of  # noqa: PLC0415
        from reasoner.translation.rows import Report  # noqa: PLC0415

        read, report = _sources(sources or []), Report()
        columns = _columns(language, read, path, add=True)
        lines = list(lines_of(read, columns, report))
        for fault in report.faults[:SHOWN_FAULTS]:
            say(str(fault))
        added = add_preferred(path, lines, source=source or next(iter(columns)))
    if json:
        print_json({"corpus": str(path), "new": added.n_new, "replaced": added.n_replaced, "known": added.n_known, "lines": added.n_lines})
        return
    out.print(safe(told_of(path, added)))


@guarded
def stats(
    corpus: Annotated[str, typer.Argument(help="Index file, or the name of a shipped corpus.", show_default=False)],
    test: Annotated[Path | None, typer.Option("--test", help="TSV of held-out sentences to cover.", show_default=False)] = None,
    source: Source = None,
    target: Target = None,
    json: o.Json = False,
) -> None:
    """Show a corpus's size and words; with --test, how much of held-out sentences it covers (mean over sentences, window 1 and whole)."""
    from reasoner.translation.coverage import coverage_of  # noqa: PLC0415
    from reasoner.translation.library import open_corpus  # noqa: PLC0415

    opened = open_corpus(corpus)
    index = opened.index
    sides = {language: index.side(language) for language in index.searched}
    made: dict[str, Any] = {
        "corpus": opened.name, "lines": index.n_lines, "languages": list(index.languages), "normalisation": index.normalisation,
        "window": index.window, "bytes": index.size_bytes, "fingerprint": index.fingerprint, "notes": index.notes,
        "words": {language: {"running": side.n_tokens, "different": side.n_words} for language, side in sides.items()},
    }  # fmt: skip
    if test:
        from reasoner.api.translate import read_items  # noqa: PLC0415

        first, second = source or index.languages[0], target or index.languages[1]
        sentences = [item.sentence for item in read_items(test, source=first, target=second)]
        made["coverage"] = [coverage_of(opened, sentences, source=first, target=second, window=w).as_dict() for w in (1, index.window)]
    if json:
        print_json(made)
        return
    out.print(
        safe(
            f"{opened.name}: {index.n_lines:,} lines, {index.size_bytes / 1e6:.1f} MB, normalisation {index.normalisation}, window {index.window}"
        )
    )
    for language, counts in made["words"].items():
        out.print(safe(f"  {language}: {counts['running']:,} words, {counts['different']:,} different"))
    for row in made.get("coverage", ()):
        out.print(
            safe(
                f"  coverage {row['source']} to {row['target']}, window {row['window']}: {row['coverage']:.4f} over {row['sentences']} sentences, "
                f"{row['fragments']:.1f} fragments of {row['fragment_words']:.2f} words"
            )
        )


@guarded
def search(
    corpus: Annotated[str, typer.Argument(help="Index file, or the name of a shipped corpus.", show_default=False)],
    text: Annotated[str, typer.Argument(help="A sentence.", show_default=False)],
    source: Source = None,
    target: Target = None,
    k: K = 3,
    window: Window = 7,
    ranking: Ranking = "shuffle",
    min_match: MinMatch = 70.0,
    leave_out: LeaveOut = None,
    seed: o.Seed = 0,
    json: o.Json = False,
) -> None:
    """Show the sentences of a corpus that are the sentence or like it; cut it into the fragments the corpus has, and show each with examples."""
    from reasoner.translation.library import open_corpus  # noqa: PLC0415

    opened = open_corpus(corpus)
    first, second = source or opened.languages[0], target or opened.languages[1]
    own: dict[str, Any] = {"source": first, "target": second, "leave_out": bool(leave_out)}
    matches = opened.matches(text, **own, least=min_match)
    cover = opened.cover(text, **own, k=k, window=window, ranking=checked_ranking(ranking), seed=seed)
    if json:
        print_json({"matches": fragments.as_matches(matches), **fragments.as_dict(cover)})
    else:
        fragments.show(text, cover, matches=matches)


def checked_ranking(name: str) -> Any:
    """Return a ranking's name.

    Raises:
        BadConfig: there is none of that name.
    """
    known = ("shuffle", "shortest", "similar", "diverse")
    if name not in known:
        raise BadConfig(f"there is no ranking {name[:40]!r}", hint=f"known: {', '.join(known)}")
    return name
