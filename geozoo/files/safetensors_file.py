"""Writing safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from geozoo.files.folders import atomic_path


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file, complete or not at all.

    Args:
        path: the file.
        tensors: contiguous tensors by name.
        metadata: text for the file's header.

    Raises:
        OSError: naming the file, when it cannot be written.
    """
    path = Path(path)
    with atomic_path(path) as partial:
        try:
            save_file(dict(tensors), partial, metadata=dict(metadata) if metadata else None)
        except SafetensorError as error:  # its form of a full disk, or of a folder without rights
            raise OSError(f"{path} cannot be written: {error}") from error
        partial.chmod(0o644)  # safetensors writes for its owner alone
