"""Decide on actions that wait for a person, from a request or from a form on a page, and go on with what waited.

    POST /v1/actions/17  {"decision": "approve"}
    -> {"id": 17, "state": "approved", "run": "3f0c...", "trajectory": "9a1b...", "goes_on": true}

What a form has to get past is in `forms`. Knows HTTP and the journal of actions; does not know a tool.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from reasoner.errors import BadConfig, UnknownName, what_is_wrong
from reasoner.serve.faults import Fault, error_body
from reasoner.serve.forms import Forms
from reasoner.serve.guard import TooLarge
from reasoner.store.actions import decide, waiting
from reasoner.store.queries import trajectory_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from reasoner.serve.executor import Executor
    from reasoner.serve.settings import Settings
    from reasoner.store import Store
    from reasoner.store.actions import Decision

STATES: dict[str, Decision] = {"approve": "approved", "deny": "denied"}
MAX_REASON_CHARS = 2000


class DecisionRequest(BaseModel):
    """What `POST /v1/actions/ID` takes."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "deny"]
    reason: str = Field(default="", max_length=MAX_REASON_CHARS)


class Approvals:
    """The decisions over one store; with an executor what waited is gone on with at once."""

    def __init__(self, store: Store, settings: Settings, executor: Executor | None = None) -> None:
        self.executor = executor
        self._store = store
        self.forms = Forms(settings)
        self._base = f"/view/{settings.page_key}"

    def routes(self) -> list[Route]:
        """Return the routes of the endpoint."""
        return [
            Route("/v1/actions", self.list, methods=["GET"]),
            Route("/v1/actions/{action}", self.post, methods=["POST"]),
            Route("/v1/trajectories/{trajectory}", self.trajectory, methods=["GET"]),
        ]

    def form_values(self, request: Request, action_id: int) -> dict[str, Any]:
        """Return what the form of one action needs: its secret value, whether the token has to be typed in, and the bound of a reason."""
        return self.forms.values(request, f"form {action_id}") | {"max_reason": MAX_REASON_CHARS}

    async def decide(self, action_id: int, decision: Literal["approve", "deny"], reason: str = "") -> dict[str, Any]:
        """Write a decision down, go on with the run where its models are served, and say how it stands.

        Raises:
            UnknownName: there is no such action.
            BadConfig: it does not wait any more.
        """
        row = await run_in_threadpool(lambda: decide(self._store, action_id, STATES[decision], reason=reason))
        goes_on = self.executor is not None and self.executor.go_on(row["run_id"])
        return {
            "id": action_id, "object": "action", "state": row["state"], "tool": row["tool"], "run": row["run_id"],
            "trajectory": row["trajectory_id"], "goes_on": goes_on,
        }  # fmt: skip

    async def list(self, _: Request) -> Response:
        """Serve `GET /v1/actions`: those that wait, oldest first."""
        rows = await run_in_threadpool(lambda: waiting(self._store))
        return JSONResponse({"object": "list", "data": [_action(row) for row in rows]})

    async def post(self, request: Request) -> Response:
        """Serve `POST /v1/actions/ID`."""
        path, number = request.url.path, request.path_params["action"]
        try:
            body = DecisionRequest.model_validate_json(await request.body())
        except TooLarge:
            return JSONResponse(error_body(path, Fault(413, "too_large", "the body is too large", code="request_too_large")), 413)
        except ValidationError as error:
            where, _, wrong = what_is_wrong(error)
            said = f'{where or "the body"}: {wrong}; send {{"decision": "approve"}}, or "deny" with a "reason"'
            return JSONResponse(error_body(path, Fault(400, "invalid_request", said, code="invalid_value", param=where or None)), 400)
        try:
            return JSONResponse(await self.decide(_number(number), body.decision, body.reason))
        except UnknownName as error:
            return JSONResponse(error_body(path, Fault(404, "not_found", error.message, code="action_not_found")), 404)
        except BadConfig as error:
            return JSONResponse(error_body(path, Fault(409, "conflict", error.message, code="not_waiting")), 409)

    async def trajectory(self, request: Request) -> Response:
        """Serve `GET /v1/trajectories/ID`: how a request that waited stands, and its answer once there is one."""
        name = request.path_params["trajectory"]
        row = await run_in_threadpool(lambda: trajectory_row(self._store, name))
        if row is None:
            fault = Fault(404, "not_found", "there is no such trajectory", code="trajectory_not_found")
            return JSONResponse(error_body(request.url.path, fault), 404)
        waits = await run_in_threadpool(lambda: waiting(self._store, trajectory_id=name))
        return JSONResponse(
            {
                "id": name, "object": "trajectory", "run": row["run_id"], "status": "waiting" if waits else row["status"],
                "answer": row["answer"], "error": row["error"], "waiting": [_action(one) for one in waits],
            }
        )  # fmt: skip

    async def form(self, request: Request, refused: Callable[[str], Response]) -> Response:
        """Take the form of a page; `refused` draws the page again with what is wrong."""
        action_id = _number(request.path_params["action"])
        given = await self.forms.read(request, f"form {action_id}")
        if given.problem:
            return refused(given.problem)
        decision: Any = given.fields.get("decision")
        if decision not in STATES:
            return refused("Choose one of the two.")
        try:
            made = await self.decide(action_id, decision, given.fields.get("reason", "")[:MAX_REASON_CHARS])
        except (UnknownName, BadConfig) as error:
            return refused(error.message)
        return self.forms.taken(f"{self._base}/t/{made['trajectory']}#actions", given)


def _action(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "object": "action", "state": "waiting", "tool": row["tool"], "arguments": _value(row["arguments"]), "run": row["run_id"],
        "trajectory": row["trajectory_id"], "created": row["created"],
    }  # fmt: skip


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> int:
    """Return the number of an action; -1, which none has, where it is no number."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else -1
