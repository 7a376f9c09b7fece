"""What a model read and wrote in tokens of its own vocabulary, as JSON text: recorded where `Sampling.tokens` asks (`--record tokens`).

    written([1, 2], [7, 8], [-0.5, -0.25])  -> '{"ids":[7,8],"logprobs":[-0.5,-0.25],"prompt_ids":[1,2]}'
    read('{"ids":[7,8],...}').ids           -> (7, 8)

The ids decode, without control tokens, to the reply as it was written: a thought in its tags, then the answer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from reasoner.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ID = 2**31
DIGITS = 6
LEAST, MOST = -1e6, 1e-4
"""The range of a log-probability: a rounding error may put one above 0, and servers write -9999 for what cannot be."""


class TokenRecord(NamedTuple):
    """The ids of the prompt, those of the reply with the token that ended it, and the natural log-probability of each of these."""

    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


def written(prompt_ids: Sequence[Any], ids: Sequence[Any], logprobs: Sequence[Any]) -> str:
    """Return a record as text; empty where prompt or reply have no ids, one is none, or not every id has a log-probability: a wrong pair is worse than none."""
    paired = bool(prompt_ids) and bool(ids) and len(ids) == len(logprobs)
    if not (paired and all(map(_is_id, (*prompt_ids, *ids))) and all(map(is_logprob, logprobs))):
        return ""
    rounded = [min(0.0, round(float(one), DIGITS)) for one in logprobs]
    return canonical_json({"prompt_ids": list(prompt_ids), "ids": list(ids), "logprobs": rounded})


def read(text: str | None) -> TokenRecord | None:
    """Read what `written` wrote; None where nothing was recorded."""
    if not text:
        return None
    found = json.loads(text)
    return TokenRecord(tuple(found["prompt_ids"]), tuple(found["ids"]), tuple(map(float, found["logprobs"])))


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_ID


def is_logprob(value: Any) -> TypeGuard[float]:
    """Tell whether a value can be the natural log-probability of a token: a number, of bounded size, and not above 0 but for rounding."""
    return isinstance(value, int | float) and not isinstance(value, bool) and LEAST <= value <= MOST
