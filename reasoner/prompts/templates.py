"""Prompt templates: strict, sandboxed Jinja2 files with front matter; every byte a model sees stands in one.

A file `prompts/cot/answer.jinja` is the template `cot/answer`:

    +++
    version = 1
    variables = ["statement"]
    +++
    {% block system %}Think step by step.{% endblock %}
    {% block user %}{{ statement }}{% endblock %}

Each block is one message, in the order system, user, assistant; a solver's statement has one block, `text`. A directory of the
user's own (`--prompts DIR`, `REASONER_PROMPTS`) overrides single files. What a template may do is checked on its syntax tree before
it runs: no calls but `range`, no multiplication, loops at most two deep, a list of plain filters. What it does then is counted, and cut
(`reasoner.prompts.bounds`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.meta import find_undeclared_variables
from pydantic import BaseModel, ConfigDict

from reasoner.errors import BadTemplate, MissingAsset, UnknownName
from reasoner.files.bounded_toml import parse_toml
from reasoner.prompts.bounds import WORK, CountingEnvironment, Work
from reasoner.prompts.places import own_path, template_names, template_path
from reasoner.types import Message, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

MAX_RENDERED_BYTES = 1 << 20
MAX_TEMPLATE_BYTES = 1 << 17
MAX_RANGE = 1000
MAX_LOOP_DEPTH = 2
FENCE = "+++\n"

_ROLES: tuple[Role, ...] = ("system", "user", "assistant")
_FILTERS = frozenset(
    [
        "trim",
        "upper",
        "lower",
        "capitalize",
        "title",
        "length",
        "count",
        "default",
        "d",
        "join",
        "first",
        "last",
        "replace",
        "reverse",
        "sort",
        "unique",
        "list",
        "string",
        "int",
        "tojson",
        "round",
        "abs",
        "min",
        "max",
        "sum",
        "indent",
    ]
)
_FORBIDDEN = (
    nodes.Import,
    nodes.FromImport,
    nodes.Include,
    nodes.Extends,
    nodes.Macro,
    nodes.CallBlock,
    nodes.Mul,
    nodes.Pow,
    nodes.Mod,
    nodes.AssignBlock,
    nodes.FilterBlock,
    nodes.ScopedEvalContextModifier,
)


_NO_VALUES = frozenset(["range", "loop", "self", "super"])
"""Names that stand for functions or for parts of the rendering: `range(3)` and `loop.index` are fine, the thing itself is none to print."""


class FrontMatter(BaseModel):
    """The head of a template file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    variables: tuple[str, ...] = ()


def _range(*args: int) -> range:
    made = range(*args)
    if len(made) > MAX_RANGE:
        raise BadTemplate(f"range of {len(made)} items in a template", hint=f"at most {MAX_RANGE} are allowed")
    return made


_ENV = CountingEnvironment(_FILTERS)
_ENV.globals["range"] = _range


@dataclass(frozen=True)
class Prompt:
    """One loaded template. `hash` is the sha256 of the file's bytes: it is kept in every call row."""

    name: str
    hash: str
    version: int
    variables: tuple[str, ...]
    path: Path
    _template: Template = field(repr=False, compare=False)

    def render(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """Render the role blocks into messages, in the order system, user, assistant; blank blocks are left out.

        Raises:
            BadTemplate: a variable is missing or undefined, or the text grows over 1 MiB.
        """
        rendered = [(role, self._block(role, variables)) for role in _ROLES if role in self._template.blocks]
        return tuple(Message(role, text) for role, text in rendered if text)

    def render_text(self, variables: Mapping[str, Any]) -> str:
        """Render the block `text` (statements of problems).

        Raises:
            BadTemplate: as for `render`, or there is no such block.
        """
        return self._block("text", variables)

    def _block(self, block: str, variables: Mapping[str, Any]) -> str:
        if block not in self._template.blocks:
            raise BadTemplate(
                f"template {self.name} ({self.path}) has no block {block!r}", hint="add {% block " + block + " %}…{% endblock %}"
            )
        missing = [name for name in self.variables if name not in variables]
        if missing:
            raise BadTemplate(
                f"template {self.name} ({self.path}) was not given {missing[0]!r}", hint=f"given: {', '.join(sorted(variables))}"
            )
        pieces: list[str] = []
        size_bytes = 0
        try:
            context = self._template.new_context({**variables, WORK: Work()})
            for piece in self._template.blocks[block](context):
                size_bytes += len(piece.encode("utf-8", "surrogatepass"))
                if size_bytes > MAX_RENDERED_BYTES:
                    raise BadTemplate(
                        f"template {self.name} ({self.path}) renders to more than {MAX_RENDERED_BYTES} bytes",
                        hint="shorten what it is given",
                    )
                pieces.append(piece)
        except UndefinedError as error:
            raise BadTemplate(
                f"template {self.name} ({self.path}): {error.message}", hint="define it in the front matter and pass it, or remove it"
            ) from error
        except RecursionError as error:
            raise BadTemplate(f"template {self.name} ({self.path}) makes values that are nested too deeply", hint="nest less") from error
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise BadTemplate(f"template {self.name} ({self.path}) failed: {error}", hint="correct the template") from error
        return "".join(pieces).strip()


def load_prompt(name: str, path: Path, *, plain: bool = False) -> Prompt:
    """Read, check and compile one template file; with `plain` also one without front matter and blocks, which is then the user's message.

    Raises:
        BadTemplate: front matter, syntax, an undeclared variable or something a template may not do; with file and line.
    """
    data = path.read_bytes()
    if len(data) > MAX_TEMPLATE_BYTES:
        raise BadTemplate(f"template {name} ({path}) has {len(data)} bytes", hint=f"at most {MAX_TEMPLATE_BYTES} are allowed")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadTemplate(f"template {name} ({path}) is not UTF-8", hint="save it as UTF-8") from error
    text = text.replace("\r\n", "\n")
    bare = plain and not text.startswith(FENCE)
    head, body, offset = (FrontMatter(version=1), text, 0) if bare else _split(name, path, text)
    if bare and "{% block" not in body:
        body = f"{{% block user %}}{body}{{% endblock %}}"
    try:
        tree = _ENV.parse(body)
        if bare:
            head = FrontMatter(version=1, variables=tuple(sorted(find_undeclared_variables(tree) - {"range"})))
        _check_tree(name, path, tree, offset)
        template = _ENV.from_string(tree)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"template {name} ({path}, line {error.lineno + offset}): {error.message}", hint="correct the syntax") from error
    except (RecursionError, SyntaxError, MemoryError) as error:  # what Jinja2's reader and Python's say of depth
        raise BadTemplate(f"template {name} ({path}) is nested too deeply", hint="nest less") from error
    undeclared = find_undeclared_variables(tree) - set(head.variables) - {"range"}
    if undeclared:
        used = min(undeclared)
        line = next((n.lineno for n in tree.find_all(nodes.Name) if n.name == used), 0) + offset
        raise BadTemplate(
            f"template {name} ({path}, line {line}) uses the undefined variable {used!r}",
            hint=f"declared are: {', '.join(head.variables) or 'none'}",
        )
    return Prompt(name, hashlib.sha256(data).hexdigest(), head.version, head.variables, path, template)


def _split(name: str, path: Path, text: str) -> tuple[FrontMatter, str, int]:
    if not text.startswith(FENCE) or (end := text.find("\n" + FENCE, 3)) < 0:
        raise BadTemplate(f"template {name} ({path}) has no front matter", hint="start it with +++, version = 1, variables = [...], +++")
    head = text[len(FENCE) : end + 1]
    try:
        front = FrontMatter.model_validate(parse_toml(head))
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise BadTemplate(
            f"template {name} ({path}): front matter cannot be read: {first}", hint="it is TOML with version and variables"
        ) from error
    return front, text[end + 1 + len(FENCE) :], head.count("\n") + 2


def _check_tree(name: str, path: Path, tree: nodes.Template, offset: int) -> None:
    """Refuse what could run without bound; see the module docstring."""

    def refuse(node: nodes.Node, what: str) -> BadTemplate:
        return BadTemplate(
            f"template {name} ({path}, line {node.lineno + offset}) uses {what}, which templates may not do",
            hint="see docs/reference/prompts.md",
        )

    asked: set[nodes.Node] = set()

    def visit(node: nodes.Node, depth: int) -> None:
        if isinstance(node, _FORBIDDEN):
            raise refuse(node, type(node).__name__.lower())
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise refuse(node, f"the filter {node.name!r}")
        if isinstance(node, nodes.Call):
            if not (isinstance(node.node, nodes.Name) and node.node.name == "range"):
                raise refuse(node, "a call")
            asked.add(node.node)
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop":
            asked.add(node.node)
        if isinstance(node, nodes.Name) and node.name in _NO_VALUES and node not in asked:
            raise refuse(node, f"{node.name!r} as a value")
        if isinstance(node, nodes.Const) and isinstance(node.value, int) and abs(node.value) > 10**6:
            raise refuse(node, "a number over a million")
        if isinstance(node, nodes.For):
            depth += 1
            if depth > MAX_LOOP_DEPTH or node.recursive:
                raise refuse(node, f"loops more than {MAX_LOOP_DEPTH} deep")
        for child in node.iter_child_nodes():
            visit(child, depth)

    visit(tree, 0)


class Prompts:
    """All templates: those shipped, those of packages and scripts, and single ones overridden by a directory of the user's own.

    `Prompts("mine").get("cot/answer")` reads `mine/cot/answer.jinja` if there is one, else the shipped file (see `reasoner.prompts.places`).
    """

    def __init__(self, override: Path | str | None = None) -> None:
        chosen = override or os.environ.get("REASONER_PROMPTS") or None
        self.override = Path(chosen) if chosen else None
        if self.override is not None and not self.override.is_dir():
            raise MissingAsset(
                f"the prompt directory {self.override} does not exist", hint="`prompts` and REASONER_PROMPTS name a directory"
            )
        self._loaded: dict[str, Prompt] = {}

    def get(self, name: str) -> Prompt:
        """Return a template by name.

        Raises:
            UnknownName: there is no such template.
            MissingAsset: a package or script did not bring the template of its strategy or solver along.
            BadTemplate: it cannot be used.
            BrokenPlugin: the package it belongs to cannot be loaded.
        """
        if name not in self._loaded:
            path = template_path(name, override=self.override)
            if path is None and (own := own_path(name)) is not None:
                raise MissingAsset(f"the template {name} is not there", hint=f"write it to {own}, or to a folder for --prompts")
            if path is None:
                raise UnknownName("template", name, self.names())
            self._loaded[name] = load_prompt(name, path)
        return self._loaded[name]

    def fingerprint(self, prefix: str) -> str:
        """Return one hash over every template whose name starts with `prefix`; it changes when any of them does.

        Raises:
            BrokenPlugin: the package they belong to cannot be loaded.
        """
        h = hashlib.sha256()
        for name in template_names(prefix, override=self.override):
            path = template_path(name, override=self.override)
            if path is not None:
                h.update(f"{name}={hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return h.hexdigest()

    def names(self) -> list[str]:
        """Return the names of all templates, sorted."""
        return template_names(override=self.override)
