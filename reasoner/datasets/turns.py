r"""Process labels over what agents did: which turns led to a right end.

    prompt       "What is 17*3?"
    completions  ["I need the sum.\ncalculator({\"expression\": \"17*3\"})\n-> 51", "submit({\"answer\": \"51\"})\n-> 51"]
    labels       [True, True]

A step is a turn: what the model wrote, the tools it called and what they gave. The outcome of a turn is that of the trajectories which went through
it: all trajectories of one problem that were asked the same way are laid over each other, and turns that are the same to the letter from the
beginning on are one. A turn is good where one of them reached a verified answer, not good where all of their ends are known to be wrong; any other
is left out. An end is the trajectory's own answer, or what another branch submitted, judged now.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner.datasets.label import BETWEEN, MAX_BRANCHES
from reasoner.datasets.records import Steps
from reasoner.datasets.tree import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reasoner.datasets.select import Judged

Row = dict[str, Any]
Path = tuple[str, ...]


@dataclass(slots=True)
class Episode:
    """One trajectory of an agent: its thoughts as the store has them, and the thought that holds its answer."""

    judged: Judged
    lineage: dict[str, Any]
    thoughts: list[Row]
    answer_thought: str | None


@dataclass(slots=True)
class _Branch:
    episode: Episode
    path: Path
    ids: list[str]
    outcome: bool | None


@dataclass(slots=True)
class _Counts:
    good: Counter[Path] = field(default_factory=Counter)
    known: Counter[Path] = field(default_factory=Counter)
    all: Counter[Path] = field(default_factory=Counter)

    def add(self, branch: _Branch) -> None:
        for n in range(1, len(branch.path) + 1):
            path = branch.path[:n]
            self.all[path] += 1
            self.known[path] += branch.outcome is not None
            self.good[path] += branch.outcome is True

    def verdict(self, path: Path) -> bool | None:
        if self.good[path]:
            return True
        return False if self.known[path] == self.all[path] else None


def steps(episodes: Iterable[Episode], leave_out: Callable[[str], None]) -> Iterator[Steps]:
    """Yield one record per branch of known outcome of the trajectories of one problem; `scores` holds the share of right ends."""
    asked: dict[str, list[_Branch]] = {}
    for episode in episodes:
        prompt = next((str(row["content"]) for row in episode.thoughts if row["depth"] == 0), "")
        asked.setdefault(prompt, []).extend(_branches(episode))
    for prompt, branches in asked.items():
        counts = _Counts()
        for branch in branches:
            counts.add(branch)
        taken: Counter[str] = Counter()
        for branch in branches:
            row = branch.episode.judged.row
            paths = [branch.path[:n] for n in range(1, len(branch.path) + 1)]
            labels = [counts.verdict(path) for path in paths]
            if branch.outcome is None or any(label is None for label in labels):
                leave_out(UNFINISHED if branch.outcome is None else BETWEEN)
                continue
            taken[row.id] += 1
            if taken[row.id] > MAX_BRANCHES:
                leave_out(f"more than {MAX_BRANCHES} branches in one trajectory")
                continue
            lineage = {**branch.episode.lineage, "thoughts": branch.ids}
            made = Steps(branch.episode.judged.origin, lineage, prompt, list(branch.path), [bool(label) for label in labels])
            made.columns["scores"] = [round(counts.good[path] / counts.known[path], 6) for path in paths]
            yield made


def _branches(episode: Episode) -> Iterator[_Branch]:
    """Yield the turns from the beginning to each last one."""
    by_id = {row["id"]: row for row in episode.thoughts}
    turns = {row["id"]: row for row in episode.thoughts if row["call"] and not row["action_key"]}
    done: dict[str, list[Row]] = {}
    for row in episode.thoughts:
        if row["action_key"]:
            done.setdefault(_parent(row), []).append(row)
    above = {name: _above(row, by_id, turns) for name, row in turns.items()}
    for name in turns:
        if name in above.values():
            continue
        ids: list[str] = []
        at: str | None = name
        while at is not None:
            ids.append(at)
            at = above[at]
        ids.reverse()
        path = tuple(_text(turns[one], done.get(one, [])) for one in ids)
        yield _Branch(episode, path, ids, _outcome(episode, name, done.get(name, [])))


def _parent(row: Row) -> str:
    return str(row["parents"] or "").partition(",")[0]


def _above(row: Row, by_id: dict[str, Row], turns: dict[str, Row]) -> str | None:
    """Return the turn before a turn; None for the first."""
    at = by_id.get(_parent(row))
    while at is not None and at["id"] not in turns:
        at = by_id.get(_parent(at))
    return None if at is None else str(at["id"])


def _text(turn: Row, done: list[Row]) -> str:
    """Return what the model wrote in a turn, the tools it called and what they gave."""
    said = [turn["content"].strip()] if turn["content"].strip() else []
    for row in done:
        if row["within"] is not None:
            continue  # it was made by a program, which has a result of its own
        # A program stands in the text of the turn already.
        called = [] if row["tool"] == "python" and not row["tool_call_id"] else [f"{row['tool']}({row['arguments']})"]
        said += [*called, f"-> {row['content']}"]
    return "\n".join(said)


def _outcome(episode: Episode, turn: str, done: list[Row]) -> bool | None:
    """Return whether the end of a branch is right: the trajectory's own answer, or what was submitted there; None where there is neither."""
    judged = episode.judged
    if turn == episode.answer_thought:
        return None if judged.row.correct is None else bool(judged.row.correct)
    given = next((row["content"] for row in done if row["tool"] == "submit" and row["action_state"] == "done"), None)
    if given is None or judged.solver is None:
        return None
    verdict = judged.solver.verify(judged.instance, given if "\n" in given else f"Answer: {given}")
    return None if verdict.unparsed else bool(verdict.correct)
