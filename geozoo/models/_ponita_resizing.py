"""Smaller PONITAs that share the leading weights of a larger one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._ponita_choices import PonitaOrientations
from geozoo.nn.conv._kernel import KernelConv
from geozoo.nn.representation import BundleRepresentation


def resized_arguments(
    arguments: Mapping[str, Any],
    representation: nn.Module,
    *,
    orientations: int | Tensor | None,
    num_layers: int | None,
    width: float | None,
) -> dict[str, Any]:
    """The constructor arguments of a smaller network.

    Args:
        arguments: those of the network.
        representation: its representation.
        orientations: see `geozoo.models.Ponita.resized`, as for the remaining arguments.
        num_layers: see there.
        width: see there.

    Raises:
        ValueError: If the network has no such part.
    """
    changed = dict(arguments)
    if orientations is not None:
        changed["orientations"] = _grid(arguments, representation, orientations)
    layers = arguments["num_layers"]
    if num_layers is not None:
        check_positive(num_layers=num_layers)
        if num_layers > layers:
            raise ValueError(
                f"num_layers must be at most {layers}, those of the network, got {num_layers}"
            )
        if num_layers < layers and not arguments["blocks"].multiple_readouts:
            raise ValueError(
                f"num_layers must be {layers} for a network with a single readout, got "
                f"{num_layers}: only a network with blocks.multiple_readouts reads every block"
            )
        changed["num_layers"] = num_layers
    if width is not None:
        changed["hidden_channels"] = _channels(arguments["hidden_channels"], width)
    return changed


def leading_weights(full: nn.Module, part: nn.Module) -> dict[str, Tensor]:
    """The parameters of a smaller network, cut out of those of a larger one, differentiably.

    Every axis of a weight is cut after the smaller network's size; the rows of a full kernel are
    pairs of channels and are cut in both.

    Args:
        full: the larger network.
        part: the smaller one; its own values are not read.

    Raises:
        ValueError: If the smaller network has a parameter that the larger one does not have.
    """
    given, pairs, found = dict(full.named_parameters()), _paired_rows(full, part), {}
    for name, value in part.named_parameters():
        if name not in given:
            raise ValueError(
                f"the network must have the weights of a PONITA as it is made, it lacks {name!r}: "
                "resize a network before its kernels are tabulated or its layers adapted"
            )
        weight = given[name]
        if name in pairs:
            (outer, inner), (rows, columns) = pairs[name]
            weight = weight.unflatten(0, (outer, inner))[:rows, :columns].flatten(0, 1)
        found[name] = weight[tuple(slice(size) for size in value.shape)].contiguous()
    return found


def _paired_rows(
    full: nn.Module, part: nn.Module
) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    """Output and input channels of each full kernel, in the larger and in the smaller network."""
    smaller, found = dict(part.named_modules()), {}
    for name, layer in full.named_modules():
        other = smaller.get(name)
        if not isinstance(layer, KernelConv) or not isinstance(other, KernelConv):
            continue
        if layer.groups == 1:
            kernel = "fiber_kernel" if hasattr(layer, "fiber_kernel") else "kernel"
            found[f"{name}.{kernel}.weight"] = (_channels_of(layer), _channels_of(other))
    return found


def _channels_of(layer: KernelConv) -> tuple[int, int]:
    return len(layer.bias), layer.in_channels


def _grid(
    arguments: Mapping[str, Any], representation: nn.Module, orientations: int | Tensor
) -> PonitaOrientations:
    before: PonitaOrientations = arguments["orientations"]
    if not isinstance(representation, BundleRepresentation):
        raise ValueError(
            'orientations can be chosen for representation "bundle" and "bundle_full" only, got '
            f'"{arguments["representation"]}", whose points are not a grid of any size'
        )
    if isinstance(orientations, Tensor):
        return same_kind(before, orientations.clone())  # a grid can be turned in place
    check_positive(orientations=orientations)
    if orientations == len(representation.orientations):
        return replace(before, grid=representation.orientations.clone())
    if isinstance(before.grid, Tensor):
        raise ValueError(
            f"orientations must be unit vectors [O, {arguments['dim']}], since the network was "
            f"made with a grid of its own, got {orientations}"
        )
    return same_kind(before, orientations)


def same_kind(before: PonitaOrientations, orientations: int | Tensor | None) -> PonitaOrientations:
    """The options of a grid with the kind that it was made from, for the next resizing."""
    if isinstance(orientations, Tensor):
        return replace(before, num_orientations=len(orientations), grid=orientations)
    return before if orientations is None else replace(before, num_orientations=orientations)


def _channels(full: int, width: float) -> int:
    if not 0 < width <= 1:
        raise ValueError(f"width must be a fraction in (0, 1], got {width!r}")
    channels = round(width * full)
    if channels < 1 or abs(channels - width * full) > 1e-6 * full:
        raise ValueError(
            f"width must give a whole number of the {full} channels, got {width!r}, which gives "
            f"{width * full:g}"
        )
    return channels


@torch.no_grad()
def copy_weights(full: nn.Module, part: nn.Module) -> None:
    """Give a smaller network the leading weights of a larger one, in its precision and place."""
    weights = leading_weights(full, part)
    kind = next(iter(weights.values()))
    part.to(kind.device)
    for name, value in part.named_parameters():
        value.data = weights[name].clone()
