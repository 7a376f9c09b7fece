"""Proxies in the environment: which one leads where, by a table written from curl's rules; and one request through a real one."""

from __future__ import annotations

import importlib.util
import json

import httpx
import pytest
from fault_server import Fault, FaultServer

from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.proxies import proxy_for
from reasoner.errors import BadConfig, MissingDependency, Refused
from reasoner.types import Message, Request

PROXY = "http://10.9.9.9:3128"


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        ("https://api.example/v1", {}, None),
        ("https://api.example/v1", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://api.example/v1", {"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, PROXY),
        ("https://api.example/v1", {"HTTP_PROXY": PROXY}, None),
        ("http://api.example/v1", {"HTTP_PROXY": PROXY}, PROXY),
        ("https://api.example/v1", {"ALL_PROXY": PROXY}, PROXY),
        ("https://api.example/v1", {"ALL_PROXY": " "}, None),
        ("https://api.example/v1", {"ALL_PROXY": "10.9.9.9:3128"}, PROXY),
        ("https://api.example/v1", {"ALL_PROXY": f"{PROXY}/"}, PROXY),
    ],
)
def test_which_proxy(url: str, environment: dict[str, str], expected: str | None) -> None:
    assert proxy_for(httpx.URL(url), environment) == expected


@pytest.mark.parametrize(
    ("url", "exceptions", "exempt"),
    [
        ("https://api.example/v1", "*", True),
        ("https://api.example/v1", "api.example", True),
        ("https://api.example/v1", "example", True),
        ("https://api.example/v1", ".example", True),
        ("https://api.example/v1", "*.example", True),
        ("https://api.example/v1", "ample", False),
        ("https://api.example/v1", "API.EXAMPLE", True),
        ("https://api.example/v1", "other, api.example:443", True),
        ("https://api.example/v1", "api.example:80", False),
        ("https://10.1.2.3/v1", "10.0.0.0/8", True),
        ("https://11.1.2.3/v1", "10.0.0.0/8", False),
        ("https://10.1.2.3/v1", "10.1.2.3", True),
        ("https://10.1.2.3/v1", "10.1.2.3:444", False),
        ("https://[fd00::5]/v1", "fd00::/8", True),
        ("https://[fd00::5]/v1", "[fd00::5]", True),
        ("https://[fd00::5]/v1", "[fd00::5]:443", True),
        ("https://[fd00::5]/v1", "[fd00::]/8", True),
        ("https://[fe80::5]/v1", "fd00::/8", False),
        ("https://api.example/v1", "fd00::/8,::1,fe80::/10,localhost,10.0.0.0/8", False),
        ("https://api.example/v1", ":/8,//,[,],:,http://x", False),
    ],
)
def test_exceptions(url: str, exceptions: str, exempt: bool) -> None:
    assert (proxy_for(httpx.URL(url), {"ALL_PROXY": PROXY, "NO_PROXY": exceptions}) is None) is exempt


@pytest.mark.parametrize("value", ["ftp://10.9.9.9", "socks4://10.9.9.9:1", "http://", "http://[::1", "://x", "http://10.9.9.9:99999999"])
def test_a_proxy_that_cannot_be_used_is_told_when_the_model_is_opened(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(BadConfig, match="HTTPS_PROXY"):
        open_client("openai:m", ClientOptions(base_url="https://api.example/v1"))


@pytest.mark.parametrize("value", ["socks5://10.9.9.9:1080", "socks://10.9.9.9:1080/", "socks5h://u:p@10.9.9.9"])
def test_socks_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"reasoner-llm\[socks\]"):
        proxy_for(httpx.URL("https://api.example/v1"), {"ALL_PROXY": value})


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadConfig) as told:
        proxy_for(httpx.URL("https://api.example/v1"), {"ALL_PROXY": "ftp://user:canary-7431-canary@10.9.9.9"})
    assert "canary" not in str(told.value)


async def test_a_request_goes_through_a_proxy_and_one_that_is_exempt_does_not(
    fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": "through"}, "finish_reason": "stop"}]}).encode()
    fault_server.script(Fault(body, 200))
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{fault_server.port}")
    monkeypatch.setenv("NO_PROXY", "fd00::/8,10.0.0.0/8")
    client = open_client("openai:m", ClientOptions(base_url="http://198.51.100.7/v1"))
    try:
        completion = await client.complete(Request((Message("user", "hi"),)))
    finally:
        await client.aclose()
    assert completion.text == "through"
    assert fault_server.received[0].path == "http://198.51.100.7/v1/chat/completions"


async def test_a_redirect_through_a_proxy_is_not_followed(fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    fault_server.script(Fault(b"", 307, {"Location": "http://198.51.100.8/v1/chat/completions"}), Fault(b"{}", 200))
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{fault_server.port}")
    client = open_client("openai:m", ClientOptions(base_url="http://198.51.100.7/v1"))
    try:
        with pytest.raises(Refused, match="redirects are not followed"):
            await client.complete(Request((Message("user", "hi"),)))
    finally:
        await client.aclose()
    assert [one.path for one in fault_server.received] == ["http://198.51.100.7/v1/chat/completions"]
