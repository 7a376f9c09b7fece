"""What a local model refuses of a request before its worker sees it: numbers out of their range, images, fields for a server."""

from __future__ import annotations

import math

from reasoner.errors import BadConfig
from reasoner.types import Request, Sampling


def check_sampling(sampling: Sampling) -> None:
    """Refuse a sampling that is not possible.

    Raises:
        BadConfig: it names the field and its value.
    """
    # NaN fails every comparison, so each bound is written as what must hold.
    numbers = sampling.numbers
    bounds = {
        "temperature": 0 <= numbers.temperature < math.inf,
        "top_p": 0 < numbers.top_p <= 1,
        "top_k": 0 <= numbers.top_k < 2**31,
        "min_p": 0 <= numbers.min_p <= 1,
        "repeat_penalty": 0 < numbers.repeat_penalty < math.inf,
        "max_tokens": numbers.max_tokens >= 1,
        "stop": all(sampling.stop),
    }
    for name, holds in bounds.items():
        if not holds:
            raise BadConfig(
                f"{name} is {getattr(sampling, name)!r}, which is not possible", hint="see docs/reference/local-models.md for the ranges"
            )


def check_request(request: Request) -> None:
    """Refuse what only remote models take.

    Raises:
        BadConfig: it holds images, or fields for a server.
    """
    if any(message.images for message in request.messages):
        raise BadConfig("local models read no images", hint="leave them out, or use a remote model")
    if request.sampling.extra_body:
        raise BadConfig("--extra-body is for remote models", hint="leave it out")
