"""Close the loop: verified searches become training data, the default model is tuned on them, and is asked what it could not do before.

python examples/close_the_loop.py                                       what would be done, with the sizes of the data; trains nothing
python examples/close_the_loop.py --dir loop --minutes 240              do it; the same command goes on where it was stopped or killed
python examples/close_the_loop.py --dir loop --puzzles number_path --methods cot,bfs --seeds 1 --tokens 150000

For each puzzle the teacher writes chains of thought and searches (breadth first, depth first) for the same problems; one adapter is tuned
on each kind with the same number of training tokens; and base and tuned models are asked, greedily and once, about problems of which no
variant was trained on. Every verdict is the solver's. The table grows in DIR/table.md, the figures behind it in DIR/results.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from reasoner import registry
from reasoner.api import Setup, execute
from reasoner.clients import ClientOptions
from reasoner.compare import wilson
from reasoner.datasets.export import export
from reasoner.datasets.select import Filters
from reasoner.datasets.split import Split
from reasoner.errors import ReasonerError
from reasoner.plan import parse_strategies, problem_from_instance
from reasoner.store import Store
from reasoner.tune import Options, Progress, tune
from reasoner.types import Problem, Sampling, digest

PAPER = {"number_path": (3, 4), "drop_water": (2, 4), "arithmetic": (1,), "minimal_grass": (1,)}
WIDER = {"number_path": (5,), "drop_water": (6,), "arithmetic": (3,), "minimal_grass": ()}
"""Levels beyond the paper's, so that there are enough problems to test on. All triples up to 16 are enough for `minimal_grass`."""
METHODS = {"cot": "cot:format=fan", "bfs": "ats:layout=fan", "dfs": "ats:order=dfs,layout=fan"}
BASE = "cot"
"""How the base is asked: with the whole statement; the tuned models are shown the problem's line alone."""
MAX_ANSWER_TOKENS = 1000


class OutOfTime(Exception):
    """The time that was given is over; what was done is kept."""


class Loop:
    """The experiment in one directory."""

    def __init__(self, chosen: argparse.Namespace, folder: Path) -> None:
        self.chosen, self.folder = chosen, folder
        self.deadline = time.monotonic() + 60 * chosen.minutes if chosen.minutes else None
        self.file = folder / "results.json"
        self.results: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}

    def problems(self, puzzle: str, *, part: str, n: int) -> list[Problem]:
        """Draw n problems of a part, of all levels alike; the parts share no family."""
        solver = registry.solver(puzzle)
        split = Split.parse("train=0.6,fresh=0.2,test=0.2")
        found: dict[Any, Problem] = {}
        levels = (*PAPER[puzzle], *WIDER[puzzle])
        rng = random.Random(int(digest("close the loop", puzzle), 16))
        for draw in range(200 * n):
            level = levels[draw % len(levels)]
            instance = solver.generate(rng, level)
            if split.of(puzzle, str(solver.family(instance))) == part:
                found.setdefault(solver.canonical(instance), problem_from_instance(solver, instance, level))
            if len(found) == n:
                break
        return list(found.values())

    def data(self, puzzle: str) -> dict[str, Path]:
        """Let the teacher write what is learned from: for every method the same problems, those that all methods can write down."""
        files = {method: self.folder / f"{puzzle}.{method}.jsonl" for method in self.chosen.methods}
        if all(file.is_file() for file in files.values()):
            return files
        drawn = self.problems(puzzle, part="train", n=self.chosen.problems)
        strategies = [spec for method in self.chosen.methods for spec in parse_strategies(METHODS[method])]
        with tempfile.TemporaryDirectory() as scratch:
            tried = asyncio.run(execute(drawn, strategies, ["teacher"], Setup(db=Path(scratch) / "t.db")))
        failed = {outcome.problem.id for outcome in tried.outcomes if not outcome.correct}
        kept = [problem for problem in drawn if problem.id not in failed]
        db = self.folder / "teacher.db"
        run = asyncio.run(execute(kept, strategies, ["teacher"], Setup(db=db))).run_id
        with Store.open(db) as store:
            for method, file in files.items():
                export(store, "prompt-completion", file, Filters(run=run, strategy=METHODS[method]))
        return files

    def tuned(self, name: str, data: Path, *, tokens: int, seed: int) -> Path:
        """Train one adapter, or take the one that is there."""
        out = self.folder / f"{name}.gguf"
        if not out.is_file():
            self.check_time()
            options = Options(max_tokens=tokens, epochs=1000, seed=seed, threads=self.chosen.threads)
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
        setup = Setup(
            db=self.folder / "answers.db", samples=samples, sampling=Sampling(temperature=heat, max_tokens=self.chosen.answer_tokens),
            options=ClientOptions(adapter=adapter, threads=self.chosen.threads),
        )  # fmt: skip
        report = asyncio.run(execute(problems, parse_strategies(strategy), ["local"], setup))
        if samples == 1:
            self.results[name] = [
                {
                    "problem": o.problem.line, "solver": o.problem.solver, "level": o.problem.level, "correct": o.correct,
                    "tokens": o.spent.completion_tokens, "answer": o.answer,
                }
                for o in report.outcomes
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
        """Return accuracy on all held-out problems, on those of the paper's ranges, and tokens per answer."""
        lines = ["| what | n | accuracy | 95 % | paper's ranges | tokens per answer |", "|---|---|---|---|---|---|"]
        for name, rows in self.results.items():
            if isinstance(rows, list) and rows:
                n, right = len(rows), sum(row["correct"] for row in rows)
                low, high = wilson(right, n)
                paper = [row["correct"] for row in rows if row["level"] in PAPER.get(row["solver"], ())]
                mean = sum(row["tokens"] for row in rows) / n
                lines.append(
                    f"| {name} | {n} | {100 * right / n:.1f} % | {100 * low:.1f}–{100 * high:.1f} | {sum(paper)} of {len(paper)} | {mean:.0f} |"
                )
        return "\n".join(lines)

    def run(self) -> None:
        """Do everything; what is done already is not done again."""
        tests = {puzzle: self.problems(puzzle, part="test", n=self.chosen.test) for puzzle in self.chosen.puzzles}
        for puzzle in self.chosen.puzzles:
            data = self.data(puzzle)
            self.asked(f"{puzzle} base", tests[puzzle], BASE, None)
            for method in self.chosen.methods:
                for seed in range(self.chosen.seeds):
                    name = f"{puzzle}.{method}.s{seed}"
                    adapter = self.tuned(name, data[method], tokens=self.chosen.tokens, seed=seed)
                    self.asked(f"{puzzle} tuned {method} seed {seed}", tests[puzzle], METHODS[method], adapter)
        if self.chosen.joint and "bfs" in self.chosen.methods:
            self.joint(tests)

    def joint(self, tests: dict[str, list[Problem]]) -> None:
        """One adapter for all puzzles; then a second turn on what it gets right by itself on fresh problems."""
        puzzles, tokens = self.chosen.puzzles, self.chosen.tokens * len(self.chosen.puzzles)
        first = self.joined("joint.jsonl", [self.data(puzzle)["bfs"] for puzzle in puzzles])
        adapter = self.tuned("joint", first, tokens=tokens, seed=0)
        for puzzle in puzzles:
            self.asked(f"{puzzle} joint", tests[puzzle], METHODS["bfs"], adapter)
        fresh = [problem for puzzle in puzzles for problem in self.problems(puzzle, part="fresh", n=self.chosen.fresh)]
        report = self.asked("second turn", fresh, METHODS["bfs"], adapter, samples=4, heat=0.7)
        own = self.folder / "own.jsonl"
        with Store.open(self.folder / "answers.db") as store:
            export(store, "prompt-completion", own, Filters(run=report.run_id, verdict="correct"))
        second = self.joined("second.jsonl", [first, own])
        adapter = self.tuned("second", second, tokens=tokens, seed=0)
        for puzzle in puzzles:
            self.asked(f"{puzzle} second turn", tests[puzzle], METHODS["bfs"], adapter)

    def joined(self, name: str, files: list[Path]) -> Path:
        """Write rows of several files as one, once."""
        file = self.folder / name
        if not file.is_file():
            file.write_text("".join(each.read_text(encoding="utf-8") for each in files if each.is_file()), encoding="utf-8")
        return file


def main() -> None:
    """Read the command line and do it, or say what would be done."""
    parser = argparse.ArgumentParser(description="tune the default model on verified searches, and measure what it learned")
    parser.add_argument("--dir", type=Path, help="where everything goes; without it nothing is trained")
    parser.add_argument("--puzzles", type=lambda text: text.split(","), default=list(PAPER))
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=500, help="training problems of each puzzle")
    parser.add_argument("--test", type=int, default=200, help="held-out problems of each puzzle")
    parser.add_argument("--fresh", type=int, default=100, help="problems of each puzzle in the second turn")
    parser.add_argument("--tokens", type=int, default=200_000, help="training tokens of each adapter")
    parser.add_argument("--answer-tokens", type=int, default=MAX_ANSWER_TOKENS)
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so many; 0: when all is done")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--no-joint", dest="joint", action="store_false")
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
        print(
            f"{len(chosen.puzzles) * len(chosen.methods) * chosen.seeds} adapters of {chosen.tokens} tokens each; name a --dir to train them"
        )
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
