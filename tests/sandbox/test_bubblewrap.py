"""Programs under bubblewrap: what they can do, what bounds them, and that none gets out. Without bubblewrap: that nothing is run."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest
from attempts import CanaryPort, shell_commands

from reasoner.errors import SandboxMissing
from reasoner.sandbox import bubblewrap, seccomp
from reasoner.sandbox.bubblewrap import Ended, ProgramLimits

CANARY = "canary-c0b2f9a41d"
needs_bubblewrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed on this machine")


async def sh(command: str, *, folder: bytes = b"", limits: ProgramLimits | None = None) -> Ended:
    return await bubblewrap.run(["/bin/sh", "-c", command], folder=folder, limits=limits)


async def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxMissing, match="install bubblewrap"):
        await bubblewrap.run(["/bin/sh", "-c", f"touch {tmp_path}/ran"])
    assert not (tmp_path / "ran").exists()


async def test_one_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho bubblewrap 0.6.1\n", encoding="utf-8")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxMissing, match=r"0\.6"):
        bubblewrap.find()


async def test_one_that_is_not_allowed_namespaces_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    barred = tmp_path / "bwrap"
    barred.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo bubblewrap 0.9.0 && exit\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n",
        encoding="utf-8",
    )
    barred.chmod(0o755)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if str(parent).startswith("/tmp/") and parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o055)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxMissing, match=r"cannot make a sandbox here.*namespace"):
        await bubblewrap.check()


ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050001
"""SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ERRNO with EPERM (linux/seccomp.h)."""
MACHINES = {"x86_64": (0xC000003E, 101, 41), "aarch64": (0xC00000B7, 117, 198)}
"""AUDIT_ARCH (linux/audit.h), and the numbers of ptrace and socket (asm/unistd.h)."""


def test_the_filter_is_well_formed() -> None:
    for machine, (arch, ptrace, socket) in MACHINES.items():
        rules = seccomp.filter_bytes(machine)
        assert rules is not None
        assert len(rules) % 8 == 0
        assert len(rules) // 8 < 4096
        assert _judge(rules, arch=arch, number=ptrace) == REFUSE
        assert _judge(rules, arch=arch, number=0) == ALLOW
        for family, verdict in ((1, ALLOW), (2, ALLOW), (10, ALLOW), (40, REFUSE), (16, REFUSE)):
            assert _judge(rules, arch=arch, number=socket, first=family) == verdict
        assert _judge(rules, arch=0x40000003, number=0) == KILL
    x86 = seccomp.filter_bytes("x86_64")
    assert x86 is not None
    assert _judge(x86, arch=MACHINES["x86_64"][0], number=0x40000000 | 101) == KILL
    assert seccomp.filter_bytes("riscv64") is None


def _judge(rules: bytes, *, arch: int, number: int, first: int = 0) -> int:
    """Run the filter as the kernel would: four instructions are all it has."""
    import struct

    steps = list(struct.iter_unpack("<HBBI", rules))
    data = {0: number, 4: arch, 16: first}
    at, held = 0, 0
    while True:
        code, then, otherwise, value = steps[at]
        if code == 0x20:
            held = data[value]
        elif code == 0x06:
            return int(value)
        else:
            at += then if (held == value if code == 0x15 else held >= value) else otherwise
        at += 1


@needs_bubblewrap
async def test_a_program_runs_and_its_folder_stays() -> None:
    first = await sh("echo hi > a; mkdir b; cat a; exit 3")
    assert (first.output, first.exit_code, first.stopped) == ("hi\n", 3, "")
    assert first.folder is not None
    second = await sh("cat a; ls; id -u; hostname", folder=first.folder)
    assert second.output == "hi\na\nb\n65534\nsandbox\n"
    assert (
        await bubblewrap.run([bubblewrap.interpreter(), "-I", "-"], stdin=b"import fractions\nprint(fractions.Fraction(1, 3))")
    ).output == "1/3\n"


@needs_bubblewrap
async def test_a_stopped_program_leaves_no_folder() -> None:
    ended = await sh("echo x > a; sleep 100", limits=ProgramLimits(seconds=0.5))
    assert (ended.folder, ended.stopped) == (None, "it ran longer than 0.5 s")


@needs_bubblewrap
async def test_a_cancelled_program_is_ended() -> None:
    running = asyncio.ensure_future(sh("sleep 4242"))
    await asyncio.sleep(0.5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not await _left("sleep 4242")


async def _left(what: str) -> bool:
    """Tell whether a process of that command line is still there after a moment."""
    for _ in range(40):
        lines = [path.read_bytes().replace(b"\0", b" ") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        if not any(line.strip() == what.encode() for line in lines):
            return False
        await asyncio.sleep(0.05)
    return True


@pytest.mark.slow
@needs_bubblewrap
async def test_no_command_gets_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 100 commands: none reads the canary, writes outside, connects, gains a privilege, hangs, or leaves a process behind."""
    secret = tmp_path / "secret"
    secret.write_text(CANARY, encoding="utf-8")
    for parent in (secret, tmp_path):
        parent.chmod(0o755)  # were it not for the sandbox, anybody could read it
    monkeypatch.setenv("CANARY", CANARY)
    commands = shell_commands()
    assert len(set(commands)) == len(commands) >= 100
    limits = ProgramLimits(seconds=1.0, processor_seconds=1, memory_bytes=256 << 20, disk_bytes=16 << 20, files=500, processes=32)
    escaped, hung = [], []
    before = _files("/usr/out", "/out", "/etc/out", "/dev/shm/out")
    with CanaryPort() as port:
        for command in commands:
            filled = command.replace("{secret}", str(secret)).replace("{folder}", str(tmp_path)).replace("{port}", str(port.number))
            started = time.monotonic()
            ended = await sh(filled.replace("{{", "{").replace("}}", "}"), limits=limits)
            if time.monotonic() - started > 60:
                hung.append(command)
            if (
                CANARY in ended.output
                or "ESCAPED" in ended.output
                or "root:x:" in ended.output
                or port.reached
                or [path.name for path in tmp_path.iterdir()] != ["secret"]
            ):
                escaped.append((command, ended.output[:300]))
    assert (escaped, hung) == ([], [])
    assert _files("/usr/out", "/out", "/etc/out", "/dev/shm/out") == before
    assert secret.read_text(encoding="utf-8") == CANARY
    for left in ("sleep 1000", "sleep 7171", "sleep 7172", "sleep 50", "sleep 30"):
        assert not await _left(left), left


def test_a_folder_of_this_machine_is_not_taken_for_the_scratch_folder(tmp_path: Path) -> None:
    assert bubblewrap.scratch_files(os.getpid(), str(tmp_path)) == 0


def _files(*names: str) -> list[bool]:
    return [Path(name).exists() for name in names]
