"""instructor, in the modes that it has for OpenAI and Anthropic."""

from __future__ import annotations

from typing import Any

import instructor
from anthropic import Anthropic
from cases import MODELS, QUESTION, TOKEN, URL, Product, case, tell
from openai import OpenAI

ASK: Any = [{"role": "user", "content": QUESTION}]
openai: Any = OpenAI(base_url=f"{URL}/v1", api_key=TOKEN, max_retries=0)
anthropic: Any = Anthropic(base_url=URL, api_key=TOKEN, max_retries=0)


def gpt(model: str, mode: str) -> Any:
    client = instructor.from_openai(openai, mode=instructor.Mode[mode])
    return client.chat.completions.create(model=model, messages=ASK, response_model=Product, max_retries=0)


def claude(model: str, mode: str) -> Any:
    client = instructor.from_anthropic(anthropic, mode=instructor.Mode[mode])
    return client.messages.create(model=model, messages=ASK, max_tokens=64, response_model=Product, max_retries=0)


for name in MODELS:
    for mode in ("TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA", "MD_JSON", "RESPONSES_TOOLS"):
        case(name, mode, lambda: gpt(name, mode))
    for mode in ("ANTHROPIC_TOOLS", "ANTHROPIC_JSON"):
        case(name, mode, lambda: claude(name, mode))
tell()
