"""What an export gives without being asked: whole replies under their prompts, true counts, thoughts that come back, one type a column."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets import reply_steps
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.lineage import complete
from reasoner.datasets.options import Options, Thinking
from reasoner.datasets.select import NOT_IN_REPLY, Filters, Tally
from reasoner.datasets.source import NO_OTHER
from reasoner.datasets.thinking import NESTED
from reasoner.runs.results import Result
from reasoner.session import Session
from reasoner.store import Store, reading
from reasoner.types import Answer, Completion

RIGHT, WRONG = "Answer: 9 -> 10 -> 20", "Answer: 9 -> 18 -> 36"
KINDS = {"dpo": "pair", "kto": "label", "prm": "steps"}


def rows(db: Path, name: str, filters: Filters | None = None, **options: Any) -> tuple[list[dict[str, Any]], Tally]:
    out = db.parent / f"{name}.out.jsonl"
    with Store.open(db) as store:
        tally = export(store, name, out, filters, Options(**options))
    return ([json.loads(line) for line in out.read_text().splitlines()] if tally.taken else []), tally


async def tree(session: Session) -> Answer:
    """A step that is kept and one that is pruned, a vote, a remark in JSON; the answer is put together from the steps."""
    proposed = await session.ask("cot/answer")
    good = session.note("9 -> 10 (9 + 1 = 10)", parent=proposed, role="step", state="10", operation="9 + 1 = 10")
    bad = session.note("9 -> 18 (9 * 2 = 18)", parent=proposed, role="step", state="18", operation="9 * 2 = 18")
    session.note("1: 2 votes\nAnswer: 9 -> 18 -> 36", parent=bad, role="self_consistency/vote", state="36")
    session.note('{"answer": "9 -> 18 -> 36"}', parent=bad, role="step", state="36")
    session.mark(good, status="kept")
    session.mark(bad, status="pruned")
    last = session.note("10 -> 20 (10 * 2 = 20)", parent=good, role="step", state="20", operation="10 * 2 = 20")
    end = session.note("18 -> 36 (18 * 2 = 36)", parent=bad, role="step", state="36", operation="18 * 2 = 36")
    session.mark(last, status="final")
    session.mark(end, status="pruned")
    return session.offer(RIGHT if session.rng.random() < 2 else WRONG, last)


async def whole(session: Session) -> Answer:
    thought = await session.ask("cot/answer")
    return session.offer(thought.text, thought)


STEPS = "First 1, then double.\n\n9 + 1 = 10\n"


@pytest.fixture
def db(search: Callable[..., Result], tmp_path: Path) -> Path:
    search(tree, ["9 -> 10\n9 -> 18"])
    for reply in (f"{STEPS}10 * 2 = 20\n{RIGHT}", f"{STEPS}10 + 1 = 11\nAnswer: 9 -> 10 -> 11", f"9 * 2 = 18\n{WRONG}"):
        search(whole, [reply])
    return tmp_path / "t.db"


@pytest.mark.parametrize("name", KINDS)
def test_rows_are_whole_replies_under_their_prompt_and_trees_are_another_file(db: Path, name: str) -> None:
    found, tally = rows(db, name)
    assert tally.left_out[NOT_IN_REPLY] == 1, "the search's answer stands in no reply"
    with Store.open(db) as store:
        contexts = reading.Contexts(store)
        known = [(contexts.of(row), row.reply) for row in reading.answered(store, reading.chosen())]
    replies = {reply for _, reply in known}
    asked = {tuple(m.content for m in messages) for messages, _ in known}
    for row in found:
        prompt = (row["prompt"],) if name == "prm" else tuple(m["content"] for m in row["prompt"])
        assert prompt in asked
        assert set(_texts(name, row)) <= replies
        assert row["lineage"]["labels_from"] == "replies"
    assert len(found) == {"dpo": 2, "kto": 3, "prm": 3}[name]
    of_tree, _ = rows(db, name, labels_from="tree")
    assert of_tree
    assert {row["lineage"]["labels_from"] for row in of_tree} == {"tree"}


def _texts(name: str, row: dict[str, Any]) -> list[str]:
    if name == "dpo":
        return [row["chosen"][0]["content"], row["rejected"][0]["content"]]
    return [row["completion"][0]["content"]] if name == "kto" else ["\n".join(row["completions"])]


def test_steps_of_replies_are_labelled_by_the_replies_that_begin_with_them(db: Path) -> None:
    found, _ = rows(db, "prm")
    assert [(row["completions"], row["labels"], row["scores"]) for row in found] == [
        (["First 1, then double.\n", "9 + 1 = 10", "10 * 2 = 20", RIGHT], [True] * 4, [0.5, 0.5, 1.0, 1.0]),
        (
            ["First 1, then double.\n", "9 + 1 = 10", "10 + 1 = 11", "Answer: 9 -> 10 -> 11"],
            [True, True, False, False],
            [0.5, 0.5, 0.0, 0.0],
        ),
        (["9 * 2 = 18", WRONG], [False, False], [0.0, 0.0]),
    ]


def test_ratings_votes_and_json_are_no_steps(db: Path, search: Callable[..., Result]) -> None:
    search(whole, [json.dumps({"answer": RIGHT})])
    search(whole, [RIGHT])
    _, tally = rows(db, "prm")
    assert tally.left_out[reply_steps.JSON_REPLY] == tally.left_out[reply_steps.ONE_LINE] == 1
    found, _ = rows(db, "prm", Filters(strategy="by_hand"), labels_from="tree")
    steps = {step for row in found for step in row["completions"]}
    assert "18 -> 36 (18 * 2 = 36)" in steps
    assert not [step for step in steps if "vote" in step or step.startswith("{")]


@pytest.mark.parametrize(
    "text", ["a", "a\nb", "\n\na\n\n b\n\n\nc", "x\n```py\na = 1\n\nb = 2\n```\ny", "```\nnever closed\n\nz", " \n \na"]
)
def test_the_steps_of_a_text_are_the_text(text: str) -> None:
    steps = reply_steps.divide(text)
    assert "\n".join(steps) == text
    assert all(step.strip() for step in steps)


def test_counts_name_the_true_reason(search: Callable[..., Result], tmp_path: Path) -> None:
    search(whole, [f"x\n{WRONG}"])
    _, tally = rows(tmp_path / "t.db", "sft")
    assert (tally.seen, tally.left_out, tally.not_selected) == (0, {}, {"their answers are wrong": 1})
    _, tally = rows(tmp_path / "t.db", "dpo")
    assert (tally.left_out, tally.not_selected) == ({NO_OTHER[False]: 1}, {})
    search(whole, [f"y\n{RIGHT}"])
    _, tally = rows(tmp_path / "t.db", "sft")
    assert (tally.seen, tally.taken, tally.not_selected) == (1, 1, {"their answers are wrong": 1})


TEXTS = [
    "So.\nAnswer: 9 -> 10 -> 20", "So.  \n\n \nAnswer: 9 -> 10 -> 20", "Answer: 9 -> 10 -> 20", "<think>\nx\n</think>\n\nAnswer: 9 -> 10 -> 20",
    "<think>\nnever closed\nAnswer: 9 -> 10 -> 20", "a </think> b\n\nAnswer: 9 -> 10 -> 20\n", "\n\nAnswer: 9 -> 10 -> 20", "[THINK]x[/THINK]\nAnswer: 9 -> 10 -> 20",
]  # fmt: skip
THOUGHTS = ["", "Double?", "Double?\n</think>\n\nno", "  \n x\n"]


@pytest.mark.parametrize("thinking", ["reasoning_content", "thinking", "both", "tags", "drop"])
@pytest.mark.parametrize("name", ["sft", "kto", "sharegpt"])
def test_an_import_undoes_exactly_what_the_export_did(tmp_path: Path, name: str, thinking: Thinking) -> None:
    if thinking in {"thinking", "both"} and not registry.find("format", name).thinking_field:
        return  # refused, see the contract of formats
    said = [(thought, text) for thought in THOUGHTS for text in TEXTS]
    turns = iter(said)

    def reply(_: Any) -> Completion:
        thought, text = next(turns)
        return Completion(text, reasoning=thought)

    reasoner.solve(
        "number_path", "2 9 20", strategy="direct", model=ScriptedClient(reply, name="m"), samples=len(said), db=tmp_path / "t.db"
    )
    options = Options(thinking=thinking, special_tokens="keep")
    with Store.open(tmp_path / "t.db") as store:
        tally = export(store, name, tmp_path / "o.jsonl", options=options)
    assert tally.taken + sum(tally.left_out.values()) == tally.seen == len(said)
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    for row in lines:
        text = _reply(row)
        assert text.count("<think>") <= 1, "tags are never nested"
    assert (NESTED in tally.left_out) == (thinking != "drop" and (thinking == "tags" or name == "sharegpt"))
    with Store.open(tmp_path / "u.db") as other:
        assert read_path(other, tmp_path / "o.jsonl").taken == tally.taken
        export(other, "kto" if name == "kto" else "sft", tmp_path / "u.jsonl", options=Options(special_tokens="keep"))
    again = [json.loads(line) for line in (tmp_path / "u.jsonl").read_text().splitlines()]
    came = {(turn["reasoning_content"], turn["content"]) for row in again for turn in (row.get("messages") or row["completion"])[-1:]}
    assert came <= {(("", text) if thinking == "drop" else (thought, text)) for thought, text in said}
    assert len(came) == (len(TEXTS) if thinking == "drop" else tally.taken)


def _reply(row: dict[str, Any]) -> str:
    if "conversations" in row:
        return str(row["conversations"][-1]["value"])
    return str((row.get("messages") or row["completion"])[-1]["content"])


FORMATS = [
    (name, kind)
    for name in registry.names("format")
    for kind in registry.find("format", name).kinds
    if kind != "document" and registry.find("format", name).lineage == "column" and not registry.find("format", name).packaged
]


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run without levels, thoughts and ratings of its own, imported in part; and one with all of them."""
    folder = tmp_path_factory.mktemp("two")
    said = ["So.\nAnswer: 9 -> 10 -> 20", "No.\nAnswer: 9 -> 18 -> 36"]
    turns = iter(said * 20)
    poor = ScriptedClient(lambda _: next(turns), name="plain")
    rich = ScriptedClient(lambda _: Completion(next(turns), reasoning="Hm."), name="thinker")
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=poor, samples=4, db=folder / "poor.db")
    reasoner.bench("number_path", strategy="direct", model=rich, n=1, samples=2, db=folder / "rich.db")
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=rich, samples=2, db=folder / "rich.db")
    return folder / "poor.db", folder / "rich.db"


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize(("name", "kind"), FORMATS)
def test_files_of_two_runs_load_together(two_runs: tuple[Path, Path], tmp_path: Path, name: str, kind: str, ending: str) -> None:
    import datasets

    files = []
    for db in two_runs:
        with Store.open(db) as store:
            assert export(store, name, tmp_path / f"{db.stem}.{ending}", options=Options(records=kind, ratings=True)).taken
        files.append(str(tmp_path / f"{db.stem}.{ending}"))
    datasets.disable_progress_bars()
    for order in (files, files[::-1]):
        loaded = datasets.load_dataset(
            "json" if ending == "jsonl" else "parquet", data_files=order, split="train", cache_dir=str(tmp_path / "cache")
        )
        assert len({row["lineage"]["model"] for row in loaded}) == 2


def test_a_lineage_is_never_null_and_says_what_it_is() -> None:
    made = complete("pair", {"run": "r", "calls": [], "level": None, "rejected": {"run": "q", "reasoning": True}})
    assert (made["level"], made["calls"], made["labels_from"], made["rejected"]["run"]) == (-1, [""], "replies", "q")
    assert None not in made.values()
    assert None not in made["rejected"].values()
    assert complete("label", {"thought": "x"})["labels_from"] == "tree"
    assert complete("document", {"level": None}) == {"level": None}


@pytest.mark.parametrize("name", ["kto", "prm"])
def test_a_wrong_answer_put_together_from_several_calls_labels_no_reply(search: Callable[..., Result], tmp_path: Path, name: str) -> None:
    async def vote(session: Session) -> Answer:
        thought = await session.ask("cot/answer")
        return session.offer(WRONG, thought)

    search(vote, ["9 -> 18 is liked best\n9 -> 10 is liked least"])
    found, tally = rows(tmp_path / "t.db", name)
    assert (found, tally.left_out) == ([], {NOT_IN_REPLY: 1})
