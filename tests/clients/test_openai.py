"""The remote client: what is sent, what is read from a sound answer, how it is opened, and where the key never shows."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fault_server import Fault, FaultServer, chat, error_body

from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.openai_chat import OpenAIDialect
from reasoner.clients._wire.profiles import profile_of
from reasoner.clients.openai import OpenAIClient
from reasoner.errors import BadConfig, ClientError, ReasonerError, UsageError
from reasoner.types import About, Client, Completion, Constraint, Message, Problem, Request, Sampling, Usage

CANARY = "sk-canary-0123456789abcdef"
REQUEST = Request((Message("system", "be brief"), Message("user", "wörds \ud800 “quoted”")), seed=7)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def ask(server: FaultServer, *faults: Fault, request: Request = REQUEST, **options: Any) -> Completion:
    server.script(*faults)

    async def main() -> Completion:
        client = open_client("openai:some-model", ClientOptions(**({"base_url": server.url} | options)))
        try:
            return await client.complete(request)
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_a_plain_request_and_its_answer(fault_server: FaultServer) -> None:
    completion = ask(fault_server, Fault(chat("Answer: 24")))
    sent = fault_server.received[0]
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.json == {
        "model": "some-model",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "wörds \ud800 “quoted”"}],
        "seed": 7,
    }
    assert "authorization" not in sent.headers
    assert "idempotency-key" not in sent.headers
    assert completion.seconds > 0
    expected = Completion("Answer: 24", usage=Usage(12, 3), model="served-model", seconds=completion.seconds)
    assert completion == expected


def test_sampling_seed_and_stop_are_sent_and_extras_only_when_set(fault_server: FaultServer) -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=40, min_p=0.05, repeat_penalty=1.1, max_tokens=5, stop=("\n\n", "4"))
    ask(fault_server, Fault(), request=Request(REQUEST.messages, sampling, seed=2**40 + 3))
    body = fault_server.received[0].json
    wanted = {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "repeat_penalty": 1.1, "max_tokens": 5, "stop": ["\n\n", "4"]}
    assert wanted.items() <= body.items()
    assert body["seed"] == 3


def test_the_profile_renames_and_leaves_out() -> None:
    assert profile_of("openai", "o3-mini-of-mine", "127.0.0.1").max_tokens == "max_tokens"

    wanted = replace(REQUEST, sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=9, stop=("x",)))

    def body(model: str) -> dict[str, Any]:
        return OpenAIDialect().body(wanted, model=model, profile=profile_of("openai", model, "api.openai.com"), stream=False)

    assert body("o3-mini")["max_completion_tokens"] == 9
    assert not {"max_tokens", "temperature", "top_p", "stop"} & set(body("o3-mini"))
    assert {"temperature", "stop"} <= set(body("gpt-4o"))


def test_the_idempotency_key_is_sent_and_about_is_not(fault_server: FaultServer) -> None:
    about = About(Problem("game24", '{"secret-instance": 1}', "secret-line"), "secret-template", state="secret-state")
    ask(fault_server, Fault(), request=Request(REQUEST.messages, key="ab12", about=about))
    sent = fault_server.received[0]
    assert sent.headers["idempotency-key"] == "ab12"
    assert "secret" not in sent.body.decode() + repr(sent.headers)


def test_headers_are_these_and_no_others_and_nothing_the_server_sets_comes_back(fault_server: FaultServer) -> None:
    fault_server.script(*[Fault(headers={"Set-Cookie": "a=b"})] * 2)

    async def main() -> None:
        client = open_client("openai:m", ClientOptions(base_url=fault_server.url))
        for _ in range(2):
            await client.complete(REQUEST)
        await client.aclose()

    asyncio.run(main())
    assert len(fault_server.received) == 2
    for sent in fault_server.received:
        assert sent.headers == {
            "host": fault_server.url.split("/")[2],
            "user-agent": f"python-httpx/{httpx.__version__}",
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
            "content-length": str(len(sent.body)),
        }


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "schlüssel", " padded "])
def test_a_key_no_header_can_carry_is_sent_as_its_digest(fault_server: FaultServer, key: str) -> None:
    ask(fault_server, Fault(), request=Request(REQUEST.messages, key=key))
    sent = fault_server.received[0].headers
    assert len(sent["idempotency-key"]) == 64
    assert "x-evil" not in sent


def test_a_schema_is_sent_and_applied_only_if_the_text_reads_as_json(fault_server: FaultServer) -> None:
    request = Request(REQUEST.messages, constraint=Constraint.schema(SCHEMA))
    assert ask(fault_server, Fault(chat('{"a": 1}')), request=request).constraint_applied == "json_schema"
    sent = fault_server.received[0].json["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
    assert ask(fault_server, Fault(chat("Sure! Here it is")), request=request).constraint_applied == "none"
    cut = chat(choices=[{"message": {"content": '{"a": '}, "finish_reason": "length"}])
    assert ask(fault_server, Fault(cut), request=request).constraint_applied == "json_schema"
    assert ask(fault_server, Fault(chat('{"a": 1}'))).constraint_applied == "none"


@pytest.mark.parametrize(
    "request_",
    [
        Request(REQUEST.messages, constraint=Constraint("grammar", 'root ::= "a"')),
        Request(REQUEST.messages, constraint=Constraint("json_schema", "{not json")),
        Request(REQUEST.messages, Sampling(temperature=float("nan"))),
    ],
)
def test_what_cannot_be_sent_is_refused_before_it_is(fault_server: FaultServer, request_: Request) -> None:
    with pytest.raises(BadConfig):
        ask(fault_server, request=request_)
    assert fault_server.received == []


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), (None, "truncated"), ("eos?", "truncated")],
)
def test_only_a_known_reason_makes_an_answer_complete(fault_server: FaultServer, reason: str | None, finish: str) -> None:
    body = chat(choices=[{"message": {"content": "hi"}, "finish_reason": reason}])
    assert ask(fault_server, Fault(body)).finish_reason == finish


def test_a_refusal_and_an_answer_used_up_by_thinking_are_no_complete_answers(fault_server: FaultServer) -> None:
    refusal = chat(choices=[{"message": {"content": None, "refusal": "I will not"}, "finish_reason": "stop"}])
    assert ask(fault_server, Fault(refusal)).finish_reason == "content_filter"
    used_up = chat(choices=[{"message": {"content": None}, "finish_reason": "length"}])
    completion = ask(fault_server, Fault(used_up))
    assert (completion.text, completion.finish_reason) == ("", "length")


def test_usage_missing_is_left_open_and_cached_tokens_are_read(fault_server: FaultServer) -> None:
    assert ask(fault_server, Fault(chat(usage=None))).usage == Usage(0, 0, 0, None, estimated=True)
    details = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}
    assert ask(fault_server, Fault(chat(usage=details))).usage == Usage(12, 3, 8, None)


def test_the_name_of_the_model_is_cleaned_bounded_or_ours(fault_server: FaultServer) -> None:
    assert ask(fault_server, Fault(chat(model="\x1b[31m" + "m" * 999))).model == "[31m" + "m" * 195 + "…"
    assert ask(fault_server, Fault(chat(model=None))).model == "some-model"


def test_what_the_client_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    remote = open_client("openai:gpt-x")
    assert isinstance(remote, Client)
    assert (remote.name, remote.paid, remote.concurrency) == ("openai:gpt-x", True, 8)
    assert remote.fingerprint == "openai:gpt-x@https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://[::1]:8000/v1/")
    local = open_client("openai:gpt-x", ClientOptions(concurrency=3))
    assert (local.fingerprint, local.paid, local.concurrency) == ("openai:gpt-x@http://[::1]:8000/v1", False, 3)
    assert CANARY not in repr(remote) + repr(vars(remote)) + remote.fingerprint


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "a.localhost"])
def test_this_machine_needs_no_key_and_costs_nothing(host: str) -> None:
    assert not open_client("openai:m", ClientOptions(base_url=f"http://{host}:8000/v1")).paid


@pytest.mark.parametrize("host", ["example.org", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org"])
def test_another_machine_needs_a_key_and_the_variable_is_named(host: str) -> None:
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        open_client("openai:m", ClientOptions(base_url=f"https://{host}/v1"))
    with pytest.raises(UsageError, match="MY_KEY"):
        open_client("openai:m", ClientOptions(base_url=f"https://{host}/v1", api_key_env="MY_KEY"))


@pytest.mark.parametrize(
    "url",
    [
        *("", "host/v1", "ftp://h/v1", "http:///v1", "http://h:99999/v1", "http://h:0/v1", "http://h:abc/v1", "http://h/v1?x=1"),
        *("http://h/v1#f", "http://ex ample/v1", "http://h\n/v1", f"http://{'a' * 70}/v1", "http://a..b/v1"),
    ],
)
def test_a_base_url_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(BadConfig, match="base_url"):
        open_client("openai:m", ClientOptions(base_url=url))


@pytest.mark.parametrize(
    "url", [f"https://user:{CANARY}@h/v1", f"https://{CANARY}@h", f"https://user:{CANARY}/x@h", f"https://u:1#{CANARY}@h"]
)
def test_credentials_in_a_url_are_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(BadConfig, match="OPENAI_BASE_URL") as caught:
        open_client("openai:m")
    assert CANARY not in _everything(caught.value)


@pytest.mark.parametrize("name", ["openai:", "openai: ", "openai:a\nb", "openai:" + "m" * 201, "openai:\x1b[31m"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        open_client(name, ClientOptions(base_url="http://127.0.0.1:9/v1"))


@pytest.mark.parametrize("key", ["sk-two words-0123456789", "sk-line\nbreak-0123456789", "schlüssel-0123456789"])
def test_a_key_no_header_can_carry_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(UsageError, match="MY_KEY") as caught:
        open_client("openai:m", ClientOptions(api_key_env="MY_KEY"))
    assert key not in _everything(caught.value)


def _everything(error: BaseException) -> str:
    """Return all a log could hold of an error: text, repr, and the traceback with its causes and notes."""
    return "\n".join([str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)])


ECHO = f"bad key {CANARY}, I said {CANARY}"


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault(error_body(ECHO), status) for status in (302, 400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 529)),
        Fault(error_body(ECHO, code="insufficient_quota"), 429),
        Fault(ECHO.encode(), 500),
        Fault(error_body("x" * 285 + CANARY), 400),  # where the text is cut, half a key must not stay
        Fault(error_body(CANARY[:9] + "\x00" + CANARY[9:]), 400),
        Fault(error_body(ECHO)),
        Fault(ECHO.encode()),
        Fault(chat(choices=[{"message": {"content": {"text": CANARY}}}])),
        Fault(chat(choices=[{"message": {"content": None}, "finish_reason": CANARY}], usage={"prompt_tokens": CANARY})),
        Fault(raw=f"HTTP/1.1 {CANARY}\r\n\r\n".encode()),
        Fault(raw=b""),
        Fault(delay_s=30),
    ],
)
def test_the_key_shows_in_no_error(fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    monkeypatch.setenv("MY_KEY", CANARY)
    with pytest.raises(ClientError) as caught:
        ask(fault_server, fault, api_key_env="MY_KEY", timeout_s=0.5)
    sent = fault_server.received[0]
    assert sent.headers.pop("authorization") == f"Bearer {CANARY}"
    assert CANARY not in repr(sent)
    shown = _everything(caught.value)
    assert CANARY not in shown
    assert CANARY[:12] not in shown


def test_the_key_shows_in_no_answer(fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    completion = ask(fault_server, Fault(chat(f"your key is {CANARY}", model=f"m-{CANARY}")))
    assert completion.text == "your key is [redacted]"
    assert CANARY not in repr(completion)
    monkeypatch.setenv("OPENAI_API_KEY", "x")  # a dummy is no secret, and must not spoil the text
    assert ask(fault_server, Fault(chat("x = 1"))).text == "x = 1"


def test_a_refused_key_names_its_variable(fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReasonerError, match="set the variable OPENAI_API_KEY"):
        ask(fault_server, Fault(error_body("no key"), 401))
    monkeypatch.setenv("MY_KEY", CANARY)
    with pytest.raises(ReasonerError, match="check the key in MY_KEY"):
        ask(fault_server, Fault(error_body("wrong key"), 403), api_key_env="MY_KEY")


def test_one_client_serves_several_event_loops_and_closes_twice(fault_server: FaultServer) -> None:
    client = open_client("openai:m", ClientOptions(base_url=fault_server.url))
    fault_server.script(Fault(), Fault())

    async def once() -> str:
        completion = await client.complete(REQUEST)
        await client.aclose()
        await client.aclose()
        return completion.text

    assert [asyncio.run(once()), asyncio.run(once())] == ["hi", "hi"]


def test_calls_run_side_by_side_up_to_the_concurrency(fault_server: FaultServer) -> None:
    fault_server.script(*(Fault(chat(str(i)), delay_s=0.3) for i in range(8)))

    async def main() -> float:
        client = open_client("openai:m", ClientOptions(base_url=fault_server.url))
        assert isinstance(client, OpenAIClient)
        began_s = asyncio.get_running_loop().time()
        await asyncio.gather(*(client.complete(REQUEST) for _ in range(8)))
        await client.aclose()
        return asyncio.get_running_loop().time() - began_s

    assert asyncio.run(main()) < 8 * 0.3


@pytest.mark.parametrize("url", ["https://example.org/v1", "http://192.0.2.1/v1", "http://[2001:db8::1]/v1"])
def test_no_test_can_leave_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)

    async def main() -> None:
        client = open_client("openai:m", ClientOptions(base_url=url, timeout_s=5))
        try:
            await client.complete(REQUEST)
        finally:
            await client.aclose()

    with pytest.raises((RuntimeError, ExceptionGroup)) as caught:  # an address of its own is tried inside a task group
        asyncio.run(main())
    assert "tests may only reach loopback addresses" in _everything(caught.value)


@pytest.mark.parametrize(
    ("logprobs", "mean"),
    [
        ({"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}, {"token": "b", "logprob": -1.5}]}, -1.0),
        ({"content": []}, None),
        ({"content": None}, None),
        (None, None),
        ([-0.5], None),
        ({"content": [{"token": "a"}]}, None),
        ({"content": [{"token": "a", "logprob": "-0.5x"}]}, None),
    ],
)
def test_log_probabilities_are_asked_for_and_read_only_when_wanted(fault_server: FaultServer, logprobs: Any, mean: float | None) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ab"}, "finish_reason": "stop", "logprobs": logprobs}
    wanted = Request(REQUEST.messages, Sampling(logprobs=True))
    assert ask(fault_server, Fault(chat(choices=[choice])), request=wanted).mean_logprob == mean
    assert fault_server.received[0].json["logprobs"] is True
    assert ask(fault_server, Fault(chat(choices=[choice]))).mean_logprob is None
    assert "logprobs" not in fault_server.received[1].json
