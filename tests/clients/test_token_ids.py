"""Token ids and log-probabilities where they are asked for: out of a server as vLLM answers, out of the embedded model, through the store and into rows."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llama_cpp
import pytest
from fault_server import Fault, FaultServer, chat, error_body

import reasoner
from reasoner import redaction, token_record
from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import bundled_model
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.asked import NO_TOKENS
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters
from reasoner.errors import BadConfig, ClientError
from reasoner.store import Store
from reasoner.types import Completion, Constraint, Message, Request, Sampling

RECORDED = Request((Message("user", "Reach 20 from 9."),), Sampling(tokens=True), seed=7)
ANSWER = "Answer: 9 -> 10 -> 20"
PROMPT_IDS = [1, 5, 9]
KEY = "sk-of-a-server-that-repeats-0123456789"


def vllm(text: str = ANSWER, *, ids: list[Any] | None = None, logprobs: Any = None, **more: Any) -> bytes:
    """An answer as vLLM gives it with `return_token_ids`: the token that ends the reply has an id and a log-probability too."""
    found = [100 + at for at in range(len(text.split()) + 1)] if ids is None else ids
    tokens: list[dict[str, Any]] = [{"token": "x", "logprob": -0.25 * at, "bytes": None, "top_logprobs": []} for at in range(len(found))]
    choice = {
        "index": 0, "message": {"role": "assistant", "content": text, "reasoning_content": None}, "finish_reason": "stop", "stop_reason": None,
        "logprobs": {"content": tokens if logprobs is None else logprobs}, "token_ids": found,
    }  # fmt: skip
    return chat(choices=[choice], **{"prompt_token_ids": PROMPT_IDS, **more})


def ask(server: FaultServer, *faults: Fault, request: Request = RECORDED, **options: Any) -> tuple[Completion, list[str]]:
    server.script(*faults)

    async def main() -> tuple[Completion, list[str]]:
        client = open_client("openai:m", ClientOptions(base_url=server.url, **options))
        try:
            answer = await client.complete(request)
            return answer, client.take_notes()  # type: ignore[attr-defined]  # a remote client has them
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_ids_are_asked_for_and_read_only_when_wanted(fault_server: FaultServer) -> None:
    completion, notes = ask(fault_server, Fault(vllm()))
    sent = fault_server.received[0].json
    assert (sent["return_token_ids"], sent["logprobs"]) == (True, True)
    record = token_record.read(completion.tokens)
    assert record == ((1, 5, 9), (100, 101, 102, 103, 104, 105, 106), (0.0, -0.25, -0.5, -0.75, -1.0, -1.25, -1.5))
    assert (notes, completion.mean_logprob, completion.token_logprobs) == ([], None, ())
    plain, _ = ask(fault_server, Fault(vllm()), request=Request(RECORDED.messages, seed=7))
    assert plain.tokens == ""
    assert not {"return_token_ids", "logprobs"} & set(fault_server.received[1].json)


def test_ids_are_read_from_a_stream(fault_server: FaultServer) -> None:
    def event(**choice: Any) -> dict[str, Any]:
        return {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": None} | choice]}

    def tokens(*values: float) -> dict[str, Any]:
        return {"content": [{"token": "x", "logprob": value} for value in values]}

    events = [
        event(delta={"role": "assistant", "content": ""}) | {"prompt_token_ids": PROMPT_IDS},
        event(delta={"content": "Answer:"}, token_ids=[3, 4], logprobs=tokens(-1, -2)),
        event(delta={"content": " 9"}, token_ids=[5], logprobs=tokens(-3)),
        event(finish_reason="stop", token_ids=[2], logprobs=tokens(-0.5)),
    ]
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in events) + "data: [DONE]\n\n"
    completion, _ = ask(fault_server, Fault(body.encode(), headers={"content-type": "text/event-stream"}), stream=True)
    assert completion.text == "Answer: 9"
    assert token_record.read(completion.tokens) == ((1, 5, 9), (3, 4, 5, 2), (-1.0, -2.0, -3.0, -0.5))


@pytest.mark.parametrize(
    "body",
    [
        vllm(ids=[]), vllm(ids=[1, 2], logprobs=[{"token": "x", "logprob": -1}]), vllm(ids=[1, "2"]), vllm(ids=[1, True]), vllm(ids=[1, -2]),
        vllm(ids=[1], logprobs=[{"token": "x", "logprob": None}]), vllm(prompt_token_ids=[1, 2.5]), chat(ANSWER), vllm(prompt_token_ids=None),
        vllm(ids=[10**400]), vllm(prompt_token_ids=[10**400]), *(vllm(ids=[1], logprobs=[{"token": "x", "logprob": odd}]) for odd in (10**400, -(10**400), 1e308, 0.5)),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_not_recorded_and_told_once(fault_server: FaultServer, body: bytes) -> None:
    completion, notes = ask(fault_server, Fault(body))
    assert completion.tokens == ""
    assert completion.text == ANSWER
    assert len(notes) == 1
    assert "ids and log-probabilities" in notes[0]


@pytest.mark.parametrize("part", ["content", "reasoning_content"])
def test_where_the_key_was_taken_out_its_tokens_are_too(fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setenv("ECHOED_KEY", KEY)
    body = json.loads(vllm())
    body["choices"][0]["message"][part] = f"I was called with {KEY}."
    completion, _ = ask(fault_server, Fault(json.dumps(body).encode()), api_key_env="ECHOED_KEY")
    assert "[redacted]" in completion.text + completion.reasoning
    assert completion.tokens == ""


@pytest.mark.parametrize(("prompt", "reply"), [(f"Is {KEY} a key?", "Yes."), ("What is it?", f"It is {KEY}."), ("Is it day?", "Yes.")])
def test_tokens_that_would_spell_a_remembered_key_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompt: str, reply: str
) -> None:
    monkeypatch.setattr(redaction, "_known", ())
    redaction.remember(KEY)
    model = ScriptedClient([Completion(reply, tokens=token_record.written(PROMPT_IDS, [10, 2], [-0.5, -0.25]))], name="m")
    reasoner.ask(prompt, strategy="direct", model=model, record="tokens", db=tmp_path / "t.db")
    (kept,) = recorded_in(tmp_path / "t.db")
    assert (kept is None) == (KEY in prompt + reply)
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_who_gives_no_ids_refuses(fault_server: FaultServer) -> None:
    for model, profile in (("anthropic:m", ""), ("responses:m", ""), ("openai:m", "logprobs=0")):
        client = open_client(model, ClientOptions(base_url=fault_server.url, profile=profile))
        with pytest.raises(BadConfig, match="tells no token ids"):
            client.check(Sampling(tokens=True))  # type: ignore[attr-defined]  # a remote client has it
    with pytest.raises(ClientError) as told:
        ask(fault_server, Fault(error_body("Unknown parameter: 'return_token_ids'."), status=400))
    assert "`record`" in told.value.hint
    with pytest.raises(BadConfig, match="record="):
        reasoner.solve("number_path", "2 9 20", model="teacher", record="thoughts")


def test_a_record_reads_back_and_a_doubtful_one_is_none() -> None:
    text = token_record.written([1], [2, 3], [-0.123456789, -2])
    assert token_record.read(text) == ((1,), (2, 3), (-0.123457, -2.0))
    assert token_record.read("") is None
    assert (
        token_record.written([1], [2], [math.nan])
        == token_record.written([1], [2**31], [-1.0])
        == token_record.written([], [2], [-1.0])
        == ""
    )
    assert token_record.read(token_record.written([1], [2], [1e-7])) == ((1,), (2,), (0.0,))


@pytest.mark.parametrize("odd", [10**400, 1e308, -1e308, 0.5])
def test_a_number_that_is_no_log_probability_spoils_no_answer(fault_server: FaultServer, odd: float) -> None:
    """Two of 1e308 are more than a float holds, and 10**400 is none."""
    tokens = [{"token": "x", "logprob": odd}] * 2
    request = Request(RECORDED.messages, Sampling(logprobs=True), seed=7)
    completion, _ = ask(fault_server, Fault(vllm(ids=[1, 2], logprobs=tokens)), request=request)
    assert (completion.text, completion.mean_logprob, completion.token_logprobs) == (ANSWER, None, ())


def scripted(texts: list[str], *, of: str = "m") -> ScriptedClient:
    turns = iter(enumerate(texts))

    def said(_: Request) -> Completion:
        at, text = next(turns)
        return Completion(text, tokens=token_record.written(PROMPT_IDS, [10 + at, 2], [-0.5, -0.25]) if text.startswith("Answer") else "")

    return ScriptedClient(said, name=of)


def grouped(db: Path, out: Path, **options: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    with Store.open(db) as store:
        tally = export(store, "grouped", out, Filters(), Options(**options))
    return ([json.loads(line) for line in out.read_text().splitlines()] if tally.taken else []), tally.left_out


def test_groups_hold_what_was_recorded_and_leave_out_the_rest(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    texts = [ANSWER, "No.\nAnswer: 9 -> 11", "Answer: 9 -> 18"]
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=scripted(texts), samples=3, record="tokens", db=db)
    (row,), left_out = grouped(db, tmp_path / "g.jsonl", tokens=True)
    assert left_out == {NO_TOKENS: 1}
    assert [one[0]["content"] for one in row["completions"]] == [ANSWER, "Answer: 9 -> 18"]
    assert (row["prompt_ids"], row["completion_ids"]) == (PROMPT_IDS, [[10, 2], [12, 2]])
    assert (row["logprobs"], row["rewards"][0]) == ([[-0.5, -0.25]] * 2, 1.0)
    assert row["pass_rate"] == pytest.approx(1 / 3, abs=1e-6), "it is that of all answers"
    (plain,), _ = grouped(db, tmp_path / "plain.jsonl")
    assert not {"prompt_ids", "completion_ids", "logprobs"} & set(plain)
    assert len(plain["completions"]) == 3
    with Store.open(tmp_path / "other.db") as other:
        assert read_path(other, tmp_path / "g.jsonl").taken == 1
    grouped(tmp_path / "other.db", tmp_path / "again.jsonl", tokens=True)
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "g.jsonl").read_bytes()
    assert not {"prompt_ids", "completion_ids"} & set(grouped(tmp_path / "other.db", tmp_path / "less.jsonl")[0][0])


def test_ids_of_another_vocabulary_are_not_mixed_in(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    other = ScriptedClient([Completion(ANSWER + " ", tokens=token_record.written([7], [8], [-1.0]))], name="other")
    for client in (scripted([ANSWER]), other):
        reasoner.solve("number_path", "2 9 20", strategy="direct", model=client, record="tokens", db=db)
    (row,), left_out = grouped(db, tmp_path / "g.jsonl", tokens=True)
    assert (row["completion_ids"], left_out) == ([[10, 2]], {NO_TOKENS: 1})


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("sft", {}, "no columns for tokens"),
        ("grouped", {"secrets": "redact"}, "changed"),
        ("grouped", {"special_tokens": "escape"}, "changed"),
    ],
)
def test_tokens_that_could_not_be_true_are_refused(tmp_path: Path, name: str, options: dict[str, Any], says: str) -> None:
    with Store.open(tmp_path / "t.db") as store, pytest.raises(BadConfig, match=says):
        export(store, name, tmp_path / "x.jsonl", Filters(), Options(tokens=True, **options))


def recorded_in(db: Path, run: str = "") -> list[str | None]:
    with Store.read(db) as store:
        return [
            row[0]
            for row in store.tuples(
                "SELECT c.tokens FROM calls c JOIN trajectories t ON t.id = c.trajectory_id WHERE t.run_id LIKE ? ORDER BY c.seed",
                (f"{run}%",),
            )
        ]


def test_resuming_replaying_and_the_cache_keep_them(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    first = reasoner.solve("number_path", "2 9 20", strategy="direct", model=scripted([ANSWER]), record="tokens", db=db)
    (kept,) = recorded_in(db)
    assert kept
    again = reasoner.solve("number_path", "2 9 20", strategy="direct", model=scripted([]), record="tokens", db=db)
    assert (again.new_calls, recorded_in(db)) == (0, [kept])
    reasoner.replay(first.run_id, db=db)
    cached = reasoner.solve(
        "number_path", "2 9 20", strategy="direct", model=scripted([]), record="tokens", cache=True, mode="fresh", db=db
    )
    assert cached.run_id != first.run_id
    assert recorded_in(db, cached.run_id) == [kept]
    other = reasoner.solve("number_path", "2 9 20", strategy="direct", model=scripted([ANSWER]), cache=True, db=db)
    assert other.new_calls == 1, "an answer without its tokens is not what was asked for"


@pytest.fixture(scope="module")
def decode() -> Iterator[Callable[[list[int]], str]]:
    """The vocabulary by itself, read by llama-cpp-python's own class."""
    model = llama_cpp.Llama(str(bundled_model()), vocab_only=True, verbose=False)
    yield lambda ids: model.detokenize(ids, special=False).decode("utf-8", "replace")
    model.close()


@pytest.mark.model
def test_what_the_embedded_model_wrote_decodes_to_its_text(tmp_path: Path, decode: Callable[[list[int]], str]) -> None:
    db = tmp_path / "t.db"
    problems = ["2 9 20", "2 4 10", "3 5 21"]
    for line in problems:
        reasoner.solve(
            "number_path",
            line,
            strategy="direct",
            model="local",
            samples=3,
            temperature=1.0,
            max_tokens=40,
            record="tokens",
            threads=1,
            db=db,
        )
    rows, left_out = grouped(db, tmp_path / "g.jsonl", tokens=True)
    assert NO_TOKENS not in left_out
    n_rows = 0
    for row in rows:
        asked = decode(row["prompt_ids"])
        assert row["prompt"][-1]["content"] in asked
        for said, ids, logprobs in zip(row["completions"], row["completion_ids"], row["logprobs"], strict=True):
            assert decode(ids) == said[0]["content"]
            assert len(ids) == len(logprobs)
            assert all(-40 < value <= 0 for value in logprobs)
            n_rows += 1
    assert n_rows == 3 * len(problems) - sum(left_out.values())
    assert n_rows > 3


@pytest.mark.model
def test_the_embedded_model_under_constraints_stops_and_limits(decode: Callable[[list[int]], str]) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}

    def request(text: str, constraint: Constraint | None = None, **sampling: Any) -> Request:
        return Request((Message("user", text),), Sampling(tokens=True, **{"max_tokens": 24, **sampling}), 3, constraint)

    wanted = [
        request("Say hello and then count to ten, please."), request("Tell me a story 🙂 über Wörter.", temperature=1.2), request("How old is Tom?", Constraint.schema(schema)),
        request("Count: 1, 2, 3, 4, 5, 6", stop=(" ",), temperature=0.7), request("Answer with yes.", logprobs=True),
    ]  # fmt: skip

    async def main() -> list[Completion]:
        client = open_client("local", ClientOptions(threads=1, n_ctx=1024))
        try:
            return list(await asyncio.gather(*map(client.complete, wanted)))
        finally:
            await client.aclose()

    done = asyncio.run(main())
    records = [token_record.read(each.tokens) for each in done]
    assert sum(record is not None for record in records) >= len(wanted) - 1, "only a stop string within a token costs the record"
    for completion, record in zip(done, records, strict=True):
        if record is not None:
            assert decode(list(record.ids)) == completion.text
            assert len(record.prompt_ids) == completion.usage.prompt_tokens
    last = records[-1]
    assert last is not None
    n_text = done[-1].usage.completion_tokens
    assert done[-1].mean_logprob == pytest.approx(sum(last.logprobs[:n_text]) / n_text, abs=1e-4)
