"""Duplicates, contamination, splits and balance."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reasoner
from reasoner.datasets.contamination import Evaluation
from reasoner.datasets.duplicates import NearDuplicates, Seen, shingles
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters, stable
from reasoner.datasets.split import Split
from reasoner.errors import BadConfig, CorruptRecord, DataError
from reasoner.store import Store


@given(st.lists(st.binary(max_size=4), max_size=300))
def test_seen_is_a_set(items: list[bytes]) -> None:
    seen, known = Seen(), set[bytes]()
    for item in items:
        assert seen.has(item) == (item in known)
        assert seen.add(item) == (item not in known)
        known.add(item)
    assert seen.count == len(known)


def test_seen_is_small_and_holds_many() -> None:
    seen = Seen()
    assert all(seen.add(str(n).encode()) for n in range(50_000))
    assert not any(seen.add(str(n).encode()) for n in range(50_000))
    assert seen._slots.itemsize * len(seen._slots) <= 32 * 50_000
    assert seen.add_hash(0)
    assert not seen.add_hash(0)


def test_near_duplicates() -> None:
    near = NearDuplicates(0.8)
    words = [f"word{n}" for n in range(60)]
    assert near.add(" ".join(words))
    assert not near.add(" ".join([*words[:-1], "other"]))
    assert near.add(" ".join(reversed(words)))
    assert near.add("")
    assert not near.add("")
    with pytest.raises(BadConfig, match=r"0\.5"):
        NearDuplicates(0.2)
    assert shingles("1 -> 2", 3) == {"1 - >", "- > 2"}


def test_contamination_tells_a_leak_from_common_wording(tmp_path: Path) -> None:
    wording = "Use each of the numbers exactly once with plus minus times and divided by to make 24 and the numbers are"
    path = tmp_path / "eval.jsonl"
    path.write_text("".join(json.dumps({"q": f"{wording} {n} {n + 1} {n + 2} {n + 3} so what is it then"}) + "\n" for n in range(5)))
    found = Evaluation.read([path], n=13)
    assert found.n_texts == 5
    assert found.touches(f"Before: {wording} 3 4 5 6 so what is it then, after")
    assert not found.touches(f"{wording} 7 7 7 7 so what is it then")
    assert not found.touches("a wholly different text, which is long enough to have some runs of thirteen words in it, I hope")
    plain = tmp_path / "eval.txt"
    plain.write_text("short\nthis one line of plain text has quite enough words to be told from all others\n")
    assert Evaluation.read([plain], n=8).touches("x this one line of plain text has quite enough words")
    path.write_text("{not json\n")
    with pytest.raises(CorruptRecord, match="line 1"):
        Evaluation.read([path], n=13)
    with pytest.raises(DataError, match="cannot read"):
        Evaluation.read([tmp_path / "none.jsonl"], n=13)
    with pytest.raises(BadConfig, match="2 words"):
        Evaluation.read([plain], n=2)


LONG = "A farmer has seventeen hens and each of them lays three eggs a day so how many eggs are there after one whole week"


def test_a_question_that_stands_several_times_is_still_a_leak() -> None:
    found = Evaluation([LONG] * 4, n=13)
    assert found.touches(f"Solve this. {LONG} Then stop.")
    assert (found.n_texts, found.n_repeated) == (4, 3)


@pytest.mark.parametrize(
    ("text", "leak"),
    [
        ("What is 17 times 3?", True), ("what is  17 times 3 ?", True), ("Answer it.\nQuestion: What is 17 times 3?\nThink first.", True),
        ("What is 17 times 31?", False), ("He asked: what is 17 times 3? Nobody knew.", False), ("18", False), ("The answer is 18", False),
    ],
)  # fmt: skip
def test_short_questions_are_compared_whole(text: str, leak: bool) -> None:
    found = Evaluation(["What is 17 times 3?", "18", "yes"], n=13)
    assert found.touches(text) == leak
    assert found.report() == {
        "evaluation texts of fewer than 4 words, not compared": 2,
        "evaluation texts compared as a whole only (fewer than 13 words, or wording that 3 others share)": 1,
    }


def test_a_text_of_common_wording_only_is_compared_whole() -> None:
    found = Evaluation([LONG, f"{LONG} x", f"{LONG} y"], n=13)
    assert found.touches(LONG)
    assert not found.touches(f"{LONG} z")


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "parquet", "jsonl.gz"])
def test_evaluation_files_of_every_kind(tmp_path: Path, ending: str) -> None:
    import gzip

    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"question": LONG, "answer": "The answer is three hundred"}, {"question": "What is 17 times 3?", "answer": "It is 51 I think"}]
    path = tmp_path / f"eval.{ending}"
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if ending == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif ending == "csv":
        path.write_text("question,answer\n" + "".join(f"{row['question']},{row['answer']}\n" for row in rows))
    else:
        path.write_bytes(
            gzip.compress(lines.encode()) if ending.endswith("gz") else (json.dumps(rows) if ending == "json" else lines).encode()
        )
    found = Evaluation.read([path], n=13)
    assert found.touches(f"{LONG} indeed")
    assert found.touches("What is 17 times 3?")
    assert not found.touches("It is 51 I think"), "answers give nothing away"


@pytest.mark.parametrize("text", ["train=0.9", "train=0.5,train=0.5", "train", "train=x", "../x=1", "a=0.5,b=0.6", "a=-1,b=2"])
def test_splits_that_cannot_be(text: str) -> None:
    with pytest.raises(BadConfig):
        Split.parse(text)


@given(st.lists(st.text(max_size=12), unique=True, min_size=200, max_size=200), st.integers(0, 5))
@settings(max_examples=20)
def test_split_is_a_function_of_the_family(families: list[str], seed: int) -> None:
    split = Split.parse("train=0.8,valid=0.1,test=0.1", seed=seed)
    placed = [split.of("game24", family) for family in families]
    assert placed == [split.of("game24", family) for family in families]
    assert 120 <= Counter(placed)["train"] <= 195


def test_families_read_the_same_in_every_process() -> None:
    assert stable(frozenset({"b", "a"})) == stable(frozenset({"a", "b"})) == "{a, b}"
    assert stable((1, ("x", frozenset({2})))) == "(1, (x, {2}))"


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hygiene") / "t.db"
    sampling = reasoner.Sampling(max_tokens=4000)
    for level, n in ((3, 6), (4, 14)):
        reasoner.bench(["number_path"], strategy="cot,ats,ats:order=dfs", model="teacher", n=n, level=level, db=path, sampling=sampling)
    return path


@pytest.mark.parametrize("name", ["sft", "dpo", "kto", "prm", "grpo", "atif"])
def test_no_problem_stands_in_two_splits(db: Path, tmp_path: Path, name: str) -> None:
    with Store.open(db) as store:
        tally = export(
            store,
            name,
            tmp_path / "o.jsonl",
            options=Options(split="train=0.6,valid=0.2,test=0.2", seed=3, labels_from="tree" if name == "dpo" else "replies"),
        )
    problems: dict[str, set[str]] = {}
    n_rows = 0
    for part in ("train", "valid", "test"):
        for line in (tmp_path / f"o.{part}.jsonl").read_text().splitlines():
            row = json.loads(line)
            problems.setdefault(part, set()).add((row.get("lineage") or row["extra"]["lineage"])["problem"])
            n_rows += 1
    assert len(problems) == 3
    assert n_rows == tally.taken
    assert sum(map(len, problems.values())) == len(set.union(*problems.values())) > 10
    assert not (tmp_path / "o.jsonl").exists()


def test_the_family_a_solver_names_stays_together(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reasoner import registry

    solver = registry.solver("number_path")
    monkeypatch.setattr(type(solver), "family", lambda self, instance: instance.start % 3)
    with Store.open(db) as store:
        export(store, "sft", tmp_path / "o.jsonl", options=Options(split="train=0.5,test=0.5", seed=1))
    families: dict[str, set[int]] = {}
    for path in tmp_path.glob("o.*.jsonl"):
        families[path.name] = {int(json.loads(line)["lineage"]["instance"].split()[1]) % 3 for line in path.read_text().splitlines()}
    assert sum(map(len, families.values())) == 3, families


def test_balance_by_level(db: Path, tmp_path: Path) -> None:
    with Store.open(db) as store:
        before = export(store, "sft", tmp_path / "o.jsonl")
        after = export(store, "sft", tmp_path / "p.jsonl", options=Options(balance="level"))
    assert before.counts["level"] == {"number_path 3": 18, "number_path 4": 42}
    assert after.counts["level"] == {"number_path 3": 18, "number_path 4": 18}
    assert after.left_out == {"its level has more rows than the rarest one": 24}


def test_limit_takes_a_little_of_everything(db: Path, tmp_path: Path) -> None:
    with Store.open(db) as store:
        tally = export(store, "sft", tmp_path / "o.jsonl", options=Options(limit=2))
    assert tally.counts["strategy"] == {"cot": 2, "ats": 2, "ats:order=dfs": 2}
    assert tally.left_out == {"its solver, strategy and model have as many rows as `limit` allows": 54}
    with pytest.raises(BadConfig, match="limit"):
        Options(limit=0)


def test_contaminated_and_near_rows_are_left_out(db: Path, tmp_path: Path) -> None:
    with Store.open(db) as store:
        export(store, "sft", tmp_path / "o.jsonl", Filters(strategy="cot"))
        taken = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
        # One problem, as an evaluation might hold it; the wording all problems share does not give the others away.
        statements = [row["messages"][-2]["content"] for row in random.Random(1).sample(taken, 6)]
        (tmp_path / "eval.jsonl").write_text("".join(json.dumps({"question": text}) + "\n" for text in statements))
        options = Options(contamination=(tmp_path / "eval.jsonl",), ngram=13)
        tally = export(store, "sft", tmp_path / "p.jsonl", Filters(strategy="cot"), options)
        assert tally.compared == {}
        left = [json.loads(line)["messages"][-2]["content"] for line in (tmp_path / "p.jsonl").read_text().splitlines()]
        assert set(left).isdisjoint(statements)
        assert len(left) + tally.left_out["it holds a question of the evaluation files, or shares a run of words with them"] == len(taken)
        assert left, "not all of them"
        near = export(store, "sft", tmp_path / "q.jsonl", options=Options(near_duplicates=0.5))
        assert near.left_out["nearly the same text was taken already"] > 0
        assert 0 < near.taken < 60


def test_filters_narrow(db: Path, tmp_path: Path) -> None:
    with Store.open(db) as store:

        def n(**filters: object) -> int:
            return export(store, "sft", tmp_path / "f.jsonl", Filters(**filters), Options(dry_run=True)).taken  # type: ignore[arg-type]

        assert n() == n(min_score=1.0) == n(since="2020-01-01") == n(solver="number_path") == 60
        assert n(since="2999-01-01") == n(until="2020-01-01T00:00") == n(solver="number") == n(verdict="incorrect") == 0
        assert n(strategy="ats") == 40
        assert n(strategy="ats:order=dfs") == 20
        assert 0 < n(max_tokens=60) < 60
        assert n(min_tokens=61) + n(max_tokens=60) == 60
        with pytest.raises(BadConfig, match="no date"):
            n(since="yesterday")
        with pytest.raises(BadConfig, match="verdict"):
            n(verdict="right")
    assert not (tmp_path / "f.jsonl").exists(), "a dry run writes nothing"


@pytest.mark.parametrize("wrong", [{"thinking": "loud"}, {"secrets": "sell"}, {"max_pairs": 0}, {"min_gap": 2.0}, {"balance": "colour"}])
def test_options_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        Options(**wrong)  # type: ignore[arg-type]
