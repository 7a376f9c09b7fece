"""Strategies that act behind the endpoint: server-side tools, actions that wait for a person, and who may decide on them how."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from loopback import TOKEN, Loopback

from reasoner.clients.scripted import ScriptedClient
from reasoner.runs.tool_plan import ToolPlan
from reasoner.serve.app import application
from reasoner.serve.approvals import Approvals
from reasoner.serve.report import render
from reasoner.serve.settings import Settings
from reasoner.serve.viewer import Viewer
from reasoner.store import Store
from reasoner.tools import tool
from reasoner.types import Completion, Request, ToolCall

BEARER = {"Authorization": f"Bearer {TOKEN}"}
made: list[str] = []


@tool(effect="approve")
def order(item: str) -> str:
    """Order something."""
    made.append(item)
    return f"ordered {item}"


def calls(name: str, **given: str) -> Completion:
    return Completion("", finish_reason="tool_calls", tool_calls=(ToolCall("c", name, json.dumps(given)),))


def script(request: Request) -> Any:
    """Order what the user names, then tell what came of it."""
    last = request.messages[-1]
    if last.role == "tool":
        return calls("submit", answer=f"It says: {last.content}")
    return calls("order", item="<b>salt</b>")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made.clear()
    with Store.open(tmp_path / "s.db") as opened:
        yield opened


def app_over(store: Store, **more: Any) -> Any:
    settings = Settings(TOKEN)
    client = ScriptedClient(more.pop("script", script), name="scripted", calls_tools=True)
    approvals = Approvals(store, settings)
    pages = Viewer(store, settings, approvals).routes()
    tools = more.pop("tools", ToolPlan((order, "calculator")))
    return application(store, settings, clients=[client], pages=pages, approvals=approvals, tools=tools, **more)


@pytest.fixture
def server(store: Store) -> Iterator[Loopback]:
    with Loopback(app_over(store)) as running:
        yield running


def ask(server: Loopback, model: str = "react/scripted", key: str = "", **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Order salt."}], **more}
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, headers={**BEARER, **({"Idempotency-Key": key} if key else {})})


def finished(server: Loopback, trajectory: str) -> dict[str, Any]:
    """Ask until a trajectory no longer waits and is not open."""
    for _ in range(600):
        told: dict[str, Any] = httpx.get(f"{server.url}/v1/trajectories/{trajectory}", headers=BEARER).json()
        if told["status"] not in {"open", "waiting"}:
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_a_request_that_waits_is_refused_as_waiting_and_goes_on_once_it_is_decided(server: Loopback) -> None:
    waits = ask(server, key="one")
    assert waits.status_code == 403
    error = waits.json()["error"]
    assert error["code"] == "approval_required"
    assert "order" in error["message"]
    assert "POST /v1/actions" in error["message"]
    (trajectory,) = waits.headers["x-reasoner-trajectory"].split(",")
    (action,) = httpx.get(f"{server.url}/v1/actions", headers=BEARER).json()["data"]
    assert (action["tool"], action["arguments"], action["trajectory"]) == ("order", {"item": "<b>salt</b>"}, trajectory)
    assert httpx.get(f"{server.url}/v1/trajectories/{trajectory}", headers=BEARER).json()["status"] == "waiting"
    assert ask(server, key="one").status_code == 403
    assert len(httpx.get(f"{server.url}/v1/actions", headers=BEARER).json()["data"]) == 1
    assert made == []
    said = httpx.post(f"{server.url}/v1/actions/{action['id']}", json={"decision": "approve"}, headers=BEARER).json()
    assert (said["state"], said["goes_on"]) == ("approved", True)
    assert finished(server, trajectory)["answer"] == "It says: ordered <b>salt</b>"
    assert made == ["<b>salt</b>"]
    again = ask(server, key="one")
    assert again.json()["choices"][0]["message"]["content"] == "It says: ordered <b>salt</b>"
    assert made == ["<b>salt</b>"]
    twice = httpx.post(f"{server.url}/v1/actions/{action['id']}", json={"decision": "deny"}, headers=BEARER)
    assert (twice.status_code, twice.json()["error"]["code"]) == (409, "not_waiting")


def test_a_denied_action_is_told_to_the_model(server: Loopback) -> None:
    (trajectory,) = ask(server).headers["x-reasoner-trajectory"].split(",")
    (action,) = httpx.get(f"{server.url}/v1/actions", headers=BEARER).json()["data"]
    httpx.post(f"{server.url}/v1/actions/{action['id']}", json={"decision": "deny", "reason": "Too dear."}, headers=BEARER)
    assert finished(server, trajectory)["answer"] == "It says: A person did not allow this. Too dear."
    assert made == []


@pytest.mark.parametrize("dialect", ["stream", "messages", "responses"])
def test_every_dialect_says_that_it_waits(server: Loopback, dialect: str) -> None:
    text = {"role": "user", "content": "Order salt."}
    if dialect == "stream":
        assert "waits for approval" in ask(server, stream=True).text
    elif dialect == "messages":
        body = {"model": "react/scripted", "messages": [text], "max_tokens": 100}
        answer = httpx.post(f"{server.url}/v1/messages", json=body, headers=BEARER)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    else:
        answer = httpx.post(f"{server.url}/v1/responses", json={"model": "react/scripted", "input": "Order salt."}, headers=BEARER)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "approval_required")


@pytest.mark.parametrize(
    ("number", "body", "status"),
    [("9", {"decision": "approve"}, 404), ("x", {"decision": "approve"}, 404), ("9", {"decision": "maybe"}, 400), ("9", {}, 400)],
)
def test_what_cannot_be_decided_is_refused(server: Loopback, number: str, body: dict[str, str], status: int) -> None:
    answer = httpx.post(f"{server.url}/v1/actions/{number}", json=body, headers=BEARER)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"]["param"] == "decision"
        assert "pydantic" not in answer.text
    assert httpx.get(f"{server.url}/v1/trajectories/none", headers=BEARER).status_code == 404


@pytest.mark.parametrize("path", ["/v1/actions", "/v1/trajectories/x"])
def test_decisions_need_the_token(server: Loopback, path: str) -> None:
    assert httpx.get(f"{server.url}{path}").status_code == 401
    assert httpx.post(f"{server.url}/v1/actions/1", json={"decision": "approve"}).status_code == 401


def test_the_page_asks_for_the_token_once_and_takes_no_form_of_others(server: Loopback, store: Store) -> None:
    (trajectory,) = ask(server).headers["x-reasoner-trajectory"].split(",")
    base = f"{server.url}/view/{Settings(TOKEN).page_key}"
    page = httpx.get(f"{base}/t/{trajectory}").text
    assert "&lt;b&gt;salt&lt;/b&gt;" in page
    assert "<b>salt" not in page
    assert TOKEN not in page
    where = re.search(r'action="([^"]+/actions/\d+)"', page)
    csrf = re.search(r'name="csrf" value="(\w+)"', page)
    assert where is not None
    assert csrf is not None
    url = f"{server.url}{where[1]}"
    own = {"Origin": server.url}
    good = {"csrf": csrf[1], "token": TOKEN, "decision": "approve"}
    for form, headers, status in [
        (good, {}, 403),  # no Origin: no browser sent it from a page of ours
        (good, {"Origin": "https://evil.example"}, 403),
        (good, {"Origin": "null"}, 403),
        ({**good, "csrf": "0" * 64}, own, 403),
        ({**good, "token": "wrong"}, own, 403),
        ({"csrf": csrf[1], "decision": "approve"}, own, 403),
        ({**good, "decision": "perhaps"}, own, 403),
    ]:
        answer = httpx.post(url, data=form, headers=headers)
        assert answer.status_code == status, (form, headers)
    assert httpx.post(url, json=good, headers=own).status_code == 415
    assert made == []
    taken = httpx.post(url, data=good, headers=own)
    assert taken.status_code == 303
    cookie = taken.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert finished(server, trajectory)["answer"] == "It says: ordered <b>salt</b>"
    assert made == ["<b>salt</b>"]

    (second,) = ask(server).headers["x-reasoner-trajectory"].split(",")
    known = {"Cookie": cookie.partition(";")[0]}
    page = httpx.get(f"{base}/t/{second}", headers=known).text
    assert 'name="token"' not in page
    csrf = re.search(r'name="csrf" value="(\w+)"', page)
    number = re.search(r"/actions/(\d+)", page)
    assert csrf is not None
    assert number is not None
    url = f"{base}/t/{second}/actions/{number[1]}"
    assert httpx.post(url, data={"csrf": good["csrf"], "decision": "deny"}, headers=own | known).status_code == 403
    assert httpx.post(url, data={"csrf": csrf[1], "decision": "deny"}, headers=own | known).status_code == 303
    assert finished(server, second)["answer"] == "It says: A person did not allow this."


def test_pages_without_approvals_show_what_waits_and_take_no_form(store: Store, tmp_path: Path) -> None:
    with Loopback(app_over(store)) as server:
        (trajectory,) = ask(server).headers["x-reasoner-trajectory"].split(",")
    settings = Settings(TOKEN)
    with (
        Store.read(tmp_path / "s.db") as readonly,
        Loopback(application(readonly, settings, pages=Viewer(readonly, settings).routes())) as server,
    ):
        base = f"{server.url}/view/{settings.page_key}"
        page = httpx.get(f"{base}/t/{trajectory}").text
        assert "reasoner approve" in page
        assert "<form method" not in page
        answer = httpx.post(f"{base}/t/{trajectory}/actions/1", data={"decision": "approve"}, headers={"Origin": server.url})
        assert answer.status_code in {404, 405}


def test_tools_are_opened_once_and_go_to_strategies_that_act(store: Store) -> None:
    seen: dict[str, list[str]] = {}

    def reply(request: Request) -> Any:
        seen[request.about.template if request.about else ""] = [one.name for one in request.tools]
        return "Answer: 42"

    with Loopback(app_over(store, script=reply)) as server:
        for model in ("react/scripted", "react:max_steps=3/scripted", "code_act:steps=2/scripted", "cot/scripted", "scripted"):
            answer = ask(server, model)
            assert answer.status_code == 200, answer.text
    assert seen["react/native"] == ["order", "calculator", "submit"]
    assert {"code_act/act", "cot/answer"} <= seen.keys()


def test_actions_are_folded_rows_on_the_page_and_in_the_report(server: Loopback, store: Store) -> None:
    answer = ask(server)
    (trajectory,) = answer.headers["x-reasoner-trajectory"].split(",")
    (action,) = httpx.get(f"{server.url}/v1/actions", headers=BEARER).json()["data"]
    httpx.post(f"{server.url}/v1/actions/{action['id']}", json={"decision": "approve"}, headers=BEARER)
    finished(server, trajectory)
    page = httpx.get(f"{server.url}/view/{Settings(TOKEN).page_key}/t/{trajectory}").text
    report, _ = render(store, answer.headers["x-reasoner-run"], limit=1)
    for text in (page, report):
        rows = re.findall(r'<li class="(\w+)"><details><summary>.*?<code>(\w+)</code>', text)
        assert rows == [("done", "order"), ("done", "submit")]
        assert "ordered &lt;b&gt;salt&lt;/b&gt;" in text
        assert re.search(r"\d m?s</span>", text)
    assert "<form" not in report
