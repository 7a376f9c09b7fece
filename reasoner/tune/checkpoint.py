"""Checkpoints: what a killed training needs to go on, written whole or not at all beside the adapter that is to be.

    out/adapter.gguf.checkpoint/state.pt        adapter, optimizer, place in the data, losses so far, what training it is

Knows one directory and one file in it; knows nothing of what is trained. Loading reads tensors and plain values only.
"""

from __future__ import annotations

import os
import pickle
import shutil
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, DataError

if TYPE_CHECKING:
    from pathlib import Path


class Checkpoint:
    """The checkpoint of one adapter file."""

    def __init__(self, adapter: Path, identity: str) -> None:
        self.folder = adapter.with_name(adapter.name + ".checkpoint")
        self.identity = identity
        self._file = self.folder / "state.pt"

    def load(self) -> dict[str, Any] | None:
        """Return what was saved, None when there is nothing.

        Raises:
            BadConfig: it belongs to another training, or is damaged.
        """
        if not self._file.is_file():
            return None
        import torch  # noqa: PLC0415 - the extra, loaded when it is used

        try:
            state: dict[str, Any] = torch.load(self._file, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise BadConfig(f"the checkpoint {self.folder} cannot be read", hint="start over with `fresh`") from error
        if state.get("identity") != self.identity:
            raise BadConfig(
                f"the checkpoint {self.folder} belongs to a training with other data, options or base",
                hint="start over with `fresh`, or name another `out`",
            )
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace what was saved.

        Raises:
            DataError: it cannot be written.
        """
        import torch  # noqa: PLC0415

        part = self.folder / f"state.{os.getpid()}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                torch.save({**state, "identity": self.identity}, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._file)
        except OSError as error:
            raise DataError(
                f"the checkpoint {self.folder} cannot be written: {error.strerror}", hint="free some space, or name another `out`"
            ) from error

    def clear(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)
