"""Checkpoints of runs: one reading of the file, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from geozoo.data import DataSpec, read_tensors
from geozoo.hub.description import ModelFileError
from geozoo.tasks import GraphTask
from geozoo.tasks._precision import match_precision
from geozoo.tasks.low_rank import merge_low_rank_updates

_NEEDED = ("state_dict", "geozoo", "epoch")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file of a run, read without pickle.

    Attributes:
        path: the file.
        content: all of it: weights, state of the training, and the run's record.
    """

    path: Path
    content: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a file.

        Raises:
            ModelFileError: for a file that is no checkpoint of a run.
        """
        try:
            content = read_tensors(path)
        except ValueError as error:
            raise ModelFileError(f"{path} is no checkpoint of a run: {error}") from error
        if not isinstance(content, dict) or any(key not in content for key in _NEEDED):
            raise ModelFileError(f"{path} is no checkpoint of a run: it lacks {', '.join(_NEEDED)}")
        return cls(path, content)

    @property
    def record(self) -> dict[str, Any]:
        """What the run wrote of itself: config, data, versions, command, metrics."""
        return self.content["geozoo"]

    @property
    def spec(self) -> DataSpec:
        """The description of the data of the training."""
        return DataSpec.from_dict(self.record["data"])

    @property
    def metrics(self) -> dict[str, float]:
        """The newest validation metrics, by name without ``val/``."""
        values = self.record["metrics"].items()
        return {name.removeprefix("val/"): value for name, value in values}

    @property
    def epochs(self) -> int:
        """Epochs behind it; 0 for a model that is fitted, not trained."""
        return self.content["epoch"] + 1 if self.steps else 0

    @property
    def steps(self) -> int:
        """Optimizer steps behind it."""
        return self.content.get("global_step", 0)

    @property
    def seconds(self) -> float:
        """Time of training behind it."""
        return float(self.content["callbacks"]["Timer"]["time_elapsed"]["train"])

    @property
    def hardware(self) -> dict[str, Any]:
        """``device`` and ``peak_memory_mb`` of the training."""
        return self.content["callbacks"]["Hardware"]

    @property
    def is_captured(self) -> bool:
        """Whether captured steps wrote it, whose state of the training is of another form."""
        return "captured" in self.content

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The weights (averaged, where there are averages) of an ordinary network.

        Updates of low rank are merged.
        """
        return merge_low_rank_updates(self.content["state_dict"])

    def load_into(self, task: GraphTask) -> None:
        """Load the weights into a task, which takes the checkpoint's precision.

        A network without updates of low rank gets them merged.
        """
        state = self.content["state_dict"]
        earlier = task.earlier_state(self.record.get("data", {}))
        state = {**{name: value for name, value in earlier.items() if name not in state}, **state}
        if state.keys() != task.state_dict().keys():
            state = merge_low_rank_updates(state)
        match_precision(task.model, state)
        task.load_state_dict(state)
