"""Read one ATIF document into a trajectory. One of our own gives the same trajectory back; another becomes a chain of calls.

Of another tool's document texts are kept: what its user and system said, and what its agent said. Tool calls and observations are written
into the text of the step they belong to, as JSON, since a store of conversations has no other place for them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.datasets.formats.atif import CALL_FIELDS, END_FIELDS, THOUGHT_FIELDS
from reasoner.errors import DataError, UsageError
from reasoner.store.imports import ReadCall, ReadTrajectory
from reasoner.text import shorten, storable
from reasoner.types import Message, Problem, Role, Verdict, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES: dict[str, Role] = {"system": "system", "user": "user", "agent": "assistant"}


def read(document: dict[str, Any], *, source: str) -> ReadTrajectory:
    """Read a document.

    Raises:
        DataError: it is no ATIF document, or no step of it is an agent's.
    """
    if not str(document.get("schema_version", "")).startswith("ATIF-v1"):
        raise DataError(f"the schema version {str(document.get('schema_version'))[:40]!r} is not known", hint="ATIF-v1 can be read")
    steps = document["steps"]
    if not isinstance(steps, list) or not all(isinstance(step, dict) and step.get("source") in ROLES for step in steps):
        raise DataError("its steps are no list of steps of system, user and agent")
    extra = document.get("extra")
    if document["agent"].get("name") == "reasoner" and isinstance(extra, dict) and {"problem", "end", "thoughts"} <= set(extra):
        return _own(document, extra)
    return _foreign(document, steps, source)


def _own(document: dict[str, Any], extra: Mapping[str, Any]) -> ReadTrajectory:
    agent, steps, problem, end = document["agent"], document["steps"], extra["problem"], extra["end"]
    own, totals = agent["extra"], document["final_metrics"]
    texts = {step["step_id"]: Message(ROLES[step["source"]], storable(step["message"])) for step in steps}
    calls = [_call(step, texts) for step in steps if "call" in (step.get("extra") or {})]
    columns = {
        **{name: end[name] for name in END_FIELDS if name != "answer"},
        **{name: own[name] for name in ("params", "model_fingerprint", "sample")},
        "prompt_tokens": totals["total_prompt_tokens"],
        "completion_tokens": totals["total_completion_tokens"],
        "cached_tokens": totals["total_cached_tokens"],
        "cost": totals.get("total_cost_usd"),
    }
    # Exports of earlier versions call the status of a thought its fate.
    told = [{"status": t.get("fate"), **t} for t in extra["thoughts"]]
    thoughts = [{name: t[name] for name in (*THOUGHT_FIELDS, "parents", "text")} for t in told]
    found = Problem(problem["solver"], problem["instance"], problem["line"], problem["level"])
    verdict = _verdict(found, end["answer"], extra["verdict"])
    return ReadTrajectory(
        document["session_id"], document["trajectory_id"], found, own["strategy"], agent["model_name"], version=agent["version"],
        problem_id=problem["problem_id"], verdict=verdict, answer=end["answer"], calls=calls, thoughts=thoughts, columns=columns,
    )  # fmt: skip


def _verdict(problem: Problem, answer: str | None, said: Mapping[str, Any] | None) -> Verdict | None:
    """Judge the answer now; where the solver is not installed there is no verdict, whatever the file says."""
    if said is None:
        return None
    try:
        solver = registry.solver(problem.solver)
        return solver.verify(solver.Instance.model_validate_json(problem.instance), answer or "") if answer is not None else Verdict(
            correct=False, score=0.0, reason="no answer was given", unparsed=True
        )  # fmt: skip
    except (UsageError, ValueError):
        return None


def _call(step: Mapping[str, Any], texts: Mapping[int, Message]) -> ReadCall:
    extra, metrics = step["extra"], step["metrics"]
    columns = {name: extra[name] for name in CALL_FIELDS}
    columns |= {name: metrics[name] for name in ("prompt_tokens", "completion_tokens", "cached_tokens")}
    columns |= {"cost": metrics.get("cost_usd"), "model": step["model_name"], "finished": step["timestamp"]}
    return ReadCall(extra["call"], tuple(texts[at] for at in extra["context"]), storable(step["message"]), columns)


def _foreign(document: dict[str, Any], steps: list[dict[str, Any]], source: str) -> ReadTrajectory:
    before: list[Message] = []
    calls: list[ReadCall] = []
    name = canonical_json(document)
    agent = document["agent"]
    for number, step in enumerate(steps):
        text = storable(_text(step))
        if step["source"] == "agent" and before:
            metrics = step.get("metrics") or {}
            columns = {
                name: metrics[name]
                for name in ("prompt_tokens", "completion_tokens", "cached_tokens")
                if isinstance(metrics.get(name), int)
            }
            columns |= {"model": str(step.get("model_name") or agent.get("model_name") or ""), "ordinal": number}
            calls.append(ReadCall(digest(source, name, str(number)), tuple(before), text, columns))
        before.append(Message(ROLES[step["source"]], text))
    if not calls:
        raise DataError("no step of it is an agent's answer to anything")
    line = shorten(calls[0].messages[-1].content, 200)
    problem = Problem("imported", canonical_json([[m.role, m.content] for m in calls[0].messages]), line)
    return ReadTrajectory(
        digest(source)[:12], digest(source, name)[:16], problem, str(agent.get("name") or "imported"), str(agent.get("model_name") or "imported"),
        answer=calls[-1].reply, calls=calls,
    )  # fmt: skip


def _text(step: Mapping[str, Any]) -> str:
    message = step.get("message")
    parts = [part.get("text") or "" for part in message if isinstance(part, dict)] if isinstance(message, list) else [message or ""]
    for name in ("reasoning_content",):
        if isinstance(step.get(name), str):
            parts.insert(0, step[name])
    parts += [json.dumps({name: step[name]}, sort_keys=True) for name in ("tool_calls", "observation") if step.get(name)]
    return "\n".join(str(part) for part in parts if part)
