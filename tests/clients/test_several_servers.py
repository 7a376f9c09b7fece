"""One model at several servers: who is asked, what happens when one fails, hangs or refuses, whose key goes where, and what is recorded."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import Fault, FaultServer, chat, error_body
from model_server import ModelServer

from reasoner import bench
from reasoner.calling.retry import RetryPolicy, with_retry
from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.server_circuit import FAILURES, FIRST_REST_S, LONGEST_REST_S, ServerCircuit
from reasoner.clients._wire.several import SeveralServers
from reasoner.errors import BadConfig, ClientError, ConnectFailed, KeyRefused, RateLimited, Refused, ServerFailed, TimedOut, UsageError
from reasoner.runs.events import Event, Note
from reasoner.types import Message, Request, Sampling

AT_ONCE = RetryPolicy(first_wait_s=0, max_wait_s=0, loading_wait_s=0)
SECRET = "sk-of-the-first-host-0123456789"
OTHER = "sk-of-the-other-host-0123456789"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def servers() -> Iterator[list[FaultServer]]:
    made = [FaultServer() for _ in range(3)]
    for server in made:
        server.start()
    yield made
    for server in made:
        server.stop()


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def asked(key: str = "") -> Request:
    return Request((Message("user", "a question"),), key=key)


def several(urls: list[str], **options: Any) -> SeveralServers:
    client = open_client("openai:m", ClientOptions(base_url=tuple(urls), **options))
    assert isinstance(client, SeveralServers)
    return client


async def retried(client: SeveralServers, key: str) -> str:
    return (await with_retry(lambda: client.complete(asked(key)), AT_ONCE, rng=random.Random(0))).text


# ---- the circuit


def test_a_circuit_opens_after_failures_in_a_row_and_not_before() -> None:
    clock = Clock()
    circuit = ServerCircuit("s:1", clock=clock)
    for failure in range(1, FAILURES + 1):
        told = circuit.ended(circuit.begin(), ServerFailed("500"))
        assert circuit.ready == (failure < FAILURES)
        assert ("s:1 fails: 500" in told) == (failure == FAILURES)
    assert circuit.rests_s == FIRST_REST_S


def test_an_answer_between_failures_starts_the_count_again() -> None:
    circuit = ServerCircuit("s:1", clock=Clock())
    for error in [ServerFailed("500")] * (FAILURES - 1) + [None] + [TimedOut("late")] * (FAILURES - 1):
        circuit.ended(circuit.begin(), error)
    assert circuit.ready


def test_one_refused_connection_opens_it() -> None:
    circuit = ServerCircuit("s:1", clock=Clock())
    assert "it rests for 1 s" in circuit.ended(circuit.begin(), ConnectFailed("nobody listens"))
    assert not circuit.ready


@pytest.mark.parametrize("error", [Refused("bad request"), KeyRefused("401")])
def test_a_refusal_is_an_answer(error: ClientError) -> None:
    circuit = ServerCircuit("s:1", clock=Clock())
    for _ in range(5):
        assert circuit.ended(circuit.begin(), error) == ""
    assert circuit.ready


def test_after_its_rest_one_call_tries_it_and_each_failure_doubles_the_rest_up_to_a_bound() -> None:
    clock = Clock()
    circuit = ServerCircuit("s:1", clock=clock)
    circuit.ended(circuit.begin(), ConnectFailed("no"))
    rests = []
    for _ in range(9):
        rests.append(circuit.rests_s)
        clock.now += circuit.rests_s
        ready = [circuit.ready]
        trial = circuit.begin()
        ready.append(circuit.ready)
        assert ready == [True, False]  # half open: one call only
        assert circuit.ended(trial, ConnectFailed("no")) == ""  # it was told once
    assert rests == [min(FIRST_REST_S * 2**n, LONGEST_REST_S) for n in range(9)]
    clock.now += circuit.rests_s
    assert circuit.ended(circuit.begin(), None) == "s:1 answers again"
    assert circuit.ready
    circuit.ended(circuit.begin(), ConnectFailed("no"))
    assert circuit.rests_s == FIRST_REST_S  # and all begins anew


def test_a_cancelled_trial_says_nothing_and_lets_the_next_one_try() -> None:
    clock = Clock()
    circuit = ServerCircuit("s:1", clock=clock)
    circuit.ended(circuit.begin(), ConnectFailed("no"))
    clock.now += FIRST_REST_S
    circuit.ended(circuit.begin(), asyncio.CancelledError())
    assert circuit.ready
    assert circuit.in_flight == 0


def test_calls_sent_before_the_circuit_opened_neither_open_nor_close_it_again() -> None:
    clock = Clock()
    circuit = ServerCircuit("s:1", clock=clock)
    early = [circuit.begin() for _ in range(5)]
    circuit.ended(early[0], ConnectFailed("no"))
    circuit.ended(early[1], ConnectFailed("no"))
    assert circuit.rests_s == FIRST_REST_S
    circuit.ended(early[2], None)
    assert not circuit.ready
    assert circuit.in_flight == 2


def test_a_wait_that_is_asked_for_is_a_rest_and_no_failure() -> None:
    clock = Clock()
    circuit = ServerCircuit("s:1", clock=clock)
    assert circuit.ended(circuit.begin(), RateLimited("429", retry_after_s=17)) == ""
    assert circuit.rests_s == 17
    clock.now += 17
    assert circuit.ended(circuit.begin(), None) == ""
    assert circuit.ready


# ---- who is asked


def test_calls_in_turn_go_round(servers: list[FaultServer]) -> None:
    client = several([server.url for server in servers])
    for server in servers:
        server.script(*[Fault()] * 4)

    async def main() -> None:
        for _ in range(12):
            await client.complete(asked())
        await client.aclose()

    asyncio.run(main())
    assert [len(server.received) for server in servers] == [4, 4, 4]


def test_the_server_with_the_fewest_calls_is_asked(servers: list[FaultServer]) -> None:
    """One server hangs with its first call: all others go to the rest, and none waits behind it."""
    client = several([server.url for server in servers], timeout_s=30)
    servers[0].script(Fault(delay_s=20))
    for server in servers[1:]:
        server.script(*[Fault()] * 20)

    async def main() -> int:
        hung = asyncio.create_task(client.complete(asked("hangs")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for _ in range(10):
            await client.complete(asked())
        pending = not hung.done()
        hung.cancel()
        await asyncio.gather(hung, return_exceptions=True)
        await client.aclose()
        return pending

    assert asyncio.run(main())
    assert [len(server.received) for server in servers] == [1, 5, 5]


def test_a_call_that_failed_is_asked_again_at_another_server_by_the_one_retry_layer(servers: list[FaultServer]) -> None:
    client = several([server.url for server in servers])
    servers[0].script(Fault(error_body("broken"), 500))
    servers[1].script(Fault(chat("from the second")))

    async def main() -> str:
        try:
            with pytest.raises(ServerFailed):
                await client.complete(asked("k"))  # the client itself asks once
            return await retried(client, "k")
        finally:
            await client.aclose()

    assert asyncio.run(main()) == "from the second"
    assert [len(server.received) for server in servers] == [1, 1, 0]
    assert {server.received[0].headers["idempotency-key"] for server in servers[:2]} == {"k"}


def test_a_failed_call_avoids_its_server_even_where_that_is_the_least_busy(servers: list[FaultServer]) -> None:
    client = several([server.url for server in servers[:2]])
    servers[0].script(Fault(error_body("broken"), 500), Fault(chat("no")))
    servers[1].script(Fault(delay_s=0.3), Fault(chat("yes")))

    async def main() -> str:
        with pytest.raises(ServerFailed):
            await client.complete(asked("k"))
        busy = asyncio.create_task(client.complete(asked("other")))
        await asyncio.sleep(0.05)
        text = (await client.complete(asked("k"))).text
        await busy
        await client.aclose()
        return text

    assert asyncio.run(main()) == "yes"


@pytest.mark.parametrize(
    "fault",
    [Fault(raw=b""), Fault(error_body("no"), 503), Fault(body=b"nonsense"), Fault(cut_at=10), Fault(delay_s=5), Fault(error_body("slow down"), 429, {"retry-after": "100"})],
    ids=["hangs up", "overload", "nonsense", "cut", "hangs", "asks to wait"],
)  # fmt: skip
def test_every_kind_of_failure_of_one_server_is_made_good_by_another(servers: list[FaultServer], fault: Fault) -> None:
    client = several([server.url for server in servers[:2]], timeout_s=1)
    servers[0].script(fault)
    servers[1].script(Fault(chat("whole")))

    async def main() -> str:
        try:
            return await retried(client, "k")
        finally:
            await client.aclose()

    assert asyncio.run(main()) == "whole"


def test_a_wait_one_server_asks_for_holds_for_that_one_alone(servers: list[FaultServer]) -> None:
    client = several([server.url for server in servers[:2]])
    slow = Fault(error_body("slow down"), 429, {"retry-after": "100"})
    servers[0].script(slow)
    servers[1].script(Fault(), slow)

    async def main() -> list[float | None]:
        waits = []
        for _ in range(3):
            try:
                await client.complete(asked("k"))
            except RateLimited as error:
                waits.append(error.retry_after_s)
        await client.aclose()
        return waits

    first, second = asyncio.run(main())
    assert first is None  # the other could answer at once
    assert second == pytest.approx(100, abs=5)  # now both ask to wait


def test_a_dead_server_costs_one_connection_and_the_run_is_told(servers: list[FaultServer]) -> None:
    dead = closed_port()
    client = several([dead, servers[0].url])
    servers[0].script(*[Fault()] * 8)

    async def main() -> list[str]:
        for n in range(8):
            await retried(client, f"k{n}")
        await client.aclose()
        return client.take_notes()

    (note,) = asyncio.run(main())
    assert dead.removeprefix("http://").removesuffix("/v1") in note
    assert "openai:m: " in note
    assert client.take_notes() == []


def test_where_no_server_answers_the_error_says_so_and_is_the_real_one() -> None:
    client = several([closed_port(), closed_port()])
    with pytest.raises(ConnectFailed, match="none of the 2 servers of openai:m can be asked now") as caught:
        asyncio.run(retried(client, "k"))
    assert "gave up after 5 attempts" in str(caught.value)


# ---- what is recorded, and whose key goes where


def test_the_fingerprint_says_nothing_of_order_or_of_who_answered(servers: list[FaultServer]) -> None:
    urls = [server.url for server in servers]
    clients = [several(order) for order in (urls, urls[::-1])]
    assert len({client.fingerprint for client in clients}) == 1
    assert len({client.name for client in clients}) == 1
    assert several(urls[:2]).fingerprint != clients[0].fingerprint
    one = open_client("openai:m", ClientOptions(base_url=[urls[0]]))  # type: ignore[arg-type]
    assert one.fingerprint == f"openai:m@{urls[0]}"
    assert one.fingerprint == open_client("openai:m", ClientOptions(base_url=urls[0])).fingerprint
    assert ClientOptions(base_url=(urls[0],)).model_dump_json() == ClientOptions(base_url=urls[0]).model_dump_json()


def test_settings_are_the_same_whoever_answers() -> None:
    client = several(["http://127.0.0.1:8/v1", "http://127.0.0.1:9/v1"])
    assert client.sampling(Sampling(temperature=0.5), bounded=False).temperature == 0.5
    assert client.concurrency == 16
    assert several(["http://127.0.0.1:8/v1", "http://127.0.0.1:9/v1"], concurrency=5).concurrency == 5
    assert not client.paid


def test_a_key_goes_only_to_the_host_it_is_named_for(servers: list[FaultServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OTHER_KEY", OTHER)
    here = [f"http://{host}:{server.port}/v1" for host, server in zip(("127.0.0.1", "localhost", "127.0.0.1"), servers, strict=True)]

    def sent(**options: Any) -> list[str]:
        client = several(here, **options)
        for server in servers:
            server.received.clear()
            server.script(Fault())

        async def main() -> None:
            for _ in here:
                await client.complete(asked())
            await client.aclose()

        asyncio.run(main())
        return [server.received[0].headers.get("authorization", "") for server in servers]

    assert sent() == ["", "", ""]  # two hosts: whose key it is, nobody has said
    assert sent(api_key_env="OTHER_KEY") == [f"Bearer {OTHER}"] * 3
    assert sent(api_key_env="localhost=OTHER_KEY") == ["", f"Bearer {OTHER}", ""]
    assert sent(api_key_env=f"OPENAI_API_KEY,127.0.0.1:{servers[2].port}=OTHER_KEY") == [
        f"Bearer {SECRET}",
        f"Bearer {SECRET}",
        f"Bearer {OTHER}",
    ]


@pytest.mark.parametrize(
    ("urls", "env", "error", "says"),
    [
        (("http://h1.example/v1", "http://h2.example/v1"), None, UsageError, "no key for h1.example; several servers do not share OPENAI_API_KEY unasked"),
        (("https://api.openai.com/v1", "http://h2.example/v1"), None, UsageError, "no key for h2.example"),
        (("http://h1.example/v1", "http://h2.example/v1"), "h1.example=OPENAI_API_KEY", UsageError, "no key for h2.example"),
        (("http://h1.example/v1", "http://h1.example/v1/"), None, BadConfig, "names http://h1.example/v1 twice"),
        (("http://h1.example/v1", "nonsense"), "OPENAI_API_KEY", BadConfig, "`base_url` cannot be used: 'nonsense'"),
        (("http://h1.example/v1",), "h3.example=OPENAI_API_KEY", BadConfig, "names a key for 'h3.example', which is none of the servers"),
        (("http://h1.example/v1",), f"OPENAI_API_KEY,h1.example={SECRET}", BadConfig, "it is not shown here"),
        (("http://h1.example/v1", "http://h2.example/v1"), "OPENAI_API_KEY,OTHER_KEY", BadConfig, "two keys for every server; they are not taken in the order"),
        (("http://h1.example/v1",), "h1.example=OPENAI_API_KEY,H1.example=OTHER_KEY", BadConfig, "two keys for H1.example"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_sent(
    urls: tuple[str, ...], env: str | None, error: type[Exception], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with pytest.raises(error, match=says.replace("(", r"\(")) as caught:
        open_client("openai:m", ClientOptions(base_url=urls, api_key_env=env))
    assert SECRET not in str(caught.value)


def test_one_key_serves_servers_of_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    client = open_client("anthropic:m", ClientOptions(base_url=("http://h1.example:1/v1", "http://h1.example:2/v1")))
    assert client.fingerprint == "anthropic:m@http://h1.example:1/v1,http://h1.example:2/v1"
    assert client.paid


# ---- whole runs


def test_a_run_goes_on_when_one_of_its_servers_dies_and_no_call_is_lost(tmp_path: Path) -> None:
    events: list[Event] = []
    with ModelServer(lambda _: "Answer: 24", keyed=True) as alive:
        urls = [closed_port(), alive.url("a"), alive.url("b")]
        told: dict[str, Any] = {
            "strategy": "cot",
            "model": "openai:m",
            "n": 6,
            "base_url": urls,
            "db": tmp_path / "t.db",
            "progress": events.append,
        }
        report = bench("number_path", **told)
        assert [result.status for result in report.report.results] == ["closed"] * 6
        again = bench("number_path", **told | {"base_url": urls[::-1]})  # the same servers in another order: the same run
        assert again.report.run_id == report.report.run_id
        assert sum((alive.ledger("a").billed + alive.ledger("b").billed).values()) == 6
    assert any(isinstance(event, Note) and "fails: cannot connect" in event.text for event in events)


def test_the_flag_is_repeated_on_the_command_line(tmp_path: Path) -> None:
    with ModelServer(lambda _: "Answer: 24", keyed=True) as server:
        command = [sys.executable, "-m", "reasoner", "bench", "number_path", "-n", "4", "--strategy", "cot", "--model", "openai:m"]
        urls = ["--base-url", server.url("a"), "--base-url", server.url("b")]
        done = subprocess.run(
            [*command, *urls, "--concurrency", "1", "--db", "t.db"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        assert [sum(server.ledger(part).billed.values()) for part in "ab"] == [2, 2]
        resumed = subprocess.run(
            [sys.executable, "-m", "reasoner", "resume", "last", "--db", "t.db"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert resumed.returncode == 0, resumed.stderr
        assert [sum(server.ledger(part).billed.values()) for part in "ab"] == [2, 2]
