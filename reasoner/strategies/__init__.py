"""Strategies: reasoning methods as plain asynchronous Python, one file each, found by their file's name.

A strategy asks, looks and decides through the `Session` it is given; it knows no provider, no database and no particular puzzle.
The whole of one:

    class Direct(Strategy):
        name = "direct"
        summary = "ask once for the answer line"

        async def run(self, session):
            reply = await session.ask("direct/answer")
            return session.offer(reply.text, reply)

Importing this package imports no strategy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoner.errors import BadConfig
from reasoner.session.digit_grouping import NumberFormat
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.drawing import Voice
    from reasoner.session import Session
    from reasoner.types import Answer


class Strategy(ABC):
    """One reasoning method with its parameters.

    A strategy is deterministic given the answers it gets: it reads no clock and draws only from `session.rng`. That is what makes
    a run replay from the store without a call, and every registered strategy is tested for it. Its prompts stand in
    `prompts/<name>/`.
    """

    registered_as: ClassVar[Literal["strategy"]] = "strategy"
    name: ClassVar[str]
    """The registry name; the same word as the module's file."""
    summary: ClassVar[str]
    """One line for listings."""
    takes_inner: ClassVar[bool] = False
    """Whether another strategy can be its inner step: `self_consistency(ats)`."""
    default_inner: ClassVar[str] = ""
    """The inner strategy where none is written; empty: none at all."""
    needs_tools: ClassVar[tuple[str, ...]] = ()
    """Tools it works with beside those the user names, whatever its parameters; `tools_needed` may add to them."""
    solvers: ClassVar[tuple[str, ...]] = ()
    """The problem families it works on; empty: all."""
    keeps_schema: ClassVar[bool] = False
    """Whether it sees to a problem's output schema by itself; the answer of any other is formatted in one last constrained call."""

    voices: ClassVar[Mapping[str, Voice]] = {}
    """Whose words the thoughts of a dialogue are, by role without the strategy's name (`guide`); the viewer shows them in turn. Empty: no dialogue."""

    class Params(BaseModel):
        """The parameters; a strategy that has some of its own extends this with fields that each carry a description and a default."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        numbers: NumberFormat = Field(
            default="plain", description="how numbers are shown to the model: plain, or right_to_left (1,234,567), undone when it answers"
        )

    params: Params
    inner: Strategy | None
    """The strategy inside this one, None where there is none."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not issubclass(cls.Params, Strategy.Params):
            raise BadConfig(f"{cls.__name__}.Params does not derive from Strategy.Params", hint="write class Params(Strategy.Params)")

    def __init__(self, params: Params, inner: Strategy | None = None) -> None:
        self.params = params
        self.inner = inner

    @property
    def oracle(self) -> bool:
        """Whether it chooses by asking the verifier. Such a strategy is an upper bound and no method; its label has to show it."""
        return False

    @property
    def tools_needed(self) -> tuple[str, ...]:
        """Tools it works with, with these parameters, beside those the user names."""
        return self.needs_tools

    @property
    def models_needed(self) -> tuple[str, ...]:
        """Models it asks besides the run's own (`session.of_model`): names of models, or adapter files over the run's own."""
        return ()

    def corpora(self) -> tuple[str, ...]:
        """Name the parallel corpora it reads; their contents are part of a run's identity."""
        return ()

    @abstractmethod
    async def run(self, session: Session) -> Answer:
        """Work on the session's problem and return the answer text with the thought that holds it.

        Whatever counts as best so far is named with `session.offer`, so that it survives when the budget runs out; a wrong or
        unreadable answer is for the verifier to judge and no error.

        Raises:
            BudgetExhausted: a call did not fit in the budget.
            ClientError: the provider failed for good.
            BadConfig: a parameter asks for what the solver has not got (more worked examples, say).
        """


ShotSource = Literal["corpora", "store"]


class ShotParams(Strategy.Params):
    """Parameters of strategies that can show worked examples."""

    shots: int = Field(default=0, ge=0, le=64, description="worked examples shown before the problem")
    shots_from: ShotSource = Field(default="corpora", description="corpora (shipped), or store (verified answers of earlier runs)")


def shot_messages(session: Session, kind: str, params: ShotParams, *, template: str) -> list[Message]:
    """Return worked examples as a conversation: the user states the problem, the assistant answers.

    `kind` names them in `corpora/shots`, `template` in the store.
    """
    shots = session.shots(kind, params.shots, source=params.shots_from, template=template)
    pairs = ((Message("user", shot.question), Message("assistant", shot.answer)) for shot in shots)
    return [message for pair in pairs for message in pair]
