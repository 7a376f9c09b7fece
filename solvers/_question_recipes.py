"""How published sets are usually evaluated: columns, reader, grader, shots. The files stay the user's; nothing of them is here.

    RECIPES["gsm8k"]  ->  Recipe(grader="number", shots=8, ...)

Each says what the set's own evaluation does, as far as it is exact; a set that is judged by a model there is judged by one here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one set is read and judged. `grader` and `reader` empty: as suits each row; `by` are the columns it is reported by."""

    name: str
    summary: str
    form: str
    map: str = ""
    root: str = ""
    grader: str = ""
    reader: str = ""
    shots: int = 0
    by: str = ""
    judged: bool = False
    """Whether the set's own evaluation is a model's judgement: `--judge MODEL` is needed."""


_ALL = (
    Recipe("gsm8k", "grade-school word problems", "jsonl: question, answer with ####", grader="number", shots=8),
    Recipe("svamp", "word problems with small changes", "json: Body, Question, Answer", grader="number", shots=8),
    Recipe("asdiv", "word problems of many kinds", "xml or json: Body, Question, Answer", grader="number", shots=8),
    Recipe("math", "competition mathematics (MATH, MATH-500)", "json a file, or jsonl: problem, solution, answer, level, subject", grader="math", shots=4, by="subject,level"),
    Recipe("aime", "AIME, AMC: answers are whole numbers", "jsonl or csv: problem, answer", grader="number"),
    Recipe("olympiadbench", "olympiad problems with several answers, units, intervals", "jsonl: question, final_answer, answer_type, unit", grader="math", by="answer_type"),
    Recipe("college_math", "college mathematics", "jsonl: question, answer", grader="math"),
    Recipe("bbh", "BIG-Bench Hard, a file a task", "json: examples of input, target", root="examples", shots=3),
    Recipe("mmlu", "57 subjects, four choices", "csv without a head, or question, choices, answer", grader="choice", shots=5, by="subject"),
    Recipe("arc", "science questions for schools", "jsonl: question, choices, answerKey", grader="choice"),
    Recipe("hellaswag", "which sentence follows", "jsonl: ctx, endings, label", grader="choice"),
    Recipe("truthfulqa_mc", "TruthfulQA, one right choice (mc1)", "json or parquet: question, mc1_targets", grader="choice"),
    Recipe("truthfulqa", "TruthfulQA, free answers", "csv: Question, Best Answer, Correct Answers", judged=True, by="Category"),
    Recipe("aqua", "algebra with five choices (also SAT)", "jsonl: question, options, correct", grader="choice", shots=4),
    Recipe("gpqa", "graduate questions, four choices", "csv: Question, Correct Answer, Incorrect Answer 1..3", grader="choice", by="High-level domain"),
    Recipe("hotpotqa", "questions over two paragraphs", "json: question, answer, context", grader="squad", by="type,level"),
    Recipe("triviaqa", "trivia with aliases", "jsonl or parquet: question, answer.aliases", grader="any"),
    Recipe("nq", "questions people asked, several short answers", "jsonl: question, answer (a list)", grader="any"),
    Recipe("ifeval", "instructions that can be checked", "jsonl: prompt, instruction_id_list, kwargs", grader="rules", reader="whole"),
    Recipe("mt_bench", "MT-Bench: two turns, each judged", "jsonl: turns, category, reference", judged=True, by="category"),
    Recipe("squad", "questions about a text (SQuAD 1.1, 2.0), some without an answer", "json: data of paragraphs of context and qas; or question, context, answers", grader="squad"),
    Recipe("hazards", "own items by hazard and persona; and pairs of facts, forward and backward", "question:hazards, the shipped file, or one like it: question, rubric, hazard, persona", judged=True, by="hazard,persona"),
)  # fmt: skip

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
