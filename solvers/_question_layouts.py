r"""The layouts in which question sets are published, known by their columns: from a row of a file to the fields of a question.

    layout_of([{"question": "...", "answer": "9 * 2 = <<9*2=18>>18\n#### 18"}, ...])  ->  GSM8K
    GSM8K.fields(row)  ->  {"question": "...", "golds": ["18"], "solution": "9 * 2 = 18\nAnswer: 18", "used": {"question", "answer"}}

Knows columns and how golds are written in them; does not know files, graders or prompts. Column names are looked up without regard to case.
A row that does not fit its layout raises a ValueError that says why.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reasoner.grading import read
from reasoner.grading.quantity import quantity
from solvers._question import NO_ANSWER
from solvers._question_values import LETTERS, choices_of, context_of, golds_of, place_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_CALCULATOR = re.compile(r"<<[^<>\n]{0,400}>>")
MAX_KNOWN_COLUMNS = 64
"""Rows with more columns look their names up anew each time."""
_OPTION = re.compile(r"^\s*\(([A-Z])\)\s*(\S.*)$")


@dataclass(slots=True)
class Fields:
    """What a row says. `golds` are aliases of one answer; with `choices`, `right` is the place of the right one."""

    question: str
    golds: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    right: int | None = None
    context: str = ""
    solution: str = ""
    grader: str = ""
    reader: str = ""
    pair: str = ""
    direction: str = ""
    rubric: str = ""
    baseline: str = ""
    turns: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    may_be_unanswerable: bool = False
    order: list[int] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return name.strip().lower()


@lru_cache(maxsize=256)
def _by_plain(names: tuple[str, ...]) -> dict[str, str]:
    """Return the columns by their names without regard to case; the rows of a file mostly have the same ones."""
    return {_plain(name): name for name in names}


class Row:
    """A row whose columns are found without regard to case, and which remembers what was asked for."""

    def __init__(self, values: Mapping[str, Any], columns: Mapping[str, str] | None = None) -> None:
        self.values = values
        self._names = _by_plain(tuple(values)) if len(values) <= MAX_KNOWN_COLUMNS else {_plain(name): name for name in values}
        self._columns = columns or {}
        self.used: set[str] = set()

    def name(self, column: str) -> str | None:
        """Return how the file writes a column, or what it is mapped to; None where it has none."""
        return self._names.get(_plain(self._columns.get(column, column)) if self._columns else column)

    def get(self, *columns: str) -> Any:
        """Return the value of the first of these columns that is there and is not null."""
        for column in columns:
            name = self.name(column) if self._columns else self._names.get(column)
            if name is not None and (value := self.values[name]) is not None:
                self.used.add(name)
                return value
        return None

    def text(self, *columns: str) -> str:
        """Return a value as text; empty where there is none."""
        value = self.get(*columns)
        return "" if value is None else text_of(value)

    def has_any(self, columns: frozenset[str]) -> bool:
        """Tell whether it may have one of these columns, a null one included; a row whose columns are mapped may have all."""
        return bool(self._columns) or not columns.isdisjoint(self._names)

    def need(self, *columns: str) -> str:
        """Return a value as text.

        Raises:
            ValueError: it is missing or empty.
        """
        found = self.text(*columns)
        if not found:
            raise ValueError(f"the column {columns[0]} is missing or empty")
        return found


@dataclass(frozen=True, slots=True)
class Layout:
    """One published layout: its name, the columns it is known by (`a|b`: one of both), and how a row is read."""

    name: str
    columns: tuple[str, ...]
    read: Callable[[Row], Fields]
    mark: str = ""
    """What the answers of such a set hold, where its columns alone do not tell it from others."""

    def fits(self, columns: Iterable[str]) -> bool:
        """Tell whether a file has the columns."""
        there = {column.strip().lower() for column in columns}
        return all(any(one in there for one in each.split("|")) for each in self.columns)

    def fields(self, row: Row) -> Fields:
        """Read a row.

        Raises:
            ValueError: it does not fit.
        """
        made = self.read(row)
        made.used = row.used
        if made.choices and made.right is None:
            raise ValueError("it has choices and names none of them as right")
        if not made.choices and not made.golds and not made.grader.startswith("judge"):
            raise ValueError("it has no answer")
        return made


def worked(text: str) -> tuple[str, str]:
    """Cut a worked solution at `####`: the solution as a model is shown it, calculator marks removed, and the gold; empty where there is none."""
    before, mark, gold = text.rpartition("####")
    gold = gold.strip().splitlines()[0].strip() if mark and gold.strip() else ""
    return (f"{_CALCULATOR.sub('', before).strip()}\nAnswer: {gold}", gold) if gold else ("", "")


def _own(row: Row) -> Fields:
    made = Fields(row.need("question"))
    answer = row.get("answer")
    if row.has_any(_BESIDES) and _own_besides(row, answer, made):
        return made
    solution, gold = worked(answer) if isinstance(answer, str) and "####" in answer else ("", "")
    made.golds = [gold] if gold else golds_of(answer)
    made.solution = solution or made.solution
    if (aliases := row.get("aliases")) is not None:
        made.golds = list(dict.fromkeys([*made.golds, *golds_of(aliases)]))
    return made


_BESIDES = frozenset(
    {"choices", "order", "context", "pair", "direction", "rubric", "baseline", "grader", "reader", "solution", "rationale"}
)
"""Columns of our own layout that most files do not have."""


def _own_besides(row: Row, answer: Any, made: Fields) -> bool:
    """Read what stands beside a question and its golds; tell whether there are none to be read any more: it has choices, or a judge alone."""
    choices, labels = choices_of(row.get("choices"))
    made.context, made.pair, made.direction = context_of(row.get("context")), row.text("pair"), row.text("direction")
    made.rubric, made.baseline = row.text("rubric"), row.text("baseline")
    made.grader, made.reader, made.solution = row.text("grader"), row.text("reader"), row.text("solution", "rationale")
    if choices:
        made.choices, made.right = choices, place_of(answer, choices, labels)
        order = row.get("order")
        made.order = [int(place) for place in order] if isinstance(order, list) else []
        return True
    if answer is None and (made.rubric or made.baseline):
        made.grader = made.grader or "judge:"
        return True
    return False


def _svamp(row: Row) -> Fields:
    return Fields(f"{row.need('body')} {row.need('question')}".strip(), golds_of(row.get("answer")))


def _math(row: Row) -> Fields:
    solution = row.text("solution")
    gold = row.text("answer", "final_answer")
    if not gold and solution:
        found = read("boxed", solution)
        gold = found.text if found else ""
    shown = f"{solution}\nAnswer: {gold}" if solution and gold else ""
    number = quantity(gold) is not None
    return Fields(row.need("problem"), [gold] if gold else [], solution=shown, grader="" if number or not gold else "math")


def _olympiad(row: Row) -> Fields:
    value = row.get("final_answer")
    golds = golds_of(value)
    unit = row.text("unit")
    gold = ", ".join(each.strip("$") for each in golds)
    if unit and len(golds) == 1 and quantity(golds[0]) is not None and quantity(f"{golds[0]} {unit}") is not None:
        gold = f"{golds[0]} {unit}"
    row.text("answer_type")
    plain = quantity(gold) is not None
    return Fields(
        row.need("question", "problem"), [gold] if gold else [], grader="" if plain else "math", solution=_joined(row.get("solution"))
    )


def _joined(value: Any) -> str:
    return "\n".join(text_of(each) for each in value) if isinstance(value, list) else text_of(value)


def _bbh(row: Row) -> Fields:
    question, target = row.need("input"), row.need("target")
    lines = question.splitlines()
    found = [(at, option) for at, line in enumerate(lines) if (option := _OPTION.match(line))]
    letters = [option[1] for _, option in found]
    if len(target) == 3 and target[0] == "(" and target[2] == ")" and letters == list(LETTERS[: len(letters)]) and target[1] in letters:
        kept = [line for at, line in enumerate(lines) if at not in {place for place, _ in found} and line.strip() != "Options:"]
        return Fields("\n".join(kept).strip(), choices=[option[2].strip() for _, option in found], right=letters.index(target[1]))
    return Fields(question, [target, target[1]] if len(target) == 3 and target[0] == "(" else [target])


def _choices(row: Row) -> Fields:
    choices, labels = choices_of(row.get("choices", "options", "endings"))
    answer = row.get("answerkey", "correct", "label", "answer", "answer_index", "gold")
    letter_first = row.name("answerkey") is not None or row.name("correct") is not None
    question = row.text("question", "ctx", "problem") or f"{row.text('ctx_a')} {row.text('ctx_b')}".strip()
    if not question:
        raise ValueError("the column question is missing or empty")
    return Fields(
        question, choices=choices, right=place_of(answer, choices, labels, letter_first=letter_first),
        context=context_of(row.get("passage", "context")), solution=row.text("rationale", "solution"),
    )  # fmt: skip


def _stem(row: Row) -> Fields:
    """Read a question whose choices stand in it, `{"stem": ..., "choices": [{"text", "label"}]}`, as ARC is published."""
    asked = row.get("question")
    if not isinstance(asked, dict):
        raise ValueError("the question is no object of stem and choices")  # noqa: TRY004 - what is wrong is the row
    choices, labels = choices_of(asked.get("choices"))
    return Fields(text_of(asked.get("stem")), choices=choices, right=place_of(row.get("answerkey"), choices, labels, letter_first=True))


def _mmlu_columns(row: Row) -> Fields:
    choices = [row.text(letter) for letter in "abcdefghij" if row.text(letter)]
    return Fields(row.need("question"), choices=choices, right=place_of(row.get("answer", "correct", "target"), choices, letter_first=True))


def _headless(row: Row) -> Fields:
    cells = [row.text(str(at)) for at in range(1, len(row.values) + 1)]
    return Fields(cells[0], choices=cells[1:-1], right=place_of(cells[-1], cells[1:-1], letter_first=True))


def _gpqa(row: Row) -> Fields:
    wrong = [text for at in range(1, 8) if (text := row.text(f"incorrect answer {at}"))]
    return Fields(row.need("question"), choices=[row.need("correct answer"), *wrong], right=0, solution=row.text("explanation"))


def _truthful_mc(row: Row) -> Fields:
    targets = row.get("mc1_targets", "mc2_targets")
    if isinstance(targets, str):
        targets = json.loads(targets)
    choices = [text_of(each) for each in targets["choices"]]
    return Fields(row.need("question"), choices=choices, right=[int(each) for each in targets["labels"]].index(1))


def _truthful(row: Row) -> Fields:
    best = row.need("best answer", "best_answer")
    others = row.get("correct answers", "correct_answers")
    listed = others.split(";") if isinstance(others, str) else others or []
    return Fields(row.need("question"), list(dict.fromkeys([best, *(text_of(each) for each in listed if text_of(each))])))


def _ifeval(row: Row) -> Fields:
    names, values = row.get("instruction_id_list"), row.get("kwargs")
    if not isinstance(names, list) or not isinstance(values, list) or len(names) != len(values):
        raise ValueError("instruction_id_list and kwargs are no lists of the same length")
    rules = [{"id": name, **{k: v for k, v in (each or {}).items() if v is not None}} for name, each in zip(names, values, strict=True)]
    return Fields(row.need("prompt"), [json.dumps(rules, ensure_ascii=False)], grader="rules")


def _turns(row: Row) -> Fields:
    turns = row.get("turns", "prompt")
    if not isinstance(turns, list) or not turns or not all(text_of(turn) for turn in turns):
        raise ValueError("turns is no list of texts")
    first, *later = (text_of(turn) for turn in turns)
    reference = row.get("reference")
    references = [text_of(each) for each in reference] if isinstance(reference, list) else golds_of(reference)
    return Fields(
        first, [each for each in references[:1] if each], grader="judge:", rubric=row.text("rubric"), baseline=row.text("baseline"),
        turns=later, references=[each or "-" for each in references[1 : len(turns)]],
    )  # fmt: skip


def _squad(row: Row) -> Fields:
    """Read a question about a text, whose answers are spans of it or none, as SQuAD and its like have it."""
    answers = row.get("answers", "answer")
    if isinstance(answers, list) and all(isinstance(each, dict) for each in answers):
        answers = [each.get("text") for each in answers]
    golds = golds_of(answers)
    impossible = row.get("is_impossible")
    row.get("plausible_answers")
    made = Fields(row.need("question"), golds, context=row.need("context"), may_be_unanswerable=impossible is not None or not golds)
    if impossible is True or not golds:
        made.golds = [NO_ANSWER, "noanswer", "unanswerable"]
    return made


def _input(row: Row) -> Fields:
    return Fields(row.need("input", "prompt", "question"), golds_of(row.get("target", "output", "answer", "answers", "ideal")))


LAYOUTS: tuple[Layout, ...] = (
    Layout("items for a judge", ("question", "rubric|baseline"), _own),
    Layout("IFEval", ("prompt", "instruction_id_list"), _ifeval),
    Layout("GPQA", ("question", "correct answer", "incorrect answer 1"), _gpqa),
    Layout("TruthfulQA, multiple choice", ("question", "mc1_targets|mc2_targets"), _truthful_mc),
    Layout("TruthfulQA, generation", ("question", "best answer|best_answer"), _truthful),
    Layout("MT-Bench", ("turns",), _turns),
    Layout("SQuAD", ("question", "context", "answers"), _squad),
    Layout("SVAMP or ASDiv", ("body", "question", "answer"), _svamp),
    Layout("OlympiadBench", ("question|problem", "final_answer", "answer_type|unit|is_multiple_answer"), _olympiad),
    Layout("MATH", ("problem", "solution|answer|final_answer"), _math),
    Layout("AQuA or SAT", ("question", "options", "correct|answer"), _choices),
    Layout("ARC", ("question", "choices", "answerkey"), _choices),
    Layout("ARC", ("question", "answerkey"), _stem),
    Layout("HellaSwag", ("ctx|ctx_a", "endings", "label"), _choices),
    Layout("MMLU, a column for each choice", ("question", "a", "b", "answer|correct|target"), _mmlu_columns),
    Layout("MMLU without a head", ("1", "2", "3", "4", "5"), _headless),
    Layout("GSM8K", ("question", "answer"), _own, mark="####"),
    Layout("HotpotQA", ("question", "answer", "context", "supporting_facts"), _own),
    Layout("TriviaQA", ("question", "answer", "question_source|questionsource|entity_pages|search_results"), _own),
    Layout("questions with answers", ("question", "answer"), _own),
    Layout("OlympiadBench", ("question|problem", "final_answer"), _olympiad),
    Layout("BIG-Bench Hard", ("input", "target"), _bbh),
    Layout("questions with answers", ("question|input|prompt", "answers|output|target|ideal"), _input),
)
MAPPED = Layout("as --map says", ("question",), _own)
NAMES = frozenset(one for layout in LAYOUTS for each in layout.columns for one in each.split("|") if not one.isdigit())


def layout_of(rows: Sequence[Mapping[str, Any]]) -> Layout | None:
    """Return the first layout that fits the columns that most rows have; None where none does."""
    counts: dict[str, int] = {}
    for row in rows:
        for name in row:
            counts[name] = counts.get(name, 0) + 1
    common = [name for name, n in counts.items() if 2 * n >= len(rows)]
    return next((layout for layout in LAYOUTS if layout.fits(common) and _marked(rows, layout.mark)), None)


def _marked(rows: Sequence[Mapping[str, Any]], mark: str) -> bool:
    """Tell whether most answers hold the mark of a layout."""
    return not mark or 2 * sum(mark in str(Row(row).get("answer")) for row in rows) >= len(rows)
