"""Checks of the shapes of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def check_shape(name: str, tensor: Tensor, axes: str, *sizes: int | None) -> None:
    """Check the axes of a tensor.

    Args:
        name: name of the argument, for the message.
        tensor: what was given.
        axes: names of the axes, for the message; a number names itself.
        sizes: size of each axis; None: any.

    Raises:
        ValueError: for another number of axes or another size.
    """
    fits = tensor.dim() == len(sizes) and all(
        wanted is None or wanted == got for wanted, got in zip(sizes, tensor.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(
            letter if size is None or letter.isdigit() else f"{letter}={size}"
            for letter, size in zip(axes.split(), sizes, strict=True)
        )
        raise ValueError(f"{name} must have shape ({wanted}), got {tuple(tensor.shape)}")


def check_edges(num_edges: int, basis: Tensor, basis_channels: int, window: Tensor) -> None:
    """Check what convolutions with a radial filter are told of every edge.

    Raises:
        ValueError: for another shape.
    """
    check_shape("basis", basis, "E K", num_edges, basis_channels)
    check_shape("window", window, "E", num_edges)


def check_lifted(
    x: Tensor | None, vec: Tensor | None, dim: int, num_nodes: int | None = None
) -> None:
    """Check what is lifted: scalars ``[N, S]``, vectors ``[N, V, dim]``, one of them at least.

    Raises:
        ValueError: for another shape, or where neither is given.
    """
    if x is None and vec is None:
        raise ValueError("x or vec must be given: there is nothing to lift")
    if x is not None:
        check_shape("x", x, "N S", num_nodes, None)
        num_nodes = x.shape[0]  # len() would be a constant to a tracer
    if vec is not None:
        check_shape("vec", vec, "N V dim", num_nodes, None, dim)


def check_last_axis(name: str, tensor: Tensor, axis: str, size: int) -> None:
    """Check the last axis of a tensor that may have any axes before it.

    Raises:
        ValueError: for another size, or no axis at all.
    """
    if tensor.dim() == 0 or tensor.shape[-1] != size:
        raise ValueError(
            f"{name} must have a last axis of {axis}={size}, got shape {tuple(tensor.shape)}"
        )
