"""Prompt templates: `templates` finds, checks and renders them, `bounds` limits what rendering may cost."""

from reasoner.prompts.templates import MAX_RENDERED_BYTES, Prompts, load_prompt

__all__ = ["MAX_RENDERED_BYTES", "Prompts", "load_prompt"]
