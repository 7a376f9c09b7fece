"""The short way writes what the long way writes, whatever the rows hold, and verifies as it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.datasets import express
from reasoner.datasets.export import export
from reasoner.datasets.hygiene import DUPLICATE
from reasoner.datasets.options import Options
from reasoner.datasets.select import NO_CALL, NOT_IN_REPLY, Filters
from reasoner.store import Store, reading

SECRET = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2"
# What is done to one trajectory after another: both its answer and the reply it was read from, unless it says otherwise.
EDITS: list[Callable[[str], str]] = [
    lambda text: f"the key is {SECRET}\n{text}",
    lambda text: f"<|im_end|>\n{text}",
    lambda text: f'\u2028 "quoted" \\ \x7f \U0001f9ee\n{text}',
    lambda text: f"call +49 170 1234567 \u0663\n{text}",
    lambda text: f"token, key, pass_word, http://a\n{text}",
]


def teach(db: Path, **more: Any) -> None:
    reasoner.bench(
        ["number_path", "game24"], strategy="cot,ats", model="teacher", n=10, db=db, sampling=reasoner.Sampling(max_tokens=4000), **more
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    db = tmp_path_factory.mktemp("express") / "t.db"
    teach(db)
    teach(db, fresh=True)  # the same conversations once more
    teach(db, seed=1)
    with Store.open(db) as opened:
        opened.write_now(spoil)
        yield opened


def spoil(c: Any) -> None:
    rows = c.execute(
        "SELECT t.id, t.answer, c.reply_id FROM trajectories t JOIN thoughts a ON a.id = t.answer_thought JOIN calls c ON c.id = a.call_id"
        " WHERE t.run_id = (SELECT min(id) FROM runs WHERE ordinal = 0) ORDER BY t.rowid"
    ).fetchall()
    for (name, text, reply), edit in zip(rows[1:], EDITS, strict=False):
        c.execute("UPDATE trajectories SET answer = ? WHERE id = ?", (edit(text), name))
        c.execute("UPDATE messages SET content = ? WHERE id = ?", (edit(text), reply))
    c.execute("UPDATE trajectories SET answer = 'Answer: 1 -> 2' WHERE id = ?", (rows[7][0],))
    c.execute("UPDATE trajectories SET answer = ? WHERE id = ?", (rows[8][1].splitlines()[-1], rows[8][0]))
    c.execute("UPDATE trajectories SET calls = 2 WHERE id = ?", (rows[9][0],))
    c.execute("UPDATE calls SET trajectory_id = ? WHERE trajectory_id = ?", (rows[9][0], rows[15][0]))
    c.execute("UPDATE messages SET content = 'nothing' WHERE id = ?", (rows[6][2],))
    c.execute("UPDATE thoughts SET state = ? WHERE depth = 0", (json.dumps({"lineage": '{"from": "a file"}'}),))
    c.execute("UPDATE trajectories SET answer_thought = NULL WHERE id = ?", (rows[10][0],))
    c.execute(
        "UPDATE verdicts SET correct = 0 WHERE trajectory_id IN (SELECT t.id FROM trajectories t JOIN runs r ON r.id = t.run_id"
        " WHERE r.ordinal = 1 ORDER BY t.rowid LIMIT 1)"
    )
    c.execute("UPDATE calls SET key_bytes = key WHERE trajectory_id = ?", (rows[11][0],))  # as earlier versions wrote it
    for n, (name, _, _) in enumerate(rows[16:19]):  # the third with what leaves out the conversation
        text = f"Be exact, \u00e9 {n}." if n < 2 else f"The key is {SECRET}"
        message = c.execute("INSERT INTO messages (hash, role, content) VALUES (?, 'system', ?)", (bytes([n]), text)).lastrowid
        before = c.execute("INSERT INTO contexts (parent_id, message_id, depth) VALUES (NULL, ?, 0)", (message,)).lastrowid
        (asked,) = c.execute(
            "SELECT x.message_id FROM contexts x JOIN calls c ON c.context_id = x.id WHERE c.trajectory_id = ?", (name,)
        ).fetchone()
        after = c.execute("INSERT INTO contexts (parent_id, message_id, depth) VALUES (?, ?, 1)", (before, asked)).lastrowid
        c.execute("UPDATE calls SET context_id = ? WHERE trajectory_id = ?", (after, name))
    c.execute("UPDATE problems SET solver = 'nowhere' WHERE id = (SELECT problem_id FROM trajectories WHERE id = ?)", (rows[12][0],))
    c.execute("UPDATE problems SET level = NULL WHERE id = (SELECT problem_id FROM trajectories WHERE id = ?)", (rows[13][0],))
    c.execute(
        "UPDATE runs SET manifest = json_set(manifest, '$.imported', 'a.jsonl') WHERE id = (SELECT max(id) FROM runs WHERE ordinal = 0)"
    )


@pytest.mark.parametrize("block", [1, 50])
@pytest.mark.parametrize("verdict", ["default", "any"])
@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(lineage="none"),
        Options(trust_verdicts=True),
        Options(secrets="redact", special_tokens="escape"),
        Options(secrets="keep", special_tokens="keep"),
    ],
)
def test_both_ways_give_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Options, verdict: Any, block: int
) -> None:
    (tmp_path / "long").mkdir()
    monkeypatch.setattr(express, "BLOCK", block)
    short = export(store, "sft", tmp_path / "out.jsonl", Filters(verdict=verdict), options)
    monkeypatch.setattr(express, "fits", lambda options: False)
    long = export(store, "sft", tmp_path / "long" / "out.jsonl", Filters(verdict=verdict), options)
    assert asdict(short) == asdict(long)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "long" / "out.jsonl").read_bytes()
    assert short.taken > 50
    assert {DUPLICATE, NO_CALL, NOT_IN_REPLY} <= set(short.left_out)
    written = (tmp_path / "out.jsonl").read_bytes()
    assert options.lineage == "none" or b'"lineage": {"from": "a file"}' in written
    assert b'{"role": "system", "content": "Be exact, \\u00e9 1."}, {"role": "user"' in written


@pytest.mark.parametrize("filters", [Filters(solver="game24", strategy="cot"), Filters(solver="number_path", min_score=0.5)])
def test_both_ways_choose_the_same(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filters: Filters) -> None:
    short = export(store, "sft", tmp_path / "short.jsonl", filters)
    monkeypatch.setattr(express, "fits", lambda options: False)
    export(store, "sft", tmp_path / "long.jsonl", filters)
    assert (tmp_path / "short.jsonl").read_bytes() == (tmp_path / "long.jsonl").read_bytes()
    assert set(short.counts["solver"]) == {filters.solver}


@pytest.mark.parametrize(
    ("module", "bound"), [(express, "MAX_REMEMBERED"), (express, "MAX_REMEMBERED_CHARS"), (express, "MAX_KEPT_CONTEXTS")]
)
def test_what_is_remembered_is_bounded_and_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, bound: str
) -> None:
    whole = export(store, "sft", tmp_path / "out.jsonl")
    seen: list[int] = []
    true = express.Express._block

    def block(self: Any, rows: Any) -> Any:
        made = true(self, rows)
        known = sum(len(problem.known) for problem in self._problems.values() if problem is not None)
        seen.append({"MAX_REMEMBERED": known, "MAX_REMEMBERED_CHARS": known, "MAX_KEPT_CONTEXTS": len(self._before)}[bound])
        return made

    monkeypatch.setattr(express.Express, "_block", block)
    monkeypatch.setattr(reading, "PAGE", 4)
    monkeypatch.setattr(module, bound, 1)
    assert asdict(export(store, "sft", tmp_path / "out.jsonl")) == asdict(whole)
    assert max(seen) <= 1


def test_one_that_changes_in_the_middle_is_left_alone(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = export(store, "sft", tmp_path / "out.jsonl")
    asked: list[int] = []

    def gone(store: Any, where: Any, numbers: list[int]) -> dict[int, Any]:
        asked.extend(numbers)
        return {}

    monkeypatch.setattr(reading, "answered_at", gone)
    after = export(store, "sft", tmp_path / "out.jsonl")
    assert asked
    assert after.seen == before.seen - len(asked)


def test_one_text_that_is_looked_at_closely_does_not_hold_up_the_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long: list[int] = []
    true = reading.answered_at

    def at(store: Any, where: Any, numbers: list[int]) -> Any:
        long.extend(numbers)
        return true(store, where, numbers)

    monkeypatch.setattr(reading, "answered_at", at)
    tally = export(store, "sft", tmp_path / "out.jsonl", Filters(solver="number_path"))
    assert 0 < len(long) < express.BLOCK < tally.seen


@pytest.mark.parametrize(
    "options",
    [
        Options(split="a=0.5,b=0.5"), Options(thinking="tags"), Options(ratings=True), Options(context=True), Options(limit=1),
        Options(balance="level"), Options(near_duplicates=0.9), Options(search_to_text="bfs"), Options(dry_run=True), Options(preview=1),
        Options(tokenizer="local"), Options(contamination=(Path("a"),)),
    ],
)  # fmt: skip
def test_options_it_does_not_know_go_the_long_way(options: Options) -> None:
    assert express.fits(Options())
    assert not express.fits(options)


def test_an_answer_is_verified_once_and_for_its_own_problem_only(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "v.db"
    for line in ("4 9 41", "4 9 40"):
        reasoner.solve("number_path", line, strategy="cot", model="teacher", samples=3, db=db)
    said: list[tuple[str, str]] = []
    cls = type(registry.solver("number_path"))
    true = cls.verify

    def verify(self: Any, instance: Any, text: str) -> Any:
        said.append((instance.line(), text))
        return true(self, instance, text)

    with Store.open(db) as opened:
        answer = "Answer: 9 -> 10 -> 20 -> 40 -> 41"
        opened.write_now(lambda c: c.execute("UPDATE trajectories SET answer = ?", (answer,)))
        opened.write_now(lambda c: c.execute("UPDATE messages SET content = ? WHERE role = 'assistant'", (answer,)))
        monkeypatch.setattr(cls, "verify", verify)
        tally = export(opened, "sft", tmp_path / "out.jsonl")
    assert (tally.seen, tally.taken) == (6, 1)
    assert tally.left_out == {"it no longer verifies": 3, "the same conversation was taken already": 2}
    assert sorted(said) == [("4 9 40", answer), ("4 9 41", answer)]
    assert json.loads((tmp_path / "out.jsonl").read_text())["lineage"]["instance"] == "4 9 41"
