"""The file that names MCP servers: the usual `mcpServers` form, with three fields of ours for each server.

    {"mcpServers": {
       "files": {"command": "uvx", "args": ["mcp-server-files"], "env": {"TOKEN": "${FILES_TOKEN}"}, "tools": ["read"], "effect": "pure"},
       "web":   {"url": "https://host/mcp", "headers": {"Authorization": "Bearer ${WEB_TOKEN}"}, "effect": {"fetch": "once"}}}}

`tools` is the list of tools that may be used (all, where it is missing); `effect` is that of all tools or of single ones (`approve` where nothing is
said); `timeout_s` is how long one call may take. `${NAME}` is filled in from the environment, and only there: a server is given no other variable
but those a program needs to run.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reasoner.errors import BadConfig
from reasoner.files.devices import ending
from reasoner.redaction import remember
from reasoner.tools._tool import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SERVERS = 32
MAX_CONFIG_BYTES = 1 << 20
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "LOGNAME", "SHELL", "TERM")
"""What every server gets of our environment; everything else has to be named in the file."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Server(BaseModel):
    """One server: a command, or a URL."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    tools: tuple[str, ...] | None = None
    effect: Effect | dict[str, Effect] = "approve"
    timeout_s: float = Field(default=60.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _one_of_two(self) -> Server:
        if (self.command is None) == (self.url is None):
            raise ValueError("it has to have a command or a url, and not both")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError("its url has to begin with http:// or https://")
        return self

    def effect_of(self, tool: str) -> Effect:
        """Return the effect of one of its tools."""
        return self.effect.get(tool, "approve") if isinstance(self.effect, dict) else self.effect


def read_config(path: Path, environment: Mapping[str, str] | None = None) -> dict[str, Server]:
    """Return the servers of a file by name, with variables filled in.

    Raises:
        BadConfig: the file cannot be read, is not of that form, or names a variable that is not set.
    """
    try:
        if ending(path).stat().st_size > MAX_CONFIG_BYTES:
            raise BadConfig(f"the file {path} is larger than {MAX_CONFIG_BYTES >> 20} MiB", hint="name the servers only")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadConfig(
            f"the file {path} cannot be read: {error}", hint='it is JSON: {"mcpServers": {"NAME": {"command": ...}}}'
        ) from error
    servers = found.get("mcpServers") if isinstance(found, dict) else None
    if not isinstance(servers, dict) or not servers or len(servers) > MAX_SERVERS:
        raise BadConfig(
            f"the file {path} has no 'mcpServers' with 1 to {MAX_SERVERS} servers", hint='write {"mcpServers": {"NAME": {...}}}'
        )
    made = {}
    for name, value in servers.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name):
            raise BadConfig(f"{path}: {name[:80]!r} cannot be the name of a server", hint="use letters, digits, - and _, at most 32")
        try:
            server = Server.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise BadConfig(
                f"{path}: server {name}: {'.'.join(map(str, first['loc']))} {first['msg']}", hint="see docs/guides/agents.md for its fields"
            ) from None
        made[name] = _filled(server, name, os.environ if environment is None else environment)
    return made


def environment_of(server: Server, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return all that a server's process has for its environment."""
    ours = os.environ if environment is None else environment
    return {**{name: ours[name] for name in PASSED_ON if name in ours}, **server.env}


def _filled(server: Server, name: str, environment: Mapping[str, str]) -> Server:
    def fill(value: str) -> str:
        def variable(found: re.Match[str]) -> str:
            if found[1] not in environment:
                raise BadConfig(f"server {name} needs the variable {found[1]}, which is not set", hint=f"export {found[1]}=...")
            remember(environment[found[1]])
            return environment[found[1]]

        return _VARIABLE.sub(variable, value)

    return server.model_copy(
        update={"env": {key: fill(value) for key, value in server.env.items()}, "headers": {k: fill(v) for k, v in server.headers.items()}}
    )
