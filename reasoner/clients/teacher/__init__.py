"""The teacher: a client that runs the exact solver and writes its search down the way a prompt asks for it.

    the template `ats/dfs` on number_path `3 3 8` (from 3 to 8 in three steps), with seed 2:

    1: 3 -> 4 (3 + 1 = 4)
    1.1: 3 -> 4 -> 8 (4 * 2 = 8)
    1.1.1: 3 -> 4 -> 8 -> 16 (8 * 2 = 16) x
    Back to 1.1
    1.1.2: 3 -> 4 -> 8 -> 9 (8 + 1 = 9) x
    Back to the start
    2: 3 -> 6 (3 * 2 = 6)
    2.1: 3 -> 6 -> 7 (6 + 1 = 7)
    2.1.1: 3 -> 6 -> 7 -> 14 (7 * 2 = 14) x
    Back to 2.1
    2.1.2: 3 -> 6 -> 7 -> 8 (7 + 1 = 8)
    Goal: 2.1.2
    Answer: 3 -> 6 -> 7 -> 8

It reads `request.about` instead of the prompt, and has a writer for each template it can answer (`WRITERS`). It is no language model: what it
answers says nothing about any model's skill. Deterministic: the same request, the same text. Tokens are counted as words between white
space, and `max_tokens` cuts at that many words.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from reasoner import registry
from reasoner.clients import ClientOptions
from reasoner.clients.teacher import _agent, _answering, _chain, _dialogue, _fan, _rules, _search, _tree
from reasoner.clients.teacher._search import MAX_WIDTH
from reasoner.clients.teacher._task import NO_ANSWER, Task, Writer
from reasoner.errors import BadConfig
from reasoner.solver import Searchable, Solver
from reasoner.text import shorten
from reasoner.types import Completion, FinishReason, Request, ToolCall, Usage, digest

__all__ = ["MAX_WIDTH", "NO_ANSWER", "WRITERS", "Task", "TeacherClient", "Writer", "open_client"]

FORMAT_VERSION = 1
"""Part of the fingerprint: raise it whenever the same request would be answered differently."""

_WORD = re.compile(r"\S+")

WRITERS: dict[str, Writer] = {
    **_answering.WRITERS,
    **_chain.WRITERS,
    **_dialogue.WRITERS,
    **_fan.WRITERS,
    **_rules.WRITERS,
    **_tree.WRITERS,
    "ats/bfs": _search.breadth_first,
    "ats/dfs": _search.depth_first,
}
"""Which templates the teacher can answer, and how. A strategy with a prompt of its own adds its writer here."""


@dataclass
class TeacherClient:
    """Answers a request by what it is about. Costs nothing and is quick; `max_tokens` and stop strings are honoured."""

    name: str = "teacher"
    fingerprint: str = f"teacher:{FORMAT_VERSION}"
    paid: bool = False
    concurrency: int = 8
    calls_tools: bool = True
    writers: dict[str, Writer] = field(default_factory=lambda: WRITERS, repr=False)

    async def complete(self, request: Request) -> Completion:
        """Write the answer to one request.

        Raises:
            BadConfig: the request does not say what it is about, or its template is none the teacher can answer.
        """
        text, calls = self._reply(request)
        stops = [at for stop in request.sampling.stop if stop and (at := text.find(stop)) >= 0]
        text = text[: min(stops, default=len(text))]
        words = list(_WORD.finditer(text))
        finish: FinishReason = "stop"
        if len(words) > (limit := request.sampling.numbers.max_tokens):
            finish = "length"
            words = words[:limit]
            text = text[: words[-1].end()] if words else ""
        certain = 0.0 if request.sampling.logprobs else None  # the text is the only one the request could get
        n_prompt = sum(len(_WORD.findall(message.content)) for message in request.messages)
        if calls and finish == "stop":
            finish = "tool_calls"
        return Completion(
            text, finish, Usage(n_prompt, len(words), cost=0.0), model=self.name, mean_logprob=certain,
            tool_calls=calls if finish == "tool_calls" else (),
        )  # fmt: skip

    def _reply(self, request: Request) -> tuple[str, tuple[ToolCall, ...]]:
        about = request.about
        if about is None:
            raise BadConfig("the teacher was sent a request that does not say which problem it is about", hint="ask it through a session")
        writer = self.writers.get(about.template)
        if writer is None and about.template not in _agent.TEMPLATES:
            raise BadConfig(
                f"the teacher cannot answer the template {about.template!r}", hint=f"it knows: {', '.join(sorted(self.writers))}"
            )
        solver: Solver[Any] = registry.solver(about.problem.solver)
        try:
            instance = solver.Instance.model_validate_json(about.problem.instance)
        except ValidationError as error:
            shown = shorten(about.problem.instance, 80)
            raise BadConfig(f"the teacher cannot read the {solver.name} instance {shown!r}", hint=shorten(str(error), 200)) from error
        rng = random.Random(int(digest("teacher", str(request.seed), about.problem.id, about.template), 16))
        solution = solver.solve(instance) if isinstance(solver, Searchable) else None
        task = Task(solver, instance, solution, about, rng)
        return (writer(task), ()) if writer is not None else _agent.reply(task, request)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""


def open_client(name: str, options: ClientOptions) -> TeacherClient:  # noqa: ARG001 - the signature every client module has
    """Open the teacher. It takes no model name, and no option concerns it.

    Raises:
        BadConfig: a model name was given.
    """
    if name:
        raise BadConfig(f"the teacher has no model named {shorten(name, 80)!r}", hint="write teacher")
    return TeacherClient()
