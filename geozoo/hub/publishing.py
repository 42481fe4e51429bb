"""Writing a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from geozoo.files.safetensors_file import write_tensors
from geozoo.hub.description import Description, Weights, file_sha256

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
    """Write weights and description of a model into a new folder.

    Args:
        folder: the folder to make.
        name: what to call the model.
        model: config node of the network.
        task: config node of the task.
        data: the description of its data, as plain data.
        state: weights of the task.
        mirrors: where the file of the weights will be had, so that the description alone can be
            handed on.
        facts: the remaining attributes of `Description`.

    Raises:
        FileExistsError: when the folder is there and not empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    path = folder / WEIGHTS_NAME
    # Copies: safetensors refuses tensors that share memory.
    copies = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
    write_tensors(path, copies)
    weights = Weights(WEIGHTS_NAME, file_sha256(path), path.stat().st_size, tuple(mirrors))
    found = Description(name=name, model=model, task=task, data=data, weights=weights, **facts)
    found.write(folder)
    return found
