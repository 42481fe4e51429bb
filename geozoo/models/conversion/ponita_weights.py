"""Weights of the published PONITA implementation, mapped by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from geozoo.models.ponita import Ponita

# Published name -> ours, by leading part; the rest of the name is the same in both.
_PREFIXES = {
    "basis_fn.1.": "representation.basis.linear_1.",
    "basis_fn.3.": "representation.basis.linear_2.",
    "fiber_basis_fn.1.": "representation.fiber_basis.linear_1.",
    "fiber_basis_fn.3.": "representation.fiber_basis.linear_2.",
    "x_embedder.": "embedding.",
    "interaction_layers.": "blocks.",
    "read_out_layers.": "readouts.",
}
_NOT_WEIGHTS = ("windowing_fn.", "ori_grid")


def load_reference_weights(
    model: Ponita, weights: Mapping[str, Tensor], *, orientations: Tensor | None = None
) -> None:
    """Load the weights of a published checkpoint into a model of the same sizes.

    Args:
        model: the model to load into; its buffer ``calibrated`` is set to True.
        weights: state dict with the published names (``basis_fn.1.weight``,
            ``interaction_layers.0.conv.kernel.weight``, ...). A common prefix such as ``model.`` is
            removed. If there are fewer readouts than blocks, they may be numbered from 0 or with
            gaps; they are loaded in order.
        orientations: the grid ``[O, dim]`` that the weights were trained with. The published code
            draws it at random, so a bundle model needs it unless constructed with it.

    Raises:
        ValueError: If names or shapes do not match; the message lists every mismatch.
    """
    prefix = _common_prefix(weights)
    mapped: dict[str, Tensor] = {}
    unknown = []
    for name, value in weights.items():
        bare = name.removeprefix(prefix)
        start = next((p for p in _PREFIXES if bare.startswith(p)), None)
        if start is not None and not bare.endswith(("callibrated", "calibrated")):
            mapped[_PREFIXES[start] + bare.removeprefix(start)] = torch.as_tensor(value)
        elif start is None and not bare.startswith(_NOT_WEIGHTS):
            unknown.append(name)
    mapped = _renumber_readouts(mapped)
    if orientations is not None:
        mapped["representation.orientations"] = orientations
    _check(model, mapped, unknown)
    model.load_state_dict(mapped, strict=False)
    model.calibrated.fill_(True)


def _common_prefix(weights: Mapping[str, Tensor]) -> str:
    name = next((name for name in weights if "x_embedder." in name), None)
    if name is None:
        raise ValueError(
            "weights must hold x_embedder.weight: the names are not those of the published code"
        )
    return name[: name.index("x_embedder.")]


def _renumber_readouts(mapped: dict[str, Tensor]) -> dict[str, Tensor]:
    numbers = sorted({int(k.split(".")[1]) for k in mapped if k.startswith("readouts.")})
    rank = {str(number): str(index) for index, number in enumerate(numbers)}
    renamed = {}
    for key, value in mapped.items():
        parts = key.split(".")
        if parts[0] == "readouts":
            parts[1] = rank[parts[1]]
        renamed[".".join(parts)] = value
    return renamed


def _check(model: Ponita, mapped: dict[str, Tensor], unknown: list[str]) -> None:
    own = model.state_dict()
    optional = {"calibrated", "representation.orientations"}
    faults = [f"{name}: not a name of the published model" for name in unknown]
    faults += [f"{key}: missing" for key in own if key not in mapped and key not in optional]
    for key, value in mapped.items():
        if key not in own:
            faults.append(f"{key}: the model has no such weight")
        elif own[key].shape != value.shape:
            faults.append(f"{key}: expected {tuple(own[key].shape)}, got {tuple(value.shape)}")
    if faults:
        raise ValueError("weights do not fit the model:\n  " + "\n  ".join(faults))
