"""Files in the layouts of published sets load without an option, damaged ones lose what is damaged and nothing else. All content is invented."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reasoner import registry
from reasoner.errors import BadConfig, CorruptRecord
from reasoner.prompts import Prompts

N = 12
SQUAD_1 = registry.solver("question")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Published:
    """A set as it is published: how a row looks, how it is written, what is expected of each row: golds or the right choice."""

    layout: str
    row: Callable[[int], dict[str, Any]]
    form: str
    expected: Callable[[int], str]
    grader: str
    meta: tuple[str, ...] = ()


def gsm8k(n: int) -> dict[str, Any]:
    return {
        "question": f"Ada has {n} boxes of 3 nails, more or less. How many nails?",
        "answer": f"Each holds 3.\n{n}*3 = <<{n}*3={3 * n}>>{3 * n:,}\n#### {3 * n:,}",
    }


def four(n: int) -> list[str]:
    return [f"{n} a", f"{n} b", f"{n} c", f"{n} d"]


SETS: dict[str, Published] = {
    "gsm8k.jsonl": Published("GSM8K", gsm8k, "jsonl", lambda n: f"{3 * n:,}", "number"),
    "svamp.json": Published("SVAMP or ASDiv", lambda n: {"ID": f"chal-{n}", "Body": f"Bo had {n} pears.", "Question": "How many are left?", "Equation": "( 8.0 - 3.0 )", "Answer": n + 0.0, "Type": "Subtraction"}, "json", str, "number", ("ID", "Type")),
    "asdiv.json": Published("SVAMP or ASDiv", lambda n: {"Body": f"Bo had {n} apples.", "Question": "How many?", "Answer": f"{n} (apples)", "Solution-Type": "Sum"}, "json", lambda n: f"{n} (apples)", "number", ("Solution-Type",)),
    "math500.jsonl": Published("MATH", lambda n: {"problem": f"Halve ${n}$ of three.", "solution": f"It is $\\boxed{{\\frac{{{2 * n + 1}}}{{3}}}}$.", "answer": f"\\frac{{{2 * n + 1}}}{{3}}", "subject": "Algebra", "level": 1 + n % 5, "unique_id": f"test/{n}.json"}, "jsonl", lambda n: f"\\frac{{{2 * n + 1}}}{{3}}", "number", ("subject", "level", "unique_id")),
    "math_interval.jsonl": Published("MATH", lambda n: {"problem": f"Solve for {n}.", "solution": f"So $x \\in \\boxed{{[{n},{n + 3})}}$.", "level": "Level 3", "type": "Precalculus"}, "jsonl", lambda n: f"[{n},{n + 3})", "math", ("level", "type")),
    "olympiad.jsonl": Published("OlympiadBench", lambda n: {"id": n, "question": f"Find all for {n}.", "final_answer": [f"${n}$", f"${n + 2}$"], "answer_type": "Numerical", "unit": None, "is_multiple_answer": True}, "jsonl", lambda n: f"{n}, {n + 2}", "math", ("id",)),
    "olympiad_unit.jsonl": Published("OlympiadBench", lambda n: {"question": f"How far, {n}?", "final_answer": [f"{n}.5"], "answer_type": "Numerical", "unit": "km"}, "jsonl", lambda n: f"{n}.5 km", "number"),
    "aime.csv": Published("MATH", lambda n: {"ID": f"2031-I-{n}", "Problem": f"Count to {n}, twice.", "Answer": f"{n:03d}"}, "csv", lambda n: f"{n:03d}", "number", ("ID",)),
    "college.jsonl": Published("questions with answers", lambda n: {"data_source": "made up", "question_number": f"1.{n}", "question": f"Differentiate {n}.", "answer": f"${n}x^2 + 1$"}, "jsonl", lambda n: f"{n}x^2 + 1", "math", ("data_source",)),
    "bbh_words.json": Published("BIG-Bench Hard", lambda n: {"input": f"Sort: c{n} b a", "target": f"a b c{n}"}, "examples", lambda n: f"a b c{n}", "squad"),
    "bbh_letters.json": Published("BIG-Bench Hard", lambda n: {"input": f"Which, {n}?\nOptions:\n(A) red {n}\n(B) blue {n}\n(C) green {n}", "target": "(B)"}, "examples", lambda n: f"blue {n}", "choice"),
    "bbh_brackets.json": Published("BIG-Bench Hard", lambda n: {"input": f"Close: {'( [' * (n + 1)}", "target": "] )" * (n + 1)}, "examples", lambda n: "] )" * (n + 1), "squad"),
    "bbh_yes.json": Published("BIG-Bench Hard", lambda n: {"input": f"Is {n} odd?", "target": "Yes" if n % 2 else "No"}, "examples", lambda n: "Yes" if n % 2 else "No", "squad"),
    "mmlu.csv": Published("MMLU without a head", lambda n: {"q": f"Which one, {n}?", **dict(zip("abcd", four(n), strict=True)), "x": "ABCD"[n % 4]}, "headless", lambda n: four(n)[n % 4], "choice"),
    "mmlu_head.csv": Published("MMLU, a column for each choice", lambda n: {"": n, "Question": f"Which one, {n}?", **dict(zip("ABCD", four(n), strict=True)), "Answer": "ABCD"[n % 4], "Subject": "law"}, "csv", lambda n: four(n)[n % 4], "choice", ("Subject",)),
    "mmlu.parquet": Published("questions with answers", lambda n: {"question": f"Which one, {n}?", "subject": "law", "choices": four(n), "answer": n % 4}, "parquet", lambda n: four(n)[n % 4], "choice", ("subject",)),
    "letters.jsonl": Published("questions with answers", lambda n: {"question": f"Blood group, {n}?", "choices": ["A", "B", "O", "C"], "answer": 1}, "jsonl", lambda n: "B", "choice"),
    "equal.jsonl": Published("questions with answers", lambda n: {"question": f"Equal, {n}?", "choices": ["5", "5", "6", "7"], "answer": "5"}, "jsonl", lambda n: "5", "choice"),
    "arc.jsonl": Published("ARC", lambda n: {"id": f"M_{n}", "question": f"What boils, {n}?", "choices": {"text": four(n), "label": ["1", "2", "3", "4"]}, "answerKey": str(1 + n % 4)}, "jsonl", lambda n: four(n)[n % 4], "choice", ("id",)),
    "arc_stem.jsonl": Published("ARC", lambda n: {"id": f"M_{n}", "question": {"stem": f"What boils, {n}?", "choices": [{"text": text, "label": "ABCD"[at]} for at, text in enumerate(four(n))]}, "answerKey": "ABCD"[n % 4]}, "jsonl", lambda n: four(n)[n % 4], "choice", ("id",)),
    "hellaswag.jsonl": Published("HellaSwag", lambda n: {"ind": n, "activity_label": "Rowing", "ctx_a": f"A man rows {n}.", "ctx_b": "he", "ctx": f"A man rows {n}. he", "endings": four(n), "label": str(n % 4)}, "jsonl", lambda n: four(n)[n % 4], "choice", ("activity_label",)),
    "truthful_mc.json": Published("TruthfulQA, multiple choice", lambda n: {"question": f"Is it so, {n}?", "mc1_targets": {"choices": four(n), "labels": [0, 0, 1, 0]}}, "json", lambda n: four(n)[2], "choice"),
    "truthful.csv": Published("TruthfulQA, generation", lambda n: {"Type": "Adversarial", "Category": "Myths", "Question": f"What of {n}, then?", "Best Answer": f"Nothing {'at all ' * 2}happens", "Correct Answers": "Nothing; Very little", "Incorrect Answers": "Much", "Source": "made up"}, "csv", lambda n: "Nothing at all at all happens", "squad", ("Category",)),
    "aqua.jsonl": Published("AQuA or SAT", lambda n: {"question": f"How much is {n}?", "options": [f"A){n}1", f"B){n}2", f"C){n}3", f"D){n}4", f"E){n}5"], "rationale": "Count.\nIt is so.", "correct": "ABCDE"[n % 5]}, "jsonl", lambda n: f"{n}{1 + n % 5}", "choice"),
    "gpqa.csv": Published("GPQA", lambda n: {"Question": f'Which "state"\nis it, {n}?', "Correct Answer": f"{n} right", "Incorrect Answer 1": f"{n} no", "Incorrect Answer 2": f"{n}, not", "Incorrect Answer 3": f"{n} never", "High-level domain": "Physics"}, "csv", lambda n: f"{n} right", "choice", ("High-level domain",)),
    "hotpot.json": Published("HotpotQA", lambda n: {"_id": f"5a{n}", "question": f"Which came first, {n}?", "answer": f"The Lake of {'Bor' * (1 + n % 2)}", "type": "comparison", "level": "hard", "supporting_facts": [["T", 0]], "context": [["Title", ["One. ", "Two."]], ["Other", ["Three."]]]}, "json", lambda n: f"The Lake of {'Bor' * (1 + n % 2)}", "squad", ("_id", "type", "level")),
    "trivia.jsonl": Published("TriviaQA", lambda n: {"question": f"Who sang, {n}?", "question_id": f"tc_{n}", "question_source": "made up", "answer": {"value": "The Larks", "aliases": ["Larks", "Larks Band"], "normalized_aliases": ["larks"]}}, "jsonl", lambda n: "The Larks", "squad", ("question_id",)),
    "trivia_web.json": Published("TriviaQA", lambda n: {"Question": f"Who sang, {n}?", "QuestionId": f"tc_{n}", "QuestionSource": "made up", "Answer": {"Value": "The Larks", "Aliases": ["Larks"], "NormalizedAliases": ["larks"], "Type": "FreeForm"}}, "json", lambda n: "The Larks", "squad", ("QuestionId",)),
    "mmlu_first_a.csv": Published("MMLU without a head", lambda n: {"q": f"Which one, {n}?", **dict(zip("abcd", four(n), strict=True)), "x": "AB"[n % 2]}, "headless", lambda n: four(n)[n % 2], "choice"),
    "nq.jsonl": Published("questions with answers", lambda n: {"question": f"when was {n}", "answer": ["in 1907", "1907"]}, "jsonl", lambda n: "in 1907", "squad"),
    "ifeval.jsonl": Published("IFEval", lambda n: {"key": n, "prompt": f"Write about {n} without commas.", "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"], "kwargs": [{}, {"relation": "at least", "num_words": 3, "keyword": None}]}, "jsonl", lambda n: '[{"id": "punctuation:no_comma"}, {"id": "length_constraints:number_words", "relation": "at least", "num_words": 3}]', "rules", ("key",)),
    "mt_bench.jsonl": Published("MT-Bench", lambda n: {"question_id": n, "category": "writing", "turns": [f"Write a line about {n}.", "Make it shorter."]}, "jsonl", lambda n: "-", "judge:", ("category", "question_id")),
    "squad.json": Published("SQuAD", lambda n: {"title": "Mills", "paragraphs": [{"context": f"The mill of {n} stands by the river {'Ox' * (1 + n % 2)}.", "qas": [{"id": f"56be{n}", "question": f"Where is the mill, {n}?", "answers": [{"text": f"by the river {'Ox' * (1 + n % 2)}", "answer_start": 20}, {"text": "river", "answer_start": 27}]}]}]}, "squad", lambda n: f"by the river {'Ox' * (1 + n % 2)}", "squad", ("id", "title")),
    "squad2.json": Published("SQuAD", lambda n: {"title": "Mills", "paragraphs": [{"context": f"The mill, {n}.", "qas": [{"id": f"5a{n}", "question": f"Who built it, {n}?", "is_impossible": True, "answers": [], "plausible_answers": [{"text": "The mill", "answer_start": 0}]}]}]}, "squad", lambda n: "no answer", "squad", ("id",)),
    "squad_flat.jsonl": Published("SQuAD", lambda n: {"id": f"f{n}", "title": "Mills", "context": f"The mill of {n} is red.", "question": f"What colour, {n}?", "answers": {"text": ["red"], "answer_start": [15]}}, "jsonl", lambda n: "red", "squad", ("id", "title")),
    "plain.tsv": Published("questions with answers", lambda n: {"question": f'He said "no" {n}', "answer": f"C+{'+' * (n % 2)}"}, "tsv", lambda n: f"C+{'+' * (n % 2)}", "squad"),
    "semicolon.csv": Published("questions with answers", lambda n: {"question": f"How many, about {n}?", "answer": n, "theme": "x;y"}, "semicolon", str, "number", ("theme",)),
}  # fmt: skip


def written(name: str, rows: Rows) -> bytes:
    """Write rows as a set is published."""
    form = SETS[name].form
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if form in {"json", "examples"}:
        return json.dumps(rows if form == "json" else {"canary": "made up", "examples": rows}, ensure_ascii=False, indent=1).encode()
    if form == "squad":
        return json.dumps({"version": "v2.0", "data": rows}, ensure_ascii=False, indent=1).encode()
    if form == "parquet":
        pa = pytest.importorskip("pyarrow", reason="the extra data is not installed")
        from pyarrow import parquet

        out = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), out)
        return out.getvalue()
    if form == "tsv":
        return ("question\tanswer\n" + "".join("\t".join(map(str, row.values())) + "\n" for row in rows)).encode()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=";" if form == "semicolon" else ",", lineterminator="\r\n")
    if form != "headless":
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def rows_of(name: str) -> Rows:
    return [SETS[name].row(n) for n in range(2, 2 + N)]


@pytest.mark.parametrize("variant", ["", "gz", "bom", "utf-16"])
@pytest.mark.parametrize("name", SETS)
def test_a_published_layout_loads_without_an_option(name: str, variant: str, tmp_path: Path) -> None:
    published = SETS[name]
    raw = written(name, rows_of(name))
    if variant in {"bom", "utf-16"} and published.form != "parquet":
        raw = raw.decode().encode("utf-8-sig" if variant == "bom" else "utf-16")
    path = tmp_path / (name + (".gz" if variant == "gz" else ""))
    path.write_bytes(gzip.compress(raw) if variant == "gz" else raw)
    solver = registry.solver(f"question:{path}")
    reading = solver.reading()
    assert (reading.layout, reading.faults, len(reading.rows)) == (published.layout, (), N)
    for n, row in zip(range(2, 2 + N), reading.rows, strict=True):
        question = row.question
        shown = question.answer.strip("$")
        assert shown == published.expected(n), question
        assert question.grading == published.grader
        assert set(published.meta) <= set(question.meta)
        assert solver.parse(solver.format(question)) == question
        if published.grader not in {"rules", "judge:"}:
            verdict = solver.verify(question, solver.right_answer(question))
            assert verdict.correct, (question, verdict)


@pytest.mark.parametrize("name", [name for name, published in SETS.items() if published.form != "parquet"])
def test_a_damaged_row_is_told_in_one_line_and_takes_no_other(name: str, tmp_path: Path) -> None:
    """One row is damaged in the way its form can be: a stray quote in JSON, a line that breaks off in a table."""
    rng = random.Random(name)
    published = SETS[name]
    whole = registry.solver(f"question:{(tmp_path / 'w').as_posix()}{Path(name).suffix}")
    Path(f"{tmp_path / 'w'}{Path(name).suffix}").write_bytes(written(name, rows_of(name)))
    expected = [row.question for row in whole.reading().rows]
    at = rng.randrange(1, N - 1)
    rows = rows_of(name)
    mark = f"DAMAGED{at}"
    first = next(key for key, value in rows[at].items() if isinstance(value, str) and key not in {"ID", "id"})
    rows[at][first] = mark + str(rows[at][first])
    raw = written(name, rows)
    place = raw.index(mark.encode())
    if published.form in {"jsonl", "json", "examples", "squad"}:
        damaged = raw[:place] + b'"' + raw[place:]
    else:
        end = place + len(mark)
        quoted = raw[place - 1 : place] == b'"'
        damaged = raw[: place - 1] + raw[place:] if quoted else raw[:end] + raw[raw.index(b"\n", end) :]
    path = tmp_path / name
    path.write_bytes(damaged)
    solver = registry.solver(f"question:{path}")
    kept = [row.question for row in solver.reading().rows]
    assert [question for question in kept if question in expected] == [question for n, question in enumerate(expected) if n != at]
    assert len(kept) == N - 1
    (remark,) = solver.remarks()
    assert "\n" not in remark
    assert f"of {N} rows cannot be used" in remark or "of " in remark
    with pytest.raises(CorruptRecord):
        registry.solver(f"question:{path}?strict=1").listed(1)


def test_a_text_that_may_not_answer_says_so_and_its_paragraphs_stay_together(tmp_path: Path) -> None:
    """Two articles, one of them with a paragraph without questions; what is impossible is answered by saying so."""
    mill = {"context": "The mill is red.", "qas": [
        {"id": "a", "question": "What colour?", "is_impossible": False, "answers": [{"text": "red", "answer_start": 12}]},
        {"id": "b", "question": "Who built it?", "is_impossible": True, "answers": []},
        {"id": "c", "answers": [{"text": "red", "answer_start": 12}]},
    ]}  # fmt: skip
    path = tmp_path / "dev-v2.0.json"
    path.write_text(
        json.dumps(
            {"version": "v2.0", "data": [{"title": "Mill", "paragraphs": [mill, {"context": "Nothing."}]}, {"title": "x", "paragraphs": 3}]}
        )
    )
    solver = registry.solver(f"question:{path}")
    reading = solver.reading()
    assert [row.question.golds[0] for row in reading.rows] == ["red", "no answer"]
    assert sorted(fault.why for fault in reading.faults) == [
        "an article whose paragraphs have no questions (qas)", "an article whose paragraphs have no questions (qas)", "the column question is missing or empty",
    ]  # fmt: skip
    red, nobody = (row.question for row in reading.rows)
    text = Prompts().get("solvers/question").render_text(solver.statement_variables(red))
    assert "The mill is red." in text
    assert "If the text above does not say, the answer is: no answer" in text
    for reply, right in (
        ("Answer: no answer", True),
        ("Answer: No answer.", True),
        ("Answer: unanswerable", True),
        ("Answer: The mill", False),
        ("Answer: no", False),
    ):
        assert solver.verify(nobody, reply).correct is right
    assert solver.verify(red, "Answer: no answer").correct is False
    assert "does not say" not in Prompts().get("solvers/question").render_text(
        SQUAD_1.statement_variables(SQUAD_1.parse('{"question": "What?", "answer": "x", "context": "c"}'))
    )


def test_columns_that_no_layout_knows_are_told_and_mapped(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"data": {"items": [{"frage": f"Wie viele, {n}?", "loesung": n, "thema": "x"} for n in range(3)]}}))
    with pytest.raises(BadConfig, match=r"no known layout has its columns.*frage, loesung, thema.*--map question=COLUMN"):
        registry.solver(f"question:{path}?root=data.items").listed(1)
    name = f"question:{path}?root=data.items&map=question=frage,answer=loesung"
    solver = registry.solver(name)
    assert [row.answer for row in solver.listed(1)] == ["0", "1", "2"]
    assert solver.listed(1)[0].meta == {"thema": "x"}
    assert solver.title == name
    with pytest.raises(BadConfig, match="has no column 'antwort'"):
        registry.solver(f"question:{path}?root=data.items&map=question=frage,answer=antwort").listed(1)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("maps=a", "there is no option"), ("map=frage", "is not FIELD=COLUMN"), ("map=frage=a", "no field 'frage'"), ("recipe=gsm9k", "there is no recipe"),
        ("grader=exakt", "unknown grader"), ("reader=foo", "unknown reader"), ("grader=number:x", "tolerance"), ("grader=f1:2", "names no threshold"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(options: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=why):
        registry.solver(f"question:{tmp_path / 'x.jsonl'}?{options}")


def test_a_head_in_another_language_is_a_head(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("frage,antwort\nWie viele?,3\nWarum?,4\n")
    with pytest.raises(BadConfig, match="its columns are: frage, antwort"):
        registry.solver(f"question:{tmp_path / 'x.csv'}").listed(1)
    assert [row.answer for row in registry.solver(f"question:{tmp_path / 'x.csv'}?map=question=frage,answer=antwort").listed(1)] == [
        "3",
        "4",
    ]


def test_worked_solutions_are_shots(tmp_path: Path) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    train.write_bytes(written("gsm8k.jsonl", [gsm8k(n) for n in range(2, 12)]))
    test.write_bytes(written("gsm8k.jsonl", [gsm8k(n) for n in range(5, 7)]))
    worked = registry.solver(f"question:{test}?shots_from={train}").worked("cot")
    assert len(worked) == 10
    assert worked[0][1] == "Each holds 3.\n2*3 = 6\nAnswer: 6"


def test_problems_of_older_versions_open_and_are_judged_rightly() -> None:
    """What version 0.1.0 stored: the first seven fields. Its identity stays, and the answers that passed wrongly do not."""
    solver = registry.solver("question")
    stored = '{"answer":"\\\\frac{14}{3}","choices":[],"context":"","direction":"","order":[],"pair":"","question":"What is it?"}'
    instance = solver.Instance.model_validate_json(stored)
    assert json.dumps(instance.model_dump(mode="json"), sort_keys=True, separators=(",", ":")) == stored
    for wrong in ("-14/3", "143", "1/43"):
        assert not solver.verify(instance, f"Answer: {wrong}").correct
    assert solver.verify(instance, "Answer: 14/3").correct
    for gold, wrong in (("C++", "C"), ("[1,2)", "(1,2]"), ("x > 2", "x < 2"), ("35 hours", "3.5 hours")):
        old = json.loads(stored) | {"answer": gold}
        assert not solver.verify(solver.Instance.model_validate(old), f"Answer: {wrong}").correct
        assert solver.verify(solver.Instance.model_validate(old), f"Answer: {gold}").correct
