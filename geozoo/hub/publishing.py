"""Writing trained models to folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from geozoo.files.checksums import file_sha256
from geozoo.files.safetensors_file import write_tensors
from geozoo.hub.description import Description, Weights

WEIGHTS_NAME = "model.safetensors"


def write_model(
    folder: Path,
    *,
    name: str,
    model: Mapping[str, Any],
    task: Mapping[str, Any],
    data: Mapping[str, Any],
    state: Mapping[str, Tensor],
    mirrors: Sequence[str] = (),
    **facts: Any,
) -> Description:
    """Write the weights and the description of a model to a new folder.

    Args:
        folder: the folder to create.
        name: name of the model.
        model: config node of the network.
        task: config node of the task.
        data: the data spec, as plain data.
        state: weights of the task.
        mirrors: URLs of the weights file, so that the description alone can be shared.
        facts: the remaining attributes of `Description`.

    Raises:
        FileExistsError: If the folder exists and is not empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    path = folder / WEIGHTS_NAME
    # Copies: safetensors refuses tensors that share memory.
    copies = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
    write_tensors(path, copies)
    weights = Weights(WEIGHTS_NAME, file_sha256(path), path.stat().st_size, tuple(mirrors))
    description = Description(
        name=name, model=model, task=task, data=data, weights=weights, **facts
    )
    description.write(folder)
    return description
