"""extract: what is right stands in the document, another F1 agrees, changed records are wrong, and schemas and files of the user's own are read."""

from __future__ import annotations

import json
import random
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hostile_texts import hostile_texts

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.drawing import Table
from reasoner.errors import BadConfig, BadInstance, CorruptRecord, MissingAsset
from reasoner.prompts import Prompts
from solvers.extract import ExtractSolver, ExtractTask, find_record

SOLVER = ExtractSolver()
N_CHANGED = 500
N_HOSTILE = 500
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def drawn(level: int, n: int, seed: int = 0) -> list[ExtractTask]:
    return [SOLVER.generate(random.Random(f"{seed}/{level}/{k}"), level) for k in range(n)]


def days_in(text: str) -> set[str]:
    """Return the days and months of a text as they are asked for, read another way than they were written."""
    month = "|".join(MONTHS)
    found = {date(int(y), int(m), int(d)).isoformat() for d, m, y in re.findall(r"\b(\d\d)\.(\d\d)\.(\d{4})\b", text)}
    found |= set(re.findall(r"\b\d{4}-\d\d-\d\d\b", text))
    found |= {date(int(y), MONTHS.index(m) + 1, int(d)).isoformat() for m, d, y in re.findall(rf"({month}) (\d+), (\d{{4}})", text)}
    found |= {
        date(int(y), MONTHS.index(m) + 1, int(d)).isoformat()
        for d, m, y in re.findall(rf"(\d+)(?:(?:st|nd|rd|th) of)? ({month}) (\d{{4}})", text)
    }
    return found | {f"{y}-{MONTHS.index(m) + 1:02}" for m, y in re.findall(rf"in ({month}) (\d{{4}})", text)}


def times_in(text: str) -> set[str]:
    found = set(re.findall(r"\b\d\d:\d\d\b", text))
    return found | {
        f"{int(h) % 12 + (12 if half == 'pm' else 0):02}:{m or '00'}" for h, m, half in re.findall(r"\b(\d+)(?:\.(\d\d))? (am|pm)\b", text)
    }


@pytest.mark.parametrize("level", SOLVER.levels)
def test_what_is_right_stands_in_the_document(level: int) -> None:
    n_null = 0
    for task in drawn(level, 40):
        text = task.document
        for name, value in task.gold.items():
            n_null += value is None
            if value is None or isinstance(value, bool):
                continue
            if name in {"first_diagnosed", "date", "due"}:
                assert value in days_in(text), task
            elif name == "time":
                assert value in times_in(text), task
            elif name == "total":
                assert f"{value:,.2f}" in text or f"{value:.2f}" in text, task
            elif name == "discount":
                assert f"{value} % discount for" in text
            elif name == "icd10" and level == 6:
                assert value not in text
                assert f"{value} {task.gold['diagnosis']}" in task.form
            else:
                assert all(each in text for each in (value if isinstance(value, list) else [value])), task
        assert len(task.steps) == len(task.gold)
        assert SOLVER.explain(task) == task.steps
    assert (n_null > 0) == (level > 3)


def test_a_missing_field_is_not_in_the_document() -> None:
    for task in [*drawn(4, 60), *drawn(5, 60)]:
        for name, sign in (
            ("due", "Payable by"),
            ("discount", "discount for"),
            ("side", " side"),
            ("room", "in room"),
            ("icd10", "ICD-10"),
        ):
            if name in task.gold and task.gold[name] is None:
                assert sign not in task.document.partition("\n>")[0], (name, task)


def test_there_are_notes_invoices_and_mails_with_what_is_not_meant() -> None:
    tasks = drawn(5, 60)
    assert {task.kind for task in tasks} == {"doctor's note", "invoice", "mail"}
    for task in tasks:
        if task.kind == "doctor's note":
            codes = set(re.findall(r"C\d\d(?:\.\d)?", task.document)) - {task.gold["icd10"]}
            assert codes
            assert len(days_in(task.document)) > 1
    assert len({task.document for task in drawn(2, 200)}) > 190
    assert {len(task.gold) for task in drawn(1, 30)} == {1}


TASK = ExtractTask.model_validate(
    {
        "document": "Fanes Electric. Invoice R-2041 of 4 March 2024: lamps, cables. Total 1,084.50 EUR. Urgent.",
        "schema": {
            "type": "object",
            "properties": {
                "number": {"type": "string"},
                "total": {"type": "number"},
                "date": {"type": ["string", "null"], "format": "date"},
                "goods": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                "urgent": {"type": "boolean"},
                "discount": {"type": ["integer", "null"]},
            },
        },
        "gold": {"number": "R-2041", "total": 1084.5, "date": "2024-03-04", "goods": ["lamps", "cables"], "urgent": True, "discount": None},
    }
)
RIGHT = '{"number": "R-2041", "total": 1084.5, "date": "2024-03-04", "goods": ["lamps", "cables"], "urgent": true, "discount": null}'


@pytest.mark.parametrize(
    "text",
    [
        f"Answer: {RIGHT}", f"I look.\n**Answer:** `{RIGHT}`", f"```json\n{RIGHT}\n```", RIGHT, f"Answer: {RIGHT}\n\nThat is all.", f"Answer:\n{RIGHT}",
        f"Here is the record: {RIGHT}", f"Answer: {RIGHT.replace('R-2041', ' r-2041')}", f"Answer: {RIGHT.replace('1084.5', '1084.50')}", f"Answer: {RIGHT.replace('1084.5', '1.0845e3')}",
        f"Answer: {RIGHT.replace('lamps', 'x').replace('cables', 'lamps').replace('x', 'cables', 1)}", "Answer: " + RIGHT.replace(', "discount": null', ""),
        "Answer: " + json.dumps(json.loads(RIGHT), indent=2), f'```\n{{"number": 1}}\n```\nNo:\n```json\n{RIGHT}\n```',
    ],
)  # fmt: skip
def test_right_records(text: str) -> None:
    verdict = SOLVER.verify(TASK, text)
    assert verdict.correct, verdict
    assert verdict.score == 1.0


@pytest.mark.parametrize(
    ("old", "new", "score", "reason"),
    [
        ('"R-2041"', '"R-2042"', 10 / 12, 'number is "r-2042", not "r-2041"'),
        ('"R-2041"', '"R2041"', 10 / 12, "number"),
        ('"R-2041"', '""', 10 / 12, "number"),
        ("1084.5", '"1084.5"', 10 / 12, "total"),
        ("1084.5", "-1084.5", 10 / 12, "total"),
        ("1084.5", "1084.5000000000000000000000000001", 10 / 12, "total"),
        ('"2024-03-04"', '"2024-04-03"', 10 / 12, "date"),
        ('"2024-03-04"', "null", 10 / 11, "date is missing"),
        ('"lamps", ', "", 10 / 11, "goods[lamps] is missing"),
        ('"lamps"', '"lamps", "lamps"', 12 / 13, "goods[lamps]+"),
        ("true", "false", 10 / 12, "urgent is false, not true"),
        ("true", "1", 10 / 12, "urgent"),
        ('"discount": null', '"discount": 2', 12 / 13, "discount is 2, and nothing is said of it"),
        ('"discount": null', '"colour": null', 12 / 13, "colour (not asked for)"),
    ],
)
def test_wrong_records_score_by_field(old: str, new: str, score: float, reason: str) -> None:
    verdict = SOLVER.verify(TASK, f"Answer: {RIGHT.replace(old, new, 1)}")
    assert not verdict.correct
    assert verdict.score == pytest.approx(score)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        f"Answer: {RIGHT} {RIGHT}", f"Answer: {RIGHT}\n{RIGHT}", f"Answer: {RIGHT} or so", f"Answer: {RIGHT[:-1]}", f"Answer: [{RIGHT}]", "Answer: none", "",
        "Answer: " + RIGHT.replace('"total": 1084.5', '"total": 1, "total": 1084.5'), "Answer: " + RIGHT.replace("1084.5", "NaN"), "Answer: " + '{"a":' * 30_000,
        "Answer: " + RIGHT.replace("1084.5", "9" * 5000 + "e" + "9" * 30), f"Perhaps {RIGHT} or {{}}", f"Perhaps {RIGHT[1:]}",
    ],
)  # fmt: skip
def test_what_is_no_record_is_not_read(text: str) -> None:
    verdict = SOLVER.verify(TASK, text)
    assert verdict.unparsed, verdict
    assert verdict.score == 0.0
    assert verdict.metrics == {"f1": 0.0}, "a mean of F1 counts it"


def changed(rng: random.Random, record: dict[str, Any]) -> dict[str, Any]:
    """Change one meaningful place of a record."""
    made = dict(record)
    name = rng.choice(list(made))
    value = made[name]
    if value is None:
        made[name] = rng.choice(["C99", 7, True, ["x"]])
    elif isinstance(value, bool):
        made[name] = rng.choice([not value, None])
    elif isinstance(value, int | float):
        made[name] = rng.choice([value + 1, -value, value * 10, None, str(value)])
    elif isinstance(value, list):
        made[name] = rng.choice([value[1:], [*value, "fog"], [*value, value[0]], None, [value[0] + "s", *value[1:]], ", ".join(value)])
    else:
        at = rng.randrange(len(value))
        while value[at] == " ":
            at = rng.randrange(len(value))
        other = rng.choice([char for char in "abcxyz0123456789" if char != value[at].casefold()])
        made[name] = rng.choice(
            [value[:at] + other + value[at + 1 :], value[:at] + value[at + 1 :], value[: at + 1] + value[at:], None, value + "?"]
        )
    return made


def f1_by_hand(record: dict[str, Any], gold: dict[str, Any]) -> float:
    """Work the F1 out another way, over (field, value) pairs."""

    def pairs(each: dict[str, Any]) -> list[tuple[str, str]]:
        return [
            (name, repr(part.casefold() if isinstance(part, str) else part))
            for name, value in each.items()
            for part in (value if isinstance(value, list) else [value])
            if part is not None
        ]

    mine, wanted = pairs(record), pairs(gold)
    n_right = sum(min(mine.count(pair), wanted.count(pair)) for pair in set(mine))
    return 2 * n_right / (len(mine) + len(wanted))


def reject_changed(n: int) -> None:
    """Check n changed records; 5,000 were checked by hand."""
    rng = random.Random(21)
    for number in range(n):
        task = SOLVER.generate(rng, 1 + number % 6)
        record = changed(rng, task.gold)
        verdict = SOLVER.verify(task, f"Answer: {json.dumps(record)}")
        assert not verdict.correct, (task.gold, record)
        assert verdict.score == pytest.approx(f1_by_hand(record, task.gold)), (task.gold, record, verdict)
        assert verdict.score < 1.0
        assert SOLVER.canonical_answer(task, f"Answer: {json.dumps(record)}") != SOLVER.canonical_answer(task, SOLVER.right_answer(task))


def test_records_changed_in_one_place_are_rejected() -> None:
    reject_changed(N_CHANGED)


def survive_hostile(n: int) -> None:
    """Check n hostile texts; 10,000 were checked by hand."""
    rng = random.Random(22)
    tasks = [SOLVER.generate(rng, 1 + k % 6) for k in range(40)]
    golds = [SOLVER.right_answer(task).removeprefix("Answer: ") for task in tasks]
    for number, text in enumerate(hostile_texts(rng, [*golds, '{"a": ', "null}", '"x": 1}', "[1, 2]"], n)):
        task = tasks[number % len(tasks)]
        verdict = SOLVER.verify(task, text)
        assert verdict.reason.isprintable()
        assert len(verdict.reason) <= 200
        assert not verdict.correct or golds[number % len(tasks)] in text, text
        SOLVER.visible_check(task, text)
        SOLVER.canonical_answer(task, text)
        SOLVER.drawing(task, text)


def test_hostile_answers() -> None:
    survive_hostile(N_HOSTILE)


@pytest.mark.parametrize("level", SOLVER.levels)
def test_the_form_takes_right_records_and_no_others(level: int) -> None:
    for task in drawn(level, 15):
        form = SOLVER.answer_constraint(task)
        assert form is not None
        right = SOLVER.right_answer(task)
        assert re.fullmatch(form.value, right)
        assert not re.fullmatch(form.value, right[:-1])
        assert not re.fullmatch(form.value, right.replace('"', "'", 1))


def test_the_visible_check_sees_the_schema_and_not_what_is_right(tmp_path: Path) -> None:
    other = RIGHT.replace("R-2041", "B-1").replace("1084.5", "3")
    assert SOLVER.visible_check(TASK, f"Answer: {other}").passed
    for old, new, told in (
        ("1084.5", '"much"', 'total is "much", and should be a number'), ("2024-03-04", "2024-02-30", "should be a date"), ("2024-03-04", "4 March", "should be a date"),
        ("true", "null", "urgent is null, and should be true or false"), ('"discount": null', '"discount": 1.5', "should be a whole number"), ('"urgent"', '"rush"', "rush is not asked for"),
    ):  # fmt: skip
        seen = SOLVER.visible_check(TASK, f"Answer: {RIGHT.replace(old, new)}")
        assert not seen.passed
        assert told in seen.told
    client = ScriptedClient([f"Answer: {RIGHT.replace('1084.5', 'much')}", f"Answer: {RIGHT}"])
    client.fingerprint = "same"
    result = reasoner.solve("extract", SOLVER.format(TASK), strategy="repair(direct)", model=client, db=tmp_path / "t.db")
    assert result.correct
    assert "no JSON" in client.requests[1].messages[-1].content
    assert reasoner.replay(db=tmp_path / "t.db").exact


def test_one_record_has_one_form_however_it_is_written() -> None:
    dresses = [RIGHT, f"Answer: {RIGHT}", f"```json\n{json.dumps(json.loads(RIGHT), indent=1)}\n```", "Answer: " + RIGHT.replace("1084.5", "1084.50"), "Answer: " + RIGHT.replace("R-2041", "r-2041")]  # fmt: skip
    assert len({SOLVER.canonical_answer(TASK, text) for text in dresses}) == 1
    assert SOLVER.canonical_answer(TASK, "Answer: none") is None
    assert SOLVER.canonical_answer(TASK, f"Answer: {RIGHT.replace('1084.5', '10845')}") != SOLVER.canonical_answer(TASK, RIGHT)


def test_the_statement_keeps_the_order_of_the_schema_through_the_store() -> None:
    read = SOLVER.Instance.model_validate_json(json.dumps(TASK.model_dump(mode="json"), sort_keys=True))
    text = Prompts().get("solvers/extract").render_text(SOLVER.statement_variables(read))
    assert '{"number": ..., "total": ..., "date": ..., "goods": ..., "urgent": ..., "discount": ...}' in text
    assert "- goods (list of text)" in text
    assert SOLVER.parse(SOLVER.format(TASK)) == TASK


def test_the_record_is_drawn() -> None:
    drawing = SOLVER.drawing(TASK, f"Answer: {RIGHT.replace('R-2041', 'R-2042')}")
    assert isinstance(drawing, Table)
    assert [(row[0].text, row[1].right) for row in drawing.rows[:3]] == [("number", False), ("total", True), ("date", True)]


NESTED = {
    "$defs": {
        "Line": {"type": "object", "properties": {"name": {"type": "string"}, "price": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}
    },
    "type": "object",
    "properties": {"lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}}, "state": {"enum": ["paid", "open", None]}},
}


def test_schemas_as_pydantic_writes_them_are_read() -> None:
    gold = {"lines": [{"name": "lamp", "price": 2}, {"name": "cable", "price": None}], "state": "open"}
    task = ExtractTask.model_validate({"document": "d", "schema": NESTED, "gold": gold})
    assert SOLVER.verify(task, SOLVER.right_answer(task)).correct
    form = SOLVER.answer_constraint(task)
    assert form is not None
    assert re.fullmatch(form.value, SOLVER.right_answer(task))
    swapped = {**gold, "lines": gold["lines"][::-1]}
    assert not SOLVER.verify(task, f"Answer: {json.dumps(swapped)}").correct, "a list without uniqueItems is in order"
    verdict = SOLVER.verify(task, f"Answer: {json.dumps({**gold, 'lines': gold['lines'][:1]})}")
    assert verdict.score == pytest.approx(6 / 7)
    assert "lines[1].name is missing" in verdict.reason
    assert "schema" in Prompts().get("solvers/extract").render_text(SOLVER.statement_variables(task))


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "object"}, "has no properties"),
        ({"type": "object", "properties": {"a": {}}}, "cannot be compared"),
        ({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "number"}]}}}, "one type and null"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, "leads nowhere"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, "leads nowhere"),
        ({"$defs": {"b": {"$ref": "#/$defs/b"}}, "type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, "circle"),
        (
            {
                "$defs": {"b": {"type": "array", "items": {"$ref": "#/$defs/b"}}},
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/b"}},
            },
            "deeper",
        ),
        ({"type": "string"}, "object is needed"),
        ({"type": "object", "properties": {"a": {"allOf": []}}}, "allOf"),
        ({"type": "object", "properties": {"b": {"type": "integer"}}}, "not asked for"),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, "should be a whole number"),
        ([], "no JSON schema"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: Any, fault: str) -> None:
    with pytest.raises(BadInstance, match=fault):
        SOLVER.parse(json.dumps({"document": "d", "schema": schema, "gold": {"a": "x"}}))


def test_a_file_of_ones_own_is_asked(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}}}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    (tmp_path / "letter.txt").write_text("Ada is 36 years old.")
    rows = [
        {"text": "Bela came.", "gold": {"name": "Bela", "age": None}},
        {"file": "letter.txt", "gold": json.dumps({"name": "Ada", "age": 36})},
        {"document": "No gold."},
        {"document": "Carla", "gold": {"name": 7}},
        {"document": "Dora is here", "record": {"who": "Dora"}, "schema": {"type": "object", "properties": {"who": {"type": "string"}}}},
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    solver = registry.solver(f"extract:{path}?schema={tmp_path / 'schema.json'}")
    listed = solver.listed(1)
    assert listed is not None
    assert [each.document for each in listed] == ["Bela came.", "Ada is 36 years old.", "Dora is here"]
    assert "2 of 5 rows are left out" in solver.remarks()[0]
    assert "line 3: the row has no gold" in solver.remarks()[0]
    assert solver.verify(listed[1], 'Answer: {"name": "Ada", "age": 36}').correct
    assert solver.generate(random.Random(1), 1) in listed
    with pytest.raises(CorruptRecord, match="no gold"):
        registry.solver(f"extract:{path}?schema={tmp_path / 'schema.json'}&strict=1").listed(1)
    made = reasoner.bench(
        f"extract:{path}?schema={tmp_path / 'schema.json'}", strategy="direct", model="teacher", n=3, db=tmp_path / "t.db"
    )
    assert [result.correct for result in made.report.results] == [True] * 3


def test_a_row_names_documents_beside_it_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("The key is 7.")
    (folder / "letter.txt").write_text("Ada is 36.")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    names = ["letter.txt", "../secret.txt", str(tmp_path / "secret.txt"), "link.txt", "gone.txt", "."]
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    path = folder / "mine.jsonl"
    path.write_text("\n".join(json.dumps({"file": name, "gold": {"age": 36}, "schema": schema}) for name in names))
    solver = registry.solver(f"extract:{path}")
    assert [each.document for each in solver.listed(1) or ()] == ["Ada is 36."]
    assert "5 of 6 rows are left out; line 2: the document '../secret.txt' does not stand" in " ".join(solver.remarks()[0].split())


def test_what_stands_behind_the_colon_and_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no option 'sheme=x'"):
        registry.solver("extract:a.jsonl?sheme=x")
    with pytest.raises(BadConfig, match="names no file"):
        registry.solver("extract:?schema=a.json")
    with pytest.raises(MissingAsset):
        registry.solver(f"extract:{tmp_path / 'no.jsonl'}").listed(1)
    (tmp_path / "s.json").write_text('{"type": "string"')
    (tmp_path / "a.jsonl").write_text('{"document": "d", "gold": {}}')
    with pytest.raises(BadConfig, match=r"s\.json cannot be used"):
        registry.solver(f"extract:{tmp_path / 'a.jsonl'}?schema={tmp_path / 's.json'}").listed(1)


def test_find_record_reads_exact_numbers() -> None:
    assert find_record('Answer: {"a": "b}\\"{", "c": [1]}') == {"a": 'b}"{', "c": [1]}
    assert find_record('Answer: {"a": 0.10}') == find_record('{"a": 1e-1}') != find_record('{"a": 0.1000000000000000000000000001}')


@pytest.mark.parametrize("strategy", ["cot:shots=4", "direct:shots=2", "draft", "program", "self_consistency:n=3", "repair(cot)", "refine"])
def test_strategies_end_in_a_verdict(tmp_path: Path, strategy: str) -> None:
    assert reasoner.solve("extract", SOLVER.format(drawn(6, 1)[0]), strategy=strategy, model="teacher", db=tmp_path / "t.db").correct
