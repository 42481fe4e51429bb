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
    """Write a safetensors file atomically.

    Args:
        path: the file.
        tensors: contiguous tensors by name.
        metadata: text for the file's header.

    Raises:
        OSError: If the file cannot be written; the message names it.
    """
    path = Path(path)
    with atomic_path(path) as partial:
        try:
            save_file(dict(tensors), partial, metadata=dict(metadata) if metadata else None)
        except SafetensorError as error:  # raised for a full disk or a read-only folder
            raise OSError(f"{path} cannot be written: {error}") from error
        partial.chmod(0o644)  # safetensors makes files readable by their owner only
