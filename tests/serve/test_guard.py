"""Closed by default: over 200 combinations of Host, Origin, token, content type and size, each against what it has to give.

The expected status is computed here from the rules as written in docs/guides/serve.md, not by the code under test. Bodies that get through ask a scripted
model, so that 200 means that a strategy ran.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
from typing import Any

import httpx
import pytest
from loopback import TOKEN, Loopback

from reasoner.errors import BadConfig
from reasoner.serve.server import settings_for, token_of

BODY = json.dumps({"model": "scripted", "messages": [{"role": "user", "content": "hi"}]}).encode()
BIG = json.dumps({"model": "scripted", "messages": [{"role": "user", "content": "x" * (1 << 20)}]}).encode()

HOSTS = {"own": True, "localhost": True, "no port": True, "evil": False, "rebound": False, "user@own": False, "none": False}
ORIGINS = {"absent": True, "own": True, "evil": False, "null": False, "other port": False}
TOKENS = {"right": True, "x-api-key": True, "wrong": False, "absent": False, "basic": False}
TYPES = {"json": True, "json utf-8": True, "text": False, "form": False, "absent": False}
SIZES = {"small": True, "big": False}
CELLS = [
    *itertools.product(HOSTS, ORIGINS, TOKENS, ["json"], ["small"]),  # 175
    *itertools.product(["own"], ["absent", "own"], ["right", "wrong"], TYPES, SIZES),  # 40
]


def headers(port: int, host: str, origin: str, token: str, kind: str) -> list[tuple[str, str]]:
    own = f"127.0.0.1:{port}"
    made = {
        "own": own,
        "localhost": f"localhost:{port}",
        "no port": "127.0.0.1",
        "evil": "evil.example",
        "rebound": f"127.0.0.1.evil.example:{port}",
        "user@own": f"x@{own}",
    }
    found = [("Host", made[host])] if host in made else []
    asked = made.get(host, own)
    origins = {"own": f"http://{asked}", "evil": "http://evil.example", "null": "null", "other port": "http://127.0.0.1:1"}
    if origin in origins:
        found.append(("Origin", origins[origin]))
    tokens = {
        "right": ("Authorization", f"Bearer {TOKEN}"),
        "x-api-key": ("x-api-key", TOKEN),
        "wrong": ("Authorization", "Bearer wrong"),
        "basic": ("Authorization", f"Basic {TOKEN}"),
    }
    if token in tokens:
        found.append(tokens[token])
    kinds = {
        "json": "application/json",
        "json utf-8": 'application/json; charset="UTF-8"',
        "text": "text/plain",
        "form": "application/x-www-form-urlencoded",
    }
    if kind in kinds:
        found.append(("Content-Type", kinds[kind]))
    return found


def send(
    port: int, given: list[tuple[str, str]], body: bytes, path: str = "/v1/chat/completions", method: str = "POST", *, chunked: bool = False
) -> tuple[int, dict[str, Any], dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given:
            connection.putheader(name, value)
        if method == "POST":
            connection.putheader("Transfer-Encoding", "chunked") if chunked else connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        try:
            if chunked:
                for at in range(0, len(body), 65536):
                    piece = body[at : at + 65536]
                    connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                connection.send(b"0\r\n\r\n")
            elif method == "POST":
                connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body was read
        response = connection.getresponse()
        data = response.read()
        return response.status, json.loads(data) if data.startswith(b"{") else {}, {k.lower(): v for k, v in response.getheaders()}
    finally:
        connection.close()


def asked(port: int, given: list[tuple[str, str]], body: bytes, *, unread: bool) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Send, and again where the kernel may have lost the answer: it resets a connection that is closed over a body nobody read."""
    for _ in range(5 if unread else 0):
        with contextlib.suppress(ConnectionResetError):
            return send(port, given, body)
    return send(port, given, body)


def expected(host: str, origin: str, token: str, kind: str, size: str) -> set[int]:
    if host == "none":
        return {400, 403}  # the HTTP layer refuses a request without Host before we see it
    if not HOSTS[host] or not ORIGINS[origin]:
        return {403}
    if not TOKENS[token]:
        return {401}
    if not TYPES[kind]:
        return {415}
    return {200} if SIZES[size] else {413}


def test_every_cell_of_the_matrix(server: Any) -> None:
    assert len(CELLS) > 200
    wrong = []
    passed = 0
    for cell in CELLS:
        host, origin, token, kind, size = cell
        told = headers(server.port, host, origin, token, kind)
        status, _, answered = asked(server.port, told, BODY if size == "small" else BIG, unread=size != "small" or host == "none")
        passed += status == 200
        if status not in expected(*cell):
            wrong.append((cell, status))
        if host != "none":
            assert answered["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in answered
    assert not wrong
    assert passed == 3 * 2 * 2 + 2 * 2


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ([("Host", "evil.example")], 403),
        ([("Content-Encoding", "gzip")], 415),
        ([("Authorization", f"Bearer {TOKEN}")], 401),
    ],
)
def test_headers_that_contradict_are_refused(server: Any, extra: list[tuple[str, str]], status: int) -> None:
    told = headers(server.port, "own", "absent", "right", "json") + extra
    found, _, _ = asked(server.port, told, BODY, unread=True)
    assert found in {status, 400}


def test_a_body_that_names_no_length_is_counted(server: Any) -> None:
    status, body, _ = send(server.port, headers(server.port, "own", "absent", "right", "json"), BIG, chunked=True)
    assert status == 413
    assert body["error"]["code"] == "request_too_large"
    assert send(server.port, headers(server.port, "own", "absent", "right", "json"), BODY, chunked=True)[0] == 200


@pytest.mark.parametrize(
    "path", ["/view/", "/view/wrong/", "/view", "/", "/openapi.json", "/v1/models", "/view/../v1/models", "//v1/models"]
)
def test_nothing_is_open_without_the_secret(server: Any, path: str) -> None:
    assert send(server.port, headers(server.port, "own", "absent", "absent", "json"), b"", path, "GET")[0] == 401


def test_the_pages_key_opens_no_endpoint_and_the_token_no_page(server: Any) -> None:
    from reasoner.serve.settings import Settings

    key = Settings(TOKEN).page_key
    assert send(server.port, [("Host", "localhost"), ("Authorization", f"Bearer {key}")], b"", "/v1/models", "GET")[0] == 401
    assert send(server.port, [("Host", "localhost"), ("Authorization", f"Bearer {TOKEN}")], b"", f"/view/{TOKEN}/", "GET")[0] == 401
    assert send(server.port, [("Host", "localhost")], b"", f"/view/{key}/", "GET")[0] == 200
    assert send(server.port, [("Host", "evil.example")], b"", f"/view/{key}/", "GET")[0] == 403


def test_tokens_and_hosts_of_the_command_line() -> None:
    made, new = token_of("")
    assert new
    assert len(made) >= 32
    assert token_of("x" * 16) == ("x" * 16, False)
    for bad in ("short", "with a space in it", "ümlautümlautümlaut"):
        with pytest.raises(BadConfig):
            token_of(bad)
    with pytest.raises(BadConfig, match="allow_host"):
        settings_for("0.0.0.0", (), "t" * 16)
    assert "box.lan" in settings_for("0.0.0.0", ("box.lan",), "t" * 16).hosts
    assert "t" * 16 not in repr(settings_for("127.0.0.1", (), "t" * 16))


def test_a_page_of_an_allowed_site_may_ask_and_no_other(app: Any) -> None:
    site = "https://chat.example"
    with Loopback(app(origins=frozenset({site}))) as server:

        def sent(method: str, path: str, **headers: str) -> httpx.Response:
            return httpx.request(
                method, f"{server.url}{path}", headers={"Content-Type": "application/json", **headers}, content=BODY, trust_env=False
            )

        before = sent("OPTIONS", "/v1/chat/completions", Origin=site)
        assert before.status_code == 204
        assert before.headers["access-control-allow-origin"] == site
        assert "authorization" in before.headers["access-control-allow-headers"]
        asked = sent("POST", "/v1/chat/completions", Origin=site, Authorization=f"Bearer {TOKEN}")
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, site)
        assert sent("POST", "/v1/chat/completions", Origin=site).status_code == 401
        assert sent("OPTIONS", "/v1/chat/completions").status_code == 401
        other = sent("POST", "/v1/chat/completions", Origin="https://evil.example", Authorization=f"Bearer {TOKEN}")
        assert other.status_code == 403
        assert "--allow-origin" in other.json()["error"]["message"]
        assert "access-control-allow-origin" not in other.headers
        assert sent("GET", "/view/x/", Origin=site).status_code == 403


def test_a_refused_host_says_how_it_is_allowed(server: Any) -> None:
    refused = httpx.get(f"{server.url}/v1/models", headers={"Host": "box.lan:1", "Authorization": f"Bearer {TOKEN}"}, trust_env=False)
    assert refused.status_code == 403
    assert "'box.lan:1'" in refused.json()["error"]["message"]
    assert "--allow-host" in refused.json()["error"]["message"]


def test_a_site_is_written_as_a_browser_writes_it() -> None:
    assert settings_for("127.0.0.1", (), "t" * 16, origins=["http://localhost:3000"]).origins == {"http://localhost:3000"}
    for wrong in ("*", "chat.example", "https://chat.example/", "null"):
        with pytest.raises(BadConfig, match="allow_origin"):
            settings_for("127.0.0.1", (), "t" * 16, origins=[wrong])
