"""Malformed answers by the thousand, in every dialect, whole and streamed: no fault of ours, no hang, no paid answer lost or asked for twice.

`REASONER_MALFORMED=30000` runs the full number, ten thousand of each dialect; `REASONER_MALFORMED_SEED` another seed. What an answer says and how it ended is
checked by readers which share nothing with the client's (`plain_readers`).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

import pytest
from canned import ask
from odd_answers import ODD
from plain_readers import TooOdd, Unsaid, says
from spoilt_answers import spoiled

from reasoner.calling.retry import RetryPolicy, with_retry
from reasoner.errors import ClientError
from reasoner.types import Completion

N = int(os.environ.get("REASONER_MALFORMED", "1000"))
SEED = int(os.environ.get("REASONER_MALFORMED_SEED", "20261124"))
HANG_S = 10.0
QUICK = RetryPolicy(first_wait_s=0.0, max_wait_s=0.0)


class Asked:
    """Counts how often a server was asked."""

    n = 0


async def asked_once(scheme: str, body: bytes, *, streamed: bool, pieces: list[bytes], breaks: bool = False) -> Completion:
    """Ask as a run does, under the retry layer, and count the requests. One that was answered is not asked again, whatever came back."""
    Asked.n = 0

    async def call() -> Completion:
        Asked.n += 1
        return await ask(scheme, body, streamed=streamed, pieces=pieces, breaks=breaks)

    return await with_retry(call, QUICK, rng=random.Random(0))


def cut_up(rng: random.Random, body: bytes) -> list[bytes]:
    size = rng.choice([len(body) or 1, 50, 7])
    return [body[i : i + size] for i in range(0, len(body), size)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scheme", ODD)
async def test_no_malformed_answer_is_a_fault_of_ours_or_lost_or_asked_twice(scheme: str, streamed: bool) -> None:
    rng = random.Random(f"{SEED}/{scheme}/{streamed}")
    tally: Counter[str] = Counter()
    for number in range(N // 6):
        body = spoiled(rng, scheme, streamed=streamed)
        pieces, breaks = cut_up(rng, body), rng.random() < 0.1
        where = f"seed {SEED}, {scheme}, streamed={streamed}, number {number}: {body[:2000]!r}"
        odd = breaks
        try:
            expected = None if breaks else says(scheme, body, streamed=streamed)
        except (Unsaid, TooOdd) as error:
            expected, odd = None, isinstance(error, TooOdd)
        try:
            async with asyncio.timeout(HANG_S):
                made = await asked_once(scheme, body, streamed=streamed, pieces=pieces, breaks=breaks)
        except ClientError as error:
            tally[type(error).__name__] += 1
            assert "\n" not in str(error), where
            assert not expected or not expected[0], f"a paid answer was lost: {error}; {where}"
            continue
        except Exception as error:
            raise AssertionError(where) from error
        tally[made.finish_reason] += 1
        assert Asked.n == 1, f"a paid answer was asked for twice; {where}"
        if expected is not None:
            assert (made.text, made.finish_reason) == expected, where
        else:
            assert odd, where
    print(f"seed {SEED}: {scheme}, {'streamed' if streamed else 'whole'}: {dict(tally)}")  # noqa: T201
    assert sum(tally.values()) == N // 6
    assert len(tally) >= 3, "the mutations are of one kind only"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scheme", ODD)
async def test_every_well_formed_answer_is_kept_however_odd_it_is(scheme: str, streamed: bool) -> None:
    rng = random.Random(f"odd/{SEED}/{scheme}/{streamed}")
    for number in range(N // 6):
        body, (text, thought, end), counts = ODD[scheme](rng, streamed=streamed)
        where = f"seed {SEED}, {scheme}, streamed={streamed}, number {number}: {body[:3000]!r}"
        try:
            made = await asked_once(scheme, body, streamed=streamed, pieces=cut_up(rng, body))
        except ClientError as error:
            raise AssertionError(f"a paid answer was lost: {error}; {where}") from error
        assert Asked.n == 1, where
        assert (made.text, made.reasoning, made.finish_reason) == (text, thought, end), where
        if counts is None:
            assert made.usage.estimated, where
        else:
            assert (made.usage.prompt_tokens, made.usage.completion_tokens, made.usage.estimated) == (*counts, False), where
