"""How `thinking=off|low|medium|high|TOKENS` is written for a family of models.

    fields("low", Profile(thinking="effort"), max_tokens=None)       -> {"reasoning_effort": "low"}
    fields("off", Profile(thinking="template"), max_tokens=None)     -> {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
    fields("2048", Profile(thinking="budget"), max_tokens=8192)      -> {"thinking": {"type": "enabled", "budget_tokens": 2048}}

| `Profile.thinking` | who | a number of tokens |
|---|---|---|
| `effort` | OpenAI's reasoning models, gpt-oss, Groq, Gemini, Grok | the nearest effort |
| `adaptive` | Anthropic from 4.6 on | the nearest effort: a fixed budget is refused there |
| `budget` | Anthropic before that | itself; a level is a share of it |
| `template` | a chat template's switch, on vLLM, SGLang, llama-server | refused |
| `think` | Ollama | refused |
| `switch` | DeepSeek, GLM, Kimi at their makers | refused |
| `enable` | Qwen at its maker | itself |
| `openrouter` | OpenRouter, which translates | itself |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from reasoner.clients._wire.profiles import Profile

LEVELS = ("off", "low", "medium", "high")
MAX_TOKENS = 1_000_000
BUDGETS: Mapping[str, int] = {"low": 2048, "medium": 8192, "high": 24576}
"""Tokens that stand for a level where a family counts them."""
MIN_BUDGET = 1024
"""The least budget the Anthropic format takes."""


def checked(thinking: str) -> str:
    """Return a value of `thinking` as it is recorded.

    Raises:
        BadConfig: it is none.
    """
    text = thinking.strip().lower()
    if text in LEVELS or not text:
        return text
    if text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MAX_TOKENS:
        return str(int(text))
    raise BadConfig(f"`thinking={thinking[:40]}` cannot be used", hint="it is off, low, medium, high or a number of tokens")


def fields(thinking: str, profile: Profile, *, max_tokens: int | None) -> dict[str, Any]:
    """Return the fields of a request's body that ask for this much thought; none where nothing was said.

    Raises:
        BadConfig: this family cannot be told that.
    """
    if not thinking or not (thinking := checked(thinking)):
        return {}
    if not profile.thinking:
        raise BadConfig(
            "this model cannot be told how much to think",
            hint="leave `thinking` out, or say how it is written with `profile=thinking=effort`",
        )
    return _WRITERS[profile.thinking](thinking, profile, max_tokens)


def level_of(thinking: str) -> str:
    """Return the level for a family without budgets: a number of tokens becomes the least level that holds it."""
    if thinking in LEVELS:
        return thinking
    return next((level for level, budget in BUDGETS.items() if int(thinking) <= budget), "high")


def tokens_of(thinking: str) -> int:
    """Return the budget for a family without levels."""
    return BUDGETS[thinking] if thinking in BUDGETS else int(thinking)


def effort_of(thinking: str, profile: Profile) -> str:
    """Return the effort.

    Raises:
        BadConfig: it is to be off, and this family cannot.
    """
    if thinking == "off" and not profile.thinking_off:
        raise BadConfig("`thinking=off`: this model always thinks", hint="low is the least")
    return profile.thinking_off if thinking == "off" else level_of(thinking)


def _effort(thinking: str, profile: Profile, _max_tokens: int | None) -> dict[str, Any]:
    return {"reasoning_effort": effort_of(thinking, profile)}


def _adaptive(thinking: str, _profile: Profile, _max_tokens: int | None) -> dict[str, Any]:
    if thinking == "off":
        return {"thinking": {"type": "disabled"}}
    # Without the wish to see it, recent generations send a signature and no text.
    return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": level_of(thinking)}}


def _budget(thinking: str, _profile: Profile, max_tokens: int | None) -> dict[str, Any]:
    if thinking == "off":
        return {"thinking": {"type": "disabled"}}
    budget = max(MIN_BUDGET, tokens_of(thinking))
    if max_tokens is not None and budget >= max_tokens:
        raise BadConfig(
            f"`thinking={thinking}`: {budget} tokens of thought do not fit in `max_tokens={max_tokens}`, which bounds thought and answer",
            hint=f"use `max_tokens={budget + 1024}` or more",
        )
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _template(thinking: str, _profile: Profile, _max_tokens: int | None) -> dict[str, Any]:
    on = thinking != "off"
    # Two names are in use; a template reads the one it knows. Levels are read by some, and by others as on.
    effort = {"reasoning_effort": _level(thinking)} if on else {}
    return {"chat_template_kwargs": {"enable_thinking": on, "thinking": on, **effort}}


def _think(thinking: str, _profile: Profile, _max_tokens: int | None) -> dict[str, Any]:
    return {"think": False if thinking == "off" else _level(thinking)}


def _switch(thinking: str, _profile: Profile, _max_tokens: int | None) -> dict[str, Any]:
    return {"thinking": {"type": "enabled" if _level(thinking) != "off" else "disabled"}}


def _enable(thinking: str, _profile: Profile, _max_tokens: int | None) -> dict[str, Any]:
    return {"enable_thinking": False} if thinking == "off" else {"enable_thinking": True, "thinking_budget": tokens_of(thinking)}


def _openrouter(thinking: str, _profile: Profile, _max_tokens: int | None) -> dict[str, Any]:
    if thinking == "off":
        return {"reasoning": {"enabled": False}}
    return {"reasoning": {"effort": thinking} if thinking in LEVELS else {"max_tokens": int(thinking)}}


def _level(thinking: str) -> str:
    if thinking not in LEVELS:
        raise BadConfig(f"`thinking={thinking}`: this model takes no number of tokens", hint="say off, low, medium or high")
    return thinking


_WRITERS = {
    "effort": _effort, "adaptive": _adaptive, "budget": _budget, "template": _template, "think": _think, "switch": _switch,
    "enable": _enable, "openrouter": _openrouter,
}  # fmt: skip
