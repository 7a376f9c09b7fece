"""Mini crossword: the frozen puzzles, the three scores, how grids are read, and the search over partly filled ones."""

from __future__ import annotations

import hashlib
import json
import random
import re
from itertools import combinations
from pathlib import Path

import pytest

import reasoner
from reasoner.errors import BadInstance, CorruptRecord, MissingAsset, Unparseable
from reasoner.types import Completion, Request
from solvers import mini_crossword as module
from solvers.mini_crossword import BLANK, SLOTS, MiniCrossword, MiniCrosswordSolver, Scores, candidates, corpus, lexicon, read_grid, score

ROOT = Path(__file__).parents[2]
FILE = ROOT / "corpora" / "crosswords" / "mini.jsonl"
SOLVER = MiniCrosswordSolver()
CLUES = tuple(f"clue {n}" for n in range(10))
INSTANCE = MiniCrossword(clues=CLUES, solution="blissrenalovulenervecreep")
PUZZLES = [each for level in SOLVER.levels for each in corpus(level)]


def words_of(puzzle: MiniCrossword) -> list[str]:
    grid = puzzle.solution
    return [grid[n : n + 5] for n in range(0, 25, 5)] + [grid[n::5] for n in range(5)]


def test_the_corpus_is_frozen_with_its_checksum() -> None:
    readme = (ROOT / "corpora" / "README.md").read_text(encoding="utf-8")
    named = re.search(r"^\| `crosswords/mini\.jsonl` \| (\d+) \| ([0-9a-f]{64}) \|$", readme, re.MULTILINE)
    assert named is not None
    assert int(named[1]) == len(PUZZLES) == len(FILE.read_text(encoding="ascii").splitlines()) >= 150
    assert named[2] == hashlib.sha256(FILE.read_bytes()).hexdigest()
    for notice in ("WordNet", "SCOWL"):
        assert notice in (ROOT / "corpora" / "crosswords" / "LICENSES.txt").read_text(encoding="utf-8")


def test_every_puzzle_is_ten_different_words_and_none_is_given_away() -> None:
    for puzzle in PUZZLES:
        words = words_of(puzzle)
        assert len(set(words)) == 10
        assert [puzzle.word(slot) for slot in SLOTS] == words
        said = [re.findall("[a-z]+", clue.lower()) for clue in puzzle.clues]
        assert not set(words) & {token for tokens in said for token in tokens}, puzzle
        for word, tokens in zip(words, said, strict=True):
            assert not any(word in token or token.startswith(word[:4]) for token in tokens), (word, tokens)


def test_puzzles_are_apart_from_each_other() -> None:
    assert max(len(set(words_of(a)) & set(words_of(b))) for a, b in combinations(PUZZLES, 2)) <= 4


@pytest.mark.parametrize(
    "text",
    [
        "Answer: bliss / renal / ovule / nerve / creep",
        "answer: BLISS/RENAL/OVULE/NERVE/CREEP.",
        "**Answer:** bliss renal ovule nerve creep",
        "Answer: bliss, renal, ovule, nerve, creep",
        "Answer: b l i s s / r e n a l / o v u l e / n e r v e / c r e e p",
        "Answer: h1. bliss / h2. renal / h3. ovule / h4. nerve / h5. creep",
        "Answer:\nbliss\nrenal\novule\nnerve\ncreep",
        "Answer:\nB L I S S\nR E N A L\nO V U L E\nN E R V E\nC R E E P\n",
        "I think this fits.\nB L I S S\nR E N A L\nO V U L E\nN E R V E\nC R E E P",
        "Answer: wrong / wrong / wrong / wrong / wrong\nNo.\nAnswer: bliss | renal | ovule | nerve | creep",
    ],
)
def test_right_grids(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert (verdict.correct, verdict.score) == (True, 1.0), verdict


@pytest.mark.parametrize(
    ("text", "share", "reason"),
    [
        ("Answer: bliss / renal / ovule / nerve / creed", 0.8, "letters 24/25, words 8/10, game wrong; h5 is not creed"),
        ("Answer: bliss / renal / ovule / nerve / ?????", 0.4, "letters 20/25, words 4/10, game wrong"),
        ("Answer: ????? / ????? / ????? / ????? / _____", 0.0, "letters 0/25, words 0/10"),
        ("Answer: b?iss / renal / ovule / nerve / creep", 0.8, "letters 24/25"),
        ("Answer: creep / nerve / ovule / renal / bliss", 0.1, "words 1/10"),
    ],
)
def test_wrong_grids_have_all_three_scores(text: str, share: float, reason: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert (verdict.correct, verdict.unparsed) == (False, False)
    assert verdict.score == share
    assert reason in verdict.reason


def test_scores_agree_with_counting() -> None:
    rng = random.Random(1)
    for puzzle in PUZZLES[:40]:
        grid = "".join(rng.choice([letter, letter, letter, "e", BLANK]) for letter in puzzle.solution)
        found = [grid[n : n + 5] for n in range(0, 25, 5)] + [grid[n::5] for n in range(5)]
        letters = len([1 for k in range(25) if grid[k] == puzzle.solution[k]])
        words = len([1 for a, b in zip(found, words_of(puzzle), strict=True) if a == b])
        assert score(puzzle, grid) == Scores(letters, words)
        assert score(puzzle, grid).game == (grid == puzzle.solution)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Answer:",
        "Answer: bliss / renal / ovule / nerve",
        "Answer: bliss / renal / ovule / nerve / creep / extra",
        "Answer: bliss / renal / ovule / nerve / creeps",
        "Answer: bliss / renal / ovule / nerve / cr33p",
        "bliss renal ovule nerve creep is what I would say",
        "bliss\nrenal\novule\nnerve",
    ],
)
def test_unread_grids_score_nothing_and_are_marked(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, True)
    with pytest.raises(Unparseable):
        read_grid(text)


class Mumbling:
    """A model that fills every second grid and says nothing that can be read about the others."""

    name = fingerprint = "mumbling"
    paid = False
    concurrency = 1
    n = 0

    async def complete(self, request: Request) -> Completion:
        assert request.about is not None
        self.n += 1
        puzzle = MiniCrossword.model_validate_json(request.about.problem.instance)
        return Completion(f"Answer: {' '.join(words_of(puzzle)[:5])}" if self.n % 2 else "I cannot say.")

    async def aclose(self) -> None:
        pass


def test_an_unread_grid_stays_in_the_mean(tmp_path: Path) -> None:
    """Published results dropped games that could not be read from the mean; here they are counted, and shown."""
    (row,) = reasoner.bench("mini_crossword", strategy="direct", model=Mumbling(), n=10, db=tmp_path / "t.db").rows
    assert (row.n, row.correct, row.unparsed, row.accuracy) == (10, 5, 5, 0.5)


def test_candidates_hold_the_right_word_and_nothing_outside_the_corpus() -> None:
    for puzzle in PUZZLES[::7]:
        for slot, words in candidates(puzzle).items():
            assert len(words) == len(set(words)) == module.N_CANDIDATES
            assert puzzle.word(slot) in words
            assert set(words) <= set(lexicon())
            assert list(words) == sorted(words)  # the place of the right word says nothing


def test_moves_agree_with_the_crossing_letters() -> None:
    state = "?" * 10 + "ovule" + "?" * 10
    moves = SOLVER.moves(INSTANCE, state)
    assert {move.operation.split(" ")[0] for move in moves} >= {"h1", "v1", "v5"}
    assert not any(move.operation.startswith("h3") for move in moves)
    for move in moves:
        assert move.state[10:15] == "ovule"
        assert len(move.state) == 25
    assert "v1 = bronc" in [move.operation for move in moves]
    assert len(SOLVER.moves(INSTANCE, SOLVER.start(INSTANCE))) == 80
    assert SOLVER.show(INSTANCE, state) == "?????/?????/ovule/?????/?????"


def test_five_moves_solve_it_and_four_do_not() -> None:
    path = SOLVER.solve(INSTANCE)
    assert [move.operation for move in path] == ["h1 = bliss", "h2 = renal", "h3 = ovule", "h4 = nerve", "h5 = creep"]
    assert [SOLVER.is_goal(INSTANCE, move.state) for move in path] == [False] * 4 + [True]
    assert SOLVER.answer(INSTANCE, path) == "Answer: bliss / renal / ovule / nerve / creep"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("bliss", "Expecting value"),
        (json.dumps({"clues": list(CLUES), "solution": "bliss"}), "solution"),
        (json.dumps({"clues": list(CLUES)[1:], "solution": INSTANCE.solution}), "clues"),
        (json.dumps({"clues": ["", *CLUES[1:]], "solution": INSTANCE.solution}), "clue 1 is no printable line"),
        (json.dumps({"clues": list(CLUES), "solution": INSTANCE.solution, "level": 1}), "level"),
        ('{"clues": NaN}', "NaN is no JSON value"),
        ("[" * 100_000, "nests too deep"),
    ],
)
def test_bad_lines(line: str, why: str) -> None:
    with pytest.raises(BadInstance) as caught:
        SOLVER.parse(line)
    assert why in caught.value.message


@pytest.mark.parametrize(("text", "fault"), [(None, MissingAsset), ('{"level": 1}\n', CorruptRecord), ('{"level": 9}\n', CorruptRecord)])
def test_a_damaged_corpus_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, fault: type[Exception]) -> None:
    if text is not None:
        (tmp_path / "crosswords").mkdir()
        (tmp_path / "crosswords" / "mini.jsonl").write_text(text)
    monkeypatch.setattr(module, "asset_dir", lambda name: tmp_path)
    module._corpus.cache_clear()
    with pytest.raises(fault, match=r"mini\.jsonl"):
        corpus(1)
    monkeypatch.undo()
    module._corpus.cache_clear()
