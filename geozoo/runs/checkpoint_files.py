"""Atomic writes of checkpoints."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from geozoo.files.folders import atomic_path


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes to a temporary file and renames it, so that a killed process leaves the previous file.

    Lightning itself writes to the temporary folder of the system and moves the file; if that is on
    another file system, a kill during the copy leaves a truncated checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the file, and flush it to disk before it is renamed."""
        content = io.BytesIO()  # the writer of torch hides the reason of a failed write
        torch.save(checkpoint, content)
        with atomic_path(Path(path)) as partial, partial.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())


def drop_unfinished(folder: Path) -> None:
    """Remove partially written checkpoints of a killed process."""
    for path in folder.glob(".*.ckpt"):
        path.unlink(missing_ok=True)
