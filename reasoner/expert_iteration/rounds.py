"""What came of each round, as a file of its own; a folder holds the rounds of one loop.

folder = Folder(Path("loop"), options)       # refuses a folder of other options
folder.save(round); folder.rounds() -> [Round(number=0, ...), ...]
"""

from __future__ import annotations

import fcntl
import json
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from reasoner.errors import BadConfig, DataError
from reasoner.expert_iteration.curriculum import Rate
from reasoner.files.target import cannot, write_text
from reasoner.types import problem_as_values, problem_of_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reasoner.expert_iteration.options import Options
    from reasoner.types import Problem

Rates = dict[str, dict[int, Rate]]
"""Right answers and answers, by family and level."""


class Round(BaseModel):
    """One round. `sampled` are the answers that were drawn, `dev` those that decide, `sealed` those that only measure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    adapter: str | None
    """Its file in the folder; None is the model as it is."""
    runs: dict[str, str]
    """The runs of the database it stands in: `sampled`, `dev`, `sealed`."""
    sampled: Rates = {}
    dev: Rates
    sealed: Rates
    sealed_right: tuple[str, ...] = ()
    """Ids of the sealed problems that were answered right, for paired tests."""
    rows: int = 0
    """Right answers of this round that were learned."""
    replayed: int = 0
    """Rows of earlier rounds that were learned again."""
    pairs: int = 0
    """Pairs that were learned by `dpo`."""
    always: tuple[str, ...] = ()
    """Ids of the problems that were answered right every time."""
    tokens: int = 0
    """Tokens the model wrote in this round."""
    seconds: float = 0.0
    training: dict[str, Any] = {}

    @property
    def score(self) -> float:
        """The mean over all families and levels of the share of right answers that decides."""
        return mean(self.dev)


def mean(rates: Rates) -> float:
    """Return the mean share over all cells, each family weighing alike."""
    families = [[rate.share for rate in levels.values()] for levels in rates.values() if levels]
    return sum(sum(each) / len(each) for each in families) / len(families) if families else 0.0


class Folder:
    """The folder of a loop: options, database, rounds. One process at a time works in it."""

    def __init__(self, path: Path, options: Options) -> None:
        self.path = path
        self._wanted: dict[str, Any] = json.loads(json.dumps(options.identity()))
        self._lock: Any = None

    @property
    def db(self) -> Path:
        """The database with every answer."""
        return self.path / "trajectories.db"

    def __enter__(self) -> Self:
        """Make the folder, or go on in it.

        Raises:
            DataError: it cannot be made, or another process works in it.
            BadConfig: it is that of other options.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise cannot(self.path, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise DataError(f"another process works in {self.path}", hint="wait for it, or name another folder") from error
        try:
            self._claim()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the folder to others."""
        self._lock.close()

    def round(self, number: int) -> Path:
        """Return the folder of a round, made where it is not there."""
        folder = self.path / f"round-{number}"
        folder.mkdir(exist_ok=True)
        return folder

    def rounds(self) -> list[Round]:
        """Return the rounds that are done, in order.

        Raises:
            DataError: the file of one cannot be read.
        """
        found: list[Round] = []
        while (file := self.path / f"round-{len(found)}" / "round.json").is_file():
            try:
                found.append(Round.model_validate_json(file.read_bytes()))
            except (ValidationError, OSError) as error:
                raise DataError(f"{file} cannot be read", hint="it was changed by hand: remove it, and the round is done again") from error
        return found

    def save(self, done: Round, unsolved: Iterable[Problem]) -> None:
        """Write a round, and before it the problems nobody solved in it."""
        folder = self.round(done.number)
        write_text(folder / "unsolved.jsonl", "".join(json.dumps(problem_as_values(one)) + "\n" for one in unsolved))
        write_text(folder / "round.json", done.model_dump_json(indent=1) + "\n")

    def unsolved(self, number: int) -> list[Problem]:
        """Return the problems nobody solved in a round."""
        file = self.path / f"round-{number}" / "unsolved.jsonl"
        if not file.is_file():
            return []
        return [problem_of_values(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]

    def _claim(self) -> None:
        """Write down the options, or compare them with those that are there."""
        file, wanted = self.path / "options.json", self._wanted
        if not file.is_file():
            if others := sorted(one.name for one in self.path.iterdir() if one.name != ".lock"):
                raise BadConfig(f"{self.path} holds {others[0]}, and no options of a loop", hint="name a folder that is empty or new")
            write_text(file, json.dumps(wanted, indent=1, sort_keys=True) + "\n")
            return
        try:
            found = json.loads(file.read_bytes())
        except ValueError as error:
            raise DataError(f"{file} cannot be read", hint="it was changed by hand: name another folder") from error
        if isinstance(found, dict):
            found.setdefault("exact", False)  # younger than the others
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            raise DataError(f"{file} holds no options of this version", hint="name another folder")
        for name in sorted(wanted):
            if found[name] != wanted[name]:
                raise BadConfig(
                    f"{self.path} was begun with `{name}` {found[name]!r}, not {wanted[name]!r}",
                    hint="give the same options, or name another folder",
                )
