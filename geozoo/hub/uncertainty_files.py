"""Files of the uncertainty of a trained potential, next to its checkpoint or weights."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from torch import nn

from geozoo.contracts import last_weight_names
from geozoo.files.checksums import file_sha256
from geozoo.files.folders import atomic_path
from geozoo.files.safetensors_file import write_tensors
from geozoo.hub.description import ModelFileError, Weights
from geozoo.hub.packaged import verified_content
from geozoo.tasks import GraphTask, LastLayerPosterior
from geozoo.tasks._posterior import Calibration

_FORMAT, _VERSION = "geozoo-uncertainty", 1
_MAX_BYTES = 1 << 20
_NAME = "curvature"


@dataclass(frozen=True)
class UncertaintyFiles:
    """Paths of the description and of the matrix.

    Attributes:
        description: JSON file.
        matrix: safetensors file.
    """

    description: Path
    matrix: Path

    @classmethod
    def of(cls, model: Path) -> UncertaintyFiles:
        """Those of a checkpoint file, or of the folder of a published model.

        >>> UncertaintyFiles.of(Path("run/checkpoints/best.ckpt")).description.name
        'best.uncertainty.json'
        """
        is_checkpoint = model.suffix == ".ckpt"
        folder = model.parent if is_checkpoint else model
        stem = f"{model.stem}.uncertainty" if is_checkpoint else "uncertainty"
        return cls(folder / f"{stem}.json", folder / f"{stem}.safetensors")


@dataclass(frozen=True)
class _Content:
    """The content of the description."""

    matrix: Weights
    network: str
    parameters: tuple[str, ...]
    energy: Calibration
    force: Calibration | None = None
    training: Mapping[str, Any] = field(default_factory=dict)


def network_digest(network: nn.Module) -> str:
    """Checksum of all weights of a network."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        plain = value.detach().cpu().contiguous()
        digest.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_posterior(
    model: Path, posterior: LastLayerPosterior, network: nn.Module, training: Mapping[str, Any]
) -> UncertaintyFiles:
    """Write the uncertainty of a model.

    Args:
        model: checkpoint file, or folder of a published model.
        posterior: the calibrated posterior.
        network: the network that it belongs to.
        training: how it was computed, for the record.
    """
    files = UncertaintyFiles.of(model)
    write_tensors(files.matrix, {_NAME: posterior.curvature.cpu().contiguous()})
    entry = Weights(files.matrix.name, file_sha256(files.matrix), files.matrix.stat().st_size)
    content = _Content(
        entry, network_digest(network), last_weight_names(network),
        posterior.calibration("energy"), posterior.force, training,
    )  # fmt: skip
    plain = {"format": _FORMAT, "version": _VERSION, **asdict(content)}
    plain["matrix"] = {key: plain["matrix"][key] for key in ("file", "sha256", "size")}
    with atomic_path(files.description) as partial:
        partial.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return files


def read_posterior(model: Path, task: GraphTask) -> LastLayerPosterior | None:
    """The uncertainty of a model; None if it was not computed.

    Args:
        model: checkpoint file, or folder of a published model.
        task: its task, on the CPU and in the precision of training.

    Warns:
        UserWarning: If it was computed for other weights: it is ignored.

    Raises:
        ModelFileError: If a file is missing or corrupt, or belongs to another network.
    """
    files = UncertaintyFiles.of(model)
    if not files.description.is_file():
        return None
    content = _read(files.description)
    if content.network != network_digest(task.model):
        warnings.warn(
            f"{files.description} was computed for other weights and is ignored: predictions have "
            "no standard deviations. Compute it again with geozoo uncertainty",
            stacklevel=2,
        )
        return None
    path = files.description.parent / content.matrix.file
    if not path.is_file():
        raise ModelFileError(f"{path} is missing; {files.description} needs it")
    try:
        tensors = load_bytes(verified_content(path, content.matrix))
        names, own = last_weight_names(task.model), dict(task.model.named_parameters())
        size = sum(own[name].numel() for name in names)
        if content.parameters != names or tensors[_NAME].shape != (size, size):
            raise ValueError(f"it must belong to {', '.join(names)} ({size} weights)")
        return LastLayerPosterior(tensors[_NAME], energy=content.energy, force=content.force)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelFileError(f"{path} is not the uncertainty of this model: {error}") from error


def copy_posterior(source: Path, folder: Path, task: GraphTask) -> bool:
    """Write the uncertainty of a checkpoint next to the published model, if there is one.

    Args:
        source: the checkpoint.
        folder: folder of the published model.
        task: task of the checkpoint.

    Returns:
        Whether there is one.
    """
    posterior = read_posterior(source, task)
    if posterior is None:
        return False
    training = _read(UncertaintyFiles.of(source).description).training
    write_posterior(folder, posterior, task.model, training)
    return True


def _read(path: Path) -> _Content:
    """The content of a description, with its types checked.

    Raises:
        ModelFileError: If it is not one of this version.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise ModelFileError(f"{path} is too large for a description (limit {_MAX_BYTES} bytes)")
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(given, dict) or (given.get("format"), given.get("version")) != (
        _FORMAT, _VERSION,
    ):  # fmt: skip
        raise ModelFileError(f"{path} must have format {_FORMAT!r} and version {_VERSION}")
    try:
        force = given["force"]
        return _Content(
            Weights(**given["matrix"]), str(given["network"]), tuple(given["parameters"]),
            _calibration(given["energy"]), None if force is None else _calibration(force),
            dict(given["training"]),
        )  # fmt: skip
    except (TypeError, KeyError, ValueError) as error:
        raise ModelFileError(f"{path} is not a description of an uncertainty: {error}") from error


def _calibration(given: Mapping[str, Any]) -> Calibration:
    names = {each.name for each in fields(Calibration)}
    if given.keys() != names or not all(isinstance(v, (int, float)) for v in given.values()):
        raise ValueError(f"a calibration must have the numbers {', '.join(sorted(names))}")
    found = Calibration(**given)
    if not (0 < found.alpha < float("inf") and 0 <= found.zeta < float("inf")):
        raise ValueError(f"alpha must be positive, got {found.alpha!r}; zeta is {found.zeta!r}")
    return found
