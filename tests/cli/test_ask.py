"""`reasoner ask` on the real command line: the answer, a schema, standard input, and what is not the JSON that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from forks import Ended, Forks

Ask = Callable[..., Ended]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def ask(tmp_path: Path, forks: Forks) -> Ask:
    def run(*args: str, replies: tuple[str, ...]) -> Ended:
        (tmp_path / "s.jsonl").write_text("".join(json.dumps(reply) + "\n" for reply in replies))
        (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
        return forks.run(["ask", *args, "--model", "scripted:s.jsonl", "--db", "t.db", "--new"], cwd=tmp_path)

    return run


def test_the_answer_is_printed_and_nothing_judges_it(ask: Ask) -> None:
    done = ask("Which town?", replies=("Rome.\nIn Italy.",))
    assert (done.code, done.out) == (0, "Rome.\nIn Italy.\n")
    told = json.loads(ask("Which town?", "--json", replies=("Rome.",)).out)
    assert (told["text"], told["correct"], told["verdict"]) == ("Rome.", None, None)


def test_a_strategy_reasons_freely_and_the_answer_is_formatted_in_one_last_call(ask: Ask) -> None:
    done = ask("How many?", "--strategy", "cot", "--schema", "schema.json", replies=("Two and two.\nAnswer: 4", '{"n": 4}'))
    assert (done.code, json.loads(done.out)) == (0, {"n": 4})
    cut = ask("How many?", "--schema", "schema.json", replies=('{"n": ',))
    assert (cut.code, cut.out) == (1, '{"n": \n')
    assert "not the JSON that was asked for" in cut.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("  ",), "nothing to ask"),
        (("Why?", "--schema", "none.json"), "the schema none.json cannot be read"),
        (("Why?", "--schema", "s.jsonl"), "the schema s.jsonl holds no JSON object"),
        (("Why?", "--strategy", "cot,direct"), "2 strategies were named"),
    ],
)
def test_what_cannot_be_asked_is_one_line(ask: Ask, args: tuple[str, ...], says: str) -> None:
    done = ask(*args, replies=("x",))
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert done.err.count("\n") == 1
