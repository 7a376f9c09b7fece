"""`reasoner translate`: a sentence or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import cluster_options as c
from reasoner.cli import fragments
from reasoner.cli import options as o
from reasoner.cli.bench import Watch
from reasoner.cli.corpus import K, LeaveOut, MinMatch, Ranking, Window, checked_ranking
from reasoner.cli.ending import EXIT_INTERRUPTED
from reasoner.cli.output import guarded, out, print_json, put, say
from reasoner.errors import BadConfig
from reasoner.files.target import writable, write_bytes, write_text

if TYPE_CHECKING:
    from reasoner.api.documents import TranslatedDocument
    from reasoner.api.translate import Item, Translated
    from reasoner.runs.results import Result

EPILOG = (
    "Examples:\n\n  reasoner translate 'The old woman sees the river.' --from English --to Selvan --model teacher\n\n"
    "  reasoner translate ligurian.heldout.tsv --corpus ligurian.corpus --from Italian --to Ligurian --out translated.txt\n\n"
    "  reasoner translate 'The river sleeps.' --from English --to Mesrin --pivot Selvan --pivot-corpus invented-pivot --explain\n\n"
    "After an interruption or a kill, the same command resumes."
)

SHOWN_LINES = 10
FILES = {".txt", ".tsv", ".csv", ".md", ".po", ".pot", ".xlf", ".xliff", ".srt", ".tmx", ".docx", ".jsonl", ".json"}
"""Endings of a name that is meant as a file's."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(translate)


@guarded
@o.expanded
@c.expanded
def translate(
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT|FILE",
            help="A sentence, a file with one sentence a line, a TSV, or a PO, XLIFF, TMX, SRT, Markdown or Word file.",
            show_default=False,
        ),
    ],
    source: Annotated[str, typer.Option("--from", help="Language of the text.", show_default=False)],
    target: Annotated[str, typer.Option("--to", help="Language of the translation.", show_default=False)],
    corpus: Annotated[str, typer.Option("--corpus", help="Index file that 'reasoner corpus build' made.")] = "invented",
    glossary: Annotated[
        str,
        typer.Option("--glossary", help="Index file whose lines are terms; they are shown to the model and checked.", show_default=False),
    ] = "",
    pivot: Annotated[str | None, typer.Option("--pivot", help="Pivot language, see fragment_shot_pivot.", show_default=False)] = None,
    pivot_corpus: Annotated[
        str | None, typer.Option("--pivot-corpus", help="Index file with pivot and target (default: that of --corpus).", show_default=False)
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", "-s", help="Strategy (default: fragment_shot; with --pivot, fragment_shot_pivot).", show_default=False),
    ] = None,
    k: K = 3,
    window: Window = 7,
    ranking: Ranking = "shuffle",
    memory: Annotated[
        str,
        typer.Option(
            "--memory",
            help="Whole sentences of the corpus. fuzzy: the sentence's own translation is taken without a call, similar ones lead the "
            "examples; exact: only the first; shown: all lead the examples, the model is always asked; off.",
        ),
    ] = "fuzzy",
    min_match: MinMatch = 70.0,
    leave_out: LeaveOut = None,
    column: Annotated[
        str,
        typer.Option("--column", help="Column of a CSV or TSV to fill from that of --from, or FROM=TO; with --out.", show_default=False),
    ] = "",
    codes: Annotated[
        str,
        typer.Option(
            "--codes", help="Language codes in a TMX file, en:lld (default: its srclang and its only other one).", show_default=False
        ),
    ] = "",
    sentences: Annotated[
        bool, typer.Option("--sentences", help="Cut the lines of a .txt file into sentences; with --out. All else of the file stays.")
    ] = False,
    context: Annotated[
        int,
        typer.Option(
            "--context",
            min=0,
            max=20,
            help="Show so many sentences before each in the file, with the translations that the file has of them (default: none).",
            show_default=False,
        ),
    ] = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Show fragments, examples and coverage; ask no model.")] = False,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="File for the translations, one a line; for PO, XLIFF, TMX, SRT, Markdown, Word and --column, the file with them.",
            show_default=False,
        ),
    ] = None,
    model: o.Model = "local",
    *,
    cluster: c.OnCluster,
    common: o.Common,
    json: o.Json = False,
) -> None:
    """Translate a sentence or a file, every call recorded; score it where the file has references."""
    path = Path(text)
    is_document = _is_document(path, column, sentences=sentences)
    if (column or codes or sentences) and not is_document:
        raise BadConfig(f"{text[:80]!r} is no table, TMX or text file that is there", hint="leave --column, --codes and --sentences out")
    if is_document and not out_file and not explain:
        raise BadConfig(f"{path} is written anew with its translations", hint="name the file to write with --out")
    in_file: dict[str, Any] = {"source": source, "target": target, "column": column, "codes": codes, "sentences": sentences}
    items = _units(path, in_file) if is_document else _items(text, source, target)
    second = (pivot_corpus or corpus) if pivot else None
    if explain:
        how = {"k": k, "window": window, "ranking": checked_ranking(ranking), "seed": common.seed}
        legs = [(corpus, source, pivot or target), *([(second, pivot or target, target)] if second else [])]
        _explain(items, legs, how, least=min_match if memory != "off" else None, leave_out=leave_out, json=json)
        return
    retrieval = {"corpus": corpus, "k": k, "window": window, "ranking": checked_ranking(ranking), "memory": memory, "min_match": min_match}
    retrieval |= {"glossary": glossary} if glossary else {}
    written = _strategy(strategy, retrieval | ({} if leave_out is None else {"leave_out": leave_out}), pivot, second)
    from reasoner.api.translate import translate as run  # noqa: PLC0415 - loading the engine only when it is needed keeps --help quick

    if out_file:
        writable(out_file)  # what cannot be written is said before the work, not after it
    watch = Watch()
    document: TranslatedDocument | None = None
    try:
        with watch:
            settings = common.settings(progress=watch, **cluster.settings()) | {"context": context}
            if is_document:
                from reasoner.api.documents import translate_document  # noqa: PLC0415

                document = translate_document(path, **in_file, strategy=written, model=model, **settings)
                made = document.made
            else:
                made = run(items, source=source, target=target, strategy=written, model=model, **settings)
    except KeyboardInterrupt as interrupt:
        say(watch.interrupted(common.db, what="sentences"))
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    if document and out_file:
        _write_document(document, out_file)
    _finish(made, None if document else out_file, json=json, quiet=document is not None)
    watch.finish("sentences")


def _strategy(strategy: str | None, retrieval: dict[str, Any], pivot: str | None, second: str | None) -> str:
    """Return the strategy with the options of the command line, but for what it names itself.

    Raises:
        BadConfig: a corpus or a pivot is given and the strategy has no use for it.
    """
    written = strategy or ("fragment_shot_pivot" if pivot else "fragment_shot")
    name, _, own = written.partition(":")
    if name not in {"fragment_shot", "fragment_shot_pivot", "example_shot"}:
        if pivot or retrieval["corpus"] != "invented" or "glossary" in retrieval:
            raise BadConfig(
                f"the strategy {name[:40]!r} looks nothing up", hint="leave out --corpus, --glossary and --pivot, or use fragment_shot"
            )
        return written
    options = dict(retrieval)
    if awkward := next(
        (value for value in (options["corpus"], options.get("glossary"), pivot, second) if value and set(value) & set(",()")), None
    ):
        raise BadConfig(f"{awkward[:80]!r} holds a comma or a bracket, which cannot be written in a strategy", hint="rename it")
    if pivot and name == "fragment_shot":
        raise BadConfig("fragment_shot has no pivot", hint="use --strategy fragment_shot_pivot, or leave --strategy out")
    if pivot:
        options |= {"pivot": pivot, "pivot_corpus": second}
    named = {piece.partition("=")[0].strip() for piece in own.split(",")}
    return ",".join([written if own else f"{name}:", *(f"{key}={value}" for key, value in options.items() if key not in named)]).replace(
        ":,", ":", 1
    )


def _items(text: str, source: str, target: str) -> list[Item]:
    from reasoner.api.translate import Item, read_items  # noqa: PLC0415

    try:
        is_file = Path(text).is_file()
    except OSError:  # too long for a name, or a character no name has
        is_file = False
    except ValueError:
        is_file = False
    if not is_file and Path(text).suffix.lower() in FILES and len(text) < 300:
        raise BadConfig(f"there is no file {text}", hint="a sentence that ends like a file's name is translated from a file that holds it")
    return read_items(Path(text), source=source, target=target) if is_file else [Item(1, " ".join(text.split()))]


def _is_document(path: Path, column: str, *, sentences: bool) -> bool:
    from reasoner.translation.documents import is_document  # noqa: PLC0415

    try:
        return is_document(path, column=column, sentences=sentences) and path.is_file()
    except (OSError, ValueError):  # a sentence, too long for a name or with a character that no name has
        return False


def _units(path: Path, in_file: dict[str, Any]) -> list[Item]:
    from reasoner.api.translate import Item  # noqa: PLC0415
    from reasoner.translation.documents import open_document  # noqa: PLC0415

    return [Item(unit.line, unit.text) for unit in open_document(path, **in_file).units]


def _write_document(document: TranslatedDocument, out_file: Path) -> None:
    write_bytes(out_file, document.data)
    say(
        f"{out_file}: {document.n_filled} translated, {len(document.doubtful)} of them marked for review, {len(document.left)} left as they were"
    )
    for remark in document.remarks:
        say(f"{out_file}: {remark}")
    for what, rows in (("for review", document.doubtful), ("left", document.left)):
        for row in rows[:SHOWN_LINES]:
            say(f"{what}: {row}")
        if len(rows) > SHOWN_LINES:
            say(f"... and {len(rows) - SHOWN_LINES} more {what}")


def _finish(made: Translated, out_file: Path | None, *, json: bool, quiet: bool = False) -> None:
    if out_file:
        write_text(out_file, "".join(f"{translation}\n" for translation in made.translations))
    if json:
        print_json(_as_dict(made))
        return
    if not out_file and not quiet:
        for translation in made.translations:
            put(translation)
    if made.scores:
        signatures = "; ".join(f"{name} {signature}" for name, signature in made.scores.signatures.items())
        say(
            f"chrF++ {made.scores.chrf:.2f}, BLEU {made.scores.bleu:.2f}, exact {made.scores.exact:.3f} over {made.scores.n} sentences ({signatures})"
        )
        if made.rank_correlation is not None:
            say(f"Spearman correlation of coverage and chrF++ over the sentences: {made.rank_correlation:.3f}")
    if made.left:
        more = f" and {len(made.left) - SHOWN_LINES} more" if len(made.left) > SHOWN_LINES else ""
        say(f"left, as it is no sentence that can be asked: line {', '.join(str(item.line) for item in made.left[:SHOWN_LINES])}{more}")
    for flag, what in () if quiet else (("refusal", "refused by the model"), ("copy", "copied from the source instead of translated")):
        if lines := [item.line for item, each in zip(made.items, made.flags, strict=True) if each == flag]:
            more = f" and {len(lines) - SHOWN_LINES} more" if len(lines) > SHOWN_LINES else ""
            say(f"{what}: line {', '.join(map(str, lines[:SHOWN_LINES]))}{more}")
    if lines := [item.line for item, each in zip(made.items, made.outcomes, strict=True) if each and _n_missed(each)]:
        more = f" and {len(lines) - SHOWN_LINES} more" if len(lines) > SHOWN_LINES else ""
        say(f"a term of the glossary was missed: line {', '.join(map(str, lines[:SHOWN_LINES]))}{more}")
    if divided := [f"{item.line} ({n} parts)" for item, n in zip(made.items, made.parts, strict=True) if n > 1]:
        more = f" and {len(divided) - SHOWN_LINES} more" if len(divided) > SHOWN_LINES else ""
        say(
            f"too long for the model's context or --max-tokens, so translated in parts, cut at clauses: line {', '.join(divided[:SHOWN_LINES])}{more}"
        )
    if lines := [item.line for item, each in zip(made.items, made.outcomes, strict=True) if each and each.at_limit and not quiet]:
        more = f" and {len(lines) - SHOWN_LINES} more" if len(lines) > SHOWN_LINES else ""
        say(f"cut off, as the reply was longer than --max-tokens: line {', '.join(map(str, lines[:SHOWN_LINES]))}{more}")
    for item, why in () if quiet else made.failures[:SHOWN_LINES]:
        say(f"not translated: line {item.line}: {why}")
    if not quiet and len(made.failures) > SHOWN_LINES:
        say(f"... and {len(made.failures) - SHOWN_LINES} more that were not translated")
    if n_taken := sum(made.from_memory):
        say(
            f"{n_taken} of {len(made.items)} stand in the corpus and were taken without a call (--memory shown asks the model all the same)"
        )
    say(f"run {made.report.run_id}: look with 'reasoner show {made.report.run_id}'")


def _n_missed(outcome: Result) -> float:
    return outcome.verdict.metrics.get("terms_missed", 0.0) if outcome.verdict else 0.0


def _as_dict(made: Translated) -> dict[str, Any]:
    scores = made.scores
    rows: list[dict[str, Any]] = []
    for item, translation, outcome, taken in zip(made.items, made.translations, made.outcomes, made.from_memory, strict=True):
        verdict = outcome.verdict if outcome else None
        row: dict[str, Any] = {"line": item.line, "sentence": item.sentence, "translation": translation}
        if outcome:
            row |= {"trajectory": outcome.trajectory_id, "status": outcome.status, "error": outcome.error, "from_memory": taken}
        if item.reference:
            row |= {"reference": item.reference, "correct": bool(verdict and verdict.correct)}
        rows.append(row | {"flag": made.flags[len(rows)], "metrics": dict(verdict.metrics) if verdict else {}})
    return {
        "run": made.report.run_id,
        "rows": rows,
        "scores": None
        if scores is None
        else {"n": scores.n, "chrf": scores.chrf, "bleu": scores.bleu, "exact": scores.exact, "signatures": dict(scores.signatures)},
        "rank_correlation": made.rank_correlation,
    }


def _explain(
    items: list[Item], legs: list[tuple[str, str, str]], how: dict[str, Any], *, least: float | None, leave_out: bool | None, json: bool
) -> None:
    """Show what would be put into the prompts. `legs` are one or two of (corpus, from, to): to the pivot, and from it."""
    from reasoner.translation.library import open_corpus  # noqa: PLC0415

    (first, source, reach), *onward = legs
    corpus = open_corpus(first)
    target = legs[-1][2]
    known = next((each for each in (open_corpus(leg[0]) for leg in legs) if {source, target} <= set(each.languages)), None)
    shown = []
    for item in items:
        if not item.sentence:
            continue
        own = bool(item.reference) if leave_out is None else leave_out
        matches = (
            known.matches(item.sentence, source=source, target=target, least=least, leave_out=own) if known and least is not None else ()
        )
        cover = corpus.cover(item.sentence, source=source, target=reach, leave_out=own, **how)
        inner = {}
        for second, start, _ in onward:
            other = open_corpus(second)
            inner = {
                (number, rank): other.cover(pair.target, source=start, target=target, leave_out=True, **how)
                for number, fragment in enumerate(cover.fragments)
                for rank, pair in enumerate(fragment.pairs)
            }
        if json:
            below = {f"{number}.{rank}": fragments.as_dict(each) for (number, rank), each in inner.items()}
            found = {"line": item.line, "sentence": item.sentence, "matches": fragments.as_matches(matches)}
            shown.append({**found, **fragments.as_dict(cover), **({"pivot": below} if onward else {})})
        else:
            fragments.show(item.sentence, cover, matches=matches, inner=inner)
            out.print()
    if not json and not any(item.sentence for item in items):
        raise BadConfig("there is no sentence to explain", hint="give a text, or a file with one sentence a line")
    if json:
        print_json(shown)
