"""What a run recorded, as a comparison needs it: one trial for each problem, strategy, model and sample.

Read from the database in every case, so that a comparison just run and one read from an old run are the same computation. Knows rows
and the run's manifest; computes nothing. A trial whose answer could not be read, or whose calls failed, is a wrong answer and stays.

    read_trials(store, "3f0c...") -> Trials(run="3f0c...", trials=(Trial(solver="game24", strategy="ats", correct=True, ...), ...))
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reasoner import registry
from reasoner.budget import Spent
from reasoner.comparison.groups import meta_of
from reasoner.errors import ReasonerError
from reasoner.grading.groups import grouped
from reasoner.grading.judges import judge_named
from reasoner.store.queries import lost_calls, problem_of, trajectories
from reasoner.store.run_queries import InsideThought, inside_thought, plan_row
from reasoner.text import plain_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reasoner.store import Store
    from reasoner.types import Problem

_ORACLE_TEXT = re.compile(r"\boracle\s*=\s*(?:true|1|yes|on)\b|\bverifier\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trial:
    """One strategy's single answer to one problem."""

    solver: str
    problem_id: str
    level: int | None
    strategy: str
    upper_bound: bool
    model: str
    sample: int
    correct: bool
    unparsed: bool
    failed: bool
    exhausted: bool
    answer: str | None
    spent: Spent
    unknown_calls: int
    """Calls whose outcome was lost (a kill, a timeout): they may have been processed and billed, and are in no sum."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The verdict's measures: `em`, `f1`, `chrf`."""
    meta: Mapping[str, str] = field(default_factory=dict)
    """The columns the problem was kept with."""
    at_limit: bool = False
    """Whether the reply that holds the answer ended at the token limit."""
    judge: str = ""
    """The judge whose verdict it is; empty for an exact one."""
    unjudged: bool = False
    texts: tuple[str, str] | None = None
    """A translation (empty where there is none) and its reference; None for another family, or without a reference."""
    answer_key: str | None = None
    """The one spelling of its answer among those to its problem, what a vote goes by; None where no solver tells."""

    @property
    def place(self) -> tuple[str, int]:
        """What is tried: problem and sample. The same for every strategy and model."""
        return self.problem_id, self.sample


@dataclass(frozen=True, slots=True)
class Trials:
    """The trials of a run that can be compared, in the order of its plan."""

    run: str
    command: str
    samples: int
    trials: tuple[Trial, ...]
    left_out: int
    """Trials that are finished but not compared, because another strategy or model has not finished the same problem and sample."""
    open: int
    """Trials that are planned and not finished."""
    inside_thought: tuple[InsideThought, ...] = ()
    """Replies that the token limit ended before they had begun to answer."""


def is_upper_bound(strategy: str, params: str) -> bool:
    """Tell whether a strategy was shown the verifier's judgement: `oracle` is true, or something is chosen by the `verifier`.

    Looked for at every depth of the parameters and in the label, so that an inner strategy's oracle marks the outer one too.
    """
    try:
        values: Any = json.loads(params)
    except ValueError:
        values = None
    return bool(_ORACLE_TEXT.search(strategy)) or _oracle_in(values)


def _oracle_in(value: Any) -> bool:
    if isinstance(value, dict):
        return any((str(key).lower() == "oracle" and bool(inner)) or _oracle_in(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(_oracle_in(inner) for inner in value)
    return isinstance(value, str) and (value.lower() == "oracle" or bool(_ORACLE_TEXT.search(value)))


def model_labels(models: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name models, given as (name, fingerprint), so that no two are called the same.

    A GGUF file is called by its name without the ending, which is where its quantization stands; files of one name from two folders
    are told apart by their fingerprints.

    >>> model_labels([("a.Q4_1.gguf", "f1"), ("a.Q8_0.gguf", "f2")])
    {('a.Q4_1.gguf', 'f1'): 'a.Q4_1', ('a.Q8_0.gguf', 'f2'): 'a.Q8_0'}
    """
    places = list(dict.fromkeys(models))
    names = {place: place[0][:-5] if place[0].lower().endswith(".gguf") else place[0] for place in places}
    shared = {name for name in names.values() if list(names.values()).count(name) > 1}
    return {place: f"{name}@{place[1][-8:]}" if name in shared else name for place, name in names.items()}


def read_trials(store: Store, run_id: str, *, problems: Iterable[Problem] = ()) -> Trials:
    """Read a run's trials. `problems` are those of its plan, where they are known: the rows may hold the level of an earlier run.

    Only problems and samples that every strategy and model has finished are taken, so that all are compared on the same ones.
    """
    run = plan_row(store, run_id) or {"manifest": "{}", "command": ""}
    manifest: dict[str, Any] = json.loads(run["manifest"])
    rows = trajectories(store, run_id)
    finished = [row for row in rows if row["status"] != "open"]
    labels = model_labels((row["model"], row["model_fingerprint"]) for row in _in_order(rows, manifest))
    unknown = lost_calls(store, run_id)
    known = {problem.id: problem for problem in problems}
    keys = _answer_keys(finished)
    made = [_trial(row, labels, known, unknown.get(row["id"], 0), keys.get(row["id"])) for row in _in_order(finished, manifest)]
    planned = _planned(manifest, len(rows))
    taken = _complete(made, n_contenders=_contenders(manifest, made))
    inside = inside_thought(store, run_id)
    return Trials(
        run_id, run["command"], int(manifest.get("samples", 1)), taken, len(made) - len(taken), max(0, planned - len(made)), inside
    )


def _trial(
    row: Mapping[str, Any], labels: Mapping[tuple[str, str], str], known: Mapping[str, Problem], unknown: int, key: str | None
) -> Trial:
    problem = known.get(row["problem_id"]) or problem_of(dict(row))
    judge = row["judged_by"] or judge_named(problem.instance)
    return Trial(
        solver=f"{problem.solver} (judged by {judge})" if judge else problem.solver,
        problem_id=row["problem_id"],
        level=problem.level,
        strategy=row["strategy"],
        upper_bound=is_upper_bound(row["strategy"], row["params"]),
        model=labels[row["model"], row["model_fingerprint"]],
        sample=row["sample"],
        correct=bool(row["correct"]),
        unparsed=bool(row["unparsed"]),
        failed=row["status"] == "failed",
        exhausted=row["status"] == "exhausted",
        answer=row["answer"],
        spent=Spent(row["calls"], row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["seconds"], row["cost"]),
        unknown_calls=unknown,
        answer_key=key,
        metrics=json.loads(row["metrics"] or "{}"),
        meta=meta_of(problem),
        at_limit=row["ended"] == "length",
        judge=judge,
        unjudged=row["score"] is not None and row["correct"] is None,
        texts=_texts(problem, row["answer"]),
    )


def _texts(problem: Problem, answer: str | None) -> tuple[str, str] | None:
    """Return the translation in an answer and the reference of its problem."""
    if problem.solver.partition(":")[0] != "translation":
        return None
    try:
        solver = registry.solver(problem.solver)
        instance = solver.Instance.model_validate_json(problem.instance)
    except (ReasonerError, ValidationError):  # a file that is gone, or an instance of another version
        return None
    return (solver.translation_in(answer or "", instance)[0], instance.reference) if instance.reference else None


def _answer_keys(rows: Iterable[Mapping[str, Any]]) -> dict[str, str | None]:
    """Return the spelling of each trajectory's answer, one for all that answer alike on the same problem."""
    by_problem: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["answer"] is not None:
            by_problem[row["problem_id"]].append(row)
    found: dict[str, str | None] = {}
    for group in by_problem.values():
        texts = [str(row["answer"]) for row in group]
        try:
            solver = registry.solver(group[0]["solver"])
            instance = solver.Instance.model_validate_json(group[0]["instance"])
        except (ReasonerError, ValidationError):  # a family that is not installed any more, or of another version
            keys = [plain_answer(text) for text in texts]
        else:
            keys = grouped(texts, partial(solver.canonical_answer, instance), partial(solver.same_answer, instance))
        found |= dict(zip((row["id"] for row in group), keys, strict=True))
    return found


def _in_order(rows: Iterable[Mapping[str, Any]], manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Sort rows as the plan has them: trajectories are opened in whatever order calls came back."""
    models = [tuple(model) for model in manifest.get("models", [])]
    strategies = [tuple(strategy) for strategy in manifest.get("strategies", [])]

    def rank(row: Mapping[str, Any]) -> tuple[int, int, str, str, int]:
        model = row["model"], row["model_fingerprint"]
        strategy = next(
            (i for i, (name, params) in enumerate(strategies) if params == row["params"] and row["strategy"].startswith(name)),
            len(strategies),
        )
        return models.index(model) if model in models else len(models), strategy, row["solver"], row["problem_id"], row["sample"]

    return sorted(rows, key=rank)


def _planned(manifest: Mapping[str, Any], n_rows: int) -> int:
    """Return how many trials the plan has; a manifest that does not say stands for the rows there are."""
    try:
        return int(manifest["n_problems"] * manifest["samples"] * len(manifest["strategies"]) * len(manifest["models"]))
    except (KeyError, TypeError):
        return n_rows


def _contenders(manifest: Mapping[str, Any], made: Iterable[Trial]) -> int:
    """Return how many strategy-and-model pairs must have finished a problem before it counts."""
    met = len({(trial.strategy, trial.model) for trial in made})
    return max(met, len(manifest.get("strategies", [])) * len(manifest.get("models", [])))


def _complete(trials: list[Trial], *, n_contenders: int) -> tuple[Trial, ...]:
    """Keep the trials of problems and samples that every strategy and model has finished."""
    found: dict[tuple[str, int], int] = defaultdict(int)
    for trial in trials:
        found[trial.place] += 1
    return tuple(trial for trial in trials if found[trial.place] == n_contenders)
