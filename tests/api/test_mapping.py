"""Rows through templates: columns in, columns out, resumed, and what does not come through is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from forks import Ended, Forks

from reasoner.api.map_card import write_map_card
from reasoner.api.mapping import CUT_OFF, map_rows, read_step, read_table
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, BadTemplate, CorruptRecord, MissingAsset
from reasoner.store import Store
from reasoner.types import Completion, Request

SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}, "why": {"type": "string"}}, "required": ["score", "why"]}


@pytest.fixture
def steps(tmp_path: Path) -> list[Path]:
    (tmp_path / "question.jinja").write_text("Ask about {{ topic }}.")
    (tmp_path / "answer.jinja").write_text(
        '+++\nversion = 1\nvariables = ["question"]\n+++\n{% block system %}Be short.{% endblock %}{% block user %}{{ question }}{% endblock %}'
    )
    (tmp_path / "rate.jinja").write_text("Rate {{ answer }} for {{ topic }}.")
    (tmp_path / "rate.schema.json").write_text(json.dumps(SCHEMA))
    return [tmp_path / f"{name}.jinja" for name in ("question", "answer", "rate")]


def reply(request: Request) -> str:
    last = request.messages[-1].content
    if last.startswith("Ask"):
        return f"Why {last.removeprefix('Ask about ')}? ({request.seed})"
    return json.dumps({"score": len(last), "why": last}) if last.startswith("Rate") else f"Because: {last}"


def test_columns_in_columns_out(steps: list[Path], tmp_path: Path) -> None:
    client = ScriptedClient(reply, name="m")
    given = [{"topic": "tides", "n": 1}, {"topic": "moons", "n": 2}]
    mapped = map_rows(given, steps, model=client, db=tmp_path / "t.db")
    assert [list(row) for row in mapped.rows] == [["topic", "n", "question", "answer", "score", "why"]] * 2
    assert [row["n"] for row in mapped.rows] == [1, 2]
    assert mapped.rows[0]["answer"] == f"Because: {mapped.rows[0]['question']}"
    assert mapped.rows[0]["score"] == len(mapped.rows[0]["why"])
    assert (mapped.n_given, dict(mapped.left_out), mapped.models) == (2, {}, ["m"])
    assert len(mapped.runs) == 3


def test_the_same_call_again_asks_nothing(steps: list[Path], tmp_path: Path) -> None:
    asked: list[Request] = []

    def counted(request: Request) -> str:
        asked.append(request)
        return reply(request)

    client = ScriptedClient(counted, name="m")
    first = map_rows([{"topic": "tides"}], steps, model=client, db=tmp_path / "t.db", samples=3)
    n_asked = len(asked)
    again = map_rows([{"topic": "tides"}], steps, model=client, db=tmp_path / "t.db", samples=3)
    assert (n_asked, len(asked)) == (9, 9)
    assert again.rows == first.rows
    assert len(again.rows) == len({row["question"] for row in again.rows}) == 3, "each sample goes on as a row of its own"


def test_equal_rows_are_asked_once_and_stay_two(steps: list[Path], tmp_path: Path) -> None:
    client = ScriptedClient(["Why?"], name="m")
    mapped = map_rows([{"topic": "tides"}, {"topic": "tides"}], steps[:1], model=client, db=tmp_path / "t.db")
    client.assert_done()
    assert [row["question"] for row in mapped.rows] == ["Why?", "Why?"]


def test_rows_that_do_not_come_through_are_counted(steps: list[Path], tmp_path: Path) -> None:
    client = ScriptedClient(["no json", '{"score": 1, "why": "x"}', "[1]", "  "], name="m")
    given = [{"topic": "t", "answer": str(n)} for n in range(4)] + [{"topic": "no answer"}]
    mapped = map_rows(given, steps[2:], model=client, db=tmp_path / "t.db")
    assert [row["answer"] for row in mapped.rows] == ["1"]
    assert sum(mapped.left_out.values()) == 4
    assert mapped.left_out["rate: a column it asks for is missing"] == 1


def test_a_reply_that_ended_at_the_token_limit_is_no_row(steps: list[Path], tmp_path: Path) -> None:
    client = ScriptedClient([Completion("Why are there", "length"), Completion("Why is it so?")], name="m")
    mapped = map_rows([{"topic": "tides"}, {"topic": "moons"}], steps[:1], model=client, db=tmp_path / "t.db")
    assert [row["question"] for row in mapped.rows] == ["Why is it so?"]
    assert dict(mapped.left_out) == {f"question: {CUT_OFF}": 1}


def test_what_cannot_be_is_said_before_the_first_call(steps: list[Path], tmp_path: Path) -> None:
    silent = ScriptedClient([], name="m")
    with pytest.raises(BadTemplate, match="was not given 'topic'"):
        map_rows([{"subject": "x"}], steps[:1], model=silent, db=tmp_path / "t.db")
    with pytest.raises(BadConfig, match="overwrite the column 'question'"):
        map_rows([{"topic": "x", "question": "y"}], steps[:1], model=silent, db=tmp_path / "t.db")
    with pytest.raises(BadConfig, match="no step"):
        map_rows([{"topic": "x"}], [], model=silent)
    with pytest.raises(MissingAsset, match="no template"):
        read_step(tmp_path / "none.jinja")
    (tmp_path / "rate.schema.json").write_text("[1]")
    with pytest.raises(BadConfig, match="not one of an object"):
        read_step(steps[2])
    (tmp_path / "evil.jinja").write_text("{{ ''.__class__ }}{{ topic.upper() }}")
    with pytest.raises(BadTemplate, match="a call"):
        read_step(tmp_path / "evil.jinja")


def test_tables_are_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("topic,n\ntides,1\n")
    assert read_table(tmp_path / "t.csv") == [{"topic": "tides", "n": "1"}]
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{broken\n')
    with pytest.raises(CorruptRecord, match="line 2"):
        read_table(tmp_path / "t.jsonl")


@pytest.fixture
def command(steps: list[Path], tmp_path: Path, forks: Forks) -> Callable[..., Ended]:
    (tmp_path / "t.csv").write_text("topic\ntides\nmoons\n")
    (tmp_path / "s.jsonl").write_text('"Why tides?"\n"Why moons?"\n')
    return lambda *args: forks.run(["map", *args, "--model", "scripted:s.jsonl", "--db", "t.db"], cwd=tmp_path)


def test_the_command_writes_the_table(command: Callable[..., Ended], tmp_path: Path) -> None:
    done = command("t.csv", "--prompt", "question.jinja", "--out", "o.jsonl", "--json")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [row["topic"] for row in rows] == ["tides", "moons"]
    assert all(row["question"].startswith("Why ") for row in rows)
    told = json.loads(done.out)
    assert (told["rows"], told["given"], len(told["runs"])) == (2, 2, 1)
    wrong = command("t.csv", "--prompt", "rate.jinja", "--out", "p.jsonl")
    assert wrong.code == 2
    assert "was not given 'answer'" in wrong.err
    assert not (tmp_path / "p.jsonl").exists()


def test_the_card_names_every_model_prompt_and_count(command: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "question.jinja").write_text("Ask about {{ topic }}.\n```\nno fence of ours\n")
    (tmp_path / "s.jsonl").write_text('{"text": "Why", "finish_reason": "length"}\n"Why moons?"\n')
    done = command("t.csv", "--prompt", "question.jinja", "--out", "o.jsonl", "--card", "--licence", "cc0-1.0", "--temperature", "0.5")
    assert done.code == 0, done.err
    card = (tmp_path / "README.md").read_text()
    head, body = card.removeprefix("---\n").split("\n---\n", 1)
    assert 'license: "cc0-1.0"' in head
    assert 'data_files: "o.jsonl"' in head
    assert "# 1 rows made by prompts" in body
    assert "| question | 2 | 1 | scripted:s.jsonl (2) | plain | 1 | 0 | temperature 0.5 |" in body
    assert f"| question | {CUT_OFF} | 1 |" in body
    assert "````jinja\nAsk about {{ topic }}.\n```\nno fence of ours\n````" in body
    (run,) = [line for line in body.splitlines() if line.startswith("| question | 2")]
    assert run.rstrip(" |").split("| ")[-1] in runs_in(tmp_path)
    again = command("t.csv", "--prompt", "question.jinja", "--out", "o.jsonl", "--card", "--licence", "cc0-1.0", "--temperature", "0.5")
    assert (again.code, (tmp_path / "README.md").read_text()) == (0, card), "the same rows have the same card"


def runs_in(folder: Path) -> set[str]:
    with Store.read(folder / "t.db") as store:
        return {row[0] for row in store.tuples("SELECT id FROM runs")}


def test_a_readme_of_somebody_else_is_left_alone_and_said_before_the_work(command: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Mine\n")
    done = command("t.csv", "--prompt", "question.jinja", "--out", "o.jsonl", "--card")
    assert done.code == 2
    assert "no export wrote it" in done.err
    assert not (tmp_path / "o.jsonl").exists()
    assert (tmp_path / "README.md").read_text() == "# Mine\n"


def test_steps_are_counted_each_by_itself(steps: list[Path], tmp_path: Path) -> None:
    client = ScriptedClient(
        lambda request: Completion("Why") if request.messages[-1].content.startswith("Ask") else Completion("x", "length"), name="m"
    )
    mapped = map_rows([{"topic": "tides"}], steps, model=client, db=tmp_path / "t.db", samples=2)
    assert [(done.name, done.n_in, done.n_out, done.samples, dict(done.models)) for done in mapped.done] == [
        ("question", 1, 2, 2, {"m": 2}), ("answer", 2, 0, 1, {"m": 1}), ("rate", 0, 0, 1, {}),
    ]  # fmt: skip
    assert dict(mapped.done[1].left_out) == {CUT_OFF: 2}
    write_map_card(tmp_path / "card.md", [tmp_path / "rows.jsonl"], [mapped], n_rows=0)  # a file of no rows is not made
    assert '"score"' in (tmp_path / "card.md").read_text(), "the schema of a step stands there"
