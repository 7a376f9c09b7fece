"""smolagents: an agent that calls tools, and two that write code (the scripted model writes one line of it)."""

from __future__ import annotations

from typing import Any

from cases import MODELS, QUESTION, TOKEN, URL, case, multiply, tell
from smolagents import CodeAgent, OpenAIServerModel, ToolCallingAgent, tool


def run(agent: Any) -> Any:
    result = agent.run(QUESTION, return_full_result=True)
    if result.state != "success":
        raise ValueError(result.state)
    return result.output


for name in MODELS:
    model = OpenAIServerModel(model_id=name, api_base=f"{URL}/v1", api_key=TOKEN)
    how: dict[str, Any] = {"model": model, "max_steps": 3, "verbosity_level": 0}
    case(name, "tool calling agent", lambda: run(ToolCallingAgent(tools=[tool(multiply)], **how)))
    case(name, "code agent", lambda: run(CodeAgent(tools=[tool(multiply)], **how)))
    case(name, "code agent, structured", lambda: run(CodeAgent(tools=[tool(multiply)], use_structured_outputs_internally=True, **how)))
tell()
