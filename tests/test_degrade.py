"""What a run does about a question that is too long, a stream that is cut for good, an account without money, a refused key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from canned import openai_events, stream
from fault_server import Fault, FaultServer, chat, error_body
from hypothesis import given
from hypothesis import strategies as st

import reasoner
from reasoner.calling.retry import RetryPolicy
from reasoner.clients import ClientOptions
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import ContextTooLong, KeyRefused, QuotaExhausted, StreamCut
from reasoner.runs.results import Result
from reasoner.session.context_fit import less
from reasoner.store import Store
from reasoner.types import Completion, Message, Request, Usage

QUICK = RetryPolicy(first_wait_s=0.0, max_wait_s=0.0)
DIALOGUE = json.dumps({"thought": "go on", "stop": False, "response": "Answer: 9 -> 10 -> 20 " + "x" * 300, "done": False})


class Narrow(ScriptedClient):
    """Takes prompts up to a length; remembers what was too long."""

    def __init__(self, reply: str, n_chars: int) -> None:
        super().__init__(self._answer, name="narrow")
        self.fingerprint = "narrow"
        self._reply = reply
        self._n_chars = n_chars
        self.refused: list[Request] = []

    def _answer(self, request: Request) -> str:
        if sum(len(m.content) for m in request.messages) > self._n_chars:
            self.refused.append(request)
            raise ContextTooLong("too long", prompt_tokens=9, context_tokens=8)
        return self._reply


def solve(db: Path, strategy: str, client: Any, **setup: Any) -> Result:
    return reasoner.solve("number_path", "2 9 20", strategy=strategy, model=client, db=db, retry=QUICK, **setup)


def calls(db: Path) -> list[tuple[str, str, str]]:
    with contextlib.closing(sqlite3.connect(db)) as connection:
        return connection.execute("SELECT state, finish_reason, error FROM calls ORDER BY id").fetchall()


def test_a_dialogue_that_outgrows_the_context_goes_on_with_its_newer_half_and_replays(tmp_path: Path) -> None:
    db, client = tmp_path / "t.db", Narrow(DIALOGUE, 2600)
    outcome = solve(db, "iot:max_rounds=6,output=prompt", client)
    assert outcome.status == "closed"
    assert client.refused, "the test is about nothing"
    states = [state for state, _, _ in calls(db)]
    assert states.count("failed") == len(client.refused), "refused by the server, so certainly not processed"
    assert states.count("done") == 12
    shown = [m.content.count("Responder:") for r in client.requests for m in r.messages if m.role == "user"]
    too_long = [m.content.count("Responder:") for r in client.refused for m in r.messages if m.role == "user"]
    assert too_long[0] > 1
    assert too_long[0] // 2 in shown
    again = Narrow(DIALOGUE, 2600)
    replayed = solve(db, "iot:max_rounds=6,output=prompt", again, mode="recheck")
    assert again.requests == []
    assert replayed.dag_hash == outcome.dag_hash


def test_worked_examples_are_halved_where_they_do_not_fit(tmp_path: Path) -> None:
    whole = Narrow("Answer: 9 -> 10 -> 20", 10**6)
    assert solve(tmp_path / "a.db", "cot:shots=2", whole).correct
    n_chars = sum(len(m.content) for m in whole.requests[0].messages)
    client = Narrow("Answer: 9 -> 10 -> 20", n_chars - 1)
    assert solve(tmp_path / "b.db", "cot:shots=2", client).correct
    assert [len(r.messages) for r in client.requests] == [5, 3]
    assert client.requests[1].messages[:2] == whole.requests[0].messages[:2], "the last example went"
    never = Narrow("Answer: 9 -> 10 -> 20", 10)
    outcome = solve(tmp_path / "c.db", "cot:shots=2", never)
    assert (outcome.status, outcome.error_kind, len(never.requests)) == ("failed", "ContextTooLong", 2), "once, and no more"
    bare = Narrow("Answer: 9 -> 10 -> 20", 10)
    assert solve(tmp_path / "d.db", "cot", bare).status == "failed"
    assert len(bare.requests) == 1, "there was nothing to leave out"


def test_a_tree_search_shows_the_newer_steps_of_a_path(tmp_path: Path) -> None:
    steps = {"steps": [{"text": f"{n} -> {n + 1}", "state": str(n + 1), "operation": "+1"} for n in range(5)]}
    found = less([], steps, {"steps": "oldest"})
    assert found is not None
    assert [s["text"] for s in found[1]["steps"]] == ["3 -> 4", "4 -> 5"]

    class Counting(ScriptedClient):
        def __init__(self) -> None:
            super().__init__(self._answer, name="counting")
            self.too_long: list[int] = []

        def _answer(self, request: Request) -> str:
            assert request.about is not None
            n = len(request.about.params.get("steps", []))
            if n > 1 and request.about.template in {"tot/propose", "tot/value"}:
                self.too_long.append(n)
                raise ContextTooLong("too long")
            replies = {"tot/propose": "1: 9 -> 10 (9 + 1 = 10)", "tot/value": "likely", "tot/answer": "Answer: 9 -> 10 -> 20"}
            return replies[request.about.template]

    client = Counting()
    outcome = solve(tmp_path / "t.db", "tot:depth=3,breadth=1,candidates=1,value_samples=1", client)
    assert outcome.status == "closed"
    assert 2 in client.too_long


@given(st.integers(0, 9), st.lists(st.integers(), max_size=9), st.lists(st.integers(), max_size=9))
def test_less_is_about_half_and_nothing_when_there_is_nothing_to_leave_out(pairs: int, old: list[int], best: list[int]) -> None:
    history = [Message("user" if i % 2 == 0 else "assistant", str(i)) for i in range(2 * pairs)]
    found = less(history, {"old": old, "best": best, "other": 1}, {"old": "oldest", "best": "last"})
    if found is None:
        assert pairs == 0
        assert len(old) <= 1
        assert len(best) <= 1
        return
    kept, made = found
    assert kept == history[: 2 * (pairs // 2)]
    assert made["old"] == (old[-max(1, len(old) // 2) :] if old else [])
    assert made["best"] == best[: max(1, len(best) // 2)]
    assert made["other"] == 1


def lost(db: Path) -> tuple[int, int]:
    """Attempts that gave nothing whole and may have been billed: how many, and their tokens at worst."""
    with Store.open(db) as store:
        (row,) = store.tuples("SELECT sum(lost_calls), sum(lost_tokens) FROM calls")
    return row[0], row[1]


def test_a_stream_cut_twice_is_kept_as_truncated_and_everything_it_cost_is_counted(tmp_path: Path) -> None:
    def cut(text: str) -> StreamCut:
        return StreamCut("cut", partial=Completion(text, finish_reason="truncated", usage=Usage(10, 3)))

    db, client = tmp_path / "t.db", ScriptedClient([cut("Answer: 9 ->"), cut("Answer: 9 -> 10"), "never"])
    outcome = solve(db, "cot", client)
    assert len(client.requests) == 2
    assert not outcome.correct
    assert calls(db)[0][:2] == ("done", "truncated")
    assert (outcome.spent.prompt_tokens, outcome.spent.completion_tokens) == (10, 3)
    assert lost(db)[0] == 1, "what the attempt before may have cost is counted by its worst case"
    assert lost(db)[1] > 13
    again = ScriptedClient([cut("Answer: 9 ->"), "Answer: 9 -> 10 -> 20"])
    outcome = solve(tmp_path / "u.db", "cot", again)
    assert outcome.correct
    assert (lost(tmp_path / "u.db")[0], calls(tmp_path / "u.db")[0][:2]) == (1, ("done", "stop"))


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    line = [sys.executable, "-m", "reasoner", *arguments]
    return subprocess.run(line, cwd=cwd, env=here, capture_output=True, text=True, check=False, timeout=60)


QUOTA = error_body("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")


def test_an_account_without_money_stops_the_run_in_one_line_and_the_same_command_goes_on(tmp_path: Path, fault_server: FaultServer) -> None:
    bench = ["bench", "number_path", "--strategy", "direct", "-n", "4", "--model", "openai:m", "--base-url", fault_server.url]
    bench += ["--concurrency", "1"]
    fault_server.script(Fault(chat("Answer: 1")), Fault(chat("Answer: 1")), Fault(QUOTA, 429))
    stopped = command(*bench, cwd=tmp_path)
    assert stopped.returncode == 3, stopped.stderr
    assert len([line for line in stopped.stderr.splitlines() if "error" in line]) == 1
    assert "no quota left" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert len(fault_server.received) == 3, "no further call"
    fault_server.script(*[Fault(chat("Answer: 1"))] * 2)
    resumed = command(*bench, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert len(fault_server.received) == 5, "what was paid for is not asked again"


@pytest.mark.parametrize(("fault", "kind"), [(Fault(error_body("bad key"), 401), KeyRefused), (Fault(QUOTA, 429), QuotaExhausted)])
def test_after_a_refused_key_nothing_more_is_sent_with_it(
    tmp_path: Path, fault_server: FaultServer, fault: Fault, kind: type[Exception]
) -> None:
    fault_server.script(*[fault] * 40)
    options = ClientOptions(base_url=fault_server.url, concurrency=2)
    with pytest.raises(kind):
        reasoner.bench(
            "number_path", strategy="best_of_n(direct):n=6", model="openai:m", n=8, db=tmp_path / "t.db", options=options, retry=QUICK
        )
    assert len(fault_server.received) <= 2, "only those under way when the answer came"


def test_the_options_of_remote_models_reach_them(tmp_path: Path, fault_server: FaultServer) -> None:
    fault_server.script(Fault(stream(openai_events("Answer: 9 -> 10 -> 20")), headers={"Content-Type": "text/event-stream"}))
    made = command(
        "solve", "number_path", "2 9 20", "--strategy", "direct", "--model", "openai:m", "--base-url", fault_server.url, "--stream",
        "--idle-timeout", "30", "--rpm", "60", "--tpm", "9000", "--max-tokens", "300", "--profile", "max_tokens=max_completion_tokens,seed=no", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["completion_tokens"] == 9
    sent = fault_server.received[0].json
    assert sent["stream"] is True
    assert "max_completion_tokens" in sent
    assert not {"seed", "max_tokens"} & set(sent)
    wrong = command(
        "solve", "number_path", "2 9 20", "--model", "openai:m", "--base-url", fault_server.url, "--profile", "sede=no", cwd=tmp_path
    )
    assert wrong.returncode == 2
    assert "did you mean seed" in wrong.stderr
    with pytest.raises(ValueError, match="greater than or equal"):
        ClientOptions(rpm=0)


def test_another_profile_is_another_model_for_resuming(fault_server: FaultServer) -> None:
    from reasoner.clients import open_client

    plain = open_client("openai:m", ClientOptions(base_url=fault_server.url))
    other = open_client("openai:m", ClientOptions(base_url=fault_server.url, profile="system=user"))
    assert plain.fingerprint != other.fingerprint
    assert open_client("openai:m", ClientOptions(base_url=fault_server.url, stream=True)).fingerprint == plain.fingerprint
    asyncio.run(plain.aclose())
