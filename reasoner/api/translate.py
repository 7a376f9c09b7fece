"""Translate sentences with a strategy and a model, and score them where there are references.

    made = translate(["The river sleeps."], source="English", target="Selvan", model="teacher", db="trajectories.db")
    made.translations, made.scores

A sentence is a problem of the solver `translation` and a translation a recorded trajectory like any other, so a run that was
interrupted goes on when it is given again. Knows sentences and runs; does not know models or corpora.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from pydantic import ValidationError

from reasoner import registry
from reasoner.api.running import blocking, carry_out
from reasoner.api.settings import RunSettings, settings_of
from reasoner.errors import BadConfig, BadInstance, CorruptRecord, DataError, what_is_wrong
from reasoner.files.decoding import decode
from reasoner.files.devices import ending
from reasoner.files.lines import Line, undecoded
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_instance
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.text import clean, shorten
from reasoner.translation.documents import bare
from reasoner.translation.readers.tables import QUOTE_FAULT, table_rows
from reasoner.translation.scores import Scores, score, spearman

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.runs.results import Report, Result
    from reasoner.types import Client, Problem

NO_SENTENCES = frozenset(
    {".tmx", ".tbx", ".docx", ".xlsx", ".odt", ".pdf", ".json", ".jsonl", ".xml", ".html", ".htm", ".po", ".pot", ".xlf", ".xliff", ".srt"}
)
"""Endings of files whose lines are no sentences."""
MAX_BEFORE = 20
"""The most sentences that may be shown before one."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line to translate: where it stood, the sentence (empty for an empty line), the reference (empty where there is none)."""

    line: int
    sentence: str
    reference: str = ""
    before: tuple[tuple[str, str], ...] = ()
    """Sentences that stand before it in its text, the nearest last, each with its translation (empty where it is not known)."""


@dataclass(frozen=True, slots=True)
class Translated:
    """What came of it; all lists are in the order of the items."""

    items: tuple[Item, ...]
    translations: tuple[str, ...]
    """Empty where the line was empty or nothing was answered."""
    outcomes: tuple[Result | None, ...]
    from_memory: tuple[bool, ...]
    """Whether the translation stood in the corpus and was taken without a call."""
    flags: tuple[str, ...]
    """`refusal` where the model refused, `copy` where it copied the source, else empty."""
    left: tuple[Item, ...]
    """Items that cannot be asked: longer than a sentence may be, say, or with signs that none has."""
    report: Report
    scores: Scores | None
    """None where no item has a reference."""
    rank_correlation: float | None
    """Spearman's, of coverage and chrF++ over the sentences; None where either is missing or does not vary."""

    @property
    def parts(self) -> tuple[int, ...]:
        """In how many parts each item was asked: 1 where it fitted in the model's context, 0 where there is no answer."""
        return tuple(int(o.verdict.metrics.get("parts", 1)) if o and o.verdict else 0 for o in self.outcomes)

    @property
    def failures(self) -> tuple[tuple[Item, str], ...]:
        """The items that were asked and have no answer, with the reason."""
        return tuple((item, o.error) for item, o in zip(self.items, self.outcomes, strict=True) if o and o.error)


def read_items(path: Path, *, source: str, target: str) -> list[Item]:
    """Read sentences: a text file, one a line; or a TSV or CSV whose head names `source` and, for references, `target`.

    Raises:
        DataError: the file cannot be read, or is no text.
        BadConfig: a table has no such column, or the file's ending is that of a format that is not read as sentences.
        CorruptRecord: a line of a table has another number of columns than its head.
    """
    ending = path.suffix.lower()
    if ending in NO_SENTENCES:
        raise BadConfig(
            f"{path} is not read as sentences",
            hint="a text file, one a line; .tsv or .csv; or a .po, .xliff, .tmx, .srt or .md file with a name for the result",
        )
    if ending not in {".tsv", ".csv"}:
        return _sentences(path)
    rows = list(table_rows(path))
    head = [name.strip() for name in (rows[0][1] if rows else None) or ()]
    if source not in head:
        raise BadConfig(f"{path} has no column {source!r}", hint=f"its columns are: {shorten(clean(', '.join(head)), 200)}")
    made: list[Item] = []
    for number, row in rows[1:]:
        if row is None:
            raise CorruptRecord(path, number, QUOTE_FAULT)
        if len(row) != len(head):
            raise CorruptRecord(path, number, f"{len(row)} columns, the head names {len(head)}")
        cells = [" ".join(cell.split()) if "\n" in cell else cell.strip() for cell in row]
        if fault := undecoded(Line(number, "".join(cells))):
            raise CorruptRecord(path, number, fault.why)
        made.append(Item(number, cells[head.index(source)], cells[head.index(target)] if target in head else ""))
    return made


def _sentences(path: Path) -> list[Item]:
    try:
        text = decode(ending(path).read_bytes()).text
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint="name a file that exists") from error
    if "\0" in text:
        raise DataError(f"{path} is no text", hint="give a file with one sentence a line")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    if fault := next((fault for number, line in enumerate(lines, start=1) if (fault := undecoded(Line(number, line)))), None):
        raise CorruptRecord(path, fault.line, fault.why)
    return [Item(number, line.strip()) for number, line in enumerate(lines, start=1)]


def problem_of(item: Item, *, source: str, target: str) -> Problem:
    """Return the problem of an item.

    Raises:
        BadInstance: the sentence or a language cannot be used.
    """
    solver = registry.solver("translation")
    try:
        before = [{"source": text, "target": translation} for text, translation in item.before]
        instance = solver.Instance(source=source, target=target, sentence=item.sentence, reference=item.reference, before=before)
    except ValidationError as error:
        field, _, why = what_is_wrong(error)
        named = f"`{field}`: " if field in {"source", "target"} else ""
        raise BadInstance(f"line {item.line} cannot be translated: {named}{why}", hint="change or drop it") from error
    return problem_from_instance(solver, instance, None)


def in_order(items: Sequence[Item], n: int, *, source: str, target: str, known: Sequence[tuple[int, str, str]] = ()) -> list[Item]:
    """Return items that each know the n sentences before it.

    Sentences alone, and translations only where they stood in the file before the run: what one item is asked does not depend on what another
    was answered. So a run may be cut into shards, go on after an interruption, and be asked in any order. A sentence that cannot be asked
    is not shown either.

    Args:
        items: the items, in the order of their text.
        n: how many sentences each is to know.
        source: the language of the text.
        target: the language of the translations.
        known: sentences that are translated already: before which item each stands, its text, its translation.

    Raises:
        BadConfig: n is negative or larger than a prompt may show.
    """
    if not 0 <= n <= MAX_BEFORE:
        raise BadConfig(
            f"`context` is between 0 and {MAX_BEFORE}, and {n} was given", hint="give the number of sentences to show before each"
        )
    if not n:
        return list(items)
    made: list[Item] = []
    earlier: list[tuple[str, str]] = []
    waiting = deque(known)
    for at, item in enumerate(items):
        while waiting and waiting[0][0] <= at:
            _, text, translation = waiting.popleft()
            earlier += _shown(text, translation, source, target)
        made.append(replace(item, before=tuple(earlier[-n:])))
        earlier = (earlier + _shown(item.sentence, "", source, target))[-n:]
    return made


def _shown(text: str, translation: str, source: str, target: str) -> list[tuple[str, str]]:
    """Return a sentence as one that is shown before others, markers left out; nothing where it cannot be."""
    text, translation = bare(text), bare(translation)
    try:
        problem_of(Item(1, text, before=((text, translation),)), source=source, target=target)
    except BadInstance:
        return []
    return [(text, translation)]


def _problems(items: Sequence[Item], source: str, target: str) -> tuple[list[Problem | None], list[Item]]:
    """Return the problem of each item, None for an empty one and for one that cannot be used, and those that cannot."""
    made: list[Problem | None] = []
    left: list[Item] = []
    for item in items:
        try:
            made.append(problem_of(item, source=source, target=target) if item.sentence else None)
        except BadInstance:
            made.append(None)
            left.append(item)
    return made, left


async def atranslate(
    items: Sequence[Item | str],
    *,
    source: str,
    target: str,
    strategy: str = "fragment_shot",
    model: str | Client = "local",
    context: int = 0,
    **settings: Unpack[RunSettings],
) -> Translated:
    """Translate items in order; the same sentence is asked once. One that cannot be used is left, and told in `left`.

    With `context` each item is shown with so many sentences before it (`in_order`); the same sentence after others is another question.

    Raises:
        BadInstance: no sentence, or a language, can be used.
        BadConfig: `context` is out of bounds.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    made = [Item(number, item.strip()) if isinstance(item, str) else item for number, item in enumerate(items, start=1)]
    if context:
        made = in_order(made, context, source=source, target=target)
    problems, left = _problems(made, source, target)
    asked = {problem.id: problem for problem in problems if problem}
    if not asked and left:
        problem_of(left[0], source=source, target=target)  # which says what is wrong
    if not asked:
        raise BadConfig("there are no sentences to translate", hint="give a text, or a file with one sentence a line")
    specs = parse_strategies(strategy)
    if len(specs) != 1:
        raise BadConfig(f"{len(specs)} strategies were named", hint="translate with one; 'reasoner bench translation' compares several")
    told = settings_of(settings)
    report = await carry_out(Plan(list(asked.values()), specs, told.seed, 1, told.sampling, told.limits), [model], told)
    by_problem = {result.problem.id: result for result in report.results}
    outcomes = tuple(by_problem[problem.id] if problem else None for problem in problems)
    read = [_read(outcome) for outcome in outcomes]
    translations = tuple(text for text, _ in read)
    scored = [(item, text) for item, text in zip(made, translations, strict=True) if item.reference]
    scores = score([text for _, text in scored], [item.reference for item, _ in scored]) if scored else None
    measured = [o.verdict.metrics for o in by_problem.values() if o.verdict and {"coverage", "chrf"} <= o.verdict.metrics.keys()]
    correlation = spearman([m["coverage"] for m in measured], [m["chrf"] for m in measured])
    taken = tuple(bool(o and o.verdict and o.verdict.metrics.get("taken")) for o in outcomes)
    return Translated(tuple(made), translations, outcomes, taken, tuple(flag for _, flag in read), tuple(left), report, scores, correlation)


def translate(
    items: Sequence[Item | str],
    *,
    source: str,
    target: str,
    strategy: str = "fragment_shot",
    model: str | Client = "local",
    context: int = 0,
    **settings: Unpack[RunSettings],
) -> Translated:
    """Translate; the synchronous face of `atranslate`, also inside a running event loop (a notebook)."""
    return blocking(lambda: atranslate(items, source=source, target=target, strategy=strategy, model=model, context=context, **settings))


def _read(outcome: Result | None) -> tuple[str, str]:
    """Return the translation in an answer, and what is wrong with it."""
    if outcome is None or outcome.text is None:
        return "", ""
    solver = registry.solver("translation")
    found: tuple[str, str] = solver.translation_in(outcome.text, solver.Instance.model_validate_json(outcome.problem.instance))
    return found
