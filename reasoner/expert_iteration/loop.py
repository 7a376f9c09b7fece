"""The rounds: sample, verify, select, train, measure, until there are enough of them or one does not gain.

    improved = improve(Path("loop"), Options(families=("number_path",), rounds=3), on_note=print)
    improved.best.number, improved.reason

Everything stands in the folder. After a kill, a call with the same options goes on: answers that are stored are not asked for again, and a
training resumes at its last checkpoint.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reasoner import registry
from reasoner.api.bench import run
from reasoner.clients import ClientOptions
from reasoner.errors import BadConfig
from reasoner.expert_iteration import sealed
from reasoner.expert_iteration.card import write_card
from reasoner.expert_iteration.curriculum import Rate, mastered, shares
from reasoner.expert_iteration.learning import Learner
from reasoner.expert_iteration.rounds import Folder, Rates, Round, mean
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.store.claims import LEASE_S
from reasoner.tune.base import read_base, require
from reasoner.tune.run import model_path
from reasoner.types import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from reasoner.api.settings import Carrier
    from reasoner.expert_iteration.options import Options
    from reasoner.runs.results import Report, Result
    from reasoner.tune import Progress
    from reasoner.types import Problem

MAX_AGAIN = 4
"""One in so many problems of a round is one that nobody solved in the last."""


@dataclass(frozen=True, slots=True)
class Improved:
    """A finished loop: its rounds, the best of them, and why it ended."""

    folder: Path
    rounds: tuple[Round, ...]
    best: Round
    reason: str

    @property
    def adapter(self) -> Path | None:
        """The adapter of the best round; None where that is the model as it is."""
        return self.folder / self.best.adapter if self.best.adapter else None

    def as_dict(self) -> dict[str, Any]:
        """Return what `reasoner improve --json` prints."""
        return {
            "folder": str(self.folder), "best": self.best.number, "adapter": str(self.adapter) if self.adapter else None, "reason": self.reason,
            "rounds": [
                one.model_dump(mode="json", exclude={"sealed_right", "always"}) | {"dev_mean": one.score, "sealed_mean": mean(one.sealed)}
                for one in self.rounds
            ],
        }  # fmt: skip


def improve(
    folder: Path,
    options: Options,
    *,
    progress: bool = False,
    on_note: Callable[[str], None] | None = None,
    on_training: Callable[[Progress], None] | None = None,
    carrier: Carrier | None = None,
    lease_s: float = LEASE_S,
) -> Improved:
    """Run the rounds, or go on with them, and write the card.

    `progress` draws a bar for the answers of each part; `on_note` is told what is done; `on_training` how far each training is.
    `carrier` has the model's answers, those that are drawn and those that measure, made elsewhere; the trainings are always here.

    Raises:
        MissingDependency: the extra `tune` is not installed.
        BadConfig: the folder is that of other options, or a family lacks a level.
        ReasonerError: see `reasoner.errors`; the folder stays, and the same call goes on.
    """
    elsewhere = None if carrier is None else Elsewhere(carrier, lease_s)
    require()
    read_base(model_path(options.model))
    parse_strategies(options.strategy)
    loop = _Loop(Folder(folder, options), options, progress=progress, note=on_note or _silent, on_training=on_training, elsewhere=elsewhere)
    with loop.folder:  # made only for what can be begun
        return loop.run()


def _silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What carries the model's answers out elsewhere, and how long a worker there may be silent, in seconds."""

    carrier: Carrier
    lease_s: float


class _Loop:
    """One loop under way."""

    def __init__(
        self,
        folder: Folder,
        options: Options,
        *,
        progress: bool,
        note: Callable[[str], None],
        on_training: Callable[[Progress], None] | None,
        elsewhere: Elsewhere | None,
    ) -> None:
        self.folder, self.options, self.progress, self.note, self.elsewhere = folder, options, progress, note, elsewhere
        self.families = {registry.solver(family).title: family for family in options.families}
        """The families by the names that their problems bear."""
        self.learner = Learner(folder, options, note, on_training)
        self.ladders = {family: sealed.ladder_of(family, options.levels.get(family)) for family in options.families}
        if stray := options.levels.keys() - set(options.families):
            raise BadConfig(f"`levels` names {min(stray)}, which is none of the families", hint=", ".join(options.families))
        self.measured = {part: self._held_out(part, n) for part, n in (("dev", -(-options.held_out // 2)), ("sealed", options.held_out))}
        self.done: list[Round] = []

    def run(self) -> Improved:
        """Do what is left."""
        self.done = self.folder.rounds()
        if not self.done:
            self._end(self._first())
        reason = self._reason()
        while not reason:
            self._end(self._next(len(self.done)))
            reason = self._reason()
        best = self._best()
        if best.adapter:
            shutil.copyfile(self.folder.path / best.adapter, self.folder.path / "adapter.gguf.part")
            (self.folder.path / "adapter.gguf.part").replace(self.folder.path / "adapter.gguf")
        write_card(self.folder.path, self.options, self.done, best=best, reason=reason, n_sealed=len(self.measured["sealed"]))
        return Improved(self.folder.path, tuple(self.done), best, reason)

    def _end(self, found: tuple[Round, Iterable[Problem]]) -> None:
        done, unsolved = found
        self.folder.save(done, unsolved)
        self.done.append(done)
        left = self.options.rounds - done.number
        eta = f"; {left} more would take about {left * done.seconds / 60:.0f} min" if done.number and left else ""
        self.note(
            f"round {done.number}: {100 * done.score:.1f} % right on the problems that decide, {100 * mean(done.sealed):.1f} % on the sealed ones, "
            f"{done.seconds / 60:.1f} min{eta}"
        )

    def _best(self) -> Round:
        return max(self.done, key=lambda one: (one.score, -one.number))

    def _reason(self) -> str:
        """Return why the loop is over, empty where it is not."""
        last, without = self.done[-1], len(self.done) - 1 - self._best().number
        if last.number and not last.rows:
            return f"no answer of round {last.number} was right, so there is nothing to learn: begin at an easier level, or with `teacher`"
        if all(mastered(self.ladders[family], last.sampled.get(family, {})) for family in self.ladders):
            return "every level is mastered"
        if without >= self.options.patience:
            return f"{without} round(s) without a gain"
        return f"{last.number} round(s) are done" if last.number >= self.options.rounds else ""

    def _first(self) -> tuple[Round, list[Problem]]:
        """Measure what the loop begins with, after the teacher has shown what it is to show."""
        began, adapter = time.monotonic(), self.options.adapter
        report: dict[str, Any] = {}
        if adapter is not None:
            own = self.folder.round(0) / "adapter.gguf"
            shutil.copyfile(adapter, own)
            adapter = own
        if self.options.teacher:
            taught = self._taught()
            adapter, report = self.learner.train(0, taught, "sft", adapter, self.folder.round(0) / "taught.gguf")
        return self._measured(0, adapter, began, training=report), []

    def _taught(self) -> Path:
        """Let the exact solver answer problems of the lowest levels, and return the rows."""
        file = self.folder.round(0) / "rows.jsonl"
        if not file.is_file():
            shown = [
                problem for family, ladder in self.ladders.items()
                for problem in sealed.problems_of(family, part="train", level=ladder[0], n=self.options.teacher, key=f"{self.options.seed} teacher")
            ]  # fmt: skip
            self.note(f"round 0: the teacher answers {len(shown)} problems")
            report = run(shown, self.options.strategy, "teacher", db=self.folder.db, seed=self.options.seed, progress=self.progress)
            if not any(result.correct for result in report.results):
                raise BadConfig(
                    f"the teacher answered none of {', '.join(self.ladders)} right", hint="begin with `teacher` 0, or an `adapter`"
                )
            self.learner.choose(0, report, [result for result in report.results if result.correct])
        return file

    def _next(self, number: int) -> tuple[Round, list[Problem]]:
        """Sample, select, train and measure."""
        began = time.monotonic()
        before = self.done[0 if self.options.train_from == "first" else -1].adapter
        report = self._sampled(number, self.done[-1].adapter)
        right = [result for result in report.results if result.correct]
        tried, unsolved, always = self._by_problem(report)
        common: dict[str, Any] = {
            "sampled": tried, "always": tuple(always), "tokens": sum(result.spent.completion_tokens for result in report.results),
            "runs": {"sampled": report.run_id},
        }  # fmt: skip
        if not right:
            last = self.done[-1]
            return last.model_copy(
                update=common
                | {"number": number, "rows": 0, "replayed": 0, "pairs": 0, "training": {}, "seconds": time.monotonic() - began}
            ), unsolved
        n_rows = self.learner.choose(number, report, right)
        mixed, replayed = self.learner.mixed(number)
        start = self.folder.path / before if before else None
        adapter, training = self.learner.train(number, mixed, "sft", start, self.folder.round(number) / "adapter.gguf")
        file, pairs = self.learner.pairs(number, report) if self.options.objective == "dpo" else (None, 0)
        if file is not None and pairs:
            adapter, training = self.learner.train(number, file, "dpo", adapter, self.folder.round(number) / "preferred.gguf")
        more = {"rows": n_rows, "replayed": replayed, "pairs": pairs, "training": training}
        return self._measured(number, adapter, began, **common, **more), unsolved

    def _sampled(self, number: int, adapter: str | None) -> Report:
        """Draw the problems of a round by the curriculum and have the model try each several times."""
        o, always = self.options, {name for one in self.done for name in one.always}
        problems: list[Problem] = []
        unsolved = self.folder.unsolved(number - 1)
        for family, ladder in self.ladders.items():
            again = [one for one in unsolved if self.families.get(one.solver) == family][: o.n // MAX_AGAIN]
            problems += again
            for level, n in shares(ladder, self._rates(family), o.n - len(again)).items():
                known = always | {one.id for one in problems}
                problems += sealed.problems_of(family, part="train", level=level, n=n, key=f"{o.seed} round {number}", without=known)
        if not problems:
            raise BadConfig("no problem is left that the model does not solve every time", hint="add levels or families")
        self.note(f"round {number}: {len(problems)} problems, {o.samples} answers each")
        return self._asked(f"round-{number}-sampled", problems, adapter, samples=o.samples, temperature=o.temperature, seed=o.seed + number)

    def _rates(self, family: str) -> dict[int, Rate]:
        """Return what was right when a level was last sampled."""
        found: dict[int, Rate] = {}
        for one in self.done:
            found |= one.sampled.get(family, {})
        return found

    def _asked(self, name: str, problems: Sequence[Problem], adapter: str | Path | None, **how: Any) -> Report:
        """Have the model answer problems, here or elsewhere; `name` tells the run from the loop's others."""
        o = self.options
        how.setdefault("samples", 1)
        how["progress"] = self.progress
        if self.elsewhere is not None:
            how |= {"carrier": self.elsewhere.carrier.within(name), "lease_s": self.elsewhere.lease_s}
        sampling = Sampling(temperature=how.pop("temperature"), max_tokens=o.max_tokens)
        given: Path | Literal["none"] = self.folder.path / adapter if adapter is not None else "none"
        client = ClientOptions(adapter=given, threads=o.threads, concurrency=o.concurrency, n_ctx=max(4096, o.n_ctx), exact=o.exact)
        return run(problems, o.strategy, o.model, db=self.folder.db, sampling=sampling, options=client, **how)

    def _measured(self, number: int, adapter: Path | None, began: float, **facts: Any) -> Round:
        """Ask the problems that decide and the sealed ones, greedily, and return the round."""
        reports = {}
        for part, problems in self.measured.items():
            self.note(f"round {number}: {len(problems)} problems that {'decide' if part == 'dev' else 'are sealed'}")
            reports[part] = self._asked(
                f"round-{number}-{part}", problems, adapter, temperature=self.options.eval_temperature, seed=self.options.seed
            )
        runs = facts.pop("runs", {}) | {part: report.run_id for part, report in reports.items()}
        tokens = facts.pop("tokens", 0) + sum(result.spent.completion_tokens for report in reports.values() for result in report.results)
        return Round(
            number=number, adapter=str(adapter.relative_to(self.folder.path)) if adapter else None, runs=runs, tokens=tokens,
            dev=self._counted(reports["dev"].results), sealed=self._counted(reports["sealed"].results),
            sealed_right=tuple(result.problem.id for result in reports["sealed"].results if result.correct),
            seconds=time.monotonic() - began, **facts,
        )  # fmt: skip

    def _counted(self, results: Iterable[Result]) -> Rates:
        counts: dict[str, dict[int, list[int]]] = {}
        for result in results:
            cell = counts.setdefault(self.families[result.problem.solver], {}).setdefault(result.problem.level or 0, [0, 0])
            cell[0] += bool(result.correct)
            cell[1] += 1
        return {family: {level: Rate(*cell) for level, cell in sorted(levels.items())} for family, levels in counts.items()}

    def _by_problem(self, report: Report) -> tuple[Rates, list[Problem], list[str]]:
        """Return the rates of a round, and which problems were solved never and always."""
        tried: dict[str, tuple[Problem, list[bool]]] = {}
        for result in report.results:
            tried.setdefault(result.problem.id, (result.problem, []))[1].append(bool(result.correct))
        never = [problem for problem, verdicts in tried.values() if not any(verdicts)]
        return self._counted(report.results), never, [problem.id for problem, verdicts in tried.values() if all(verdicts)]

    def _held_out(self, part: str, n: int) -> list[Problem]:
        found = [
            problem for family, ladder in self.ladders.items() for level in ladder
            for problem in sealed.problems_of(family, part=part, level=level, n=n, key=f"{self.options.seed} {part}")
        ]  # fmt: skip
        if not found:
            raise BadConfig(
                f"{', '.join(self.ladders)} have too few problems for a part that is {part}", hint="name families with more problems"
            )
        return found
