"""Formats that take several replies to one prompt, or a verifier instead of a reply: what their readers get out of the files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets import reward
from reasoner.datasets.asked import OUT_OF_RATE
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters, Tally
from reasoner.errors import BadConfig
from reasoner.store import Store

RIGHT, WRONG = "So.\nAnswer: 9 -> 10 -> 20", "No.\nAnswer: 9 -> 18 -> 36"


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of four replies to one problem one is right, of two to another none, of one to a third all."""
    path = tmp_path_factory.mktemp("grouped") / "t.db"
    for line, said in (
        ("2 9 20", [WRONG, RIGHT, WRONG, WRONG + " "]),
        ("2 4 11", ["Answer: 4 -> 5", "Answer: 4 -> 8 -> 9"]),
        ("2 9 19", ["Answer: 9 -> 18 -> 19"]),
    ):
        turns = iter(said)
        client = ScriptedClient(lambda _, turns=turns: next(turns), name="m")  # type: ignore[misc]
        reasoner.solve("number_path", line, strategy="direct", model=client, samples=len(said), db=path)
    return path


def rows(db: Path, out: Path, name: str, **options: Any) -> tuple[list[dict[str, Any]], Tally]:
    with Store.open(db) as store:
        tally = export(store, name, out, Filters(), Options(**options))
    return ([json.loads(line) for line in out.read_text().splitlines()] if tally.taken else []), tally


def test_prompts_nobody_solved_are_taken_too(db: Path, tmp_path: Path) -> None:
    found, tally = rows(db, tmp_path / "g.jsonl", "grpo")
    assert {row["instance"]: row["pass_rate"] for row in found} == {"2 9 20": 0.25, "2 4 11": 0.0, "2 9 19": 1.0}
    assert (tally.seen, tally.left_out, tally.not_selected) == (7, {}, {})


@pytest.mark.parametrize(
    ("rate", "taken"), [("0.1:0.9", {"2 9 20"}), (":0.3", {"2 9 20", "2 4 11"}), ("1:1", {"2 9 19"}), ("0:0", {"2 4 11"})]
)
@pytest.mark.parametrize("name", ["grpo", "verl", "grouped", "rft"])
def test_the_pass_rate_selects(db: Path, tmp_path: Path, name: str, rate: str, taken: set[str]) -> None:
    found, tally = rows(db, tmp_path / "g.jsonl", name, pass_rate=rate)
    assert {row.get("instance") or row["extra_info"]["instance"] for row in found} == taken
    assert tally.left_out[OUT_OF_RATE] == 7 - {"2 9 20": 4, "2 4 11": 2, "2 9 19": 1}[min(taken)] - (4 if len(taken) > 1 else 0)


@pytest.mark.parametrize("rate", ["0.5", "a:b", "0.9:0.1", "-1:2", "nan:1"])
def test_a_rate_that_cannot_be(rate: str) -> None:
    with pytest.raises(BadConfig, match="pass_rate"):
        Options(pass_rate=rate)


def test_formats_without_a_rate_refuse_one(db: Path, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="has no pass rates"):
        rows(db, tmp_path / "s.jsonl", "sft", pass_rate="0:1")


def test_groups_hold_all_replies_and_come_back(db: Path, tmp_path: Path) -> None:
    found, _ = rows(db, tmp_path / "g.jsonl", "grouped")
    (group,) = [row for row in found if row["instance"] == "2 9 20"]
    assert [reply[0]["content"] for reply in group["completions"]] == [WRONG, RIGHT, WRONG, WRONG + " "]
    assert group["rewards"][1] == 1.0
    assert max(group["rewards"][0], *group["rewards"][2:]) < 1.0
    assert len(group["lineage"]["trajectories"]) == 4
    with Store.open(tmp_path / "u.db") as other:
        assert read_path(other, tmp_path / "g.jsonl").taken == 3
        export(other, "grouped", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "g.jsonl").read_bytes()


def test_verls_reader_and_its_reward(db: Path, tmp_path: Path) -> None:
    """What verl's dataset and reward manager do with a row, by its documentation: read, apply the template to `prompt`, score by name."""
    import datasets

    with Store.open(db) as store:
        export(store, "verl", tmp_path / "train.parquet")
    frame = datasets.load_dataset("parquet", data_files=str(tmp_path / "train.parquet"), cache_dir=str(tmp_path / "c"))["train"]
    spec = importlib.util.spec_from_file_location("custom_module", reward.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scores = {}
    for row in frame:
        assert isinstance(row["prompt"], list)
        assert {"role", "content"} <= set(row["prompt"][0])
        truth = row["reward_model"]["ground_truth"]
        scores[truth] = [
            module.compute_score(data_source=row["data_source"], solution_str=text, ground_truth=truth, extra_info=row["extra_info"])
            for text in (RIGHT, WRONG, "")
        ]
    assert scores == {"2 9 20": [1.0, 0.0, 0.0], "2 4 11": [0.0] * 3, "2 9 19": [0.0] * 3}


def test_mlx_finds_its_parts_by_name(db: Path, tmp_path: Path) -> None:
    with Store.open(db) as store:
        export(store, "mlx", tmp_path / "data.jsonl", options=Options(split="train=0.5,valid=0.5"))
    assert {path.name for path in tmp_path.iterdir()} <= {"train.jsonl", "valid.jsonl"}


@pytest.mark.parametrize("name", ["prm800k", "math-shepherd"])
def test_readers_of_the_published_sets_read_our_steps(db: Path, tmp_path: Path, name: str) -> None:
    found, _ = rows(db, tmp_path / "s.jsonl", name, lineage="none")
    assert found
    with Store.open(tmp_path / "u.db") as other:
        assert read_path(other, tmp_path / "s.jsonl", kind="process-labels").taken == len(found)
        export(other, "prm", tmp_path / "p.jsonl", Filters(verdict="any"))
    ours, _ = rows(db, tmp_path / "o.jsonl", "prm")
    again = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    wanted = {
        tuple(row["labels"][: row["labels"].index(False) + 1] if name == "prm800k" and False in row["labels"] else row["labels"])
        for row in ours
    }
    assert {tuple(row["labels"]) for row in again} == wanted


def test_both_places_of_a_helpsteer_pair_are_used_and_read(tmp_path: Path) -> None:
    said = [text for n in range(8) for text in (f"{'So ' * n}.\nAnswer: 9 -> 10 -> 20", f"{'No ' * n}.\nAnswer: 9 -> 18 -> 36")]
    turns = iter(said)
    client = ScriptedClient(lambda _: next(turns), name="m")
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=client, samples=len(said), db=tmp_path / "t.db")
    found, _ = rows(tmp_path / "t.db", tmp_path / "h.jsonl", "helpsteer", ratings=True)
    assert {row["preference_strength"] for row in found} == {-3, 3}
    for row in found:
        better = row["response_1"] if row["preference_strength"] < 0 else row["response_2"]
        assert better.endswith("20")
        assert row["preference_elaboration"].startswith(f"Response {1 if row['preference_strength'] < 0 else 2}: ")
