"""CodeAct: the model acts by writing Python, in which the tools are functions; one block a turn, until it submits an answer.

    reply    rows = search("price of salt")                one call a step
             print(rows)
    act      [goods.txt:4-9] salt costs 2.5                the block's output, and an action of its own for every function it called
    reply    submit("2.5")

Blocks are run in Monty, where variables stay; nothing but the tools leads out of it. A reply without a block is the answer, if one can be read from it. If none
can, or the steps are used up, or two blocks in a row gave nothing new, one last call asks for it; a model that writes a block once more has it run, and what that
submits or prints is the answer. It needs no model that knows tools. A transcript that outgrows the context is shortened, see `reasoner.strategies._transcript`.

Source: Wang et al., "Executable Code Actions Elicit Better LLM Agents", arXiv 2402.01030.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from reasoner.sandbox.monty import CANNOT
from reasoner.session.actions import ROLE
from reasoner.strategies import Strategy
from reasoner.strategies._repeats import Repeats
from reasoner.strategies._transcript import Step, shorter, whole
from reasoner.strategies.react import answer_of, is_answer
from reasoner.text import answer_line
from reasoner.tools import NO_OUTPUT
from reasoner.types import Message

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.tools import Tool
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

TEMPLATE = "code_act/act"
PYTHON = "python"
SUBMIT = "submit"
REPEATED = "\nYou ran this block before, and it gave the same. If that answers the task, submit it; if not, write another block."
FAILED = "Traceback (most recent call last)"
MAX_REPLY_CHARS = 100_000
_FENCE = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)


class CodeAct(Strategy):
    """Let the model write Python that calls the tools, until it submits an answer."""

    name = "code_act"
    summary = "acts by writing Python (in Monty), in which the tools are functions, until it submits an answer"
    needs_tools: ClassVar[tuple[str, ...]] = (PYTHON, SUBMIT)

    class Params(Strategy.Params):
        """Parameters of `code_act`."""

        max_steps: int = Field(default=10, ge=1, le=200, description="turns of the model at most, the last answer not counted")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Take steps until there is an answer."""
        coder = _Coder(session)
        for _ in range(self.params.max_steps):
            reply = await coder.ask()
            code = read_block(session.read(reply))
            if code is None:
                if is_answer(session, session.read(reply)):
                    session.mark(reply, status="final")
                    return session.offer(session.read(reply), reply)
                if session.read(reply).strip():
                    coder.go_on(reply, reply)
                break
            if (submitted := await coder.act(reply, code)) is not None:
                session.mark(reply, status="final")
                return session.offer(answer_of(session, submitted), reply)
            if coder.repeats.stuck:
                break
        return await coder.last_words()


class _Coder:
    """One conversation: what was written, what it printed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._described = [_described(tool) for tool in session.tools if tool.name != PYTHON and tool.name.isidentifier()]
        self._variables: dict[str, Any] = {"described": self._described, "cannot": CANNOT, "example": _example(self._described)}
        self._task = session.render(TEMPLATE, **self._variables)
        self._tools = {f"{ROLE}{tool.name}": tool for tool in session.tools}
        self._steps: list[Step] = []
        self._at = session.root
        self._output = ""
        self.repeats = Repeats()

    async def ask(self) -> Thought:
        """Ask for the next turn."""
        return await self._asked(whole(self._task, self._steps), shorter(self._task, self._steps), continued=True)

    async def act(self, reply: Thought, code: str) -> str | None:
        """Run the block of a turn; return the answer where it submits one."""
        session = self._session
        ran = await session.act(PYTHON, {"code": code}, parent=reply, lend=True)
        made = [thought for thought in session.trajectory.children(reply) if session.succeeded(thought) and thought.role in self._tools]
        session.mark(ran, status="kept")
        submitted = [answer for thought in made if (answer := self._tools[thought.role].answer(thought.text)) is not None]
        if submitted:
            return submitted[-1]
        changes = any(self._tools[thought.role].effect != "pure" for thought in made)
        again = self.repeats.note([(PYTHON, code, ran.text)], changes=changes)
        reminder = REPEATED if again else _reminder(ran.text, self._described)
        self._output = "" if FAILED in ran.text or ran.text == NO_OUTPUT else ran.text
        self.go_on(reply, ran, Message("user", f"Output:\n{ran.text}{reminder}"))
        return None

    def go_on(self, reply: Thought, at: Thought, *told: Message) -> None:
        """Keep a turn and what it was told; the next one hangs below `at`."""
        self._session.mark(reply, status="kept")
        self._steps.append(Step(self._session.message(reply), told))
        self._at = at

    async def last_words(self) -> Answer:
        """Ask for the answer when there are no steps left. A block is run once more: what it submits or prints is then the answer, if it can be read."""
        session = self._session
        asked = Message("user", session.render("code_act/final"))
        reply = await self._asked(
            [*whole(self._task, self._steps), asked], [[*form, asked] for form in shorter(self._task, self._steps)], continued=False
        )
        said = session.read(reply)
        code = read_block(said) if session.judged and answer_line(said) is None else None
        if code is not None or not is_answer(session, said):
            submitted = None if code is None else await self.act(reply, code)
            if submitted is not None or (self._output and is_answer(session, self._output)):
                said = answer_of(session, self._output if submitted is None else submitted)
        session.mark(reply, status="final")
        return session.offer(said, reply)

    async def _asked(self, history: list[Message], others: list[list[Message]], *, continued: bool) -> Thought:
        return await self._session.ask(TEMPLATE, parent=self._at, history=history, shorter=others, continued=continued, **self._variables)


def read_block(reply: str) -> str | None:
    """Return the first block of Python in a reply, None where there is none. A block that is not closed ends with the reply."""
    for found in _FENCE.finditer(reply[:MAX_REPLY_CHARS]):
        if found[1].lower() in {"", "python", "py", "python3"} and found[2].strip():
            return found[2]
    return None


def _reminder(output: str, described: list[dict[str, str]]) -> str:
    """Return what a model is told after a block that failed or showed nothing: small ones forget what there is, and that only prints are seen."""
    if FAILED in output:
        return f"\nThe functions that are there: {', '.join(tool['signature'] for tool in described)}."
    return "\nOnly what is printed is seen." if output == NO_OUTPUT else ""


def _example(described: list[dict[str, str]]) -> str:
    """Return a block as the model is to write one: it prints what the first function gives back."""
    first = next((tool for tool in described if tool["name"] != SUBMIT), None)
    return f"print({first['name']}({first['arguments']}))" if first else "print(6 * 7)"


def _described(tool: Tool) -> dict[str, str]:
    """Return a tool as a function's head."""
    properties = tool.parameters.get("properties", {})
    required = set(tool.parameters.get("required", ()))
    arguments = [f"{name}: {_type(told)}" + ("" if name in required else " = ...") for name, told in properties.items()]
    return {
        "name": tool.name,
        "arguments": ", ".join(f"{name}=..." for name in properties if name in required),
        "signature": f"{tool.name}({', '.join(arguments)})",
        "description": " ".join(tool.description.split()),
    }


def _type(told: Any) -> str:
    names = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict", "null": "None"}
    return names.get(str(told.get("type", "")) if isinstance(told, dict) else "", "object")
