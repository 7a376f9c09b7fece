"""Two rounds on a model of random weights and a toy: it gets better, a kill asks nothing twice, and sealed problems are never trained on."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from letters import Letters
from tiny_gguf import write_tiny

from reasoner import registry
from reasoner.errors import BadConfig, DataError, ReasonerError
from reasoner.expert_iteration import Improved, Options, improve
from reasoner.expert_iteration.rounds import mean
from reasoner.expert_iteration.sealed import SPLIT, problems_of

for name in ("torch", "transformers", "peft", "gguf"):
    pytest.importorskip(name)
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _letters() -> None:
    registry.register(Letters)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model") / "tiny.gguf")


def options(model: Path, **more: Any) -> Options:
    given: dict[str, Any] = {
        "families": ("letters",), "model": str(model), "strategy": "direct", "rounds": 2, "levels": {"letters": (1,)}, "n": 24, "samples": 8,
        "teacher": 16, "temperature": 0.7, "eval_temperature": 0.7, "max_tokens": 28, "held_out": 40, "keep": 4, "epochs": 25,
        "learning_rate": 0.01, "rank": 8, "alpha": 16, "threads": 1, "patience": 2,
    }  # fmt: skip
    return Options(**(given | more))


def small(model: Path, **more: Any) -> Options:
    """Return options that take a few seconds a round."""
    return options(model, **({"n": 6, "samples": 4, "held_out": 4, "rounds": 1} | more))


@pytest.fixture(scope="module")
def improved(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Improved:
    registry.register(Letters)
    return improve(tmp_path_factory.mktemp("whole") / "loop", options(model))


def answered(folder: Path) -> int:
    with sqlite3.connect(folder / "trajectories.db") as db:
        (n,) = db.execute("SELECT count(*) FROM calls WHERE state = 'done'").fetchone()
    db.close()
    return int(n)


def test_two_rounds_make_the_toy_better(improved: Improved) -> None:
    first, one, two = improved.rounds
    assert two.sampled["letters"][1].right > one.sampled["letters"][1].right, "the second round samples the better model"
    assert mean(improved.best.sealed) > mean(first.sealed) + 0.15
    assert improved.best.number > 0
    assert improved.adapter is not None
    assert improved.adapter.read_bytes() == (improved.folder / "adapter.gguf").read_bytes()
    card = (improved.folder / "README.md").read_text(encoding="utf-8")
    assert f"| 2 | {two.sampled['letters'][1].right} of 192 | {two.rows} |" in card
    assert "McNemar" in card
    assert improved.reason == "2 round(s) are done"
    assert improved.as_dict()["rounds"][2]["sealed_mean"] == mean(two.sealed)


def test_no_row_is_of_a_problem_that_measures(improved: Improved) -> None:
    rows = [
        json.loads(line)["lineage"]
        for n in range(3)
        for line in (improved.folder / f"round-{n}" / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len(rows) > 50
    assert {SPLIT.of("letters", row["instance"]) for row in rows} == {"train"}
    measured = {
        one.id for part in ("dev", "sealed") for one in problems_of("letters", part=part, level=1, n=40, key=f"0 {part}")
    }  # fmt: skip
    assert len(measured) == 80
    assert not measured & {row["problem"] for row in rows}


def test_a_loop_that_is_done_asks_and_trains_nothing_again(improved: Improved, model: Path) -> None:
    n, card = answered(improved.folder), (improved.folder / "README.md").read_bytes()
    again = improve(improved.folder, options(model), on_training=lambda _: pytest.fail("trained again"))
    assert again.rounds == improved.rounds
    assert answered(improved.folder) == n
    assert (improved.folder / "README.md").read_bytes() == card


def test_a_kill_within_a_training_asks_nothing_twice(tmp_path: Path, model: Path) -> None:
    class Killed(BaseException):
        pass

    trainings = 0

    def kill(at: Any) -> None:
        nonlocal trainings
        trainings += at.step == 1
        if trainings == 2:
            raise Killed

    with pytest.raises(Killed):
        improve(tmp_path / "loop", small(model), on_training=kill)
    assert not (tmp_path / "loop" / "round-1" / "round.json").exists()
    before = answered(tmp_path / "loop")
    made = improve(tmp_path / "loop", small(model))
    assert [one.number for one in made.rounds] == [0, 1]
    measured = sum(rate.n for rates in (made.rounds[1].dev, made.rounds[1].sealed) for rate in rates["letters"].values())
    assert answered(tmp_path / "loop") == before + measured, "only what measures the round was still to be asked"
    (tmp_path / "loop" / "round-1" / "round.json").unlink()  # as a kill between the last answer and the round's file leaves it
    again = improve(tmp_path / "loop", small(model), on_training=lambda _: pytest.fail("trained again"))
    assert answered(tmp_path / "loop") == before + measured
    assert again.rounds[1].training == made.rounds[1].training != {}


def test_a_round_without_a_right_answer_ends_it_and_says_what_helps(tmp_path: Path, model: Path) -> None:
    made = improve(tmp_path / "loop", small(model, teacher=0, rounds=3))
    assert [one.rows for one in made.rounds] == [0, 0]
    assert made.adapter is None
    assert "begin at an easier level, or with `teacher`" in made.reason
    assert len((tmp_path / "loop" / "round-1" / "unsolved.jsonl").read_text(encoding="utf-8").splitlines()) == 6
    assert "No round was better" in (tmp_path / "loop" / "README.md").read_text(encoding="utf-8")


def test_preferences_are_learned_after_the_rows(tmp_path: Path, model: Path) -> None:
    made = improve(tmp_path / "loop", small(model, objective="dpo", n=12))
    last = made.rounds[1]
    assert last.pairs > 0
    assert last.adapter == "round-1/preferred.gguf"
    pair = json.loads((tmp_path / "loop" / "round-1" / "pairs.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert pair["chosen"] != pair["rejected"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"n": 7}, "`n` 6, not 7"),
        ({"levels": {"letters": (9,)}}, "letters has no level 9"),
        ({"levels": {"sum": (1,)}}, "`levels` names sum"),
    ],
)
def test_a_folder_goes_on_with_its_own_options_only(tmp_path: Path, model: Path, more: dict[str, Any], said: str) -> None:
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "options.json").write_text(json.dumps(small(model).identity()), encoding="utf-8")
    if "levels" in more:
        (tmp_path / "loop" / "options.json").write_text(json.dumps(small(model, **more).identity()), encoding="utf-8")
    with pytest.raises(BadConfig, match=said):
        improve(tmp_path / "loop", small(model, **more))


def test_what_is_no_folder_of_a_loop_is_left_alone(tmp_path: Path, model: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(BadConfig, match=r"holds mine\.txt"):
        improve(tmp_path, small(model))
    (tmp_path / "loop").mkdir()
    with (tmp_path / "loop" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process works in"):
            improve(tmp_path / "loop", small(model))


@pytest.mark.parametrize(
    "more",
    [
        {"families": ("nope",), "levels": {}},
        {"model": "nope.gguf"},
        {"adapter": Path("nope.gguf")},
        {"strategy": "nope"},
        {"levels": {"letters": (9,)}},
    ],
)
def test_what_cannot_be_begun_makes_no_folder(tmp_path: Path, model: Path, more: dict[str, Any]) -> None:
    with pytest.raises(ReasonerError):
        improve(tmp_path / "loop", small(**({"model": model} | more)))
    assert not (tmp_path / "loop").exists()
