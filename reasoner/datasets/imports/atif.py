"""ATIF, versions 1.0 to 1.8: one of our own gives the same trajectory back, another tool's becomes a chain of calls.

A step of an agent is a call: its text, thought and tool calls; what its tools answered are messages after it. Source:
https://harborframework.com/docs/trajectory-format
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner import token_record
from reasoner.datasets.formats.atif import CALL_FIELDS, END_FIELDS, LATER_FIELDS, THOUGHT_FIELDS, TOKEN_FIELDS
from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._problems import judged
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.store.annotations import said_in
from reasoner.store.imports import ReadCall, ReadTrajectory
from reasoner.store.interning import tools_of
from reasoner.text import storable
from reasoner.types import Message, Problem, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROLES: dict[str, Role] = {"system": "system", "user": "user", "agent": "assistant"}
OWN = {"problem", "end", "thoughts"}


class Atif(Importer):
    """Whole trajectories of agents."""

    name: ClassVar[str] = "atif"
    summary: ClassVar[str] = "ATIF trajectories, versions 1.0 to 1.8"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a document by its schema version."""
        return 100 if str(row.get("schema_version", "")).startswith("ATIF") else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript | ReadTrajectory]:
        """Read a document, and those of sub-agents that stand in it."""
        if not str(row["schema_version"]).startswith("ATIF-v1"):
            raise Unusable("its version of ATIF is not known (ATIF-v1 can be read)")
        steps, agent, extra = row.get("steps"), row.get("agent"), row.get("extra")
        if not isinstance(steps, list) or not all(isinstance(step, dict) and str(step.get("source")) in ROLES for step in steps):
            raise Unusable("its steps are not a list of steps of system, user and agent")
        if not isinstance(agent, dict):
            raise Unusable("it names no agent")
        if agent.get("name") == "reasoner" and isinstance(extra, dict) and set(extra) >= OWN:
            yield _own(row, extra)
            return
        yield _foreign(row, steps, agent)
        for inner in row.get("subagent_trajectories") or ():
            if isinstance(inner, dict):
                yield from self.read({"schema_version": row["schema_version"], **inner})


def _foreign(row: Mapping[str, Any], steps: list[dict[str, Any]], agent: Mapping[str, Any]) -> Transcript:
    found: list[Message] = []
    calls: dict[int, dict[str, Any]] = {}
    n_bad = 0
    for step in steps:
        (made, *_) = v.message({**step, "role": step["source"], "content": step.get("message") or ""}, told=True)
        if step["source"] == "agent" and found:
            metrics: dict[str, Any] = step["metrics"] if isinstance(step.get("metrics"), dict) else {}
            usage, bad = v.usage(metrics, cost=metrics.get("cost_usd"))
            n_bad += bad
            calls[len(found)] = {**usage, "model": v.text(step.get("model_name") or agent.get("model_name")), "tokens": _recorded(metrics)}
        found.append(made)
        found += _observed(step)
    if not calls:
        raise Unusable("no step of it is an agent's answer to anything")
    facts = {
        **v.facts(row, but=("steps", "agent", "subagent_trajectories")),
        "agent": v.facts(agent, but=("tool_definitions",)),
        **_token_ids(steps),
    }
    tools = v.tools(agent.get("tool_definitions"))
    return Transcript(
        found, sorted(calls), model=v.text(agent.get("model_name")), agent=v.text(agent.get("name")), calls=calls, tools=tools, facts=facts, n_bad_usage=n_bad
    )  # fmt: skip


def _observed(step: Mapping[str, Any]) -> list[Message]:
    """Return what a step's tools answered, a message each."""
    results = v.at(step, "observation.results")
    made = []
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict):
            content = result.get("content")
            (read, *_) = v.message({"role": "tool", "content": content if isinstance(content, (str, list)) else v.text(content)})
            made.append(Message("tool", read.content, tool_call_id=v.text(result.get("source_call_id")), images=read.images))
    return made


def _token_ids(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the token ids of steps that do not have all that is recorded of a call, by the number of the step."""
    found = {
        str(n): ids
        for n, step in enumerate(steps)
        if (ids := {name: v.at(step, f"metrics.{name}") for name in TOKEN_FIELDS if v.at(step, f"metrics.{name}")})
        and not _recorded(step["metrics"])
    }
    return {"tokens": found} if found else {}


def _recorded(metrics: Mapping[str, Any]) -> str | None:
    """Return a step's tokens as the store keeps them; None where not all are there, or they do not fit together."""
    prompt_ids, ids, logprobs = (value if isinstance(value := metrics.get(name), list) else [] for name in TOKEN_FIELDS)
    return token_record.written(prompt_ids, ids, logprobs) or None


def _own(row: Mapping[str, Any], extra: Mapping[str, Any]) -> ReadTrajectory:
    try:
        return _read_own(row, extra)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unusable("it says that reasoner wrote it, and does not hold what reasoner writes") from error


def _read_own(row: Mapping[str, Any], extra: Mapping[str, Any]) -> ReadTrajectory:
    agent, steps, problem, end = row["agent"], row["steps"], extra["problem"], extra["end"]
    own, totals = agent["extra"], row["final_metrics"]
    texts = {step["step_id"]: _message(step) for step in steps}
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
    thoughts = [{name: t[name] for name in (*THOUGHT_FIELDS, "parents", "text")} | {"action": t.get("action")} for t in told]
    found = Problem(problem["solver"], problem["instance"], problem["line"], problem["level"])
    return ReadTrajectory(
        row["session_id"], row["trajectory_id"], found, own["strategy"], agent["model_name"], version=agent["version"],
        problem_id=problem["problem_id"], verdict=None if extra["verdict"] is None else judged(found, end["answer"]), answer=end["answer"],
        calls=calls, thoughts=thoughts, columns=columns, annotation=said_in(extra.get("lineage") or {}),
    )  # fmt: skip


def _message(step: Mapping[str, Any]) -> Message:
    extra = step.get("extra") or {}
    role: Role = "tool" if extra.get("role") == "tool" else ROLES[step["source"]]
    return Message.of_parts(role, storable(step["message"]), extra.get("parts") or {})


def _call(step: Mapping[str, Any], texts: Mapping[int, Message]) -> ReadCall:
    extra, metrics = step["extra"], step["metrics"]
    columns = {name: extra[name] for name in CALL_FIELDS}
    columns |= {name: extra[name] for name in LATER_FIELDS if name in extra and name != "tools"}
    columns |= {name: metrics[name] for name in ("prompt_tokens", "completion_tokens", "cached_tokens")}
    columns |= {"cost": metrics.get("cost_usd"), "model": step["model_name"], "finished": step["timestamp"], "tokens": _recorded(metrics)}
    tools = tools_of(extra.get("tools"))
    return ReadCall(
        extra["call"], tuple(texts[at] for at in extra["context"]), storable(step["message"]), columns, extra.get("parts") or {}, tools
    )
