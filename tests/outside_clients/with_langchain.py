"""langchain-openai, over chat completions and responses."""

from __future__ import annotations

from typing import Any

from cases import MODELS, QUESTION, TOKEN, URL, Product, case, multiply, tell
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


def with_tools(model: Any) -> Any:
    bound = model.bind_tools([tool(multiply)])
    first = bound.invoke(QUESTION)
    call = first.tool_calls[0]
    return bound.invoke([HumanMessage(QUESTION), first, ToolMessage(str(multiply(**call["args"])), tool_call_id=call["id"])]).text


for name in MODELS:
    for form in ("chat", "responses"):
        model = ChatOpenAI(model=name, base_url=f"{URL}/v1", api_key=TOKEN, max_retries=0, use_responses_api=form == "responses")
        case(name, f"{form}, invoke", lambda: model.invoke(QUESTION).text)
        case(name, f"{form}, stream", lambda: "".join(piece.text for piece in model.stream(QUESTION)))
        for way in ("json_schema", "json_mode", "function_calling"):
            asking = f"{QUESTION} Answer in JSON."
            case(name, f"{form}, {way}", lambda: model.with_structured_output(Product, method=way).invoke(asking))
        case(name, f"{form}, tools", lambda: with_tools(model))
tell()
