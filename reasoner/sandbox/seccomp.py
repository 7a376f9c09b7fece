"""A seccomp filter for programs in bubblewrap: system calls that a text-processing program never needs fail with EPERM.

The namespaces are the wall; this is the second one, against faults in the kernel behind rarely used calls (key rings, io_uring, BPF, new
namespaces) and against socket families that a network namespace does not hold back (vsock). It is a list of what is refused, so that
programs work as usual; it exists for x86-64 and for 64-bit ARM.

    filter_bytes() -> the program as `bwrap --seccomp` reads it, or None on another processor

Source: `linux/seccomp.h`, `linux/filter.h`; the numbers are those of the kernel's system call tables.
"""

from __future__ import annotations

import platform
import struct

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # SECCOMP_RET_ALLOW, _KILL_PROCESS, _ERRNO with EPERM
_NUMBER_AT, _ARCH_AT, _FIRST_ARGUMENT_AT = (
    0,
    4,
    16,
)  # offsets in `struct seccomp_data`; the low half of an argument on a little-endian machine
_LOCAL, _INTERNET, _INTERNET6 = 1, 2, 10  # AF_UNIX, AF_INET, AF_INET6: all that is left of the last two is the empty loopback
_X32_BIT = 0x40000000

_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SOCKET = {"x86_64": 41, "aarch64": 198}
_REFUSED = {
    "x86_64": {
        "ptrace": 101, "syslog": 103, "personality": 135, "pivot_root": 155, "acct": 163, "mount": 165, "umount2": 166, "swapon": 167,
        "swapoff": 168, "reboot": 169, "init_module": 175, "delete_module": 176, "quotactl": 179, "add_key": 248, "request_key": 249,
        "keyctl": 250, "migrate_pages": 256, "unshare": 272, "move_pages": 279, "perf_event_open": 298, "fanotify_init": 300,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        "finit_module": 313, "kexec_load": 246, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
        "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
        "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442, "chroot": 161,
    },
    "aarch64": {
        "ptrace": 117, "syslog": 116, "personality": 92, "pivot_root": 41, "acct": 89, "mount": 40, "umount2": 39, "swapon": 224,
        "swapoff": 225, "reboot": 142, "init_module": 105, "delete_module": 106, "quotactl": 60, "add_key": 217, "request_key": 218,
        "keyctl": 219, "migrate_pages": 238, "unshare": 97, "move_pages": 239, "perf_event_open": 241, "fanotify_init": 262,
        "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "finit_module": 273, "kexec_load": 104, "kexec_file_load": 294, "bpf": 280, "userfaultfd": 282, "io_uring_setup": 425,
        "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
        "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442, "chroot": 51,
    },
}  # fmt: skip


def filter_bytes(machine: str | None = None) -> bytes | None:
    """Return the filter for a processor (this one's), None where there is none."""
    machine = machine or platform.machine()
    if machine not in _ARCH:
        return None
    steps = [_step(_LOAD, _ARCH_AT), _step(_EQUAL, _ARCH[machine], then=1), _step(_RETURN, _KILL), _step(_LOAD, _NUMBER_AT)]
    if machine == "x86_64":
        steps += [_step(_AT_LEAST, _X32_BIT, otherwise=1), _step(_RETURN, _KILL)]
    for number in _REFUSED[machine].values():
        steps += [_step(_EQUAL, number, otherwise=1), _step(_RETURN, _REFUSE)]
    steps += [_step(_EQUAL, _SOCKET[machine], otherwise=5), _step(_LOAD, _FIRST_ARGUMENT_AT)]
    steps += [_step(_EQUAL, _LOCAL, then=3), _step(_EQUAL, _INTERNET, then=2), _step(_EQUAL, _INTERNET6, then=1), _step(_RETURN, _REFUSE)]
    steps.append(_step(_RETURN, _ALLOW))
    return b"".join(steps)


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """Return one instruction; `then` and `otherwise` are how many to skip after a comparison."""
    return struct.pack("<HBBI", code, then, otherwise, value)
