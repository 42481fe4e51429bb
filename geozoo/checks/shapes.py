"""Tensor shape checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def check_shape(name: str, tensor: Tensor | None, axes: str, *sizes: int | None) -> Tensor:
    """Check the shape of a tensor.

    Args:
        name: argument name, for the message.
        tensor: the value to check.
        axes: axis names, separated by spaces, for the message; a digit stands for itself.
        sizes: required size of each axis; None accepts any size.

    Returns:
        The tensor.

    Raises:
        ValueError: If the number of axes or the size of an axis differs, or the value is None.
    """
    if (
        tensor is not None
        and tensor.dim() == len(sizes)
        and all(
            wanted is None or wanted == got for wanted, got in zip(sizes, tensor.shape, strict=True)
        )
    ):
        return tensor
    wanted = ", ".join(
        letter if size is None or letter.isdigit() else f"{letter}={size}"
        for letter, size in zip(axes.split(), sizes, strict=True)
    )
    got = None if tensor is None else tuple(tensor.shape)
    raise ValueError(f"{name} must have shape ({wanted}), got {got}")


def check_edges(num_edges: int, basis: Tensor, basis_channels: int, window: Tensor) -> None:
    """Check the edge inputs of a convolution with a radial filter.

    Raises:
        ValueError: If a shape is wrong.
    """
    check_shape("basis", basis, "E K", num_edges, basis_channels)
    check_shape("window", window, "E", num_edges)


def check_lifted(
    x: Tensor | None, vec: Tensor | None, dim: int, num_nodes: int | None = None
) -> None:
    """Check the inputs of a lifting layer: scalars ``[N, S]``, vectors ``[N, V, dim]``, or both.

    Raises:
        ValueError: If a shape is wrong, or neither is given.
    """
    if x is None and vec is None:
        raise ValueError("x or vec must be given: there is nothing to lift")
    if x is not None:
        check_shape("x", x, "N S", num_nodes, None)
        num_nodes = x.shape[0]  # len() would be a constant to a tracer
    if vec is not None:
        check_shape("vec", vec, "N V dim", num_nodes, None, dim)


def check_last_axis(name: str, tensor: Tensor, axis: str, size: int) -> None:
    """Check the last axis of a tensor with any number of leading axes.

    Raises:
        ValueError: If the size differs, or the tensor has no axes.
    """
    if tensor.dim() == 0 or tensor.shape[-1] != size:
        raise ValueError(
            f"{name} must have a last axis of {axis}={size}, got shape {tuple(tensor.shape)}"
        )
