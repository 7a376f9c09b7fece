"""What a run is: problems, strategies, models, samples, limits; and its manifest, the run's identity.

Two commands with the same manifest are the same run: the second goes on with the first. Anything that could change an answer
(prompt, parameter, model file, seed, version) changes the manifest.

    Plan(problems=draw("game24", n=20, seed=0), strategies=parse_strategies("cot,ats"))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.budget import Limits
from reasoner.canonical import digest_of
from reasoner.capabilities import Prepared
from reasoner.runs.problems import instance_of
from reasoner.runs.tool_plan import ToolPlan
from reasoner.translation.library import open_corpus
from reasoner.types import Adapted, Problem, Sampling, Selective, digest
from reasoner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reasoner.prompts import Prompts
    from reasoner.runs.strategy_spec import StrategySpec
    from reasoner.strategies import Strategy
    from reasoner.types import Client


def _corpora(strategy: Strategy | None) -> set[str]:
    """Return the parallel corpora a strategy reads, those of what is inside it included."""
    return set() if strategy is None else {*strategy.corpora(), *_corpora(strategy.inner)}


def _ids(problems: Iterable[Problem], met: set[str]) -> Iterator[str]:
    """Yield the ids of problems, and note the names of their families."""
    for problem in problems:
        met.add(problem.solver)
        yield problem.id


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a forked trajectory comes from: the trajectory, the thought it begins at, and the seed of what its strategy draws."""

    of: str
    at: str
    drawn_from: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that says what a run does. `continues` is the run it goes on with under a changed manifest."""

    problems: Sequence[Problem]
    strategies: Sequence[StrategySpec]
    seed: int = 0
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    limits: Limits = field(default_factory=Limits)
    fork: Fork | None = None
    continues: str | None = None
    tools: ToolPlan = field(default_factory=ToolPlan)

    def seed_of(self, problem: Problem, spec: StrategySpec, sample: int) -> str:
        """Return the seed of one trajectory."""
        return digest(str(self.seed), problem.id, spec.name, spec.params, str(sample))

    def _formats(self) -> bool:
        """Tell whether an answer has to be formatted in a call of its own."""
        if all(spec.make().keeps_schema for spec in self.strategies):
            return False
        asked = (p for p in self.problems if p.solver == "chat")
        return any(registry.solver(p.solver).output_schema(instance_of(registry.solver(p.solver), p)) is not None for p in asked)

    def manifest(
        self, clients: Sequence[Client], prompts: Prompts, judges: Mapping[str, Client] | None = None,
        scorers: Mapping[tuple[str, str], Client] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Return the run's identity as JSON values; `judges` are the models that problems leave their verdict to, `scorers` those of strategies."""
        met: set[str] = set()
        problems = digest_of(_ids(self.problems, met))
        solvers = sorted(met)
        families = sorted({name.partition(":")[0] for name in solvers})
        names = sorted(
            {
                *(name for s in self.strategies for name in s.names),
                *(["format"] if "chat" in met and self._formats() else []),
                *(["judge"] if judges else []),
            }
        )
        files = {path: digest for name in solvers for path, digest in registry.solver(name).files().items()}
        corpora = sorted({corpus for spec in self.strategies for corpus in _corpora(spec.make())})
        # The name of a class of a notebook stays while its code changes.
        known: list[tuple[registry.Kind, str]] = [*(("strategy", name) for name in names), *(("solver", name) for name in families)]
        code = {name: source for kind, name in known if (source := registry.code_of(kind, name))}
        # What a client knows of where its answers come from (an adapter with its base and data); most know nothing.
        adapters = {client.name: found for client in clients if isinstance(client, Adapted) and (found := client.provenance)}
        forms = {client.name: form for client in clients if isinstance(client, Prepared) and (form := client.form()) != "as-is"}
        return {
            "version": __version__,
            "problems": problems,
            "n_problems": len(self.problems),
            "solvers": solvers,
            "strategies": [[s.name, s.params] for s in self.strategies],
            "models": [[c.name, c.fingerprint] for c in clients],
            **({"adapters": adapters} if adapters else {}),
            **({"forms": forms} if forms else {}),
            **({"code": code} if code else {}),
            **({"judges": [[name, client.fingerprint] for name, client in judges.items()]} if judges else {}),
            **({"scorers": [[*names, client.fingerprint] for names, client in scorers.items()]} if scorers else {}),
            "seed": self.seed,
            "samples": self.samples,
            "sampling": (self.sampling if any(isinstance(c, Selective) for c in clients) else self.sampling.filled()).as_dict(),
            "limits": self.limits.model_dump(mode="json"),
            "prompts": {n: prompts.fingerprint(f"{n}/") for n in names} | {n: prompts.fingerprint(f"solvers/{n}") for n in families},
            **({"corpora": {name: open_corpus(name).fingerprint for name in corpora}} if corpora else {}),
            **({"files": files} if files else {}),
            **({"fork": [self.fork.of, self.fork.at]} if self.fork else {}),
            **({"continues": self.continues} if self.continues else {}),
            **self.tools.manifest(),
        }
