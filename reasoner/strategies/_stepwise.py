"""Searches over steps that are lines of text: what proposes a step, what scores a path, what writes the answer. Shared by `beam` and `mcts`.

    search = Stepwise(session, params, "beam")
    nodes = search.distinct(await search.propose(search.start, 3))      ["9 + 1 = 10.", "9 * 2 = 18."]
    await search.score(nodes)                                           0.93, 0.12

Every score is between 0 and 1:

    logprob      exp of the mean log-probability of the path's steps; no further call
    self         the model's own judgement, a call for each path: (1 + p) / 2 for `yes`, (1 - p) / 2 for `no`, p the probability of the word
    prm:MODEL    the same of `+` and `-`, by a model that judges steps, or by an adapter over the run's own model
    check        whether what follows passes the family's visible check: the answer is written along the path, a call, and checked, an action

Where a client gives no log-probabilities p counts 1. Knows no puzzle: a step is whatever line the model wrote, so every family will do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reasoner.constraint import Constraint
from reasoner.errors import BadConfig
from reasoner.layouts.outline import read_step
from reasoner.session.gather import together
from reasoner.strategies import Strategy
from reasoner.strategies._checking import CHECK, checked
from reasoner.text import answer_line, clean, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.session import Session
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

Form = Literal["line", "words"]

PRM = "prm:"
MAX_STEP_CHARS = 400
STEP = rf"[^\n]{{1,{MAX_STEP_CHARS}}}\n?"
YES_OR_NO = "[Yy]es|[Nn]o"
PLUS_OR_MINUS = r"\+|-"
_READ_CHARS = 20_000


class StepParams(Strategy.Params):
    """Parameters of searches over steps."""

    expand: int = Field(default=3, ge=1, le=50, description="steps proposed from one path, a call each")
    depth: int = Field(default=8, ge=1, le=40, description="steps of a path at most")
    score: str = Field(
        default="self", pattern=r"^(logprob|self|check|prm:.+)$", max_length=400,
        description="how a path is scored: logprob, self (the model's own judgement), prm:MODEL or prm:ADAPTER.gguf, or check (visible)",
    )  # fmt: skip
    temperature: float = Field(default=0.7, ge=0, le=2, description="temperature of the steps, whatever the run's own is")
    form: Form = Field(
        default="line",
        description="how steps, judgements and the answer are held: line (regular expression or grammar), or words (not at all)",
    )

    @property
    def scorer(self) -> str:
        """The model that scores, empty where the run's own does."""
        return self.score.removeprefix(PRM) if self.score.startswith(PRM) else ""


class StepSearch(Strategy):
    """A strategy that searches over steps."""

    class Params(StepParams):
        """Parameters of the search."""

    params: StepParams

    @property
    def tools_needed(self) -> tuple[str, ...]:
        """The visible check, where it scores."""
        return (CHECK,) if self.params.score == "check" else ()

    @property
    def models_needed(self) -> tuple[str, ...]:
        """The model that scores, where it is not the run's own."""
        return (self.params.scorer,) if self.params.scorer else ()


@dataclass(slots=True, eq=False)
class Node:
    """A path: its steps, the reply that holds the last of them (the start: the problem), and what it is worth."""

    thought: Thought
    steps: tuple[str, ...] = ()
    logprobs: tuple[float, ...] = ()
    done: bool = False
    """Whether its last step is an answer."""
    score: float = 0.0
    answer: Answer | None = None

    @property
    def key(self) -> str:
        """What makes two paths out of one the same: blanks and case do not count."""
        return "\n".join(" ".join(step.split()).casefold() for step in self.steps)


@dataclass(slots=True)
class Stepwise:
    """One search: the calls it makes, under the prompts of the strategy's name."""

    session: Session
    params: StepParams
    name: str
    start: Node = field(init=False)

    def __post_init__(self) -> None:
        self.start = Node(self.session.root)

    async def propose(self, node: Node, n: int) -> list[Node]:
        """Ask for n next steps of a path, a call each; a reply that holds no step stays in the graph, pruned."""
        sampling: dict[str, Any] = {"temperature": self.params.temperature}
        if self.params.score == "logprob":
            sampling["logprobs"] = True
        replies = await self.session.ask_many(
            f"{self.name}/step", n=n, parent=node.thought, sampling=sampling, schema=self._held(STEP), truncatable={"steps": "oldest"},
            steps=list(node.steps),
        )  # fmt: skip
        return [child for reply in replies if (child := self._child(node, reply)) is not None]

    def _child(self, node: Node, reply: Thought) -> Node | None:
        step = step_of(self.session.read(reply))
        self.session.mark(reply, status="pruned", state=None if step is None else state_of(step))  # until it is chosen
        if step is None:
            return None
        logprobs = node.logprobs
        if self.params.score == "logprob":
            logprobs = (*logprobs, _given(reply, "score=logprob"))
        return Node(reply, (*node.steps, step), logprobs, done=is_answer(step))

    @staticmethod
    def distinct(nodes: Sequence[Node]) -> list[Node]:
        """Return the paths without those that are written a second time, which are not followed."""
        return list({node.key: node for node in reversed(nodes)}.values())[::-1]

    async def score(self, nodes: Sequence[Node]) -> None:
        """Score paths, all at once."""
        scores = await together(self._score(node) for node in nodes)
        for node, score in zip(nodes, scores, strict=True):
            node.score = score
            self.session.mark(node.thought, score=score)

    async def _score(self, node: Node) -> float:
        if self.params.score == "logprob":
            return math.exp(min(0.0, sum(node.logprobs) / len(node.logprobs)))
        if self.params.score == "check":
            answer = await self.answered(node, status="pruned")
            return float((await checked(self.session, answer.text, self._thought_of(answer, node))).passed)
        if scorer := self.params.scorer:
            return await self._judged(self.session.of_model(scorer), node, "reward", PLUS_OR_MINUS)
        return await self._judged(self.session, node, "value", YES_OR_NO)

    async def _judged(self, session: Session, node: Node, part: str, form: str) -> float:
        """Return how far a model judges a path to be good. A judgement that cannot be read counts 0."""
        reply = await session.ask(
            f"{self.name}/{part}", parent=node.thought, sampling={"temperature": 0.0, "logprobs": True}, schema=self._held(form),
            discard_cache=True, truncatable={"steps": "oldest"}, steps=list(node.steps), done=node.done,
        )  # fmt: skip
        good = judgement(session.read(reply))
        probability = 1.0 if reply.mean_logprob is None else math.exp(min(0.0, reply.mean_logprob))
        score = 0.0 if good is None else (1 + probability) / 2 if good else (1 - probability) / 2
        session.mark(reply, state={"value": score})
        return score

    async def answered(self, node: Node, *, status: Literal["final", "pruned"] = "final") -> Answer:
        """Return the answer along a path, asked for once, with the run's own sampling."""
        if node.answer is None:
            form = self.session.answer_constraint() if self.params.form == "line" else None
            reply = await self.session.ask(
                f"{self.name}/answer", parent=node.thought, schema=form, truncatable={"steps": "oldest"}, steps=list(node.steps)
            )
            node.answer = self.session.offer(reply.text, reply)
        self.session.mark(self._thought_of(node.answer, node), status=status)
        return self.session.offer(node.answer.text, self._thought_of(node.answer, node))

    def offer(self, node: Node) -> None:
        """Name a path the best so far."""
        if node.answer is not None:
            self.session.offer(node.answer.text, self._thought_of(node.answer, node))
        elif node.steps:
            self.session.offer("\n".join(node.steps), node.thought)

    def _thought_of(self, answer: Answer, node: Node) -> Thought:
        return self.session.trajectory.thought(answer.thought_id or node.thought.id)

    def _held(self, form: str) -> Constraint | None:
        return Constraint.regex(form, after_thought=True) if self.params.form == "line" else None


def best_of(nodes: Sequence[Node]) -> Node:
    """Return the path that scores highest; of equals one that ends in an answer, then the first."""
    return max(nodes, key=lambda node: (node.score, node.done))


def step_of(text: str) -> str | None:
    r"""Return the step that a reply holds, its first line that says something; None where there is none.

    >>> step_of("\n  9 + 1 = 10.  \nThen 10 * 2 = 20."), step_of(" \n")
    ('9 + 1 = 10.', None)
    """
    lines = (clean(line).strip() for line in text[:_READ_CHARS].splitlines())
    return next((shorten(line, MAX_STEP_CHARS) for line in lines if line), None)


def state_of(step: str) -> str:
    """Return the state that a step shows (`9 -> 10 (9 + 1 = 10)`: 10), itself where it shows none."""
    read = read_step(step)
    return shorten(read.chain[-1], MAX_STEP_CHARS) if read is not None and read.is_chain and read.chain else step


def is_answer(step: str) -> bool:
    """Tell whether a step is the answer line, or begins it.

    >>> is_answer("Answer: 20"), is_answer("**Answer:**"), is_answer("So 20 is reached.")
    (True, True, False)
    """
    return answer_line(step) is not None or step.lstrip("*_ ").casefold().startswith("answer:")


def judgement(text: str) -> bool | None:
    """Return what a reply judges, None where it cannot be read: the first of its words counts.

    >>> judgement("Yes."), judgement(" no, since"), judgement("+"), judgement("maybe")
    (True, False, True, None)
    """
    word = text[:_READ_CHARS].strip().strip("*_\"'` ").casefold()
    if word[:1] in {"+", "-"}:
        return word[0] == "+"
    first = word.split(None, 1)[0].rstrip(".,!:;*_\"'`") if word else ""
    return {"yes": True, "no": False}.get(first)


def _given(reply: Thought, option: str) -> float:
    if reply.mean_logprob is None:
        raise BadConfig(f"{option} needs log-probabilities, and this model's client gave none", hint="use score=self")
    return reply.mean_logprob
