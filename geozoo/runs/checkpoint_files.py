"""Checkpoints on disk: whole, or not there."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from geozoo.files.folders import atomic_path


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the file and then renames, so that a kill leaves the checkpoint before.

    Lightning's own writer fills a file of the system's temporary folder and moves it; where that is
    another file system, a kill during the copy leaves half a checkpoint under the final name.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the file, and have it on the disk before it gets its name."""
        content = io.BytesIO()  # torch's writer says nothing of why a disk takes no more
        torch.save(checkpoint, content)
        with atomic_path(Path(path)) as partial, partial.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())


def drop_unfinished(folder: Path) -> None:
    """Remove what a killed process has left of checkpoints that it was writing."""
    for path in folder.glob(".*.ckpt"):
        path.unlink(missing_ok=True)
