"""Whether the files of a model are still those that the client looked at.

check_same_files([["model.gguf", 91730016, 1760000000000000000]])    # path, size, time of change in nanoseconds
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from reasoner.errors import BadConfig


def check_same_files(files: Iterable[tuple[str, int, int]]) -> None:
    """Refuse a model file that was replaced since the client looked at it: its fingerprint would be a lie.

    Raises:
        BadConfig: a file is gone, or its size or time of change is another.
    """
    for path, size, mtime_ns in files:
        try:
            found = os.stat(path)  # noqa: PTH116 - the path came as text and goes to native code as text
        except OSError as error:
            raise BadConfig(f"the model file {path} is gone: {error.strerror}", hint="put it back, or open another model") from error
        if (found.st_size, found.st_mtime_ns) != (size, mtime_ns):
            raise BadConfig(f"the model file {path} was changed after it had been opened", hint="start the run again")
