"""Games of TextArena, with the real package: won and lost as it says, replayed from the seed, and nothing of the global generator is used up."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.errors import BadConfig, BadInstance, MissingDependency, ToolFailed
from solvers.textarena import KNOWN, MAX_MOVES, TextArenaGame, TextArenaSolver

ta = pytest.importorskip("textarena", reason="the extra games is not installed")


def game(name: str, seed: int = 5) -> tuple[TextArenaSolver, TextArenaGame]:
    return TextArenaSolver.open(name), TextArenaGame(game=name, seed=f"{seed:x}")


def by_the_package(instance: TextArenaGame, moves: list[str]) -> float | None:
    """Play the moves as TextArena's own loop does; return the reward, None where the game goes on."""
    before = random.getstate()
    env = ta.make(env_id=instance.game)
    env.reset(num_players=1, seed=int(instance.seed, 16))
    done = False
    for move in moves:
        env.get_observation()
        done, _ = env.step(action=f"[{move}]")
    random.setstate(before)
    return float(env.close()[0][0]) if done else None


@pytest.mark.parametrize("name", KNOWN)
def test_what_wins_wins_by_the_package_too(name: str) -> None:
    for seed in range(4):
        solver, instance = game(name, seed)
        answer = solver.right_answer(instance)
        assert solver.verify(instance, answer).correct
        moves = answer.removeprefix("Answer: ").split(" -> ")
        assert by_the_package(instance, moves) == 1
        shorter = moves[:-1]
        if shorter:
            assert by_the_package(instance, shorter) is None
            assert "is not over" in solver.verify(instance, " -> ".join(shorter)).reason


def test_a_game_that_is_lost_is_wrong() -> None:
    solver, instance = game("FrozenLake-v0")
    found = 0
    for first in ("right", "down"):
        for second in ("right", "down", "left", "up"):
            moves = [first, second]
            reward = by_the_package(instance, moves)
            verdict = solver.verify(instance, f"Answer: {' -> '.join(moves)}")
            assert not verdict.correct
            found += reward is not None
            assert (reward is not None and reward < 1) == ("lost" in verdict.reason)
    assert found


@pytest.mark.parametrize("moves", ["5 -> 5", "21", "five", "[5", "5]", "1" * 61, " -> ".join(["1"] * (MAX_MOVES + 1)), "\u0665", "5] [6"])
def test_moves_that_the_game_refuses_make_it_wrong(moves: str) -> None:
    solver, instance = game("GuessTheNumber-v0", 3)
    assert not solver.verify(instance, f"Answer: {moves}").correct


def test_nothing_is_taken_from_the_global_generator() -> None:
    random.seed(11)
    before = random.getstate()
    solver, instance = game("Mastermind-v0")
    solver.verify(instance, solver.right_answer(instance))
    solver.episode(instance)
    assert random.getstate() == before


async def test_an_episode_is_the_game_and_names_its_moves() -> None:
    solver, instance = game("GuessTheNumber-v0")
    number = int(solver.right_answer(instance).removeprefix("Answer: "))
    other = number - 1 if number > 1 else number + 1
    play = solver.episode(instance)
    hint = (await play.step("play", {"move": f"[{other}]"})).observation
    assert "higher" in hint or "lower" in hint
    assert str(number) not in hint
    with pytest.raises(ToolFailed, match="outside the range"):
        await play.step("play", {"move": "99"})
    turn = await play.step("play", {"move": str(number)})
    assert turn.answer == f"{other} -> {number}"
    assert solver.verify(instance, f"Answer: {turn.answer}").correct
    with pytest.raises(ToolFailed, match="over"):
        await play.step("play", {"move": "1"})
    lost = solver.episode(instance)
    with pytest.raises(ToolFailed):
        await lost.step("play", {"move": "99"})
    ended = await lost.step("play", {"move": "98"})
    assert ended.answer == "no move"
    assert not solver.verify(instance, f"Answer: {ended.answer}").correct


@pytest.mark.parametrize("strategy", ["react", "code_act"])
def test_a_strategy_that_acts_plays_it(strategy: str, tmp_path: Path) -> None:
    report = reasoner.bench(
        "textarena:TowerOfHanoi-v0", n=2, strategy=f"{strategy}:max_steps=12", model="teacher", db=tmp_path / "a.db"
    ).report
    assert all(result.correct for result in report.results)
    assert reasoner.replay(db=tmp_path / "a.db").exact


@pytest.mark.parametrize("name", ["Chess-v0", "", "../x", "Wordle-v0"])
def test_other_games_are_refused_by_name(name: str) -> None:
    with pytest.raises(BadConfig, match="known:"):
        TextArenaSolver.open(name)
    with pytest.raises(BadInstance):
        registry.solver("textarena").parse('{"game": "Chess-v0", "seed": "1"}')


def test_without_the_package_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textarena", None)
    solver, instance = game("Mastermind-v0")
    with pytest.raises(MissingDependency, match=r"reasoner-llm\[games\]"):
        solver.right_answer(instance)
    drawn: Any = solver.generate(random.Random(1), 1)
    assert drawn.game == "Mastermind-v0"
