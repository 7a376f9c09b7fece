"""ReAct: think, act, observe, until the model submits an answer or the steps are used up.

    reply    "I need the sum." calculator(expression="17*3")      one call a step
    act      51                                                   its tools at once, where it asks for several
    reply    submit(answer="51")

Tools are offered as the provider defines them where the client can pass them on; for other models they are described in the prompt, and each turn
is one JSON object under a schema (`form=text`). A model that repeats the definitions of the tools where it was to call one, as its turn or as arguments, does not
know the provider's form, and is asked anew in the other (`form=auto`). A call that gives back what the same call gave before is told to do so; after two turns
of nothing else the answer is asked for. A turn that cannot be used (a tool that is not there, arguments that are no JSON) is told to the
model; so is the second in a row, and the answer is asked for, unless it holds one. A turn without a call is the answer, if one can be read from it. When none can,
or the steps are used up, one last call asks for the answer. A transcript that outgrows the context is shortened, see `reasoner.strategies._transcript`.

Source: Yao et al., "ReAct: Synergizing Reasoning and Acting in Language Models", arXiv 2210.03629.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from reasoner.errors import ToolFailed
from reasoner.session.gather import together
from reasoner.strategies import Strategy
from reasoner.strategies._repeats import Repeats
from reasoner.strategies._transcript import Step, shorter, whole
from reasoner.text import answer_line, shorten
from reasoner.tools import read_arguments
from reasoner.types import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reasoner.session import Session
    from reasoner.tools import Tool
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

Form = Literal["auto", "native", "text"]
MAX_CALLS = 16
"""Of the calls of one turn, so many are made; the others are told to be too many."""
MAX_TURN_CHARS = 200_000
TOO_EARLY = "Error: not taken, since it was written before the results of this turn could be read; read them, then call it again"
MAX_STARTS = 200
REPEATED = "You made this call before, and it gave back the same. If that answers the task, call {submit} with the answer; if not, make another call."
SCHEMA_WORDS = frozenset({"type", "required", "additionalProperties", "description", "parameters"})


class React(Strategy):
    """Let the model call tools until it submits an answer."""

    name = "react"
    summary = "think, act, observe: the model calls tools until it submits an answer"
    needs_tools: ClassVar[tuple[str, ...]] = ("submit",)

    class Params(Strategy.Params):
        """Parameters of `react`."""

        max_steps: int = Field(default=10, ge=1, le=200, description="turns of the model at most, the last answer not counted")
        form: Form = Field(default="auto", description="how tools are offered: native, text (described in the prompt), or auto")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Take steps until there is an answer."""
        auto = self.params.form == "auto"
        agent = _Agent(session, native=self.params.form == "native" or (auto and session.calls_tools))
        warned = False
        for _ in range(self.params.max_steps):
            reply = await agent.ask()
            calls, problem = agent.calls_of(reply)
            if auto and agent.is_echo(reply, calls):
                session.mark(reply, status="pruned")
                agent = _Agent(session, native=False)
                continue
            if problem is not None or not calls:
                said = session.read(reply)
                if is_answer(session, said) if problem is None else warned and answer_line(said) is not None:
                    session.mark(reply, status="final")
                    return session.offer(said, reply)
                session.mark(reply, status="kept")
                agent.tell(reply, problem, calls)
                if warned or problem is None:
                    break
                warned = True
                continue
            warned = False
            session.mark(reply, status="kept")
            if (submitted := await agent.act(reply, calls)) is not None:
                session.mark(reply, status="final")
                return session.offer(answer_of(session, submitted), reply)
            if agent.repeats.stuck:
                break
        return await agent.last_words()


def answer_of(session: Session, text: str) -> str:
    """Return a submitted answer as a verifier reads it: with the marker that statements ask for, where it has none."""
    if not session.judged or "\n" in text.strip() or answer_line(text) is not None:
        return text
    return f"Answer: {text.strip()}"


def is_answer(session: Session, text: str) -> bool:
    """Tell whether a text is an answer, right or wrong: any text where nothing judges it, else one that an answer can be read from."""
    return not session.judged or session.canonical_answer(text) is not None


class _Agent:
    """One conversation: what was said, what was done, and how both are written for the model."""

    def __init__(self, session: Session, *, native: bool) -> None:
        self._session = session
        self._native = native
        self._tools: dict[str, Tool] = {tool.name: tool for tool in session.tools}
        self._ending = next(tool for tool in self._tools.values() if tool.ends)
        self._steps: list[Step] = []
        self._done = False
        """Whether a call has succeeded."""
        self.repeats = Repeats()
        self._at = session.root
        self._template = "react/native" if native else "react/text"
        self._variables: dict[str, Any] = {} if native else {"described": [_described(tool) for tool in self._tools.values()]}
        self._offered: dict[str, Any] = {"tools": [tool.spec for tool in self._tools.values()]} if native else {}
        self._task = session.render(self._template, **self._variables)

    async def ask(self) -> Thought:
        """Ask for the next turn."""
        how: dict[str, Any] = self._offered if self._native else {"schema": turn_schema(self._tools.values())}
        return await self._session.ask(
            self._template,
            parent=self._at,
            history=whole(self._task, self._steps),
            shorter=shorter(self._task, self._steps),
            continued=True,
            **how,
            **self._variables,
        )

    def is_echo(self, reply: Thought, calls: Sequence[ToolCall]) -> bool:
        """Tell whether a turn repeats how the tools are defined, as models do that were not trained to call any; False once a call has succeeded."""
        if not self._native or self._done:
            return False
        if calls:
            return any(_repeats_definition(call.arguments, self._tools[call.name].parameters) for call in calls if call.name in self._tools)
        text = self._session.read(reply)[:MAX_TURN_CHARS]
        return not self._steps and '"parameters"' in text and any(f'"name": "{name}"' in text for name in self._tools)

    def calls_of(self, reply: Thought) -> tuple[list[ToolCall], str | None]:
        """Return the calls a turn asks for, and what is wrong with it (None: nothing). No call and nothing wrong is an answer."""
        if self._native:
            calls = list(self._session.message(reply).tool_calls) or misnamed(self._session.read(reply))
        else:
            call, problem = read_turn(self._session.read(reply))
            if call is None:
                return [], problem
            calls = [call]
        unknown = [call.name for call in calls if call.name not in self._tools]
        if unknown:
            return calls, f"Error: there is no tool {shorten(unknown[0], 80)!r}; there are {', '.join(self._tools)}"
        if calls and all(_object(call.arguments) is None for call in calls):
            return calls, "Error: the arguments are no JSON object; write them again"
        return calls, None

    def tell(self, reply: Thought, problem: str | None, calls: Sequence[ToolCall]) -> None:
        """Tell the model what is wrong with its turn; nothing where it only said something that is no answer."""
        if problem is not None:
            self._session.note(problem, parent=reply, role="react/unusable")
            self._go_on(reply, reply, calls, [problem] * len(calls) or [problem])
        elif self._session.read(reply).strip():
            self._go_on(reply, reply, (), ())

    async def act(self, reply: Thought, calls: Sequence[ToolCall]) -> str | None:
        """Make the calls of a turn, all at once; return the answer where one of them gives it.

        An answer beside calls that look something up was written before they were made, and is not taken.
        """
        looks = [call for call in calls if not self._tools[call.name].ends]
        making = (looks or list(calls))[:MAX_CALLS]
        made = await together(self._session.act(call.name, call.arguments, parent=reply, call_id=call.id) for call in making)
        told: dict[int, str] = {}
        changes = any(self._tools[call.name].effect != "pure" for call in making)
        turn = ((call.name, call.arguments, thought.text) for call, thought in zip(making, made, strict=True))
        again = self.repeats.note(turn, changes=changes)
        reminder = REPEATED.format(submit=self._ending.name)
        for call, thought in zip(making, made, strict=True):
            ok = self._session.succeeded(thought)
            self._done |= ok
            self._session.mark(thought, status="kept" if ok else "pruned")
            if ok and (answer := self._tools[call.name].answer(thought.text)) is not None:
                return answer
            told[id(call)] = f"{thought.text}\n{reminder}" if (call.name, call.arguments) in again else thought.text
        too_many = f"Error: at most {MAX_CALLS} calls in one turn"
        early = {id(call) for call in calls if looks and self._tools[call.name].ends}
        texts = [told.get(id(call), TOO_EARLY if id(call) in early else too_many) for call in calls]
        self._go_on(reply, made[-1], calls, texts)
        return None

    async def last_words(self) -> Answer:
        """Ask for the answer when there are no steps left."""
        session = self._session
        how: dict[str, Any] = {**self._offered, "tool_choice": "none"} if self._native else {"schema": turn_schema([self._ending])}
        asked = Message(
            "user", session.render("react/final") if self._native else session.render("react/last_turn", tool=self._ending.name)
        )
        forms = [[*form, asked] for form in (whole(self._task, self._steps), *shorter(self._task, self._steps))]
        reply = await session.ask(self._template, parent=self._at, history=forms[0], shorter=forms[1:], **how, **self._variables)
        session.mark(reply, status="final")
        said = session.read(reply)
        call = None if self._native else read_turn(said)[0]
        given = _object(call.arguments) if call is not None and call.name == self._ending.name else None
        if given is not None and isinstance(answer := given.get("answer"), str):
            return session.offer(answer_of(session, answer), reply)
        return session.offer(said, reply)

    def _go_on(self, reply: Thought, at: Thought, calls: Sequence[ToolCall], texts: Sequence[str]) -> None:
        self._at = at
        if self._native and calls and self._session.message(reply).tool_calls:
            told = tuple(Message("tool", text, tool_call_id=call.id) for call, text in zip(calls, texts, strict=True))
        else:
            told = (Message("user", "\n".join(f"Observation: {text}" for text in texts)),) if texts else ()
        self._steps.append(Step(self._session.message(reply), told))


def _described(tool: Tool) -> dict[str, str]:
    """Return a tool as the prompt describes it."""
    return {"name": tool.name, "description": " ".join(tool.description.split()), "parameters": tool.spec.parameters}


def turn_schema(tools: Iterable[Tool]) -> dict[str, Any]:
    """Return the schema of one turn in the text form: one alternative for every tool, the thought first."""
    turns = []
    for tool in tools:
        properties = {"thought": {"type": "string"}, "tool": {"const": tool.name}, "arguments": _inlined(tool.parameters)}
        turns.append({"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False})
    return turns[0] if len(turns) == 1 else {"anyOf": turns}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that can stand inside another: one that refers to its own definitions is left open."""
    return {"type": "object"} if "$defs" in schema or "$ref" in schema else schema


def read_turn(text: str) -> tuple[ToolCall | None, str | None]:
    """Read one turn of the text form: the first JSON object in it that names a tool. Text without an object is an answer: (None, None)."""
    decoder = json.JSONDecoder()
    starts = [at for at, char in enumerate(text[:MAX_TURN_CHARS]) if char == "{"][:MAX_STARTS]
    for at in starts:
        try:
            value, _ = decoder.raw_decode(text[:MAX_TURN_CHARS], at)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("tool"), str):
            arguments = value.get("arguments", {})
            return ToolCall("", value["tool"], arguments if isinstance(arguments, str) else json.dumps(arguments)), None
    if starts:
        return None, 'Error: no turn could be read; write one JSON object: {"thought": "...", "tool": "...", "arguments": {...}}'
    return None, None


def misnamed(text: str) -> list[ToolCall]:
    """Return the call that a text is, which a client did not take for one because there is no such tool; most texts are none."""
    if not text.lstrip().startswith("{"):
        return []
    try:
        value = json.loads(text[:MAX_TURN_CHARS])
    except (ValueError, RecursionError):
        return []
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not {"arguments", "parameters"} & value.keys():
        return []
    return [ToolCall("", value["name"], json.dumps(value.get("arguments", value.get("parameters"))))]


def _repeats_definition(arguments: str, schema: dict[str, Any]) -> bool:
    """Tell whether arguments hold words of a tool's definition that are not among its parameters."""
    foreign = (_object(arguments) or {}).keys() - schema.get("properties", {}).keys()
    return "properties" in foreign or (schema.get("additionalProperties") is False and bool(SCHEMA_WORDS & foreign))


def _object(arguments: str) -> dict[str, Any] | None:
    """Return the arguments of a call; None where they are no JSON object."""
    try:
        return read_arguments(arguments)
    except ToolFailed:
        return None
