"""What an answer must conform to, as it travels through the program and stands in the store.

Constraint.schema({"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}, after_thought=True)
Constraint.regex("[0-9]{4}-[0-9]{2}")
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

ConstraintKind = Literal["json_schema", "regex", "lark", "grammar"]
ConstraintApplied = Literal["json_schema", "regex", "lark", "grammar", "prompt", "none"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """What the output must conform to: a JSON schema (as JSON text, in its own order), a regular expression, a Lark or a GBNF grammar.

    With `after_thought` a model that thinks before it answers thinks freely, and what it answers then must conform. `told` is a JSON object of
    what a provider is told beside a schema: its `name`, `description` and `strict`, or `{"type": "json_object"}` where any object will do.
    """

    kind: ConstraintKind
    value: str
    after_thought: bool = False
    told: str = ""

    @classmethod
    def schema(cls, schema: Mapping[str, Any], *, after_thought: bool = False, told: str = "") -> Constraint:
        """Return the constraint for a JSON schema. The order of properties is kept: a model writes them in that order."""
        text = json.dumps(schema, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        return cls("json_schema", text, after_thought=after_thought, told=told)

    @classmethod
    def regex(cls, pattern: str, *, after_thought: bool = False) -> Constraint:
        """Return the constraint for a regular expression that the whole answer must match."""
        return cls("regex", pattern, after_thought=after_thought)

    @classmethod
    def lark(cls, grammar: str, *, after_thought: bool = False) -> Constraint:
        """Return the constraint for a grammar in Lark's notation, with the rule `start`."""
        return cls("lark", grammar, after_thought=after_thought)

    def as_list(self) -> list[str]:
        """Return it as JSON-ready values."""
        return [self.kind, self.value, *(["after_thought"] if self.after_thought else []), *([self.told] if self.told else [])]
