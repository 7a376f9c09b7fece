"""The table of verdicts: every status with every kind of header and body, against the table as it is written down; and bugs of others.

The table below is the independent oracle: it is written from the promise, cell by cell, and shares nothing with the code.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Sequence

import httpx
import pytest
from pydantic import SecretStr

from reasoner.calling.retry import Degrade, Fail, Retry, RetryBudget, RetryPolicy, Stop, classify, with_retry
from reasoner.clients._wire.endpoint import Endpoint
from reasoner.clients._wire.waits import asked_wait_s
from reasoner.clients.scripted import Reply, ScriptedClient
from reasoner.errors import (
    BadResponse,
    ClientError,
    ConnectFailed,
    ContextTooLong,
    EngineLost,
    KeyRefused,
    QuotaExhausted,
    RateLimited,
    ReasonerError,
    Refused,
    ServerFailed,
    StreamCut,
    TimedOut,
)
from reasoner.types import Completion, Message, Request, Usage

ENDPOINT = Endpoint("m", "http://127.0.0.1:9/v1", "127.0.0.1", SecretStr(""), "OPENAI_API_KEY")
POLICY = RetryPolicy()
REQUEST = Request((Message("user", "q"),))


def body(message: str, **fields: object) -> bytes:
    return json.dumps({"error": {"message": message} | fields}).encode()


# What the body says: the plain fault, money, or a context that is too small.
BODIES: dict[str, tuple[bytes, str]] = {
    "none": (b"", "plain"),
    "words": (body("something is wrong"), "plain"),
    "html": (b"<html><body>Bad Gateway</body></html>", "plain"),
    "binary": (b"\xff\xfe\x00", "plain"),
    "typed": (body("slow", type="requests", code="rate_limit_exceeded"), "plain"),
    "quota": (body("You exceeded your current quota", code="insufficient_quota"), "money"),
    "anthropic-spend": (
        json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "x", "details": {"error_code": "enforced_spend_limit_reached"}}}).encode(),
        "money",
    ),
    "context": (body("This model's maximum context length is 2048 tokens.", code="context_length_exceeded"), "context"),
}  # fmt: skip
# What the headers ask for, in seconds; None: nothing (that makes sense).
HEADERS: dict[str, tuple[dict[str, str], float | None]] = {
    "none": ({}, None),
    "seconds": ({"retry-after": "7"}, 7.0),
    "milliseconds": ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    "nan": ({"retry-after": "nan"}, None),
    "negative": ({"retry-after": "-3"}, None),
    "infinite": ({"retry-after": "inf", "retry-after-ms": "1e999"}, None),
    "reset": ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s", "x-ratelimit-reset-tokens": "1s"}, 90.0),
    "over-the-cap": ({"retry-after": "3600"}, 3600.0),
}
# Status: what the plain fault is, and whether the outcome is unknown (the request may have been processed).
PLAIN: dict[int, tuple[str, type[ClientError], bool]] = {
    400: ("fail", Refused, False),
    401: ("stop", KeyRefused, False),
    402: ("stop", QuotaExhausted, False),
    403: ("stop", KeyRefused, False),
    404: ("fail", Refused, False),
    405: ("fail", Refused, False),
    408: ("retry", TimedOut, True),
    409: ("retry", ServerFailed, True),
    413: ("degrade", ContextTooLong, False),
    422: ("fail", Refused, False),
    425: ("retry", ServerFailed, True),
    429: ("retry", RateLimited, False),
    500: ("retry", ServerFailed, True),
    502: ("retry", ServerFailed, True),
    503: ("retry", ServerFailed, False),
    504: ("retry", ServerFailed, True),
    529: ("retry", ServerFailed, False),
}
CELLS = list(itertools.product(PLAIN, HEADERS, BODIES))


def test_there_are_enough_cells() -> None:
    assert len(CELLS) >= 300
    print(f"{len(CELLS)} cells")  # noqa: T201


@pytest.mark.parametrize("status", PLAIN)
def test_every_cell_of_the_table(status: int) -> None:
    for _, header, name in (cell for cell in CELLS if cell[0] == status):
        headers, asked_s = HEADERS[header]
        data, says = BODIES[name]
        verdict, kind, unknown = PLAIN[status]
        if says == "money":
            verdict, kind, unknown = "stop", QuotaExhausted, False
        elif says == "context" and status not in {401, 402, 403}:
            verdict, kind, unknown = "degrade", ContextTooLong, False
        error = ENDPOINT.fault(status, httpx.Headers(headers), data, schema=False)
        cell = (status, header, name)
        assert type(error) is kind, cell
        assert error.unknown_outcome is unknown, cell
        decided = classify(error, 1, POLICY, jitter=0.5)
        waits = kind in {RateLimited, ServerFailed} and asked_s is not None
        if verdict == "retry" and waits and (asked_s or 0) > POLICY.max_retry_after_s:
            assert isinstance(decided, Fail), cell
            assert "3600 s" in decided.reason
        elif verdict == "retry":
            assert isinstance(decided, Retry), cell
            low, high = ((asked_s or 0.0), (asked_s or 0.0) * 1.05) if waits else (0.0, 0.5)
            assert low <= decided.after_s <= high, cell
        else:
            assert type(decided) is {"fail": Fail, "stop": Stop, "degrade": Degrade}[verdict], cell
        assert isinstance(classify(error, 5, POLICY), Fail if verdict in {"fail", "retry"} else (Stop, Degrade)), cell


PARTIAL = Completion("half an ans", finish_reason="truncated", usage=Usage(10, 3))
# Not statuses: verdicts at attempts 1 to 5, and whether the outcome is unknown.
OTHERS: list[tuple[ClientError, str, bool]] = [
    (ConnectFailed("refused"), "rrrrf", False),
    (TimedOut("silence"), "rrrrf", True),
    (ServerFailed("broke off"), "rrrrf", True),
    (StreamCut("cut", partial=PARTIAL), "rffff", True),
    (BadResponse("html"), "rrfff", True),
    (EngineLost("three times"), "fffff", True),
]
BREAKS: list[tuple[httpx.TransportError, type[ClientError]]] = [
    (httpx.ConnectError("name or service not known"), ConnectFailed),
    (httpx.ConnectError("TLS alert"), ConnectFailed),
    (httpx.ConnectTimeout("slow"), ConnectFailed),
    (httpx.PoolTimeout("no connection came free"), ConnectFailed),
    (httpx.ProxyError("502"), ConnectFailed),
    (httpx.ReadTimeout("silence"), TimedOut),
    (httpx.WriteTimeout("silence"), TimedOut),
    (httpx.ReadError("reset"), ServerFailed),
    (httpx.WriteError("reset"), ServerFailed),
    (httpx.RemoteProtocolError("server disconnected"), ServerFailed),
]


@pytest.mark.parametrize(("error", "verdicts", "unknown"), OTHERS, ids=lambda value: type(value).__name__)
def test_faults_without_a_status(error: ClientError, verdicts: str, unknown: bool) -> None:
    decided = [classify(error, attempt, POLICY) for attempt in range(1, 6)]
    assert "".join("r" if isinstance(d, Retry) else "f" for d in decided) == verdicts
    assert error.unknown_outcome is unknown


@pytest.mark.parametrize(("broken", "kind"), BREAKS)
def test_a_connection_that_was_never_made_certainly_processed_nothing(broken: httpx.TransportError, kind: type[ClientError]) -> None:
    error = ENDPOINT.broken(broken)
    assert type(error) is kind
    assert error.unknown_outcome is (kind is not ConnectFailed)


NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-tokens": "17.5"}, 17.5),
        ({"X-RateLimit-Reset-Tokens": "2s"}, 2.0),
        ({"anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50Z"}, 30.0),
        ({"anthropic-ratelimit-input-tokens-reset": "2023-11-15T00:13:50+02:00"}, 30.0),
        ({"anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50"}, 30.0),
        ({"anthropic-ratelimit-requests-reset": "2023-11-14T22:00:00Z"}, None),
        # What is used up counts, what is not does not; where nothing is said to be, the longest.
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-requests": "0"}, 1.0),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}, 360.0),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:30Z", "anthropic-ratelimit-tokens-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2023-11-14T22:14:30Z", "anthropic-ratelimit-requests-remaining": "7"}, 10.0),
        ({"retry-after": "5", "x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, 5.0),
        *(({"x-ratelimit-reset-requests": text}, None) for text in ("nan", "inf", "-1", "-5s", "", "soon", "1e999", "m")),
        ({"x-ratelimit-reset-requests": "9" * 400 + "s"}, 1e100),  # read up to a bound; far over any cap all the same
        ({"x-ratelimit-limit-requests": "60"}, None),
    ],
)  # fmt: skip
def test_resets_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    found = asked_wait_s(httpx.Headers(headers), now=NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def follow(replies: Sequence[Reply], *, policy: RetryPolicy = POLICY, budget: RetryBudget | None = None) -> tuple[object, list[float], int]:
    """Run the loop over scripted replies; return result or error, the waits, and the number of requests."""
    client, waits = ScriptedClient(list(replies)), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def main() -> object:
        try:
            return await with_retry(lambda: client.complete(REQUEST), policy, rng=random.Random(3), sleep=sleep, budget=budget)
        except ReasonerError as error:
            return error

    return asyncio.run(main()), waits, len(client.requests)


# Bugs that other projects had, each as it was told.


def test_the_wait_is_that_of_the_last_error_not_of_the_first() -> None:  # 9 s were slept where 107 s were asked for
    _, waits, _ = follow([RateLimited("a", retry_after_s=9.0), RateLimited("b", retry_after_s=107.0), "fine"])
    assert 9.0 <= waits[0] <= 9.45
    assert 107.0 <= waits[1] <= 107.0 * 1.05


def test_there_is_a_backoff_at_all_and_it_grows() -> None:  # all retries within a second
    drawn = [classify(ServerFailed("x"), n, POLICY, jitter=1.0) for n in range(1, 5)]
    assert drawn == [Retry(0.5), Retry(1.0), Retry(2.0), Retry(4.0)]
    _, waits, _ = follow([ServerFailed("x")] * 4 + ["fine"])
    assert all(0 <= wait <= most for wait, most in zip(waits, (0.5, 1, 2, 4), strict=True))
    assert sum(waits) > 0


def test_a_rate_limit_inside_a_success_is_no_empty_answer() -> None:  # a 429 in a 200 body was read as an empty answer
    inner = body("slow down", code="rate_limit_exceeded")
    assert isinstance(ENDPOINT.inner_fault(json.loads(inner), inner), RateLimited)
    other = body("something", code=429)
    assert isinstance(ENDPOINT.inner_fault(json.loads(other), other), BadResponse)


def test_one_layer_and_no_second_one_below_it() -> None:  # the outer of two layers ignored Retry-After
    result, waits, n_requests = follow([RateLimited("a", retry_after_s=30.0)] * 5)
    assert isinstance(result, RateLimited)
    assert n_requests == POLICY.attempts
    assert all(30.0 <= wait <= 31.5 for wait in waits)


def test_a_rate_limit_is_waited_out_and_does_not_end_the_agent() -> None:  # the first 429 ended the whole run
    result, _, _ = follow([RateLimited("a"), RateLimited("b"), "fine"])
    assert isinstance(result, Completion)


@pytest.mark.parametrize("error", [QuotaExhausted("no money"), KeyRefused("401"), ContextTooLong("long"), Refused("404")])
def test_what_cannot_get_better_is_asked_once(error: ClientError) -> None:
    result, waits, n_requests = follow([error, "never"])
    assert result is error
    assert (waits, n_requests) == ([], 1)


def test_a_cut_stream_is_asked_again_once_and_what_it_cost_is_counted() -> None:
    cut = StreamCut("cut", partial=PARTIAL)
    result, _, n_requests = follow([cut, "fine"])
    assert isinstance(result, Completion)
    assert n_requests == 2
    result, _, n_requests = follow([cut, StreamCut("again", partial=PARTIAL), "never"])
    assert isinstance(result, StreamCut)
    assert n_requests == 2
    result, _, n_requests = follow([ServerFailed("x"), cut, "fine"])
    assert isinstance(result, Completion), "another fault before it takes nothing away from the one retry of a cut stream"
    assert n_requests == 3


def test_the_retries_of_a_run_are_a_share_of_its_requests_and_a_floor() -> None:
    budget = RetryBudget(share=0.2, floor=10)
    n_retries = 0
    for n_requests in range(1, 2001):
        budget.earn()
        while budget.left:
            budget.spend()
            n_retries += 1
        assert n_retries <= 10 + 0.2 * n_requests + 1e-6
    assert n_retries >= 0.2 * 2000, "and no less than the share"
    for _ in range(10**5):
        budget.earn()
    saved = 0
    while budget.left:
        budget.spend()
        saved += 1
    assert saved <= 110, "a long quiet time saves up no more than a window's share"


def test_without_retries_left_a_call_fails_at_once_and_says_why() -> None:
    result, waits, n_requests = follow([ServerFailed("down")] * 3, budget=RetryBudget(share=0.0, floor=1))
    assert isinstance(result, ServerFailed)
    assert "share of the run's requests" in str(result)
    assert (len(waits), n_requests) == (1, 2)
