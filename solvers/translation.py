"""Translation: sentences in one language, a reference in another, judged by exact match and measured by chrF++ and BLEU.

    translation:my.heldout.tsv, whose first line names the languages; without a file, the test sentences of the invented languages

An answer is right by exact match alone, apart from case, blanks, Unicode form, apostrophes and a final full stop; the measures stand beside the
verdict and decide nothing. Corpora, retrieval and scores over a set are in `reasoner.translation`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, field_validator, model_serializer

from reasoner.assets import asset_dir
from reasoner.errors import BadConfig, BadInstance, CorruptRecord
from reasoner.files import complaint, read_lines
from reasoner.grading.graders import unjudged
from reasoner.solver import Solver
from reasoner.text import clean, shorten
from reasoner.types import Verdict
from solvers import _answer as answers
from solvers._translated import Flag, extract, plain, read

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

MAX_SENTENCE_CHARS = 20_000
MAX_BEFORE_CHARS = 4000
"""Characters of a sentence that stands before another; a longer one is not shown."""
MAX_BEFORE = 20
"""Sentences that may be shown before the one to translate."""
SEPARATOR = " ||| "
_MARKER = re.compile(r"\{\d{1,4}\}")
_BEFORE, _AS = "before: ", "as: "
"""What begins a sentence before the one to translate, and its translation, in the one-line syntax."""
_LANGUAGE = r"[^\W\d_][\w'’ ()-]{0,39}"
_LINE = re.compile(rf"({_LANGUAGE})>({_LANGUAGE}): (.+)")


def _one_line(text: str) -> str:
    if text != text.strip() or SEPARATOR.strip() in text:
        raise ValueError(f"a sentence has no blanks around it and no {SEPARATOR.strip()} in it")
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text):
        raise ValueError("a sentence is one line without control characters")
    return text


class Before(BaseModel):
    """A sentence that stands before the one to translate in the same text, and its translation where that is known, else empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1, max_length=MAX_BEFORE_CHARS)
    target: str = Field(default="", max_length=MAX_BEFORE_CHARS)

    _checked = field_validator("source", "target")(_one_line)


class Translation(BaseModel):
    """One sentence to translate; the reference is empty where there is none. `before` is shown and not translated, the nearest last."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str = Field(pattern=rf"^{_LANGUAGE}$")
    target: str = Field(pattern=rf"^{_LANGUAGE}$")
    sentence: str = Field(min_length=1, max_length=MAX_SENTENCE_CHARS)
    reference: str = Field(default="", max_length=MAX_SENTENCE_CHARS)
    before: tuple[Before, ...] = Field(default=(), max_length=MAX_BEFORE, strict=False)

    _checked = field_validator("sentence", "reference")(_one_line)

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `before` out where it is empty: problems of earlier versions keep their ids."""
        made: dict[str, Any] = write(self)
        return made if self.before else {name: value for name, value in made.items() if name != "before"}


def directions(languages: Sequence[str]) -> list[tuple[str, str]]:
    """Return every direction between languages in the order of the levels: 1>2, 2>1, 1>3, 3>1, 2>3, 3>2, 1>4, ..."""
    pairs = sorted(combinations(range(len(languages)), 2), key=lambda pair: (pair[1], pair[0]))
    return [(languages[a], languages[b]) for first, second in pairs for a, b in ((first, second), (second, first))]


class TranslationSolver(Solver[Translation]):
    """Sentences of a file, in the directions its languages allow."""

    name = "translation"
    summary = "translate a sentence; judged by exact match, measured by chrF++ and BLEU"
    syntax = "FROM>TO: SENTENCE [||| REFERENCE [||| before: SENTENCE [||| as: TRANSLATION]]...], e.g. 'English>Selvan: The river sleeps.'"
    Instance = Translation
    levels: ClassVar[Mapping[int, str]] = {
        n: f"from the file's language {a} into its language {b}" for n, (a, b) in enumerate(directions(["1", "2", "3", "4"]), start=1)
    }
    default_level = 1

    def __init__(self, source: str = "") -> None:
        self.source = source

    @classmethod
    def open(cls, source: str) -> Self:
        """Open a TSV of test sentences."""
        return cls(source)

    def parse(self, line: str) -> Translation:
        """Read `FROM>TO: SENTENCE` or `FROM>TO: SENTENCE ||| REFERENCE`, each sentence before it behind a further `|||`."""
        found = _LINE.fullmatch(line[: 3 * MAX_SENTENCE_CHARS + 2 * MAX_BEFORE * (MAX_BEFORE_CHARS + 20)].strip())
        try:
            if found is None:
                raise ValueError("a direction and a sentence are needed")  # noqa: TRY301 - both faults are told in one way
            sentence, reference, *others = [cell.strip() for cell in found[3].split(SEPARATOR.strip())] + (
                [] if "|||" in found[3] else [""]
            )
            return Translation(source=found[1], target=found[2], sentence=sentence, reference=reference, before=_before(others))
        except ValueError as error:
            why = error.errors()[0]["msg"].removeprefix("Value error, ") if isinstance(error, ValidationError) else str(error)
            raise BadInstance(
                f"translation: cannot use '{shorten(clean(line[:1000]), 60)}': {why}", hint=f"the syntax is {self.syntax}"
            ) from error

    def format(self, instance: Translation) -> str:
        """Write `FROM>TO: SENTENCE ||| REFERENCE`."""
        reference = f"{SEPARATOR}{instance.reference}" if instance.reference or instance.before else ""
        before = [
            (f"{SEPARATOR}{_BEFORE}{each.source}", f"{SEPARATOR}{_AS}{each.target}" if each.target else "") for each in instance.before
        ]
        return f"{instance.source}>{instance.target}: {instance.sentence}{reference}{''.join(map(''.join, before))}"

    def canonical(self, instance: Translation) -> Hashable:
        """Return direction, sentence, and what stands before it."""
        return instance.source, instance.target, instance.sentence, instance.before

    def generate(self, rng: random.Random, level: int) -> Translation:
        """Draw one sentence of the file."""
        return rng.choice(self.listed(level))

    def listed(self, level: int) -> Sequence[Translation]:
        """Return the sentences of the file in one direction.

        Raises:
            BadConfig: the file has too few languages for this level.
            DataError: the file cannot be read.
            CorruptRecord: a line of it is no sentence.
        """
        path = Path(self.source) if self.source else asset_dir("corpora") / "invented" / "test.tsv"
        languages, rows = _read(path)
        found = directions(languages)
        if not 1 <= level <= len(found):
            raise BadConfig(
                f"{path} has {len(languages)} languages and no direction {level}", hint=f"--level is between 1 and {len(found)}"
            )
        source, target = (languages.index(language) for language in found[level - 1])
        return _listed(path, languages[source], languages[target], tuple((number, cells[source], cells[target]) for number, cells in rows))

    def statement_variables(self, instance: Translation) -> Mapping[str, Any]:
        """Return `source`, `target`, `sentence`, `before` as pairs, and `marker`, a sign such as `{1}` that stands in the sentence."""
        before = [{"source": each.source, "target": each.target} for each in instance.before]
        return {
            "source": instance.source,
            "target": instance.target,
            "sentence": instance.sentence,
            "before": before,
            "marker": _marker(instance.sentence),
        }

    def verify(self, instance: Translation, text: str) -> Verdict:
        """Compare with the reference; without one a translation is not judged."""
        found, flag = read(text, instance)
        flags: dict[str, float] = {flag: 1.0} if flag else {}
        if not found:
            return replace(answers.unread("the model refused" if flag else "no translation was found"), metrics=flags)
        if not instance.reference:
            return unjudged("there is no reference to judge the translation by", **flags)
        metrics = sentence_scores(found, instance.reference) | flags
        measured = (
            f"chrF++ {metrics['chrf']:.1f}, BLEU {metrics['bleu']:.1f}"
            if "chrf" in metrics
            else "not measured: install reasoner-llm[translation]"
        )
        is_right = plain(found) == plain(instance.reference)
        if is_right:
            return Verdict(correct=True, score=1.0, reason=f"it is the reference; {measured}", metrics=metrics)
        what = "it is a copy of the source" if flag else "it is not the reference"
        return Verdict(correct=False, score=0.0, reason=f"{what}; {measured}", metrics=metrics)

    def translation_in(self, text: str, instance: Translation) -> tuple[str, Flag]:
        """Return the translation in a model's text, and whether the text refuses or copies the source."""
        return read(text, instance)

    def canonical_answer(self, instance: Translation, text: str) -> str | None:
        """Return the translation as exact match compares it."""
        return plain(extract(text, instance)) or None

    def part_answer(self, instance: Translation, part: str, text: str) -> str | None:
        """Return the translation of a part of the sentence; None also where the model refused."""
        return read(text, instance.model_copy(update={"sentence": part, "reference": "", "before": ()}))[0] or None

    def right_answer(self, instance: Translation) -> str | None:
        """Return the reference as an answer line."""
        return f"Answer: {instance.reference}" if instance.reference else None


def _marker(sentence: str) -> str:
    """Return a sign in a sentence that stands for something else; empty where there is none."""
    found = _MARKER.search(sentence)
    return found[0] if found else ""


def _before(cells: Sequence[str]) -> tuple[Before, ...]:
    """Read the sentences before the one to translate.

    Raises:
        ValueError: a cell is neither one of them nor the translation of the one before it.
    """
    made: list[Before] = []
    for cell in cells:
        if cell.startswith(_BEFORE):
            made.append(Before(source=cell.removeprefix(_BEFORE).strip()))
        elif cell.startswith(_AS) and made and not made[-1].target:
            made[-1] = Before(source=made[-1].source, target=cell.removeprefix(_AS).strip())
        else:
            raise ValueError(f"what follows the reference begins with '{_BEFORE}', and its translation with '{_AS}'")
    return tuple(made)


@cache
def _read(path: Path) -> tuple[tuple[str, ...], tuple[tuple[int, tuple[str, ...]], ...]]:
    lines, damaged = read_lines(path, hint="'reasoner corpus build --hold-out N' makes such a file")
    if damaged:
        raise complaint(path, damaged, len(lines) + len(damaged))
    languages = tuple(lines[0].text.split("\t")) if lines else ()
    if len(languages) < 2 or len(set(languages)) < len(languages):
        raise CorruptRecord(path, 1, "the first line must name two or more different languages, with tabs between")
    rows = []
    for line in lines[1:]:
        cells = tuple(cell.strip() for cell in line.text.split("\t"))
        if len(cells) != len(languages):
            raise CorruptRecord(path, line.number, f"{len(cells)} columns, the first line names {len(languages)}")
        rows.append((line.number, cells))
    return languages, tuple(rows)


@cache
def _listed(path: Path, source: str, target: str, rows: tuple[tuple[int, str, str], ...]) -> tuple[Translation, ...]:
    made = []
    for number, sentence, reference in rows:
        try:
            made.append(Translation(source=source, target=target, sentence=sentence, reference=reference))
        except ValidationError as error:
            raise CorruptRecord(path, number, shorten(str(error.errors()[0]["msg"]), 120)) from error
    return tuple(made)


@cache
def _metrics() -> tuple[Any, Any] | None:
    try:
        from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - an optional dependency
        from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415
    except ImportError:
        return None
    return CHRF(word_order=2), BLEU(effective_order=True)


def sentence_scores(found: str, reference: str) -> dict[str, float]:
    """Return chrF++ and BLEU (with effective order) of one sentence, from 0 to 100; nothing where sacrebleu is not installed."""
    metrics = _metrics()
    if metrics is None:
        return {}
    chrf, bleu = (metric.sentence_score(found, [reference]).score for metric in metrics)
    return {"chrf": round(chrf, 4), "bleu": round(bleu, 4)}
