r"""Word problems of our own in the form of GSM8K: written, checked, and asked with worked examples.

python examples/word_problems.py --out problems            200 test and 40 training problems, problems/test.jsonl and problems/train.jsonl
python examples/word_problems.py --out problems --ask      then asks the teacher about them, as the command below asks a model

    reasoner bench question:problems/test.jsonl --recipe gsm8k --shots 8 --shots-from problems/train.jsonl -n all \
      --strategy cot,self_consistency:n=5 --model MODEL.gguf --by kind

Every problem is drawn from a seed and has a worked solution with calculator marks that ends in `#### N`, computed apart from its text. Names,
things and numbers are drawn; a kind has two to four steps. Training and test share no problem.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path

import reasoner
from reasoner.api.questions import check

NAMES = ("Ada", "Bo", "Cleo", "Dario", "Esme", "Finn", "Gita", "Hugo", "Iris", "Jonas", "Kaja", "Leo", "Mina", "Nils", "Orla", "Pio")
THINGS = ("pears", "marbles", "stamps", "nails", "tiles", "candles", "buttons", "pencils", "shells", "bricks")

Drawn = tuple[str, str, int]
"""Question, worked solution, and answer."""


def marked(left: str, value: int) -> str:
    """Write a step as GSM8K does: `3*4 = <<3*4=12>>12`."""
    return f"{left} = <<{left}={value}>>{value}"


def boxes(rng: random.Random) -> Drawn:
    """So many boxes, some given away."""
    name, thing, n, each, gone = rng.choice(NAMES), rng.choice(THINGS), rng.randrange(3, 15), rng.randrange(4, 25), rng.randrange(2, 12)
    whole, left = n * each, n * each - gone
    question = (
        f"{name} has {n} boxes with {each} {thing} in each of them and gives {gone} {thing} away. How many {thing} does {name} have left?"
    )
    return (
        question,
        f"In the boxes there are {marked(f'{n}*{each}', whole)} {thing}.\nThen {marked(f'{whole}-{gone}', left)} are left.",
        left,
    )


def prices(rng: random.Random) -> Drawn:
    """Buying two things with a note."""
    name, thing, other = rng.choice(NAMES), *rng.sample(THINGS, 2)
    a, b, m, n = rng.randrange(2, 9), rng.randrange(2, 9), rng.randrange(2, 8), rng.randrange(2, 8)
    first, second = a * m, b * n
    paid = (first + second + 9) // 10 * 10 + 10
    question = (
        f"{thing.capitalize()} cost ${a} each and {other} cost ${b} each. {name} buys {m} {thing} and {n} {other} and pays with ${paid}."
        " How many dollars does the shop give back?"
    )
    steps = (
        f"The {thing} cost {marked(f'{a}*{m}', first)} dollars.\nThe {other} cost {marked(f'{b}*{n}', second)} dollars.\n"
        f"Together that is {marked(f'{first}+{second}', first + second)} dollars.\n"
        f"The shop gives back {marked(f'{paid}-{first + second}', paid - first - second)} dollars."
    )
    return question, steps, paid - first - second


def shares(rng: random.Random) -> Drawn:
    """Collecting on several days, then sharing alike."""
    name, thing, days, people = rng.choice(NAMES), rng.choice(THINGS), rng.randrange(3, 8), rng.randrange(3, 9)
    share = rng.randrange(4, 15)
    total = share * people
    first = rng.randrange(1, total - days)
    rest = total - first
    question = (
        f"{name} finds {first} {thing} on the first of {days} days and {rest} more on the others. {people} friends share all of them alike."
        f" How many {thing} does each friend get?"
    )
    return (
        question,
        f"{name} finds {marked(f'{first}+{rest}', total)} {thing}.\nEach friend gets {marked(f'{total}/{people}', share)}.",
        share,
    )


def work(rng: random.Random) -> Drawn:
    """Working at two speeds."""
    name, thing, slow, fast = rng.choice(NAMES), rng.choice(THINGS), rng.randrange(3, 12), rng.randrange(12, 25)
    early, late = rng.randrange(2, 6), rng.randrange(2, 6)
    a, b = slow * early, fast * late
    question = (
        f"{name} sorts {slow} {thing} an hour for {early} hours, and then {fast} {thing} an hour for {late} hours."
        f" How many {thing} does {name} sort altogether?"
    )
    steps = f"First {marked(f'{slow}*{early}', a)} {thing}.\nThen {marked(f'{fast}*{late}', b)} {thing}.\nAltogether {marked(f'{a}+{b}', a + b)}."
    return question, steps, a + b


def ages(rng: random.Random) -> Drawn:
    """Ages in a family, some years on."""
    (one, other), times, young, years = rng.sample(NAMES, 2), rng.randrange(2, 6), rng.randrange(4, 14), rng.randrange(2, 12)
    old = times * young
    question = f"{one} is {times} times as old as {other}, who is {young}. How old will {one} be in {years} years?"
    return (
        question,
        f"{one} is {marked(f'{times}*{young}', old)}.\nIn {years} years that is {marked(f'{old}+{years}', old + years)}.",
        old + years,
    )


KINDS: dict[str, Callable[[random.Random], Drawn]] = {"boxes": boxes, "prices": prices, "shares": shares, "work": work, "ages": ages}


def problems(n: int, *, seed: int, without: frozenset[str] = frozenset()) -> list[dict[str, str]]:
    """Return n different problems, kinds in turn, in the form of GSM8K with a column `kind`."""
    rng = random.Random(f"word problems {seed}")
    made: dict[str, dict[str, str]] = {}
    kinds = list(KINDS)
    while len(made) < n:
        kind = kinds[len(made) % len(kinds)]
        question, steps, answer = KINDS[kind](rng)
        if question not in without:
            made[question] = {"question": question, "answer": f"{steps}\n#### {answer:,}", "kind": kind}
    return list(made.values())


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Write the files, say what they are understood as, and ask about them where that is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("problems"))
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ask", action="store_true")
    told = parser.parse_args(arguments)
    told.out.mkdir(parents=True, exist_ok=True)
    test = problems(told.n, seed=told.seed)
    write(told.out / "test.jsonl", test)
    write(told.out / "train.jsonl", problems(40, seed=told.seed + 1, without=frozenset(row["question"] for row in test)))
    name = f"question:{told.out / 'test.jsonl'}?recipe=gsm8k&shots_from={told.out / 'train.jsonl'}"
    understood = check(name).summary()
    print(f"{understood['file']}: {understood['layout']}, {understood['usable']} problems, {understood['shots']} worked examples")
    print(understood["first"]["statement"])
    if told.ask:
        made = reasoner.bench(name, strategy="cot,self_consistency:n=5", model="teacher", n=None, shots=8, db=told.out / "runs.db")
        for row in made.rows:
            print(f"{row.strategy:36} {row.correct} of {row.n_judged}")


if __name__ == "__main__":
    main()
