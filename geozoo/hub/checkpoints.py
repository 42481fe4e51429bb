"""Checkpoints of training runs: reading the file and accessing its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from geozoo.data import DataSpec
from geozoo.files.errors import read_tensors
from geozoo.hub.description import ModelFileError
from geozoo.tasks import GraphTask
from geozoo.tasks._precision import match_precision
from geozoo.tasks.low_rank import merge_low_rank_updates

_NEEDED = ("state_dict", "geozoo", "epoch")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of a training run, read without pickle.

    Attributes:
        path: the file.
        content: the whole content: weights, training state, and the record of the run.
    """

    path: Path
    content: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a checkpoint file.

        Raises:
            ModelFileError: If the file is not a checkpoint of a training run.
        """
        try:
            content = read_tensors(path)
        except ValueError as error:
            raise ModelFileError(f"{path} is not a checkpoint of a run: {error}") from error
        if not isinstance(content, dict) or any(key not in content for key in _NEEDED):
            raise ModelFileError(
                f"{path} is not a checkpoint of a run: it must contain {', '.join(_NEEDED)}"
            )
        return cls(path, content)

    @property
    def record(self) -> dict[str, Any]:
        """The record of the run: config, data spec, versions, command, metrics."""
        return self.content["geozoo"]

    @property
    def spec(self) -> DataSpec:
        """The spec of the training data."""
        return DataSpec.from_dict(self.record["data"])

    @property
    def metrics(self) -> dict[str, float]:
        """The latest validation metrics, by name without ``val/``."""
        values = self.record["metrics"].items()
        return {name.removeprefix("val/"): value for name, value in values}

    @property
    def epochs(self) -> int:
        """Epochs trained; 0 for a model fitted in closed form."""
        return self.content["epoch"] + 1 if self.steps else 0

    @property
    def steps(self) -> int:
        """Optimiser steps taken."""
        return self.content.get("global_step", 0)

    @property
    def seconds(self) -> float:
        """Wall time of training in seconds."""
        return float(self.content["callbacks"]["Timer"]["time_elapsed"]["train"])

    @property
    def cpu_seconds(self) -> float | None:
        """CPU time of training in seconds; None for runs of earlier versions."""
        found = self.content["callbacks"]["Timer"].get("cpu_time_s")
        return None if found is None else float(found)

    @property
    def hardware(self) -> dict[str, Any]:
        """``device`` and ``peak_memory_mb`` of the training run."""
        return self.content["callbacks"]["Hardware"]

    @property
    def is_captured(self) -> bool:
        """Whether training used captured steps, whose training state has a different format."""
        return "captured" in self.content

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The weights (averaged, if available) of a plain network, low-rank updates merged."""
        return merge_low_rank_updates(self.content["state_dict"])

    def load_into(self, task: GraphTask) -> None:
        """Load the weights into a task and convert it to the checkpoint's precision.

        Low-rank updates are merged if the network does not have them.
        """
        state = self.content["state_dict"]
        earlier = task.earlier_state(self.record.get("data", {}))
        state = {**{name: value for name, value in earlier.items() if name not in state}, **state}
        if state.keys() != task.state_dict().keys():
            state = merge_low_rank_updates(state)
        match_precision(task.model, state)
        task.load_state_dict(state)
