"""Close the loop: verified searches become training data, the default model is tuned on them, and is asked what it could not do before.

python examples/close_the_loop.py                                       what would be done, with the sizes of the data; trains nothing
python examples/close_the_loop.py --dir loop --minutes 240              do it; the same command goes on where it was stopped or killed
python examples/close_the_loop.py --dir loop --methods bfs --seeds 1 --tokens 100000 --puzzles number_path

The teacher writes chains of thought and searches (breadth first, depth first) for the same problems of the ATS puzzles, at the paper's
ranges and some of others. One adapter over all puzzles is tuned on each kind, with the same number of training tokens; and base and tuned models are asked,
greedily and once, about problems of which no variant was trained on, and about problems of wider ranges. `--each` tunes adapters for
single puzzles too; `--second N` has the model that learned to search try wider problems, keeps what verifies, and goes on with it for N tokens.
Every verdict is the solver's. The table grows in DIR/table.md, the figures behind it in DIR/results.json.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
import time
from itertools import permutations
from pathlib import Path
from typing import Any

from reasoner import registry, run
from reasoner.clients import ClientOptions
from reasoner.comparison import wilson
from reasoner.datasets.export import export
from reasoner.datasets.select import Filters
from reasoner.datasets.split import Split
from reasoner.errors import ReasonerError
from reasoner.runs.problems import problem_from_instance, problem_from_line
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.store import Store
from reasoner.tune import Options, Progress, tune
from reasoner.types import Problem, Sampling, digest

PAPER = {"number_path": (3, 4), "drop_water": (2, 4), "arithmetic": (1,), "minimal_grass": (1,)}
WIDER = {"number_path": (5,), "drop_water": (6,), "arithmetic": (3,), "minimal_grass": (2,)}
MORE = {"number_path": (1, 2, 5), "drop_water": (6,), "arithmetic": (3,), "minimal_grass": (2,)}
"""Further levels to train on: small numbers, where a goal met too early is frequent, and larger ones."""
MORE_PROBLEMS = {"number_path": 200, "drop_water": 150, "arithmetic": 400, "minimal_grass": 400}
TURNED = {"minimal_grass": 600}
"""Problems that are shown once more with their numbers in another order: other sums on the way to the same end."""
METHODS = {"cot": "cot:format=fan", "bfs": "ats:layout=fan", "dfs": "ats:order=dfs,layout=fan"}
ROWS = {"cot": 16, "bfs": 4, "dfs": 4}
"""Rows of a batch, so that a step shows about as many tokens of each kind."""
SHARE = {"number_path": 2.0, "drop_water": 1.5}
"""How often a row stands in the data of all puzzles: there are few problems of these."""
GENTLE = 3e-4
"""The learning rate at which an adapter is gone on with."""
SPLIT = "train=0.85,test=0.15"
BARREN = 3_000
"""Draws without a new problem after which a range is taken for exhausted."""
MAX_ANSWER_TOKENS = 1200
LONGEST_ROW = 2560
"""Tokens of the longest row that is trained on: searches of `minimal_grass` 2 come near it."""
HEAT = 0.7
"""The temperature at which the model tries problems for the second turn."""


class OutOfTime(Exception):
    """The time that was given is over; what was done is kept."""


class Loop:
    """The experiment in one directory."""

    def __init__(self, chosen: argparse.Namespace, folder: Path) -> None:
        self.chosen, self.folder = chosen, folder
        self.deadline = time.monotonic() + 60 * chosen.minutes if chosen.minutes else None
        self.file = folder / "results.json"
        self.results: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}

    def problems(self, puzzle: str, *, part: str, levels: tuple[int, ...], n: int) -> list[Problem]:
        """Draw up to n problems of a part, of all levels alike; the parts share no family."""
        solver, split = registry.solver(puzzle), Split.parse(SPLIT)
        found: dict[Any, Problem] = {}
        rng = random.Random(int(digest("close the loop", puzzle, *map(str, levels)), 16))
        draw = barren = 0
        while len(found) < n and barren < BARREN:
            level = levels[draw % len(levels)]
            draw, barren = draw + 1, barren + 1
            instance = solver.generate(rng, level)
            key = solver.canonical(instance)
            if key not in found and split.of(puzzle, str(solver.family(instance))) == part:
                found[key], barren = problem_from_instance(solver, instance, level), 0
        return list(found.values())

    def data(self, puzzle: str) -> dict[str, Path]:
        """Return what is learned from about a puzzle, by method."""
        files = {method: self.folder / f"{puzzle}.{method}.jsonl" for method in self.chosen.methods}
        if all(file.is_file() for file in files.values()):
            return files
        drawn, more = self.shown(puzzle)
        turned = self.turned(drawn, min(TURNED.get(puzzle, 0), self.chosen.problems))
        self.taught(files, list({problem.id: problem for problem in (*drawn, *more, *turned)}.values()))
        return files

    def shown(self, puzzle: str) -> tuple[list[Problem], list[Problem]]:
        """Return the problems that are trained on: those at the paper's ranges, and those of further levels."""
        n_more = min(MORE_PROBLEMS.get(puzzle, 0), self.chosen.problems)
        return (
            self.problems(puzzle, part="train", levels=PAPER[puzzle], n=self.chosen.problems),
            self.problems(puzzle, part="train", levels=MORE[puzzle], n=n_more) if n_more else [],
        )

    def fresh(self, puzzle: str) -> list[Problem]:
        """Return problems of wider ranges that were not trained on."""
        solver, (drawn, more) = registry.solver(puzzle), self.shown(puzzle)
        known = {solver.family(solver.parse(problem.line)) for problem in (*drawn, *more)}
        wider = self.problems(puzzle, part="train", levels=WIDER[puzzle], n=len(known) + self.chosen.fresh)
        return [problem for problem in wider if solver.family(solver.parse(problem.line)) not in known][: self.chosen.fresh]

    def turned(self, drawn: list[Problem], n: int) -> list[Problem]:
        """Return up to n of these problems with their numbers in another order."""
        orders = {" ".join(order): problem.solver for problem in drawn for order in permutations(problem.line.split())} if n else {}
        lines = sorted(orders.keys() - {problem.line for problem in drawn})
        return [problem_from_line(orders[line], line) for line in random.Random(0).sample(lines, min(n, len(lines)))]

    def taught(self, files: dict[str, Path], drawn: list[Problem]) -> None:
        """Let the teacher write a file of rows for each method: of the same problems, those that all these methods can write down."""
        strategies = [spec for method in files for spec in parse_strategies(METHODS[method])]
        with tempfile.TemporaryDirectory() as scratch:
            tried = run(drawn, strategies, "teacher", db=Path(scratch) / "t.db")
        failed = {outcome.problem.id for outcome in tried.results if not outcome.correct}
        kept = [problem for problem in drawn if problem.id not in failed]
        db = self.folder / "teacher.db"
        run_id = run(kept, strategies, "teacher", db=db).run_id
        with Store.open(db) as store:
            for method, file in files.items():
                export(store, "prompt-completion", file, Filters(run=run_id, strategy=METHODS[method]))

    def tuned(self, name: str, data: Path, *, method: str, seed: int, tokens: int = 0, start: Path | None = None) -> Path:
        """Train one adapter, or take the one that is there."""
        out = self.folder / f"{name}.gguf"
        if not out.is_file():
            self.check_time()
            options = Options(
                max_tokens=tokens or self.chosen.tokens,
                epochs=1000,
                seed=seed,
                start=start,
                learning_rate=GENTLE if start else 1e-3,
                threads=self.chosen.threads,
                rank=32,
                alpha=48,
                batch=ROWS[method],
                n_ctx=LONGEST_ROW,
                compiled=self.chosen.compile,
            )
            self.results[f"training {name}"] = tune(data, out, options, on_progress=self.progress(name)).model_dump()
            self.save()
        return out

    def progress(self, name: str) -> Any:
        """Return what prints how far a training is, and stops it when the time is over: its checkpoint stays."""

        def tell(at: Progress) -> None:
            print(
                f"{name}: step {at.step}, loss {at.loss:.4f}, {at.tokens} tokens, {at.tokens_per_s:.0f}/s, ETA {at.eta_s / 60:.0f} min",
                flush=True,
            )
            self.check_time()

        return tell

    def asked(self, name: str, problems: list[Problem], strategy: str, adapter: Path | None, *, samples: int = 1, heat: float = 0.0) -> Any:
        """Ask a model about problems; answers that are in the store already are not asked for again."""
        self.check_time()
        report = run(
            problems, strategy, "local", db=self.folder / "answers.db", samples=samples,
            sampling=Sampling(temperature=heat, max_tokens=self.chosen.answer_tokens),
            options=ClientOptions(adapter=adapter, threads=self.chosen.threads),
        )  # fmt: skip
        if samples == 1:
            self.results[name] = [
                {
                    "problem": o.problem.line, "solver": o.problem.solver, "level": o.problem.level, "correct": o.correct,
                    "tokens": o.spent.completion_tokens, "answer": o.text,
                }
                for o in report.results
            ]  # fmt: skip
            self.save()
        return report

    def check_time(self) -> None:
        """Raise when the time is over."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTime

    def save(self) -> None:
        """Write results and table."""
        self.file.write_text(json.dumps(self.results, indent=1), encoding="utf-8")
        (self.folder / "table.md").write_text(self.table() + "\n", encoding="utf-8")

    def table(self) -> str:
        """Return accuracy with its interval, and tokens per answer."""
        lines = ["| what | n | right | accuracy | 95 % | tokens per answer |", "|---|---|---|---|---|---|"]
        for name, rows in self.results.items():
            if isinstance(rows, list) and rows:
                n, right = len(rows), sum(row["correct"] for row in rows)
                low, high = wilson(right, n)
                mean = sum(row["tokens"] for row in rows) / n
                lines.append(f"| {name} | {n} | {right} | {100 * right / n:.1f} % | {100 * low:.1f}–{100 * high:.1f} | {mean:.0f} |")
        return "\n".join(lines)

    def run(self) -> None:
        """Do everything; what is done already is not done again."""
        puzzles, methods = self.chosen.puzzles, self.chosen.methods
        for puzzle in puzzles:
            self.data(puzzle)
        for seed in range(self.chosen.seeds):
            for method in methods:
                data = self.joined(f"joint.{method}.jsonl", [(self.data(p)[method], SHARE.get(p, 1.0)) for p in puzzles])
                adapter = self.tuned(f"joint.{method}.s{seed}", data, method=method, seed=seed)
                self.examined(f"{method} seed {seed}", METHODS[method], adapter)
        self.examined("base", METHODS["cot"].partition(":")[0], None)
        for puzzle in puzzles if self.chosen.each else ():
            for method in methods:
                adapter = self.tuned(f"{puzzle}.{method}", self.data(puzzle)[method], method=method, seed=0)
                self.examined(f"{method} alone", METHODS[method], adapter, puzzles=[puzzle])
        if self.chosen.second and "bfs" in methods:
            self.second()

    def examined(self, name: str, strategy: str, adapter: Path | None, *, puzzles: list[str] | None = None) -> None:
        """Ask about all held-out problems of the paper's ranges, and about some of wider ranges."""
        for puzzle in puzzles or self.chosen.puzzles:
            for where, levels, n in (("", PAPER, self.chosen.test), (" wider", WIDER, self.chosen.wider)):
                problems = self.problems(puzzle, part="test", levels=levels[puzzle], n=n) if n else []
                if problems and f"{puzzle}{where}: {name}" not in self.results:
                    self.asked(f"{puzzle}{where}: {name}", problems, strategy, adapter)

    def second(self) -> None:
        """Have the first search adapter try wider problems, keep what verifies, and go on with it on that and as much of its own data."""
        puzzles, first = self.chosen.puzzles, self.folder / "joint.bfs.s0.gguf"
        fresh = [problem for puzzle in puzzles for problem in self.fresh(puzzle)]
        report = self.asked("second turn", fresh, METHODS["bfs"], first, samples=self.chosen.samples, heat=HEAT)
        own = self.folder / "own.jsonl"
        with Store.open(self.folder / "answers.db") as store:
            export(store, "prompt-completion", own, Filters(run=report.run_id, verdict="correct"))
        n_own = sum(1 for _ in own.open(encoding="utf-8"))
        print(f"second turn: {n_own} right answers of {len(report.results)}", flush=True)
        if not n_own:
            return
        before = self.folder / "joint.bfs.jsonl"
        n_before = sum(1 for _ in before.open(encoding="utf-8"))
        data = self.joined("second.jsonl", [(own, 1.0), (before, n_own / n_before)], mixed=True)
        adapter = self.tuned("second", data, method="bfs", seed=0, tokens=self.chosen.second, start=first)
        self.examined("second turn", METHODS["bfs"], adapter)

    def joined(self, name: str, files: list[tuple[Path, float]], *, mixed: bool = False) -> Path:
        """Write rows of several files as one, each as often as its share says, once; with `mixed` any rows of a file, not its first."""
        file = self.folder / name
        if not file.is_file():
            rows: list[str] = []
            for each, share in files:
                lines = each.read_text(encoding="utf-8").splitlines(keepends=True)
                if mixed:
                    random.Random(0).shuffle(lines)
                rows += (lines * math.ceil(share))[: int(share * len(lines))]
            file.write_text("".join(rows), encoding="utf-8")
        return file


def main() -> None:
    """Read the command line and do it, or say what would be done."""
    parser = argparse.ArgumentParser(description="tune the default model on verified searches, and measure what it learned")
    parser.add_argument("--dir", type=Path, help="where everything goes; without it nothing is trained")
    parser.add_argument("--puzzles", type=lambda text: text.split(","), default=list(PAPER))
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=1000, help="training problems of each puzzle at most")
    parser.add_argument("--test", type=int, default=200, help="held-out problems of each puzzle at the paper's ranges at most")
    parser.add_argument("--wider", type=int, default=130, help="held-out problems of each puzzle at wider ranges")
    parser.add_argument("--tokens", type=int, default=700_000, help="training tokens of each adapter")
    parser.add_argument("--each", action="store_true", help="adapters for single puzzles too")
    parser.add_argument("--second", type=int, default=0, help="go on for so many tokens on what the first search adapter solves by itself")
    parser.add_argument("--fresh", type=int, default=60, help="problems of each puzzle in the second turn")
    parser.add_argument("--samples", type=int, default=4, help="tries at each of them")
    parser.add_argument("--answer-tokens", type=int, default=MAX_ANSWER_TOKENS)
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so many; 0: when all is done")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--compile", action="store_true", help="translate the layers first; needs a C++ compiler")
    chosen = parser.parse_args()
    if chosen.dir is None:
        chosen.problems = min(chosen.problems, 30)
        with tempfile.TemporaryDirectory() as folder:
            loop = Loop(chosen, Path(folder))
            for puzzle in chosen.puzzles:
                for method, file in loop.data(puzzle).items():
                    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
                    mean = sum(len(row["completion"][0]["content"]) for row in rows) / max(1, len(rows))
                    print(f"{puzzle:14} {method}: {len(rows)} of {chosen.problems} problems, {mean:.0f} characters a reply")
        print(f"{len(chosen.methods) * chosen.seeds} adapters of {chosen.tokens} tokens each; name a --dir to train them")
        return
    chosen.dir.mkdir(parents=True, exist_ok=True)
    loop = Loop(chosen, chosen.dir)
    try:
        loop.run()
    except OutOfTime:
        print("the time is over; the same command goes on from here")
    except ReasonerError as error:
        raise SystemExit(f"error: {error}") from error
    print(loop.table())


if __name__ == "__main__":
    main()
