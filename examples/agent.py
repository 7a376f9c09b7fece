"""An agent with two tools on a local model. Here the model is a script that answers as Qwen would; `python examples/agent.py MODEL` asks a real one.

python examples/agent.py                      offline
python examples/agent.py qwen2.5-coder-1.5b-instruct-q4_k_m.gguf
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.types import Client

PRICES = {"salt": 2.5, "pepper": 7.25}


@reasoner.tool
def price(item: str) -> float:
    """Look up what one packet of something costs.

    Args:
        item: What it is, such as salt.
    """
    return PRICES[item]


def agent(question: str, model: str | Client, db: Path) -> reasoner.Result:
    """Ask a question of an agent: this is all it takes."""
    return reasoner.ask(question, strategy="react:max_steps=6", model=model, tools=[price, "calculator"], db=db)


def qwen_shaped() -> ScriptedClient:
    """Return a script of turns as a small instruction model writes them when tools are described in words."""
    turns = [
        {"thought": "I need both prices.", "tool": "price", "arguments": {"item": "salt"}},
        {"thought": "Now the other one.", "tool": "price", "arguments": {"item": "pepper"}},
        {"thought": "I add them up.", "tool": "calculator", "arguments": {"expression": "3*2.5+2*7.25"}},
        {"thought": "That is the answer.", "tool": "submit", "arguments": {"answer": "22"}},
    ]
    return ScriptedClient([json.dumps(turn) for turn in turns], name="qwen-shaped", calls_tools=False)


def main() -> None:
    """Ask, and show what was done."""
    with tempfile.TemporaryDirectory() as folder:
        model = sys.argv[1] if len(sys.argv) > 1 else qwen_shaped()
        result = agent("What do 3 packets of salt and 2 of pepper cost together?", model, Path(folder) / "t.db")
        for thought in result.trajectory.thoughts():
            if thought.role.startswith("act/"):
                print(f"{thought.operation} = {thought.text}")
        print("answer:", result.answer)


if __name__ == "__main__":
    main()
