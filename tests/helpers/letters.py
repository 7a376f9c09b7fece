"""A toy that a model of random weights can learn: write the letter a often enough. The more of them a level wants, the harder."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from reasoner.solver import Solver
from reasoner.types import Verdict


class Wanted(BaseModel):
    model_config = ConfigDict(frozen=True)
    letters: int
    number: int


class Letters(Solver[Wanted]):
    name = "letters"
    summary = "write a"
    syntax = "LETTERS NUMBER"
    Instance = Wanted
    levels: ClassVar[Mapping[int, str]] = {1: "2 letters", 2: "4 letters", 3: "6 letters"}
    default_level = 1

    def parse(self, line: str) -> Wanted:
        letters, number = line.split()
        return Wanted(letters=int(letters), number=int(number))

    def format(self, instance: Wanted) -> str:
        return f"{instance.letters} {instance.number}"

    def generate(self, rng: random.Random, level: int) -> Wanted:
        return Wanted(letters=2 * level, number=rng.randint(1, 500))

    def statement_variables(self, instance: Wanted) -> Mapping[str, Any]:
        return {"letters": instance.letters, "number": instance.number}

    def right_answer(self, instance: Wanted) -> str:
        return "Answer: " + "a" * instance.letters

    def verify(self, instance: Wanted, text: str) -> Verdict:
        right = text.split("\n", maxsplit=1)[0].replace("▁", " ").strip() == self.right_answer(
            instance
        )  # the vocabulary has no blank, the template no end
        return Verdict(correct=right, score=float(right), reason="compared with the letters")
