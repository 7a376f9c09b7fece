"""The evidence: which strategies help a model, family by family, at what price.

python examples/evidence.py --model MODEL.gguf --form q4_0 --dir evidence         how long it takes, judged by 3 problems of each family
python examples/evidence.py --model MODEL.gguf --form q4_0 --dir evidence --go    do it; the same command goes on where it was stopped or killed
python examples/evidence.py --model teacher --dir evidence --families words,countdown --problems 4 --go

Every family's problems are drawn from a seed and judged by its exact verifier; all strategies get the same ones. Each is tested against `cot` (McNemar's
exact test, corrected by Holm within a family). Strategies that draw samples are asked `--samples` times with seeds of their own. Nothing is asked twice:
calls of an earlier run in the same folder are taken from there. DIR/evidence.md holds the tables, DIR/evidence.json the figures behind them.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import reasoner
from reasoner import registry
from reasoner.comparison.comparison import Comparison
from reasoner.session.walk import Walk
from reasoner.solver import Searchable

FAMILIES = {"words": 1, "countdown": 1, "sql": 1, "code": 1, "review": 1, "extract": 3, "schedule": 4}
"""The level of each that is asked where none is named. On the lower levels of `schedule` most walks along legal steps end well."""
GREEDY = ("direct", "cot", "ats:shots=1", "program", "draft", "repair", "refine", "guided", "iot:max_rounds=2")
SAMPLED = (
    "self_consistency:n=3,stop=certain",
    "best_of_n:n=4,select=check",
    "beam:width=2,expand=2",
    "tot:breadth=2,candidates=4,value_samples=1",
)
BASELINE = "cot"
MORE_POINTS, TIMES_TOKENS = 0.20, 3.0
"""What counts as help: so much more accuracy than the baseline, at so many times its tokens at most."""
N_WALKS = 20


def fits(family: str, strategy: str) -> bool:
    """Tell whether a family has what a strategy needs: moves, an answer that a program can give."""
    solver, name = registry.solver(family), strategy.partition(":")[0]
    if name in {"guided", "tot"}:
        return isinstance(solver, Searchable)
    return not (name == "program" and solver.block)


def by_chance(family: str, level: int, n: int, seed: int) -> float | None:
    """Return how often steps that are drawn from the legal ones solve a problem: what `guided` owes to its constraint alone. None without moves."""
    solver: Any = registry.solver(family)
    if not isinstance(solver, Searchable):
        return None
    rng, right = random.Random(seed), 0
    for _ in range(n):
        instance = solver.generate(rng, level)
        for _ in range(N_WALKS):
            walk = Walk(solver, instance)
            while options := walk.options():
                walk.take(rng.choice(options))
            right += bool(solver.verify(instance, walk.answer()).correct)
    return right / (n * N_WALKS)


def asked(chosen: argparse.Namespace, family: str, strategies: list[str], *, n: int, samples: int) -> Comparison:
    """Ask, or read what was asked before."""
    return reasoner.compare(
        family, strategy=strategies, baseline=BASELINE, model=chosen.model, n=n, level=chosen.levels[family], samples=samples, cache=True,
        db=chosen.dir / "evidence.db", seed=chosen.seed, max_tokens=chosen.max_tokens, concurrency=chosen.concurrency, progress=True,
        **({} if chosen.model == "teacher" else {"form": chosen.form}),
    )  # fmt: skip


def rows_of(made: Comparison) -> list[dict[str, Any]]:
    """Return a row for each strategy: accuracy and its interval, tokens, and what the paired test says."""
    rows = {row.strategy: row for row in made.rows if row.solver is not None}
    tests = {test.strategy: test for test in made.tests if test.solver is not None}
    base = rows[BASELINE]
    return [
        {
            "strategy": name, "correct": row.correct, "answers": row.n_answers, "accuracy": row.accuracy, "ci95": list(row.interval),
            "unparsed": row.unparsed, "calls": row.spent.calls / row.n_answers, "tokens": row.mean_tokens, "times_tokens": row.mean_tokens / base.mean_tokens,
            "points": row.accuracy - base.accuracy, "seconds": row.spent.seconds,
            **({"gained": tests[name].gained, "lost": tests[name].lost, "p": tests[name].p, "p_holm": tests[name].p_holm} if name in tests else {}),
        }
        for name, row in rows.items()
    ]  # fmt: skip


def helps(row: dict[str, Any]) -> bool:
    """Tell whether a strategy is what this asks for: clearly better, at a bearable price."""
    p = row.get("p_holm")
    return row["points"] >= MORE_POINTS and row["times_tokens"] <= TIMES_TOKENS and p is not None and p < 0.05


def table(family: str, level: int, chance: float | None, rows: list[dict[str, Any]]) -> str:
    """Write one family's rows as Markdown."""
    lines = [
        f"### {family}, level {level}",
        *([f"Steps drawn at random from the legal ones solve {chance:.1%}.", ""] if chance is not None else [""]),
        "| strategy | correct | 95 % interval | unparsed | gained, lost | p (Holm) | calls an answer | tokens an answer | times those of `cot` |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: -row["accuracy"]):
        low, high = row["ci95"]
        against = f"{row['gained']}, {row['lost']} | {row['p_holm']:.3g}" if "gained" in row else "| "
        name = f"**`{row['strategy']}`**" if helps(row) else f"`{row['strategy']}`"
        lines.append(
            f"| {name} | {row['correct']}/{row['answers']} | {100 * low:.1f}–{100 * high:.1f} % | {row['unparsed']} | {against} | {row['calls']:.1f} "
            f"| {row['tokens']:.0f} | {row['times_tokens']:.1f} |"
        )
    return "\n".join(lines)


def written(chosen: argparse.Namespace, found: dict[str, Any]) -> str:
    """Write all tables, and in how many families something helps."""
    helped = {family: [row["strategy"] for row in each["rows"] if helps(row)] for family, each in found.items()}
    n_helped = sum(map(bool, helped.values()))
    head = (
        f"## {chosen.model}\n\n{n_helped} of {len(found)} families have a strategy that is right {100 * MORE_POINTS:.0f} points more often than `{BASELINE}` "
        f"(p < 0.05) at {TIMES_TOKENS:g} times its tokens at most; they are set in bold."
    )
    return "\n\n".join([head, *(table(family, each["level"], each["by_chance"], each["rows"]) for family, each in found.items())]) + "\n"


def carried_out(chosen: argparse.Namespace, *, n: int, samples: int) -> dict[str, Any]:
    """Ask all families, and return what came of each."""
    found: dict[str, Any] = {}
    for family in chosen.levels:
        greedy = [strategy for strategy in chosen.strategies if strategy not in SAMPLED and fits(family, strategy)]
        drawn = [strategy for strategy in chosen.strategies if strategy in SAMPLED and fits(family, strategy)]
        started = time.monotonic()
        rows = rows_of(asked(chosen, family, greedy, n=n, samples=1))
        if drawn:
            rows += [row for row in rows_of(asked(chosen, family, [BASELINE, *drawn], n=n, samples=samples)) if row["strategy"] != BASELINE]
        level = chosen.levels[family]
        found[family] = {
            "level": level, "n": n, "by_chance": by_chance(family, level, min(n, 50), chosen.seed), "rows": rows, "wall_s": time.monotonic() - started,
        }  # fmt: skip
    return found


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="teacher", help="teacher, local, a .gguf, or what else 'reasoner compare --model' takes")
    parser.add_argument("--form", default="auto", help="form of a local model's weights")
    parser.add_argument("--dir", type=Path, default=Path("evidence"))
    parser.add_argument("--families", default=",".join(FAMILIES), help="NAME or NAME=LEVEL, separated by commas")
    parser.add_argument(
        "--strategies", nargs="+", default=[*GREEDY, *SAMPLED], help="names as 'reasoner compare --strategy' takes them, one word each"
    )
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=3, help="seeds of the strategies that draw samples")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument(
        "--go", action="store_true", help="ask; without it three problems of each are asked, to say how long all of it takes"
    )
    chosen = parser.parse_args()
    pairs = (name.partition("=") for name in chosen.families.split(","))
    chosen.levels = {name: int(level) if level else FAMILIES[name] for name, _, level in pairs}
    if BASELINE not in chosen.strategies:
        chosen.strategies.insert(0, BASELINE)
    return chosen


def main() -> None:
    """Say how long it takes, or do it."""
    chosen = read_arguments()
    chosen.dir.mkdir(parents=True, exist_ok=True)
    if not chosen.go:
        found = carried_out(chosen, n=3, samples=1)
        wall_s = sum(each["wall_s"] for each in found.values())
        share = chosen.problems / 3
        print(
            f"{len(found)} families, {chosen.problems} problems each: about {wall_s * share / 3600:.1f} hours on this machine, judged by 3 problems each"
        )
        print("at most that, since more problems are decoded together; give --go to ask them")
        return
    found = carried_out(chosen, n=chosen.problems, samples=chosen.samples)
    (chosen.dir / "evidence.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = written(chosen, found)
    (chosen.dir / "evidence.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
