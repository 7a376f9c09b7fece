r"""Run one program that nobody has read, under bubblewrap: no network, a read-only system, a scratch folder in memory, limits on everything.

Inside there are `/usr`, the libraries, a few files of `/etc`, an empty `/tmp`, `/proc` of its own processes only, and the scratch folder
`/work`; no home, no environment, no other process, no privilege. The scratch folder never touches a disk: it is a memory file system of a
fixed size, packed into one block of bytes at the end, which the next program may be given. That block is hostile and is only ever unpacked
inside a sandbox.

    await run(["/bin/sh", "-c", "echo hi > a; cat a"])
    -> Ended(output="hi\n", exit_code=0, folder=b"...")

Where bubblewrap is not installed, or the kernel does not allow namespaces, it raises `SandboxMissing` and runs nothing. Knows processes; does not
know what the program is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import SandboxMissing
from reasoner.sandbox.seccomp import filter_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INSTALL = "install bubblewrap 0.8 or newer (apt install bubblewrap, dnf install bubblewrap) and allow user namespaces; the tool python needs neither"

_OLDEST = (0, 8)
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime")
_NOBODY = 65534
_LOOK_S = 0.05
_READ_BYTES = 65_536
_MAX_READ_BYTES = 8 << 20
"""A program that writes more than this to its output is ended."""

# `limits` sets what holds for every process below it, unpacks the folder, runs the program and packs the folder. Descriptors are opened by
# name, since a shell may not know numbers above 9.
_SCRIPT = (
    'ulimit -c 0; ulimit -t "$1"; ulimit -v "$2"; ulimit -f "$3"; ulimit -n 256; ulimit "$4" "$5"; before=$6; after=$7; shift 7;'
    ' [ "$before" = - ] || tar -xf "/proc/self/fd/$before" || exit 125; "$@"; code=$?; exec 2>/dev/null;'
    ' tar -cf "/proc/self/fd/$after" . || : > "/proc/self/fd/$after"; exit $code'
)


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What one program may use at most. `seconds` is wall clock; `processor_seconds` and `memory_bytes` hold for each of its processes."""

    seconds: float = 15.0
    processor_seconds: int = 10
    memory_bytes: int = 512 << 20
    processes: int = 64
    disk_bytes: int = 64 << 20
    files: int = 5000
    output_bytes: int = 64 << 10


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    `stopped` says which limit ended it, empty where it ended by itself; `cut` is how many bytes of output are left out; `folder` is its
    scratch folder afterwards, None where it could not be kept.
    """

    output: str
    exit_code: int
    stopped: str = ""
    cut: int = 0
    folder: bytes | None = None


def find() -> str:
    """Return the path of bubblewrap.

    Raises:
        SandboxMissing: it is not installed, is too old, or this is no Linux.
    """
    found = shutil.which("bwrap")
    if found is None or sys.platform != "linux":
        raise SandboxMissing(
            "bubblewrap (bwrap) is not on this machine, and programs that a model writes run in nothing else", hint=INSTALL
        )
    if (version := _version(found)) < _OLDEST:
        raise SandboxMissing(f"bubblewrap at {found} has version {'.'.join(map(str, version)) or 'unknown'}", hint=INSTALL)
    return found


@cache
def _version(path: str) -> tuple[int, ...]:
    try:
        told = subprocess.run([path, "--version"], capture_output=True, timeout=10, check=False, env={}).stdout.decode("utf-8", "replace")  # noqa: S603 - found on the user's PATH
    except (OSError, subprocess.TimeoutExpired):
        return ()
    number = re.search(r"(\d+)\.(\d+)", told)
    return (int(number[1]), int(number[2])) if number else ()


async def check() -> None:
    """See whether a sandbox can be made here.

    Raises:
        SandboxMissing: it cannot; the message has what bubblewrap says.
    """
    ended = await run(["/bin/sh", "-c", "exit 0"])
    if ended.exit_code != 0:
        raise SandboxMissing(f"bubblewrap cannot make a sandbox here: {ended.output.strip()[:300]}", hint=INSTALL)


def arguments(program: Sequence[str], *, limits: ProgramLimits, before: int | None, after: int, info: int, rules: int | None) -> list[str]:
    """Return the command line that runs a program; the numbers are those of open descriptors."""
    line = [
        find(), "--unshare-all", "--unshare-user", "--uid", str(_NOBODY), "--gid", str(_NOBODY), "--disable-userns", "--hostname", "sandbox",
        "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--info-fd", str(info), "--clearenv", "--setenv", "HOME", "/work",
        "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8", "--setenv", "PYTHONDONTWRITEBYTECODE", "1",
    ]  # fmt: skip
    for folder in _SYSTEM:
        path = Path(folder)
        if path.is_symlink():
            line += ["--symlink", str(path.readlink()), folder]
        elif path.is_dir():
            line += ["--ro-bind", folder, folder]
    for name in _SETTINGS:
        line += ["--ro-bind-try", name, name]
    if own := _own_interpreter():
        line += ["--ro-bind", str(own.parent.parent), str(own.parent.parent)]
    line += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    line += ["--size", str(limits.disk_bytes), "--tmpfs", "/work", "--symlink", "/work", "/tmp", "--chdir", "/work", "--remount-ro", "/"]  # noqa: S108 - inside the sandbox
    if rules is not None:
        line += ["--seccomp", str(rules)]
    bash = Path("/bin/bash").exists()
    shell = ["/bin/bash", "--norc", "--noprofile"] if bash else ["/bin/sh"]
    settings = (
        limits.processor_seconds, limits.memory_bytes // 1024, limits.disk_bytes // (1024 if bash else 512), "-u" if bash else "-p",
        limits.processes, "-" if before is None else before, after,
    )  # fmt: skip
    return [*line, "--", *shell, "-c", _SCRIPT, "limits", *map(str, settings), *program]


def interpreter() -> str:
    """Return the Python to run programs with inside: the one that runs us where the sandbox may see it, else the system's.

    Raises:
        SandboxMissing: there is none.
    """
    candidates = [_own_interpreter(), *(Path(name) for name in ("/usr/local/bin/python3", "/usr/bin/python3"))]
    for path in candidates:
        if path is not None and path.exists():
            return str(path)
    raise SandboxMissing("no Python stands where a sandbox may see it", hint="install the system's python3")


@cache
def _own_interpreter() -> Path | None:
    """Return our interpreter without its virtual environment where it stands outside `/usr` and is open to everybody, else None."""
    path = Path(sys.base_prefix).resolve() / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    readable = path.exists() and all(parent.stat().st_mode & 0o001 for parent in path.parents)
    return path if readable and not path.is_relative_to("/usr") else None


async def run(program: Sequence[str], *, folder: bytes = b"", stdin: bytes = b"", limits: ProgramLimits | None = None) -> Ended:
    """Run a program to its end, or to the first limit it meets; `folder` is what an earlier one left.

    Raises:
        SandboxMissing: there is no bubblewrap.
    """
    limits = limits or ProgramLimits()
    find()
    with contextlib.ExitStack() as opened:
        rules, before, after = (opened.enter_context(_memory(data)) for data in (filter_bytes(), folder or None, b""))
        told, tell = os.pipe()
        opened.callback(os.close, told)
        passed = [number for number in (rules, before, after, tell) if number is not None]
        root = os.geteuid() == 0
        line = arguments(program, limits=limits, before=before, after=after or 0, info=tell, rules=rules)
        try:
            # Limits on the number of processes do not hold for the root of the machine, so its sandboxes belong to nobody.
            process = await asyncio.create_subprocess_exec(
                *line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={},
                start_new_session=True, pass_fds=passed, user=_NOBODY if root else None, group=_NOBODY if root else None,
                extra_groups=[] if root else None,
            )  # fmt: skip
        finally:
            os.close(tell)
        try:
            output, stopped = await _follow(process, told, limits, stdin)
        finally:
            _end(process)
            await process.wait()
        kept = None if stopped or after is None else _content(after, limits.disk_bytes)
    return Ended(output.text(), process.returncode or 0, stopped, output.cut, kept)


@contextlib.contextmanager
def _memory(data: bytes | None) -> Iterator[int | None]:
    """Give a descriptor of a file in memory that holds the data; None for None."""
    if data is None:
        yield None
        return
    number = os.memfd_create("reasoner-sandbox")
    try:
        os.fchmod(number, 0o666)  # opened again by name inside, as somebody else
        view = memoryview(data)
        while view:
            view = view[os.write(number, view) :]
        os.lseek(number, 0, os.SEEK_SET)
        yield number
    finally:
        os.close(number)


def _content(number: int, limit: int) -> bytes | None:
    size = os.fstat(number).st_size
    return os.pread(number, size, 0) if 0 < size <= limit else None


async def _follow(process: asyncio.subprocess.Process, told: int, limits: ProgramLimits, stdin: bytes) -> tuple[_Output, str]:
    """Feed and read a program until it ends; what meets a limit is ended. Returns its output and which limit that was."""
    output = _Output(limits.output_bytes)
    feeding = asyncio.ensure_future(_feed(process, stdin))
    reading = asyncio.ensure_future(output.read(process.stdout))
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.seconds
    late = f"it ran longer than {limits.seconds:g} s"
    stopped, inside = "", None
    os.set_blocking(told, False)
    try:
        while not reading.done() and not stopped:
            await asyncio.wait({reading}, timeout=_LOOK_S)
            inside = inside or _first_process(told)
            if loop.time() > deadline:
                stopped = late
            elif output.n_bytes > _MAX_READ_BYTES:
                stopped = f"it wrote more than {_MAX_READ_BYTES >> 20} MiB"
            elif inside is not None and scratch_files(inside) > limits.files:
                stopped = f"its folder held more than {limits.files:,} files"
        if not stopped:
            try:
                await asyncio.wait_for(process.wait(), max(deadline - loop.time(), _LOOK_S))
            except TimeoutError:
                stopped = late  # it had closed its output and went on
    finally:
        _end(process)
        feeding.cancel()
        await asyncio.gather(feeding, reading, return_exceptions=True)
    return output, stopped


def _first_process(told: int) -> int | None:
    """Return the number of the sandbox's first process, as bubblewrap tells it; None as long as it has not."""
    try:
        return int(json.loads(os.read(told, 4096))["child-pid"])
    except (BlockingIOError, ValueError, KeyError, TypeError):
        return None


def scratch_files(inside: int, folder: str = "/work") -> int:
    """Count the files of a sandbox's scratch folder, as its file system counts them; 0 where this may not be asked.

    A sandbox that is still being set up has the root of this machine: a folder of that name here is not the sandbox's.
    """
    there, here = Path(f"/proc/{inside}/root{folder}"), Path(folder)
    try:
        if here.exists() and there.stat().st_dev == here.stat().st_dev:
            return 0
        found = os.statvfs(there)
    except OSError:
        return 0
    return found.f_files - found.f_ffree


async def _feed(process: asyncio.subprocess.Process, stdin: bytes) -> None:
    pipe = process.stdin
    if pipe is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(stdin)
        await pipe.drain()
        pipe.close()
        await pipe.wait_closed()


class _Output:
    """The beginning and the end of what a program writes."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._first = bytearray()
        self._last = bytearray()
        self.n_bytes = 0

    async def read(self, pipe: asyncio.StreamReader | None) -> None:
        # To the end, also when nobody wants it any more: asyncio takes a process for ended when its pipes are read empty.
        while pipe is not None and (data := await pipe.read(_READ_BYTES)):
            self.n_bytes += len(data)
            room = self._half - len(self._first)
            self._first += data[:room]
            self._last += data[max(0, room) :]
            del self._last[: -self._half]

    @property
    def cut(self) -> int:
        return self.n_bytes - len(self._first) - len(self._last)

    def text(self) -> str:
        first, last = (bytes(part).decode("utf-8", "replace") for part in (self._first, self._last))
        return f"{first}\n[{self.cut:,} bytes left out]\n{last}" if self.cut else first + last


def _end(process: asyncio.subprocess.Process) -> None:
    """End bubblewrap and, with it, every process of the sandbox (its first process dies with it, and the namespace with that one)."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
