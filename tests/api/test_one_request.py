"""Over a real connection, every kind of fault: what may have been billed is one request where one call may be made, the rest counts for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fault_server import Fault, chat, error_body

import reasoner
from reasoner.calling.retry import RetryPolicy
from reasoner.clients import ClientOptions

if TYPE_CHECKING:
    from fault_server import FaultServer

NO = error_body("no", type="x")
MAY_BE_BILLED = {
    **{str(status): Fault(NO, status=status) for status in (400, 401, 404, 408, 500, 502)},
    "cut": Fault(chat("hi"), cut_at=10),
    "closed at once": Fault(raw=b""),
    "silent": Fault(delay_s=60),
    "stalled": Fault(chat("hi"), stall_at=10),
    "malformed": Fault(b'{"choices": ['),
    "empty": Fault(b""),
    "html": Fault(b"<html>busy</html>"),
    "no choice": Fault(b'{"choices": []}'),
    "no HTTP": Fault(raw=b"\x00\x01\x02\r\n\r\n"),
}
"""400, 401 and 404 are billed by nobody; they are asked once because nothing gets better."""
NEVER_BILLED = {str(status): Fault(NO, status=status, headers={"Retry-After": "0"}) for status in (429, 503, 529)}


def solved(server: FaultServer, db: Path, *, timeout_s: float = 60) -> reasoner.Result:
    return reasoner.solve(
        "game24", "4 9 10 13", strategy="direct", model="openai:m", max_calls=1, db=db, mode="fresh", retry=RetryPolicy(first_wait_s=0),
        options=ClientOptions(base_url=server.url, timeout_s=timeout_s),
    )  # fmt: skip


@pytest.mark.parametrize("kind", MAY_BE_BILLED)
def test_a_flaky_server_gets_one_request_where_one_call_may_be_made(kind: str, fault_server: FaultServer, tmp_path: Path) -> None:
    fault_server.script(*[MAY_BE_BILLED[kind]] * 4, Fault())
    try:
        result = solved(fault_server, tmp_path / "t.db", timeout_s=0.5 if kind in {"silent", "stalled"} else 60)
    except reasoner.ReasonerError:
        pass  # what every further problem would meet too ends the run
    else:
        assert result.status in {"exhausted", "failed"}
        assert not result.correct
    assert len(fault_server.received) == 1


@pytest.mark.parametrize("kind", NEVER_BILLED)
def test_a_server_that_refuses_to_work_is_asked_until_it_works(kind: str, fault_server: FaultServer, tmp_path: Path) -> None:
    fault_server.script(NEVER_BILLED[kind], NEVER_BILLED[kind], Fault(chat("Answer: (10 - 4) * (13 - 9) = 24")))
    result = solved(fault_server, tmp_path / "t.db")
    assert (result.status, result.correct, result.spent.calls) == ("closed", True, 1)
    assert len(fault_server.received) == 3
