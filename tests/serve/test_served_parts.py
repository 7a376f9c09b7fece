"""Tools, images, thoughts and forms through the endpoint: what reaches the model, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from loopback import TOKEN, Loopback

from reasoner.clients.scripted import ScriptedClient
from reasoner.serve.answers import Sent
from reasoner.serve.app import application
from reasoner.serve.faults import Refused
from reasoner.serve.order import Piece
from reasoner.serve.settings import Settings
from reasoner.store import Store
from reasoner.types import Completion, Message, Request, ToolCall, ToolSpec, Usage
from solvers.chat import Chat

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "Add.", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
PNG = "data:image/png;base64,iVBORw0KGgo="
ASK = [{"role": "user", "content": "What is 6 times 7?"}]


class Served:
    """A server over a script, and what its model was asked."""

    def __init__(self, store: Store, script: Callable[[Request], Any]) -> None:
        self.client = ScriptedClient(script, name="scripted")
        self._loopback = Loopback(application(store, Settings(TOKEN, alive_s=0.05), clients=[self.client]))

    def __enter__(self) -> Served:
        self.url = self._loopback.__enter__().url
        return self

    def __exit__(self, *_: object) -> None:
        self._loopback.__exit__(None, None, None)

    def post(self, path: str, body: dict[str, Any], *, status: int = 200) -> Any:
        done = httpx.post(f"{self.url}{path}", json=body, headers=HEADERS, trust_env=False, timeout=30)
        assert done.status_code == status, done.text
        return done

    def chat(self, messages: list[Any] = ASK, *, model: str = "scripted", status: int = 200, **body: Any) -> Any:
        return self.post("/v1/chat/completions", {"model": model, "messages": messages, **body}, status=status).json()

    def chunks(self, **body: Any) -> list[dict[str, Any]]:
        text = self.post("/v1/chat/completions", {"model": "scripted", "messages": ASK, "stream": True, **body}).text
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]

    def claude(self, messages: list[Any] = ASK, *, status: int = 200, model: str = "scripted", **body: Any) -> Any:
        return self.post("/v1/messages", {"model": model, "max_tokens": 100, "messages": messages, **body}, status=status).json()

    @property
    def request(self) -> Request:
        return self.client.requests[-1]


def calling(_: Request) -> Completion:
    return Completion("", "tool_calls", Usage(3, 4), reasoning="six sevens", tool_calls=(ToolCall("c1", "add", '{"a": 42}'),))


def test_tools_go_to_the_model_and_its_calls_come_back(store: Store) -> None:
    with Served(store, calling) as served:
        made = served.chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "add"}})
        assert served.request.tools == (ToolSpec("add", "Add.", '{"type":"object","properties":{"a":{"type":"integer"}}}'),)
        assert served.request.tool_choice == "tool:add"
        (choice,) = made["choices"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] is None
        assert choice["message"]["reasoning_content"] == choice["message"]["reasoning"] == "six sevens"
        assert choice["message"]["tool_calls"] == [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 42}'}}]
        back = {**choice["message"]}
        served.chat([*ASK, back, {"role": "tool", "tool_call_id": "c1", "content": "42"}], tools=[TOOL])
        assert served.request.messages == (
            Message("user", ASK[0]["content"]),
            Message("assistant", "", reasoning="six sevens", tool_calls=(ToolCall("c1", "add", '{"a": 42}'),)),
            Message("tool", "42", tool_call_id="c1"),
        )


def test_tools_in_the_other_dialect(store: Store) -> None:
    tool = {"name": "add", "input_schema": {"type": "object"}}
    with Served(store, lambda _: "42") as served:
        served.chat(tools=[TOOL], parallel_tool_calls=False)
        assert json.loads(served.request.sampling.extra_body) == {"parallel_tool_calls": False}
        served.claude(tools=[tool], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
        assert json.loads(served.request.sampling.extra_body) == {"parallel_tool_calls": False}
        served.chat(tools=[TOOL], parallel_tool_calls=False, tool_choice={"type": "function", "function": {"name": "add"}})
        assert not served.request.sampling.extra_body
        served.chat(parallel_tool_calls=False)
        assert not served.request.sampling.extra_body
        served.client.extras = frozenset({"tools"})
        error = served.chat(tools=[TOOL], parallel_tool_calls=False, status=400)["error"]
        assert error["param"] == "parallel_tool_calls"


def reasoned(request: Request) -> str:
    return '{"answer": "42"}' if request.constraint is not None else "Six sevens are 42.\nAnswer: 42 END more"


def test_a_strategy_reasons_freely_and_then_gives_the_form(store: Store) -> None:
    with Served(store, reasoned) as served:
        for wanted in ({"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}, {"type": "json_object"}):
            made = served.chat(model="cot/scripted", response_format=wanted)
            assert json.loads(made["choices"][0]["message"]["content"]) == {"answer": "42"}
            free, formed = served.client.requests[-2:]
            assert free.constraint is None
            assert formed.constraint is not None


def test_the_system_message_stands_in_each_call_of_a_strategy_once(store: Store) -> None:
    with Served(store, reasoned) as served:
        turns = [
            {"role": "system", "content": "Be brief."},
            *ASK,
            {"role": "assistant", "content": "42"},
            {"role": "developer", "content": "In words."},
            *ASK,
        ]
        served.chat(turns, model="cot/scripted", response_format={"type": "json_object"})
        for request in served.client.requests:
            assert [m.role for m in request.messages][:2] == ["system", "user"]
            assert request.messages[0].content.startswith("Be brief.\n\nIn words.")
            assert "Be brief." not in request.messages[1].content


def test_stop_ends_the_answer_of_a_strategy_and_not_its_thoughts(store: Store) -> None:
    with Served(store, reasoned) as served:
        made = served.chat(model="cot/scripted", stop=["END"])
        assert made["choices"][0]["message"]["content"] == "42 "
        assert served.request.sampling.stop == ()
        told = served.claude(model="cot/scripted", stop_sequences=["END"])
        assert (told["stop_reason"], told["stop_sequence"]) == ("stop_sequence", "END")


def test_a_strategy_continues_what_the_reply_has_begun_with(store: Store) -> None:
    with Served(store, lambda _: "Answer: The answer is 42") as served:
        made = served.claude([*ASK, {"role": "assistant", "content": "The answer is"}], model="cot/scripted")
        assert made["content"][-1]["text"] == " 42"
        assert "has already begun" in served.request.messages[-1].content


def test_our_own_thoughts_of_earlier_turns_are_not_shown_to_a_strategy(store: Store) -> None:
    with Served(store, reasoned) as served:
        first = served.claude(model="cot/scripted")
        served.claude(
            [*ASK, {"role": "assistant", "content": first["content"]}, {"role": "user", "content": "And 6 times 8?"}], model="cot/scripted"
        )
        shown = served.request.messages[-1].content
        assert "Assistant: 42 END more" in shown
        assert "[cot/answer]" not in shown


def test_votes_and_scores_are_metadata(store: Store) -> None:
    with Served(store, reasoned) as served:
        made = served.chat(model="self_consistency:n=2/scripted")
        assert json.loads(made["choices"][0]["metadata"]["votes"]) == {"42 end more": 2}
        assert "metadata" in served.claude(model="self_consistency:n=2/scripted")


def test_a_plain_reply_streams_word_by_word_with_its_parts(store: Store) -> None:
    def script(_: Request) -> Completion:
        return Completion("The answer is 42", "tool_calls", Usage(3, 4), reasoning="six sevens", tool_calls=(ToolCall("c1", "add", "{}"),))

    with Served(store, script) as served:
        deltas = [chunk["choices"][0]["delta"] for chunk in served.chunks(tools=[TOOL])]
        thought = [d["reasoning_content"] for d in deltas if "reasoning_content" in d]
        assert "".join(thought) == "six sevens"
        assert len(thought) > 1
        told = [d["content"] for d in deltas if d.get("content")]
        assert "".join(told) == "The answer is 42"
        assert len(told) > 1  # what may be the beginning of a remembered key comes with what follows it
        assert [d["tool_calls"][0]["function"]["name"] for d in deltas if "tool_calls" in d] == ["add"]
        text = served.post("/v1/messages", {"model": "scripted", "max_tokens": 9, "messages": ASK, "stream": True}).text
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        kinds = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
        assert kinds == ["thinking", "text", "tool_use"]
        assert "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta") == "The answer is 42"


def test_log_probabilities_come_with_the_answer(store: Store) -> None:
    tokens = (("4", -0.5), ("2", -0.25))
    with Served(store, lambda _: Completion("42", usage=Usage(3, 2), token_logprobs=tokens)) as served:
        found = served.chat(logprobs=True)["choices"][0]["logprobs"]["content"]
        assert [(each["token"], each["logprob"]) for each in found] == [*tokens]
        assert served.chat()["choices"][0]["logprobs"] is None
        last = served.chunks(logprobs=True)[-1]["choices"][0]
        assert [each["token"] for each in last["logprobs"]["content"]] == ["4", "2"]


def test_a_key_that_comes_in_pieces_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from reasoner import redaction
    from reasoner.calling.hearing import Hearing

    monkeypatch.setattr(redaction, "_known", ("hunter2-hunter2",))
    told: list[str] = []
    hearing = Hearing(lambda _, __, text: told.append(text), 0)
    for piece in ("my ", "key is hun", "ter2-", "hunter2, hunting ", "hunter"):
        hearing("text", piece)
    assert "".join(told) == "my key is [redacted], hunting "
    hearing.tokens(Completion("", token_logprobs=(("hunter2-", -1.0), ("hunter2", -1.0))))
    assert "hunter" not in told[-1]


def test_a_second_answer_that_differs_from_what_was_sent_is_told(store: Store) -> None:
    sent = Sent()
    assert [sent.new(Piece(0, 0, "text", piece)) for piece in ("The", " ans")] == ["The", " ans"]
    assert [sent.new(Piece(0, 1, "text", piece)) for piece in ("The a", "nswer")] == ["", "wer"]
    assert sent.rest("text", "The answer is") == " is"
    with pytest.raises(Refused, match="second answer"):
        sent.new(Piece(0, 2, "text", "No"))


def test_a_quiet_stream_is_kept_alive_by_comments(store: Store) -> None:
    import threading

    quiet = threading.Event()

    def slow(_: Request) -> str:
        quiet.wait(0.4)
        return "Answer: 42"

    with Served(store, slow) as served:
        served.client.complete = _threaded(served.client.complete)  # type: ignore[method-assign]  # so that the server goes on meanwhile
        text = served.post("/v1/chat/completions", {"model": "cot/scripted", "messages": ASK, "stream": True}).text
        assert text.count(": alive\n\n") >= 2
        assert "[DONE]" in text


def _threaded(complete: Any) -> Any:
    import asyncio

    async def aside(request: Request) -> Any:
        return await asyncio.to_thread(asyncio.run, complete(request))

    return aside


def test_tokens_are_counted_without_a_call_and_health_needs_no_model(store: Store) -> None:
    with Served(store, lambda _: "ok") as served:
        few = served.post("/v1/messages/count_tokens", {"model": "scripted", "messages": ASK}).json()["input_tokens"]
        many = served.post("/v1/messages/count_tokens", {"model": "cot/scripted", "system": "x" * 400, "messages": ASK}).json()[
            "input_tokens"
        ]
        assert few > 0
        assert few + 90 < many
        served.post("/v1/messages/count_tokens", {"model": "nobody", "messages": ASK}, status=404)
        healthy = httpx.get(f"{served.url}/health", headers=HEADERS, trust_env=False)
        assert healthy.json() == {"status": "ok", "under_way": 0}
        assert not served.client.requests


def test_an_old_conversation_keeps_its_identity() -> None:
    plain = Chat.model_validate({"messages": [{"role": "user", "content": "hi"}]})
    assert plain.model_dump(mode="json") == {"messages": [{"role": "user", "content": "hi"}], "output_schema": ""}


@pytest.mark.parametrize("model", ["scripted", "cot/scripted"])
def test_a_parameter_that_is_not_served_is_refused_by_name(store: Store, model: str) -> None:
    with Served(store, lambda _: Completion("Answer: 42")) as served:
        said = served.chat(model=model, status=400, invented_switch=3)["error"]
        assert (said["param"], said["code"]) == ("invented_switch", "unsupported_parameter")
        assert not served.client.requests
