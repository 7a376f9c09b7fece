"""Find the strategy for a family and a model: a race on development problems under a bound of tokens, then a test on other problems.

    made = pick("words", model="local", tokens_per_answer=800)
    made.chosen, made.test.rows

Every round is a run of its own, as `bench` makes one, and the test is one as `compare` makes it: the same arguments go on where it was interrupted.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

from reasoner import registry
from reasoner.api.bench import families
from reasoner.api.running import blocking, carry_out
from reasoner.api.settings import RunSettings, Settings, settings_of
from reasoner.clients import open_client
from reasoner.comparison.comparison import Comparison, compare_trials
from reasoner.comparison.race import Contender, Race, rounds_of
from reasoner.comparison.trials import is_upper_bound, read_trials
from reasoner.errors import BadConfig, MissingAsset
from reasoner.prompts import Prompts
from reasoner.runs.events import Note
from reasoner.runs.few_shot import demonstrations
from reasoner.runs.plan import Plan
from reasoner.runs.problems import draw, instance_of
from reasoner.runs.strategy_spec import as_specs, with_shots
from reasoner.solver import Searchable
from reasoner.store import Store
from reasoner.types import Selective

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.api.bench import AnySolver
    from reasoner.runs.results import Report
    from reasoner.runs.strategy_spec import AnyStrategy, StrategySpec
    from reasoner.types import Client, Problem

BASELINE = "cot"


@dataclass(frozen=True, slots=True)
class Picked:
    """What a race and its test came to."""

    solver: str
    model: str
    tokens_per_answer: int
    chosen: str
    contenders: tuple[Contender, ...]
    """All that were tried, the chosen one first, with how they did on the development problems they were tried on."""
    test: Comparison
    """The chosen strategy and the baseline on other problems: the figures to believe, since the choice was not made on them."""
    runs: tuple[str, ...]
    """The runs of the rounds, in order."""

    def _repr_html_(self) -> str:
        """Draw it for a notebook: what was chosen, and its test."""
        from reasoner.comparison.notebook import comparison_html, fragment  # noqa: PLC0415 - only where it is drawn

        bound = f"{self.chosen}, of {len(self.contenders)} strategies with {self.tokens_per_answer} tokens an answer"
        return fragment(f"chosen for {self.solver} on {self.model}:", bound, comparison_html(self.test))

    def as_dict(self) -> dict[str, Any]:
        """Return what `reasoner pick --json` prints."""
        return {
            "solver": self.solver, "model": self.model, "tokens_per_answer": self.tokens_per_answer, "chosen": self.chosen,
            "contenders": [each.as_dict() for each in self.contenders], "test": self.test.as_dict(), "runs": list(self.runs),
        }  # fmt: skip


async def apick(
    solver: AnySolver,
    *,
    model: str | Client = "local",
    tokens_per_answer: int,
    strategy: AnyStrategy | Sequence[AnyStrategy] | None = None,
    n: int = 40,
    n_test: int = 50,
    level: int | None = None,
    shots: int = 0,
    **settings: Unpack[RunSettings],
) -> Picked:
    """Race strategies on n development problems, and test the best against `cot` on n_test others.

    Args:
        solver: the problem family.
        model: the model.
        tokens_per_answer: prompt and completion tokens that an answer may take on average; also the bound of a reply where `max_tokens` names none.
        strategy: what is raced; None: those that make sense for the family and the model (`contenders_for`).
        n: development problems; the first rounds take a part of them.
        n_test: problems of the test, none of which was raced on.
        level: the family's difficulty level, its default when None.
        shots: worked examples, as in `bench`.
        **settings: see `RunSettings`.

    Raises:
        BadConfig: a number is too small, or every strategy takes more tokens.
        ReasonerError: see `reasoner.errors`; what was done is kept, and the same arguments go on.
    """
    _check(tokens_per_answer, n, n_test)
    (name,) = families(solver)
    made = _bounded(settings_of(settings), tokens_per_answer)
    problems = list(draw(name, n=n + n_test, seed=made.seed, level=level))
    called = model if isinstance(model, str) else model.name
    wanted = strategy
    if wanted is None:
        wanted = contenders_for(name, called, problems[0], held=await keeps_forms(model, made), shown=made)
    specs = {spec.label: spec for spec in (with_shots(each, shots) for each in as_specs(wanted))}
    if bound := next((label for label, spec in specs.items() if is_upper_bound(label, spec.params)), None):
        raise BadConfig(f"{bound!r} uses the verifier to choose its answer: it is an upper bound, no strategy to pick", hint="leave it out")
    race = Race(list(specs), tokens=tokens_per_answer)
    runs: list[str] = []
    begin = 0
    rounds = rounds_of(n, len(specs))
    for number, (end, keep) in enumerate(rounds, start=1):
        _tell(made, f"round {number} of {len(rounds)}: {len(race.going)} strategies on {end - begin} problems each")
        report = await _run(problems[begin:end], [specs[label] for label in specs if label in race.going], model, made)
        race.add(report.results)
        race.close_round(keep=keep)
        runs.append(report.run_id)
        begin = end
        if race.best() is None:
            cheapest = min(race.contenders(), key=lambda each: each.tokens)
            raise BadConfig(
                f"no strategy answers with {tokens_per_answer} tokens: {cheapest.strategy}, the cheapest, takes {cheapest.tokens:.0f}",
                hint=f"`tokens_per_answer={-(-int(cheapest.tokens + 1) // 100) * 100}` is enough for it",
            )
    chosen = race.going[0]
    _tell(made, f"test: {chosen} on {n_test} other problems")
    baseline = with_shots(as_specs(BASELINE)[0], shots)
    tested = [baseline, *([specs[chosen]] if chosen != baseline.label else [])]
    report = await _run(problems[n:], tested, model, made)
    with Store.open(made.db) as store:
        test = compare_trials(read_trials(store, report.run_id, problems=problems[n:]), baseline=baseline.label)
    return Picked(name, called, tokens_per_answer, chosen, tuple(race.contenders()), test, tuple(runs))


def pick(
    solver: AnySolver,
    *,
    model: str | Client = "local",
    tokens_per_answer: int,
    strategy: AnyStrategy | Sequence[AnyStrategy] | None = None,
    n: int = 40,
    n_test: int = 50,
    level: int | None = None,
    shots: int = 0,
    **settings: Unpack[RunSettings],
) -> Picked:
    """Pick a strategy; the synchronous face of `apick`, also inside a running event loop (a notebook)."""
    return blocking(
        lambda: apick(
            solver, model=model, tokens_per_answer=tokens_per_answer, strategy=strategy, n=n, n_test=n_test, level=level, shots=shots, **settings
        )
    )  # fmt: skip


def contenders_for(solver: str, model: str, problem: Problem, *, held: bool, shown: Settings | None = None) -> list[str]:
    """Return the strategies that make sense for a family and a model, the cheap ones first.

    Left out is what the family has not got (moves, worked searches), what needs an extra that is not installed, and, unless replies can be `held` to a
    form, what needs constraints.
    """
    family = registry.solver(solver)
    form = "" if held else "form=words"
    made = ["direct", "cot", *(["draft", "draft:calls=1"] if held else ["draft:form=json"])]
    if importlib.util.find_spec("pydantic_monty") is not None and not family.block:
        made.append("program" if held else "program:head=words")
    if model != "teacher" or isinstance(family, Searchable) or family.explain(instance_of(family, problem)):
        made.append("ats:shots=1" if _has_worked(solver, "ats-bfs", problem, shown) else "ats")
    made += ["repair", "refine", "self_consistency:n=3,stop=certain", "self_consistency:n=7,stop=certain", "best_of_n:n=4,select=check"]
    if held:
        made.append("self_consistency(draft):n=3,stop=certain")
    if isinstance(family, Searchable):
        made += [*(["guided", "self_consistency(guided):n=3,stop=certain"] if held else []), "tot:breadth=2,candidates=4,value_samples=1"]
    made.append(f"beam:width=2,expand=2{',' * bool(form)}{form}")
    return made


def _has_worked(solver: str, kind: str, problem: Problem, settings: Settings | None) -> bool:
    family = registry.solver(solver)
    try:
        prompts = Prompts(settings.options.prompts if settings is not None else None)
        return bool(demonstrations(family, kind, 1, exclude=instance_of(family, problem), prompts=prompts))
    except (BadConfig, MissingAsset):
        return False


async def keeps_forms(model: str | Client, made: Settings) -> bool:
    """Tell whether replies can be held to regular expressions: not where a server is sent only what it takes."""
    if not isinstance(model, str):
        return not isinstance(model, Selective)
    client = open_client(model, made.options.client)
    try:
        return not isinstance(client, Selective)
    finally:
        await client.aclose()


def _check(tokens: int, n: int, n_test: int) -> None:
    for option, value, least in (("tokens_per_answer", tokens, 1), ("n", n, 1), ("n_test", n_test, 1)):
        if value < least:
            raise BadConfig(f"`{option}={value}`: it is at least {least}")


def _bounded(settings: Settings, tokens: int) -> Settings:
    """Bound replies by what an answer may take, where the user has not."""
    sampling = settings.sampling
    if sampling.max_tokens is not None:
        return settings
    return replace(settings, sampling=replace(sampling, max_tokens=min(tokens, sampling.numbers.max_tokens)))


def _tell(settings: Settings, text: str) -> None:
    if callable(settings.progress):
        settings.progress(Note(text))
    elif settings.progress:
        from reasoner.api.progress import Bar  # noqa: PLC0415 - draws with rich, which is slow to load

        Bar()(Note(text))


async def _run(problems: Sequence[Problem], specs: Sequence[StrategySpec], model: str | Client, made: Settings) -> Report:
    plan = Plan(problems, specs, made.seed, made.samples, made.sampling, made.limits, tools=made.tools)
    return await carry_out(plan, [model], made)
