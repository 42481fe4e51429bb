"""Loading trained models for inference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from torch import Tensor, nn

from geozoo.contracts import Lagged
from geozoo.data import DataSpec
from geozoo.files.download import fetch
from geozoo.files.folders import data_folder
from geozoo.hub.description import FILE_NAME, Description, ModelFileError
from geozoo.hub.ensemble import SPREAD, Ensemble
from geozoo.hub.folders import member_folders, run_checkpoint
from geozoo.hub.index import find_model
from geozoo.hub.packaged import task_of_package, verified_content
from geozoo.hub.rebuilding import rebuild_task
from geozoo.hub.resizing import WantedSize, resized
from geozoo.hub.runs import read_run
from geozoo.hub.uncertainty_files import read_posterior
from geozoo.tasks import GraphTask, LastLayerPosterior, Potential
from geozoo.tasks._precision import model_dtype


class TrainedModel:
    """A trained network with its task, which converts outputs to physical units.

    Args:
        description: metadata of the model.
        task: the task with the trained network.
        uncertainty: the posterior of its last weights, which ``geozoo uncertainty`` computes; None:
            predictions have no standard deviations.

    Attributes:
        description: as given.
        task: in evaluation mode, without gradients for the weights.
        uncertainty: as given.
        gives_force_std: whether `predict` also returns the standard deviations of forces, which
            need one backward pass per weight of the last layers; False unless set.
    """

    def __init__(
        self, description: Description, task: GraphTask,
        uncertainty: LastLayerPosterior | None = None,
    ) -> None:  # fmt: skip
        self.description = description
        self.task = task.eval().requires_grad_(False)
        self.uncertainty, self.gives_force_std = uncertainty, False

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.description.name

    @property
    def model(self) -> nn.Module:
        """The network, which predicts in normalised units."""
        return self.task.model

    @property
    def spec(self) -> DataSpec:
        """The spec of the training data."""
        return self.task.spec

    def at(self, wanted: WantedSize) -> TrainedModel:
        """The model at another size, without its uncertainty, which belongs to this one.

        Args:
            wanted: the size.

        Raises:
            ValueError: If the network cannot be resized, or the size was not trained.
        """
        return TrainedModel(*resized(self.description, self.task, wanted))

    @property
    def members(self) -> tuple[TrainedModel, ...]:
        """The model itself, as `geozoo.hub.Ensemble.members` of an ensemble of one."""
        return (self,)

    @property
    def units(self) -> dict[str, str]:
        """Unit of every quantity that `predict` returns."""
        units = self.task.quantity_units()
        return units | {name + SPREAD: units[name] for name in self._with_std if name in units}

    @property
    def levels(self) -> dict[str, str]:
        """Whether a quantity of `predict` has a row per ``"graph"`` or per ``"node"``."""
        levels = self.task.quantity_levels()
        return levels | {name + SPREAD: levels[name] for name in self._with_std if name in levels}

    @property
    def _with_std(self) -> tuple[str, ...]:
        """Quantities that `predict` returns with standard deviations."""
        if self.uncertainty is None:
            return ()
        return ("energy", "force") if self.gives_force_std else ("energy",)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network: as in training, unless changed by `cast`."""
        return model_dtype(self.task.model)

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.task.device

    def to(self, device: torch.device | str) -> TrainedModel:
        """Move the model to a device; returns itself."""
        self.task.to(device)
        return self

    @property
    def lags(self) -> tuple[int, ...]:
        """Lags, in steps, that the network uses beyond its lookback window; usually none."""
        return tuple(self.model.lags) if isinstance(self.model, Lagged) else ()

    def cast(self, dtype: torch.dtype) -> TrainedModel:
        """Change the precision of the network; statistics stay float64. Returns itself."""
        self.model.to(dtype)
        return self

    def predict(self, batch: Any) -> dict[str, Tensor]:
        """Every quantity of a batch by name, in physical units.

        With `uncertainty` also ``energy_std``, and ``force_std`` with `gives_force_std`.

        Args:
            batch: a `geozoo.data.GraphBatch` or `geozoo.data.WindowBatch` with the same inputs as
                the training data; targets are not needed.
        """
        if self.uncertainty is None:
            return self.predict_mean(batch)
        assert isinstance(self.task, Potential)  # only those have an uncertainty
        if self.uncertainty.device != self.device:
            self.uncertainty = self.uncertainty.to(self.device)
        return self.task.predict_with_std(
            batch.to(self.device), self.uncertainty, forces=self.gives_force_std
        )

    def predict_mean(self, batch: Any) -> dict[str, Tensor]:
        """As `predict`, without standard deviations."""
        return self.task.predict(batch.to(self.device))

    def __repr__(self) -> str:
        """Name, architecture, number of parameters and units."""
        count = sum(p.numel() for p in self.model.parameters())
        units = ", ".join(f"{name} [{unit}]" for name, unit in self.units.items())
        kind = str(self.dtype).removeprefix("torch.")
        precision = "" if self.dtype == torch.float32 else f" in {kind}"
        network = f"{type(self.model).__name__}, {count:,} weights{precision}"
        return f"TrainedModel({self.name}: {network}; {units})"


def load(
    name_or_path: str | Path | Sequence[str | Path],
    *,
    device: torch.device | str = "cpu",
    trusted: Sequence[str] = (),
    dtype: torch.dtype | None = None,
    orientations: int | None = None,
    num_layers: int | None = None,
    width: float | None = None,
) -> TrainedModel | Ensemble:
    """Load a trained model: shipped with the zoo, written by ``geozoo publish``, or from a run.

    The weights of published models, such as ``sevennet-0``, are read from the packages that contain
    them, which an extra installs.

    The files are treated as data: checksums are verified, nothing is unpickled, and only classes
    of geozoo are instantiated.

    Args:
        name_or_path: name in the zoo's index, the folder of a model, a run folder (its best
            checkpoint) or a checkpoint; a list of these, or the folder of an ensemble, for an
            ensemble, which predicts means and standard deviations.
        device: device to load the model to.
        trusted: further modules whose classes a description may name, such as your own models'.
        dtype: precision of the network; None: the one that it was trained in. Weights of published
            models are converted in float64, so ``torch.float64`` does not round them.
        orientations: number of orientations, of those that elastic training trained; other models
            accept any number, with a warning. None: as trained, as for the next two.
        num_layers: number of layers, of those that elastic training trained.
        width: fraction of the channels, of those that elastic training trained.

    Raises:
        ModuleNotFoundError: If the package with the weights is not installed.
        FileNotFoundError: If there is no such model (the message lists the shipped models), or its
            weights must be downloaded and network access is disabled.
        ModelFileError: If a file is corrupt, or was not written by geozoo.
        ValueError: If the models are incompatible as an ensemble, or a size was not trained.

    >>> load("ponita-nbody_small").units
    {'position': 'length'}
    """
    loaded = _load(name_or_path, trusted, dtype)
    if wanted := WantedSize(orientations, num_layers, width):
        models = [each.at(wanted) for each in loaded.members]
        loaded = models[0] if isinstance(loaded, TrainedModel) else Ensemble(models)
    if dtype is not None:
        loaded.cast(dtype)
    return loaded.to(device)


def _load(
    given: str | Path | Sequence[str | Path], trusted: Sequence[str], dtype: torch.dtype | None
) -> TrainedModel | Ensemble:
    """Load on the CPU, and in the precision of training unless the weights are converted."""
    if not isinstance(given, (str, Path)):
        return Ensemble(_members(given, trusted, dtype))
    path = Path(given).expanduser()
    is_published = (path / FILE_NAME).is_file()
    checkpoint = None if is_published else run_checkpoint(path)
    if checkpoint is not None:
        return run_model(checkpoint, trusted=trusted)
    if members := member_folders(path):
        models = _members(members, trusted, dtype)
        return models[0] if len(models) == 1 else Ensemble(models)
    folder = find_model(given)
    description = Description.read(folder / FILE_NAME)
    try:
        task = _task(folder, description, trusted, dtype)
        return TrainedModel(description, task, read_posterior(folder, task))
    except ModelFileError as error:
        raise ModelFileError(f"{folder / FILE_NAME}: {error}") from error


def run_model(checkpoint: Path, *, trusted: Sequence[str] | None = ()) -> TrainedModel:
    """The model of a checkpoint, with its uncertainty if that was computed.

    Args:
        checkpoint: the file.
        trusted: further modules whose classes it may name; None: trust all that it names.

    Raises:
        ModelFileError: If a file is corrupt, or the checkpoint names untrusted classes.
    """
    description, task = read_run(checkpoint, trusted=trusted)
    return TrainedModel(description, task, read_posterior(checkpoint, task))


def _task(
    folder: Path, description: Description, trusted: Sequence[str], dtype: torch.dtype | None
) -> GraphTask:
    if description.weights.package is not None:
        return task_of_package(description, dtype)
    return rebuild_task(
        description.model, description.task, description.data,
        _read_weights(folder, description), trusted=trusted, precision=description.precision,
    )  # fmt: skip


def _members(
    names: Sequence[str | Path], trusted: Sequence[str], dtype: torch.dtype | None
) -> list[TrainedModel]:
    """The models of an ensemble; an ensemble among them counts as its members."""
    loaded = [_load(each, trusted, dtype) for each in names]
    return [model for each in loaded for model in each.members]


def _read_weights(folder: Path, description: Description) -> dict[str, Tensor]:
    """Read the weights file, after verifying its size and checksum."""
    weights, path = description.weights, folder / description.weights.file
    if not path.is_file() and weights.mirrors:
        # Stored by checksum: versions of a model with the same name are separate files.
        path = fetch(weights.remote(), data_folder("trained") / weights.sha256[:16])
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; it is the weights file of {folder / FILE_NAME}"
        )
    content = verified_content(path, weights)
    try:
        return load_bytes(content)
    except SafetensorError as error:
        raise ModelFileError(f"{path} is not a valid safetensors file: {error}") from error
