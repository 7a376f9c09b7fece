r"""Draft: think freely first; what is constrained is only the writing of the answer.

    think    Nine and one are ten, twice ten is twenty, so ...        no constraint
    write    Answer: 9 -> 10 -> 20                                     must conform to the form that the family says

A constraint on the whole reply makes a small model answer before it has thought; one on the answer alone costs a few tokens. With `calls=1` both
stand in one reply: prose in lines that do not begin with `Answer:`, and behind them the constraint. The prose has `max_thought` characters at most, fewer
where the reply's tokens would not be enough for them: a small model that repeats itself would never come to the answer. A model that thinks in a part
of its own does so freely as well. `form=json` asks for `{"answer": ...}`, for servers that take a schema and no regular expression; `form=words` for
no constraint at all.

Source: draft-conditioned constrained decoding, arXiv 2603.03305; in one call: think in prose, constrain the answer, arXiv 2601.07525.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from reasoner.constraint import Constraint
from reasoner.errors import BadConfig
from reasoner.strategies import ShotParams, Strategy, shot_messages
from reasoner.strategies._branches import MAX_SHOWN_CHARS
from reasoner.strategies._structured import as_text, read_object
from reasoner.text import answer_line, excerpt

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer

Form = Literal["line", "json", "words"]

MARKER = "Answer:"
ANY_LINE = r"Answer: [^\n]{1,400}"
"""The form of a family that says nothing about it."""
ANSWER_TOKENS = 100
"""Tokens of a reply that its prose leaves to the answer."""
MIN_THOUGHT = 50
OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


class Draft(Strategy):
    """Think freely, then write the answer under the family's constraint."""

    name = "draft"
    summary = "thinks freely, then writes the answer line alone, constrained to the family's form"

    class Params(ShotParams):
        """Parameters of `draft`."""

        calls: Literal[1, 2] = Field(default=2, description="2: one that thinks and one that writes; 1: both in one reply")
        form: Form = Field(
            default="line", description="how the answer is held: line (regular expression or grammar), json, or words (not at all)"
        )

        max_thought: int = Field(default=1200, ge=MIN_THOUGHT, le=20_000, description="characters of the thought at most, with calls=1")

        @model_validator(mode="before")
        @classmethod
        def _number(cls, values: Any) -> Any:
            """Take the number of calls as it is written on a command line."""
            if isinstance(values, dict) and str(values.get("calls")) in {"1", "2"}:
                return {**values, "calls": int(values["calls"])}
            return values

        @model_validator(mode="after")
        def _one_call_writes_a_line(self) -> Draft.Params:
            if self.calls == 1 and self.form == "json":
                raise ValueError("in one call the answer is a line behind the thought; use form=line or form=words")
            return self

    params: Params

    async def run(self, session: Session) -> Answer:
        """Think, then write; in one call or in two.

        Raises:
            BadConfig: the family's form is no regular expression, and one call is asked for.
        """
        if self.params.calls == 1:
            shots = shot_messages(session, "cot", self.params, template="draft/once")
            reply = await session.ask("draft/once", history=shots, schema=self._behind_prose(session), continued=False)
            session.mark(reply, status="final")
            return session.offer(reply.text, reply)
        thought = await session.ask(
            "draft/think", history=shot_messages(session, "cot", self.params, template="draft/think"), continued=False
        )
        session.offer(thought.text, thought)
        session.mark(thought, status="kept")
        shown = excerpt(session.read(thought), MAX_SHOWN_CHARS)
        if self.params.form == "json":
            reply = await session.ask("draft/object", parent=thought, schema=OBJECT, continued=False, thought=shown)
        else:
            form = session.answer_constraint() or Constraint.regex(ANY_LINE, after_thought=True)
            reply = await session.ask(
                "draft/write", parent=thought, schema=form if self.params.form == "line" else None, continued=False, thought=shown
            )
        session.mark(reply, status="final")
        found = read_object(session.read(reply), {"answer"}) if self.params.form == "json" else None
        if found is None:
            return session.offer(reply.text, reply)
        answer = as_text(found["answer"])
        return session.offer(answer if answer_line(answer) is not None else f"{MARKER} {answer}", reply)

    def _behind_prose(self, session: Session) -> Constraint | None:
        if self.params.form == "words":
            return None
        form = session.answer_constraint()
        if form is not None and form.kind != "regex":
            raise BadConfig(
                f"draft:calls=1 needs an answer in the form of a regular expression, and this family's is a {form.kind}", hint="use calls=2"
            )
        # A character costs one token at most in the scripts that models know well, and words cost far less.
        n_chars = max(MIN_THOUGHT, min(self.params.max_thought, session.max_tokens - ANSWER_TOKENS))
        return Constraint.regex(behind_prose(form.value if form is not None else ANY_LINE, n_chars), after_thought=True)


def behind_prose(form: str, n_chars: int) -> str:
    r"""Return the pattern of a reply that ends in a line of that form, with about n characters of lines before it that do not begin with the marker.

    >>> import re
    >>> bool(re.fullmatch(behind_prose("Answer: [0-9]+", 100), "As I see it,\n\nfive.\nAnswer: 5"))
    True
    >>> bool(re.fullmatch(behind_prose("Answer: [0-9]+", 100), "Answer: five\nAnswer: 5"))
    False
    >>> bool(re.fullmatch(behind_prose("Answer: [0-9]+", 10), "As I see it, five.\nAnswer: 5"))
    False
    """
    begins = "|".join(rf"{MARKER[:n]}[^\n{char}]" for n, char in enumerate(MARKER))
    return rf"(?:(?:{begins})(?:[^\n]|\n{{1,2}}(?:{begins})){{0,{n_chars}}}\n{{1,2}})?(?:{form})"
