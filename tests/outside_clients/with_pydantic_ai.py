"""pydantic-ai over all three formats: text, a stream, its three output modes, tools."""

from __future__ import annotations

import asyncio
from typing import Any

from cases import MODELS, QUESTION, TOKEN, URL, Product, case, multiply, tell
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

openai = OpenAIProvider(base_url=f"{URL}/v1", api_key=TOKEN)
anthropic = AnthropicProvider(base_url=URL, api_key=TOKEN)


def ask(model: Any, **how: Any) -> Any:
    return Agent(model, **how).run_sync(QUESTION).output


def streamed(model: Any) -> Any:
    async def main() -> Any:
        async with Agent(model).run_stream(QUESTION) as result:
            return await result.get_output()

    return asyncio.run(main())


for name in MODELS:
    made = {
        "chat": OpenAIChatModel(name, provider=openai),
        "responses": OpenAIResponsesModel(name, provider=openai),
        "messages": AnthropicModel(name, provider=anthropic),
    }
    for form, model in made.items():
        case(name, f"{form}, text", lambda: ask(model))
        case(name, f"{form}, stream", lambda: streamed(model))
        case(name, f"{form}, tool output", lambda: ask(model, output_type=ToolOutput(Product)))
        case(name, f"{form}, native output", lambda: ask(model, output_type=NativeOutput(Product)))
        case(name, f"{form}, prompted output", lambda: ask(model, output_type=PromptedOutput(Product)))
        case(name, f"{form}, tools", lambda: ask(model, tools=[multiply]))
tell()
