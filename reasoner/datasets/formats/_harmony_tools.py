r"""Tools as Harmony describes them: the types of a TypeScript namespace, as gpt-oss's chat template in TRL writes them.

namespace([{"function": {"name": "f", "description": "D.", "parameters": {...}}}]) -> "## functions\n\nnamespace functions {\n\n// D.\ntype f = ..."
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_INNER = 50
"""A type of array items that is longer is written as `any`."""
FIELD = " \n" + " " * 16
"""What the template writes before the type of a field of an object within a parameter."""
PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}


def namespace(tools: Sequence[Mapping[str, Any]]) -> str:
    """Return tools as a namespace; empty where there are none."""
    if not tools:
        return ""
    made = "".join(_function(tool["function"]) for tool in tools)
    return f"## functions\n\nnamespace functions {{\n\n{made}}} // namespace functions"


def _function(tool: Mapping[str, Any]) -> str:
    head = f"// {tool['description']}\ntype {tool['name']} = "
    parameters = tool["parameters"]
    fields = parameters.get("properties") if isinstance(parameters, dict) else None
    if not fields:
        return f"{head}() => any;\n\n"
    required = parameters.get("required") or []
    return f"{head}(_: {{\n{''.join(_field(name, spec, name in required) for name, spec in fields.items())}}}) => any;\n\n"


def _field(name: str, spec: Mapping[str, Any], required: bool) -> str:  # noqa: FBT001 - one caller
    told = f"// {spec['description']}\n" if spec.get("description") else ""
    default = ""
    if "default" in spec:
        value = spec["default"] if spec.get("enum") or spec.get("oneOf") else json.dumps(spec["default"], ensure_ascii=False)
        default = f"// default: {value}" if spec.get("oneOf") and not spec.get("enum") else f", // default: {value}"
    return f"{told}{name}{'' if required else '?'}: {type_of(spec)}{default},\n"


def type_of(spec: Mapping[str, Any]) -> str:
    """Return the type of a parameter."""
    kind = spec.get("type")
    if kind == "array":
        return _array(spec) + (" | null" if spec.get("nullable") else "")
    if isinstance(kind, list) and kind:
        return " | ".join(kind)
    if spec.get("oneOf"):
        return _one_of(spec["oneOf"])
    if kind == "string" and spec.get("enum"):
        return '"' + '" | "'.join(map(str, spec["enum"])) + '"'
    if kind == "string":
        return "string" + (" | null" if spec.get("nullable") else "")
    if kind == "object":
        return _object(spec)
    return PLAIN.get(kind, "any") if isinstance(kind, str) else "any"


def _array(spec: Mapping[str, Any]) -> str:
    items = spec.get("items")
    if not items:
        return "any[]"
    if isinstance(items.get("type"), str) and items["type"] in PLAIN:
        return f"{PLAIN[items['type']]}[]"
    inner = type_of(items)
    return "any[]" if inner == "object | object" or len(inner) > MAX_INNER else f"{inner}[]"


def _one_of(variants: Sequence[Mapping[str, Any]]) -> str:
    made = []
    for variant in variants:
        told = f"// {variant['description']}" if variant.get("description") else ""
        default = f"// default: {json.dumps(variant['default'], ensure_ascii=False)}" if "default" in variant else ""
        made.append(type_of(variant) + told + default)
    return " | \n".join(made)


def _object(spec: Mapping[str, Any]) -> str:
    fields = spec.get("properties")
    if not fields:
        return "object"
    required = spec.get("required") or []
    return "{\n" + ", ".join(f"{name}{'' if name in required else '?'}:{FIELD}{type_of(one)}" for name, one in fields.items()) + "}"
