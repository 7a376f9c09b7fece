"""llm, with its models in `extra-openai-models.yaml` as its manual says."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from cases import MODELS, QUESTION, TOKEN, URL, Product, case, multiply, tell

FOLDER = Path(tempfile.mkdtemp())
ENTRY = """\
- model_id: served-{name}
  model_name: {name}
  api_base: {url}/v1
  api_key_name: reasoner
  supports_schema: true
  supports_tools: true
"""
(FOLDER / "extra-openai-models.yaml").write_text("".join(ENTRY.format(name=name, url=URL) for name in MODELS))
(FOLDER / "keys.json").write_text(json.dumps({"reasoner": TOKEN}))
os.environ["LLM_USER_PATH"] = str(FOLDER)

import llm  # noqa: E402 - it reads where its files are when it is imported


def twice(model: Any) -> Any:
    conversation = model.conversation()
    conversation.prompt(QUESTION).text()
    return conversation.prompt("Are you sure?").text()


for name in MODELS:
    model = llm.get_model(f"served-{name}")
    case(name, "prompt", lambda: model.prompt(QUESTION, stream=False).text())
    case(name, "stream", lambda: "".join(model.prompt(QUESTION)))
    case(name, "schema", lambda: Product.model_validate_json(model.prompt(QUESTION, schema=Product).text()))
    case(name, "conversation", lambda: twice(model))
    case(name, "tools", lambda: model.chain(QUESTION, tools=[multiply]).text())
tell()
