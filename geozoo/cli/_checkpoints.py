"""Checkpoints of runs: finding them, what they say, their weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from geozoo.cli._folder import RunFolder
from geozoo.cli._options import RunError
from geozoo.data import read_tensors
from geozoo.nn.low_rank import merge_low_rank_updates
from geozoo.tasks import GraphTask
from geozoo.tasks._precision import match_precision


def load_weights(task: GraphTask, checkpoint: Path) -> dict[str, Any]:
    """Load a checkpoint's weights (the averaged ones, where there are such) into a task.

    A network without updates of low rank gets them merged, and the precision is that of the
    checkpoint.

    Returns:
        The checkpoint.
    """
    content = read_content(checkpoint)
    state = content["state_dict"]
    earlier = task.earlier_state(content["geozoo"].get("data", {}))
    state = {**{name: value for name, value in earlier.items() if name not in state}, **state}
    if state.keys() != task.state_dict().keys():
        state = merge_low_rank_updates(state)
    match_precision(task.model, state)
    task.load_state_dict(state)
    return content


def read_record(checkpoint: Path) -> dict[str, Any]:
    """What a run wrote into its checkpoint; see `read_checkpoint`."""
    return read_checkpoint(checkpoint)[0]


def read_checkpoint(checkpoint: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a run wrote into its checkpoint (config, data, versions, command), and the weights.

    Updates of low rank are merged: the weights are those of an ordinary network.

    Raises:
        RunError: for a file that is no checkpoint of a run.
    """
    content = read_content(checkpoint)
    return content["geozoo"], merge_low_rank_updates(content["state_dict"])


def find_checkpoint(run: str) -> Path:
    """The checkpoint file that a run folder (its best one) or a path names.

    Raises:
        RunError: when there is none.
    """
    path = Path(run).expanduser().absolute()
    if path.is_dir():
        path = RunFolder(path).best
    if not path.is_file():
        raise RunError(f"there is no checkpoint {path}")
    return path


def trained_epochs(content: Mapping[str, Any]) -> int:
    """Epochs that a checkpoint has behind it; 0 for a model that is fitted, not trained."""
    return content["epoch"] + 1 if content["global_step"] else 0


def read_content(checkpoint: Path) -> dict[str, Any]:
    """Everything in a checkpoint: weights, state of the training, and what the run wrote.

    Raises:
        RunError: for a file that is no checkpoint of a run.
    """
    try:
        content = read_tensors(checkpoint)
    except ValueError as error:
        raise RunError(f"{checkpoint} is no checkpoint of a run: {error}") from error
    wanted = ("state_dict", "geozoo", "epoch")
    if not isinstance(content, dict) or any(key not in content for key in wanted):
        raise RunError(f"{checkpoint} is no checkpoint of a run: it lacks {', '.join(wanted)}")
    return content
