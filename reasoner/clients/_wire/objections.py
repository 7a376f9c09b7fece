"""What a server that refuses a request (400, 422) objects to, and what may be left out or renamed without anybody having asked for it.

    objection(b'{"error": {"param": "seed", "message": "extra fields not permitted"}}', {"seed": 7, ...})  -> "seed"
    without({"seed": 7, "model": "m"}, "seed", by_user=frozenset())                                       -> {"model": "m"}
    option_of("temperature", {})                                                                         -> "temperature"

Knows names of fields. Does not send anything; `remote` asks once more, and once only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reasoner.clients._wire.endpoint import error_of

BOUNDS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""Two names of one thing: a server that refuses the one knows the other."""
DEFAULTED = ("seed", "stream_options", "reasoning_content", "store", "include")
"""What is sent although nobody asked for it; `reasoning_content` stands in the messages."""

_SAMPLING = {"stop_sequences": "stop"}
_SAMPLED = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "stop", "logprobs")
"""What a strategy may set on its own account."""
_OPTIONS = {
    "return_token_ids": "record",
    **{name: name for name in ("temperature", "top_p", "top_k", "min_p", "max_tokens")},
    **dict.fromkeys(("max_completion_tokens", "max_output_tokens"), "max_tokens"),
    **dict.fromkeys(
        ("reasoning_effort", "thinking", "think", "reasoning", "chat_template_kwargs", "enable_thinking", "thinking_budget", "budget_tokens",
         "output_config"), "thinking",
    ),
}  # fmt: skip


def objection(body: bytes, asked: Mapping[str, Any]) -> str:
    """Return the field of a request that an error names, empty where it names none of them."""
    _, message, named = error_of(body)
    names = [name for name in (*asked, "reasoning_content", "budget_tokens") if name not in {"model", "messages", "input"}]
    param = named.get("param")
    if isinstance(param, str) and (last := re.split(r"[.\[\]]+", param.strip("]. ")))[-1:] and last[-1] in names:
        return last[-1]
    location = named.get("loc") or next((d.get("loc") for d in _details(named) if isinstance(d, dict)), None)
    if isinstance(location, list) and location and location[-1] in names:
        return str(location[-1])
    # In a message a name counts where it cannot be a word of the sentence: in quotes, or with an underscore in it.
    found = [(at.start(), name) for name in names if (at := re.search(_spelt(name), message)) is not None]
    return min(found, default=(0, ""))[1]


def _details(named: Mapping[str, Any]) -> list[Any]:
    found = named.get("detail") or named.get("errors")
    return found if isinstance(found, list) else []


def _spelt(name: str) -> str:
    quoted = rf"[`'\"]{re.escape(name)}[`'\".\[]"
    return quoted if "_" not in name and name not in {"temperature", "seed", "logprobs"} else rf"(?<![\w]){re.escape(name)}(?![\w])"


def renames(body: bytes, name: str) -> bool:
    """Tell whether an error wants a bound under its other name, and is not about its value."""
    _, message, _ = error_of(body)
    return (
        BOUNDS.get(name, "-") in message or re.search(r"(?i)unsupported|not supported|unknown|unrecogni[sz]ed|extra", message) is not None
    )


def without(asked: Mapping[str, Any], name: str, *, by_user: frozenset[str] | None) -> dict[str, Any] | None:
    """Return a request without a field that the user did not ask for, or with its bound under the other name; None where that cannot be.

    `by_user` names what the user set of the sampling; where nobody tells, all of it counts as the user's.
    """
    if name in BOUNDS and name in asked:
        other = BOUNDS[name]
        return {other if key == name else key: value for key, value in asked.items()}
    field = _SAMPLING.get(name, name)
    if name not in DEFAULTED and (by_user is None or field in by_user or field not in _SAMPLED):
        return None
    made = {key: value for key, value in asked.items() if key != name}
    if name == "reasoning_content" and isinstance(made.get("messages"), list):
        made["messages"] = [{key: value for key, value in message.items() if key != name} for message in made["messages"]]
    return made


def option_of(name: str, extra: Mapping[str, Any]) -> str:
    """Return the option that put a field into a request, empty where no option did."""
    return "extra_body" if name in extra else _OPTIONS.get(name, "")
