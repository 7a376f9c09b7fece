"""Write rows as JSON lines, atomically: a reader sees the whole file or none.

Lines are ASCII (other characters are escaped), so U+2028 and its kin cannot split a line. Knows files; knows no format.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write the rows to `path` and return how many; with no row at all, no file is made.

    Raises:
        DataError: the file cannot be written.
    """
    n_rows = 0
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "w", encoding="ascii", newline="\n") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=True, allow_nan=False) + "\n")
                n_rows += 1
            file.flush()
            os.fsync(file.fileno())
        if n_rows:
            Path(temporary).replace(path)
            temporary = None
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}", hint="name a writable file with room on its disk") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return n_rows
