"""What holds for all of a session's requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from reasoner.session.digit_grouping import NumberFormat
from reasoner.types import Sampling


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all of a session's requests.

    `seed` is that of requests and, where `drawn_from` names no other, of what the strategy draws by chance. `numbers` is how numbers are
    shown to the model. With `oracle` the strategy may ask the verifier.
    """

    seed: str
    sampling: Sampling = field(default_factory=Sampling)
    numbers: NumberFormat = "plain"
    oracle: bool = False
    drawn_from: str | None = None
    instructions: str = ""
    """What a client wants kept in mind at every call; it stands first in each request's system message."""
