"""The real command line in a forked child: `reasoner.cli.main()` in a process of its own, without the second of imports before it.

A server process imports everything once; for each command it forks a child, which takes its arguments, environment, directory and
standard streams and then runs `main` as the console script does. What such a child is not: freshly executed. A part of the chaos tests
runs `python -m reasoner` besides.

    with Forks() as forks:
        child = forks.start(["list", "--json"], cwd=tmp_path)
        child.pid, child.wait() -> Ended(code=0, out="[…]", err="")

`prelude` is Python source that runs in the child before `main`: a limit to set, a clock to move.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SERVER = """
import codecs, gc, importlib, json, os, signal, sys, traceback
import bm25s, httpx, numpy, sqlite_utils  # pandas behind it does not bear a clock that was moved
import reasoner.api.solve, reasoner.cli.app, reasoner.cli.output, reasoner.clients.openai, reasoner.runs.plan, reasoner.prompts.templates, reasoner.runs.runner
import reasoner.calling.caller, reasoner.runs.heartbeat, reasoner.runs.results, reasoner.runs.saved_plan, reasoner.runs.assemble, reasoner.store.earlier
import reasoner.store.crash, reasoner.api.translate, reasoner.translation.library, reasoner.comparison.reversal
from reasoner import registry
"\\n".encode().decode("unicode-escape")  # what jinja2 needs late; a child under another user may not reach the modules any more
for encoding in ("ascii", "latin-1", "utf-8", "idna"):
    codecs.lookup(encoding)
for kind in ("strategy", "solver", "client"):
    for name in registry.names(kind):
        registry.find(kind, name)
sys.stdout.write("ready\\n"); sys.stdout.flush()
gc.freeze()
while line := sys.stdin.readline():
    given = json.loads(line)
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            for number, name in ((0, os.devnull), (1, given["out"]), (2, given["err"])):
                fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
                os.dup2(fd, number); os.close(fd)
            sys.stdin = open(0); sys.stdout = open(1, "w"); sys.stderr = open(2, "w")
            os.chdir(given["cwd"]); os.environ.update(given["env"])
            signal.signal(signal.SIGINT, signal.default_int_handler)
            importlib.reload(reasoner.store.crash)
            exec(given["prelude"])
            sys.argv = ["reasoner", *given["args"]]
            reasoner.cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        except BaseException:
            sys.excepthook(*sys.exc_info()); code = 1
        finally:
            for stream in (sys.stdout, sys.stderr):
                try: stream.flush()
                except BaseException: code = code or 1
            os._exit(code)
    sys.stdout.write(f"{pid}\\n"); sys.stdout.flush()
    sys.stdin.readline()  # its number stays its own until whoever may kill it asks how it ended
    _, status = os.waitpid(pid, 0)
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\\n"); sys.stdout.flush()
"""


def plain_environment() -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("REASONER_", "OPENAI_"))} | {"REASONER_THREADS": "1"}


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (minus the signal when one killed it) and what it printed."""

    code: int
    out: str
    err: str


class Child:
    """A command under way. One at a time for each `Forks`."""

    def __init__(self, pid: int, server: Any, out: Path, err: Path) -> None:
        self.pid = pid
        self._server = server
        self._out, self._err = out, err

    def wait(self) -> Ended:
        self._server.stdin.write("wait\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        ended = Ended(code, self._out.read_text("utf-8", "replace"), self._err.read_text("utf-8", "replace"))
        self._out.unlink()
        self._err.unlink()
        return ended


class Forks:
    """One server process; closed at the end of the `with`. `prefix` is a command that starts it elsewhere: in a namespace of its own, say."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._numbers = itertools.count()
        self._folder = tempfile.TemporaryDirectory()
        self._server = subprocess.Popen(
            [*prefix, sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain_environment()
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"

    def start(self, args: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None, prelude: str = "") -> Child:
        number = next(self._numbers)
        out, err = (Path(self._folder.name) / f"{number}.{name}" for name in ("out", "err"))
        for path in (out, err):
            path.touch()  # a child may be killed before it would
        given = {"args": [*map(str, args)], "cwd": str(cwd), "env": dict(env or {}), "out": str(out), "err": str(err), "prelude": prelude}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(given) + "\n")
        self._server.stdin.flush()
        return Child(int(self._server.stdout.readline()), self._server, out, err)

    def run(self, args: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None, prelude: str = "") -> Ended:
        return self.start(args, cwd=cwd, env=env, prelude=prelude).wait()

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()
        self._folder.cleanup()
