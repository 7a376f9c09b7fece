"""Games of TextArena as environments: `textarena:Mastermind-v0`. Optional extra `games`; imported only when a game is set up.

    play("1 2 3 4")  ->  "Submitted [1 2 3 4]. Feedback: 1 black peg(s), 2 white peg(s)."

One player, and games whose every draw is made when they begin, so that a seed names the whole game and moves can be made again: the answer is the
list of moves, and it is judged by playing them in a game set up anew. A move that the game refuses makes it wrong, and so do moves after the end. The
package draws from Python's global generator; it is given a state of its own and gets the old one back.

Source: https://github.com/LeonGuertler/TextArena (MIT).
"""

from __future__ import annotations

import contextlib
import random
import threading
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, field_validator

from reasoner.environment import Acted, Environment, Turn
from reasoner.errors import BadConfig, MissingDependency, ToolFailed, Unparseable
from reasoner.solver import Solver
from reasoner.text import clean, shorten
from reasoner.types import ToolSpec, Verdict, canonical_json
from solvers import _answer as answers
from solvers._record import Record, read

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

DEFAULT = "GuessTheNumber-v0"
KNOWN = (
    "FrozenLake-v0", "FrozenLake-v0-hardcore", "FrozenLake-v0-random", "GuessTheNumber-v0", "GuessTheNumber-v0-hardcore", "Mastermind-v0",
    "Mastermind-v0-extreme", "Mastermind-v0-hard", "TowerOfHanoi-v0", "TowerOfHanoi-v0-hard", "TowerOfHanoi-v0-medium",
)  # fmt: skip
"""Games that were looked through: no network, no files, no evaluation of text, every draw made at the beginning, a way to win known."""

MAX_MOVE_CHARS = 60
MAX_MOVES = 300
_ONE = threading.Lock()


class TextArenaGame(Record):
    """One game: which, and the seed it begins with."""

    game: str
    seed: str = Field(pattern=r"^[0-9a-f]{1,8}$")

    @field_validator("game")
    @classmethod
    def _is_known(cls, game: str) -> str:
        if game not in KNOWN:
            raise ValueError(f"known games are {', '.join(KNOWN)}")
        return game


class TextArenaSolver(Solver[TextArenaGame], Environment[TextArenaGame], Acted[TextArenaGame]):
    """One game of TextArena for one player."""

    name = "textarena"
    summary = f"a game of TextArena for one player, textarena:GAME (an environment; extra games); without a name {DEFAULT}"
    syntax = '{"game": "Mastermind-v0", "seed": "5f3a90c1"}'
    Instance = TextArenaGame
    levels: ClassVar[Mapping[int, str]] = {1: "as the game is registered"}
    default_level = 1

    def __init__(self, source: str = "") -> None:
        self.source = source
        self._game = source or DEFAULT

    @classmethod
    def open(cls, source: str) -> Self:
        """Open a game by its id; the package is not imported yet.

        Raises:
            BadConfig: it is none that can be judged by playing it again.
        """
        if source not in KNOWN:
            raise BadConfig(f"textarena:{clean(source)[:80]} is no game that can be played here", hint=f"known: {', '.join(KNOWN)}")
        return cls(source)

    def parse(self, line: str) -> TextArenaGame:
        """Read the JSON object."""
        return read(self, TextArenaGame, line)

    def format(self, instance: TextArenaGame) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: TextArenaGame) -> Hashable:
        """Return game and seed."""
        return (instance.game, instance.seed)

    def generate(self, rng: random.Random, level: int) -> TextArenaGame:  # noqa: ARG002 - there is one level
        """Draw the seed of a game."""
        return TextArenaGame(game=self._game, seed=f"{rng.getrandbits(31):08x}")

    def statement_variables(self, instance: TextArenaGame) -> Mapping[str, Any]:
        """Return the `rules` and what is seen at the beginning.

        Raises:
            MissingDependency: TextArena is not installed.
        """
        return {"rules": Play(instance).seen().strip()}

    def verify(self, instance: TextArenaGame, text: str) -> Verdict:
        """Play the moves."""
        try:
            moves = answers.pieces(answers.find(text))
        except Unparseable as error:
            return answers.unread(error.message)
        if len(moves) > MAX_MOVES:
            return answers.wrong(f"there are {len(moves)} moves, at most {MAX_MOVES} are played")
        play = Play(instance)
        play.seen()
        for number, move in enumerate(moves, start=1):
            if play.is_over():
                return answers.wrong(f"the game was over before move {number}")
            try:
                play.make(move)
            except ToolFailed as error:
                return answers.wrong(f"move {number}, {answers.shown(move)}: {error.message}")
        if not play.is_over():
            return answers.wrong(f"after {len(moves)} moves the game is not over")
        return answers.right(f"won in {len(moves)} moves") if play.won else answers.wrong(f"the game is lost: {play.reason}")

    def right_answer(self, instance: TextArenaGame) -> str:
        """Return moves that win."""
        return "Answer: " + " -> ".join(Play(instance).way())

    def offered(self, instance: TextArenaGame) -> Sequence[ToolSpec]:  # noqa: ARG002 - the same for all
        """Return the one action."""
        move = {"type": "string", "description": "The move alone, as the rules write it between square brackets."}
        schema = {"type": "object", "properties": {"move": move}, "required": ["move"], "additionalProperties": False}
        return [ToolSpec("play", "Make one move of the game and see what comes of it.", canonical_json(schema))]

    def episode(self, instance: TextArenaGame) -> Playing:
        """Begin the game."""
        return Playing(instance)

    def actions(self, instance: TextArenaGame) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return moves that win."""
        return [("play", {"move": move}) for move in Play(instance).way()]


class Playing:
    """One game under way, as an episode."""

    def __init__(self, instance: TextArenaGame) -> None:
        self._play = Play(instance)
        self._play.seen()
        self._moves: list[str] = []

    async def step(self, action: str, arguments: Mapping[str, Any]) -> Turn:  # noqa: ARG002 - there is one action
        """Make a move."""
        if self._play.is_over():
            raise ToolFailed("the game is over")
        move = _plain(str(arguments["move"]))
        try:
            self._play.make(move)
        except ToolFailed as error:
            if self._play.is_over():  # too many moves in a row that it refuses
                return Turn(error.message, " -> ".join(self._moves) or "no move")
            raise
        self._moves.append(move)
        told = self._play.seen().strip() or "Done."
        return Turn(f"{told}\n{self._play.reason}".strip(), " -> ".join(self._moves)) if self._play.is_over() else Turn(told)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""


class Play:
    """One game of the package, set up from its seed."""

    def __init__(self, instance: TextArenaGame) -> None:
        """Set the game up.

        Raises:
            MissingDependency: TextArena is not installed.
        """
        with _own_generator():
            try:
                import textarena  # noqa: PLC0415 - an optional extra
            except ImportError as error:
                raise MissingDependency("textarena", extra="games") from error
            self._env: Any = textarena.make(instance.game)
            while hasattr(self._env, "env"):
                self._env = self._env.env  # what wraps it repeats the whole game in every observation
            self._env.reset(num_players=1, seed=int(instance.seed, 16))

    def is_over(self) -> bool:
        """Tell whether the game has ended."""
        return bool(self._env.state.done)

    @property
    def won(self) -> bool:
        """Whether it was won: the whole reward, no part of it."""
        rewards = self._env.state.rewards or {}
        return self.is_over() and float(rewards.get(0, 0)) >= 1

    @property
    def reason(self) -> str:
        """Why it ended, as the game says it."""
        return str(self._env.state.game_info[0].get("reason") or "")

    def seen(self) -> str:
        """Return what the game has told since the last time, what the player did left out."""
        _, told = self._env.get_observation()
        return "\n".join(str(message) for sender, message, _ in told if sender == -1)

    def make(self, move: str) -> None:
        """Make a move.

        Raises:
            ToolFailed: it is none, or the game refuses it.
        """
        move = _plain(move)
        if not move or len(move) > MAX_MOVE_CHARS or any(char in move for char in "[]") or not (move.isascii() and move.isprintable()):
            raise ToolFailed(f"a move has 1 to {MAX_MOVE_CHARS} plain characters and no brackets")
        with _own_generator():
            self._env.step(f"[{move}]")
        state = self._env.state
        if state.error_count or state.game_info[0].get("invalid_move"):
            told = self.reason if self.is_over() else self.seen()
            raise ToolFailed(shorten(clean(" ".join(told.split())), 300) or "the game does not take it")

    def way(self) -> list[str]:
        """Return moves that win, from what the game hides."""
        env, hidden = self._env, self._env.state.game_state
        if "towers" in hidden:
            return list(_hanoi(len(hidden["towers"]["A"]), "A", "C", "B"))
        if "secret_code" in hidden:
            return [" ".join(map(str, hidden["secret_code"]))]
        if "game_number" in hidden:
            return [str(hidden["game_number"])]
        return _walk(hidden["grid"], tuple(hidden["player_pos"]), tuple(hidden["goal_pos"]), env.actions)


def _plain(move: str) -> str:
    """Return a move without the brackets around it, its blanks as one."""
    return " ".join(move.strip().removeprefix("[").removesuffix("]").split())


def _hanoi(n: int, source: str, target: str, spare: str) -> Iterator[str]:
    if n:
        yield from _hanoi(n - 1, source, spare, target)
        yield f"{source} {target}"
        yield from _hanoi(n - 1, spare, target, source)


def _walk(grid: Sequence[Sequence[str]], start: Any, goal: Any, steps: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return the first of the shortest walks over cells that are no holes."""
    came: dict[Any, tuple[Any, str]] = {start: (start, "")}
    line = deque([start])
    while goal not in came:
        row, column = line.popleft()
        for word, (down, right) in steps.items():
            there = (row + down, column + right)
            if there not in came and 0 <= there[0] < len(grid) and 0 <= there[1] < len(grid) and grid[there[0]][there[1]] != "H":
                came[there] = ((row, column), word)
                line.append(there)
    walk: list[str] = []
    while goal != start:
        goal, word = came[goal]
        walk.insert(0, word)
    return walk


@contextlib.contextmanager
def _own_generator() -> Iterator[None]:
    """Let the package draw from the global generator without anybody noticing, and without its warnings."""
    with _ONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = random.getstate()
        try:
            yield
        finally:
            random.setstate(before)
