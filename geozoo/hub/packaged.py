"""Published models whose weights are files of other Python packages.

The packages are not imported: their files are found, verified and read as data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geozoo.data import GeometricSpec
from geozoo.files.torch_pickle import parse_torch_pickle
from geozoo.hub.description import PACKAGES, Description, ModelFileError, Package, Weights
from geozoo.hub.rebuilding import build_task
from geozoo.tasks import GraphTask, Potential

_MEV_PER_EV = 1000.0
#: Entries of a checkpoint that are read.
_KEYS = ("config", "model_state_dict")


def verified_content(path: Path, weights: Weights) -> bytes:
    """The content of a weights file, after verifying its size and checksum.

    Args:
        path: the file.
        weights: what it must be.

    Raises:
        ModelFileError: If it differs.
    """
    if path.stat().st_size != weights.size:
        raise ModelFileError(
            f"{path} is corrupt: {path.stat().st_size} bytes instead of {weights.size}"
        )
    content = path.read_bytes()  # read once, so that the verified bytes are the loaded ones
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != weights.sha256:
        raise ModelFileError(f"{path} is corrupt: sha256 {checksum} instead of {weights.sha256}")
    return content


def task_of_package(description: Description, dtype: torch.dtype | None) -> GraphTask:
    """The task of a published model, with its weights.

    Args:
        description: the description, whose weights have a package.
        dtype: precision of the network; None: that of the description.

    Raises:
        ModuleNotFoundError: If the package is not installed.
        FileNotFoundError: If the installed package has no such file.
        ModelFileError: If the file is another one than described, or does not fit the network.
    """
    weights = description.weights
    assert weights.package is not None
    content = verified_content(_path(description.name, weights, weights.package), weights)
    try:
        given = parse_torch_pickle(content, weights.file, keys=_KEYS)
        task = build_task(description.model, description.task, description.data)
        assert isinstance(task, Potential)
        assert isinstance(task.spec, GeometricSpec)
        task.model.double()  # products of weights are rounded once
        shift, scale = _load(task, given, weights.package.fidelity)
    except (ValueError, KeyError) as error:
        raise ModelFileError(f"{weights.file}: {error}") from error
    task.atom_energies.copy_(shift * _MEV_PER_EV)
    task.energy_scale.fill_(scale * _MEV_PER_EV)
    task.model.to(dtype or getattr(torch, description.precision or "float32"))
    return task


def _path(name: str, weights: Weights, package: Package) -> Path:
    """Find the file of the installed package, without importing it."""
    found = find_spec(package.name)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(
            f"{name} needs its weights, which are part of the package {package.name}: "
            f'pip install "geozoo[{PACKAGES[package.name]}]"',
            name=package.name,
        )
    path = Path(found.submodule_search_locations[0]) / package.folder / weights.file
    if not path.is_file():
        raise FileNotFoundError(
            f"{name} needs {path}, which the installed version of {package.name} does not have: "
            f'pip install "geozoo[{PACKAGES[package.name]}]"'
        )
    return path


def _load(task: Potential, given: Mapping[str, Any], fidelity: str | None) -> tuple[Tensor, float]:
    """Load the weights; return shift per element in eV, in the order of the spec, and scale."""
    models = import_module("geozoo.models")
    config = given["config"]
    columns = {number: column for column, number in enumerate(models.sevennet_elements(config))}
    known = config.get("_modal_map") or {}
    if fidelity is not None and fidelity not in known:
        raise ValueError(f"fidelity must be one of {', '.join(known)}, got {fidelity!r}")
    constants = models.load_sevennet_weights(
        task.model, given["model_state_dict"],
        order=[columns[number] for number in task.spec.elements],
        fidelity=None if fidelity is None else known[fidelity],
    )  # fmt: skip
    scale = constants.scale.unique()
    if len(scale) != 1:
        raise ValueError("the scale must be equal for all elements")
    return constants.shift, float(scale)
