"""What every script here shares: where the server is, and one line of JSON with what came of each case.

    python with_llm.py URL       (REASONER_TOKEN is the token)  -> {"MODEL CASE": {"value": ...} or {"error": "..."}, ...}

Runs in the clients' own environment, without reasoner.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

URL = sys.argv[1]
TOKEN = os.environ["REASONER_TOKEN"]
MODELS = ("scripted", "cot/scripted")
"""The model itself, and a strategy over it."""
QUESTION = "What is 6 times 7?"
_found: dict[str, dict[str, Any]] = {}


class Product(BaseModel):
    """The product that was asked for."""

    answer: int


def multiply(a: int, b: int) -> int:
    """Multiply two numbers.

    Args:
        a: the first
        b: the second
    """
    return a * b


def case(model: str, name: str, ask: Callable[[], Any]) -> None:
    """Run one case and keep its value or its error: what a client raises is what is asked for here."""
    try:
        _found[f"{model} {name}"] = {"value": str(ask())}
    except Exception as error:  # noqa: BLE001 - whatever a client raises is what the case has come to
        _found[f"{model} {name}"] = {"error": f"{type(error).__name__}: {error}"}


def tell() -> None:
    """Print what was found."""
    sys.stdout.write(f"\n{json.dumps(_found)}\n")
