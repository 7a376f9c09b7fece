r"""Program: the model writes a function, it is run in Monty, and what it returns is the answer.

    write    ```python
             def solve():                      this line is ours, not the model's
                 boxes = 3
                 return boxes * 12 - 5
             ```
    act      31                                the tool `python`, an action: recorded, and never run again by a replay

Where the function stands and what it is called is not left to the model: its head and the indentation of its lines are a constraint (`head=regex`), or
asked for in words (`head=words`, for servers that take no regular expression), and then any function without parameters will do. A program that
fails is shown with its error and written again, `repairs` times at most. With `n` programs their results are put to a vote; one that fails has none.
Where every program fails, the last reply itself is the answer, which nearly always means none.

Source: Chen et al., "Program of Thoughts Prompting", arXiv 2211.12588; Gao et al., "PAL", arXiv 2211.10435.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from reasoner.constraint import Constraint
from reasoner.sandbox.monty import CANNOT
from reasoner.strategies import Strategy
from reasoner.strategies._branches import sample
from reasoner.strategies._vote import Group, elect
from reasoner.strategies.code_act import PYTHON, read_block
from reasoner.text import excerpt, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.session import Session
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

Head = Literal["regex", "words"]

HEAD = "def solve():"
FORM = r"```python\ndef solve\(\):\n(?:\n? {4,40}[^\s][^\n]{0,300}\n)*    return [^\n]{1,300}\n```"
"""A block that holds one function, which ends by returning something; between two of its lines at most one is empty."""
RETURNED = "=== returned ==="
"""The line behind which the run's output holds what the function returned."""
MAX_SHOWN_CHARS = 8000
MAX_ERROR_CHARS = 1500
MAX_ERROR_LINES = 6
MAX_ANSWER_CHARS = 4000

_FUNCTION = re.compile(r"^def[ \t]+([A-Za-z_]\w{0,60})[ \t]*\([ \t]*\)", re.MULTILINE)
_FLOAT = re.compile(r"-?\d{1,30}\.\d{1,30}(?:e[+-]?\d{1,3})?")
_POINTERS = re.compile(r"^[ \t]*[\^~]+[ \t]*$")


class Program(Strategy):
    """Have a program written and run; its result is the answer."""

    name = "program"
    summary = "writes a Python function that works the answer out; it is run in Monty, and repaired where it fails"
    needs_tools: ClassVar[tuple[str, ...]] = (PYTHON,)

    class Params(Strategy.Params):
        """Parameters of `program`."""

        n: int = Field(default=1, ge=1, le=100, description="programs; their results are put to a vote")
        repairs: int = Field(default=1, ge=0, le=10, description="how often a program that fails is written again, with the error shown")
        temperature: float = Field(default=0.7, ge=0, le=2, description="temperature where n is more than 1, whatever the run's own is")
        head: Head = Field(default="regex", description="how the function's head is ours: regex (a constraint), or words")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Write and run one program, or n of them with a vote."""
        if self.params.n == 1:
            return await self._one(session)
        one = Program(self.params.model_copy(update={"n": 1}))
        branches = await sample(session, one, role="program/branch", n=self.params.n, sampling={"temperature": self.params.temperature})
        ran = [branch for branch in branches if branch.answer is not None and not _failed(session, branch.answer)]

        def note(groups: Mapping[str, Group]) -> None:
            votes = {shorten(key, 200): len(group.branches) for key, group in groups.items()}
            session.note(
                f"{len(ran)} of {len(branches)} programs ran", parent=session.root, role="program/vote",
                state={"votes": votes, "n": len(branches), "failed": len(branches) - len(ran)},
            )  # fmt: skip

        return await elect(session, branches, ran, "count", note)

    async def _one(self, session: Session) -> Answer:
        """Write a program, run it, and repair it while it fails."""
        form = Constraint.regex(FORM, after_thought=True) if self.params.head == "regex" else None
        variables: dict[str, Any] = {"head": HEAD, "cannot": CANNOT}
        reply = await session.ask("program/write", schema=form, continued=False, **variables)
        for n_left in range(self.params.repairs, -1, -1):
            at, found, error = await _run(session, reply)
            if error is None:
                session.mark(reply, status="final", state={"failed": False})
                return session.offer(f"Answer:\n{found}" if "\n" in found else f"Answer: {found}", reply)
            session.mark(reply, status="pruned", state={"failed": True})
            session.offer(reply.text, reply)
            if not n_left:
                break
            code = excerpt(read_block(session.read(reply)) or session.read(reply), MAX_SHOWN_CHARS)
            reply = await session.ask("program/fix", parent=at, schema=form, continued=False, code=code, error=error, **variables)
        session.mark(reply, status="final", state={"failed": True})
        return session.offer(reply.text, reply)


async def _run(session: Session, reply: Thought) -> tuple[Thought, str, str | None]:
    """Run a reply's program; (where the work stands now, what it returned, what went wrong or None)."""
    code = read_block(session.read(reply))
    if code is None:
        return reply, "", "there is no block of Python in the reply"
    function = function_of(code)
    if function is None:
        return reply, "", f"there is no function that begins with {HEAD!r} in it"
    ran = await session.act(
        PYTHON, {"code": f"{code}\n_returned = {function}()\nprint()\nprint({RETURNED!r})\nprint(_returned)"}, parent=reply
    )
    _, marker, returned = ran.text.rpartition(RETURNED + "\n")
    if not session.succeeded(ran) or not marker:
        return ran, "", error_of(ran.text)
    if returned.strip() in {"", "None"}:
        return ran, "", "the function returned nothing"
    if len(returned) > MAX_ANSWER_CHARS:
        return ran, "", f"the function returned {len(returned):,} characters; an answer is shorter"
    return ran, plain_number(returned.strip()), None


def _failed(session: Session, answer: Answer) -> bool:
    state = session.trajectory.mark_of(session.trajectory.thought(answer.thought_id or session.root.id)).state
    return not (isinstance(state, dict) and state.get("failed") is False)


def function_of(code: str) -> str | None:
    r"""Return the name of the function to call: `solve`, else the last one without parameters; None where there is none.

    >>> function_of("def total():\n    return 3"), function_of("def f(x):\n    return x")
    ('total', None)
    """
    names = _FUNCTION.findall(code)
    return None if not names else "solve" if "solve" in names else names[-1]


def error_of(output: str) -> str:
    """Return the end of what a program that failed put out, without the lines that only point at a column."""
    lines = [line for line in output.splitlines() if line.strip() and not _POINTERS.match(line)]
    return "\n".join(lines[-MAX_ERROR_LINES:])[-MAX_ERROR_CHARS:] or "it put out nothing"


def plain_number(text: str) -> str:
    """Return a binary float as the decimal it stands for, to nine places; anything else as it is.

    >>> plain_number("0.30000000000000004"), plain_number("12.0"), plain_number("7 km")
    ('0.3', '12', '7 km')
    """
    if not _FLOAT.fullmatch(text) or abs(Decimal(text)) > Decimal(10) ** 15:
        return text
    rounded = round(Decimal(text), 9)
    return f"{rounded.normalize():f}" if rounded else "0"
