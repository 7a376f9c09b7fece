"""Names that are no files: devices, pipes and links, which are neither replaced by a file nor read without an end.

ending(Path("/dev/zero"))      raises OSError: it is a device       ending(Path("rows.jsonl"))  ->  the path
in_place(Path("/dev/null"))    ->  True: written into, never replaced by a file
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def ending(path: Path) -> Path:
    """Return the path, where reading it comes to an end: a file, a pipe, a terminal, `/dev/null`, or nothing at all.

    Raises:
        OSError: it is a disk, or a device that never ends (`/dev/zero`, `/dev/full`, `/dev/urandom`).
    """
    try:
        there = os.stat(path)  # noqa: PTH116 - a path that cannot be one is told by whoever opens it
    except (OSError, ValueError):
        return path
    if stat.S_ISBLK(there.st_mode) or (stat.S_ISCHR(there.st_mode) and not _is_quiet(path, there)):
        raise OSError(errno.ENODEV, "it is a device")
    return path


def in_place(path: Path) -> bool:
    """Tell whether a name stands for a device or a pipe: what is written to it goes there, and its name stays what it is.

    Raises:
        OSError: it is a disk, or a socket.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return False
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise OSError(errno.ENODEV, "it is a disk" if stat.S_ISBLK(mode) else "it is a socket")
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _is_quiet(path: Path, there: os.stat_result) -> bool:
    """Tell whether a character device is the empty one, or a terminal, which ends when its user says so."""
    if there.st_rdev == os.stat(os.devnull).st_rdev:  # noqa: PTH116
        return True
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return True  # whoever opens it says why not
    try:
        return os.isatty(handle)
    finally:
        os.close(handle)
