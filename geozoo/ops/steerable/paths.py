"""The paths of a steerable product: which degrees couple, where they lie, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.utils._python_dispatch import _disable_current_modes


@dataclass(frozen=True)
class Path:
    """One product of input degree, harmonic degree and output degree.

    Blocks of features are channels-last: component a of channel u of a block that begins at column
    ``x`` is column ``x + a * x_stride + u``. Several paths may share a block, each with channels of
    its own.

    Attributes:
        degrees: degrees of input, harmonics and output.
        x: first column of the input block.
        y: first column of the harmonics; None: the constant 1 of degree 0.
        w: first column of the weights, one per channel.
        out: first column of the output block.
        channels: number of channels.
        x_stride: columns from one component of the input to the next.
        out_stride: the same of the output.
        scale: factor of the coupling coefficients.
        is_odd: whether the harmonics of the reverse edge have the opposite sign; None: if their
            degree is odd.
    """

    degrees: tuple[int, int, int]
    x: int
    y: int | None
    w: int
    out: int
    channels: int
    x_stride: int
    out_stride: int
    scale: float
    is_odd: bool | None = None

    @property
    def changes_sign(self) -> bool:
        """Whether the harmonics of the reverse edge have the opposite sign."""
        return self.degrees[1] % 2 == 1 if self.is_odd is None else self.is_odd

    @property
    def kind(self) -> tuple[int, int, int, bool]:
        """Degrees, and whether the harmonic is the constant 1: what a kernel is generated for."""
        return (*self.degrees, self.y is None)

    @property
    def dims(self) -> tuple[int, int, int]:
        """Number of components of input, harmonics and output."""
        first, second, third = (2 * degree + 1 for degree in self.degrees)
        return first, second, third


@dataclass(frozen=True)
class SteerablePaths:
    """All paths of a convolution.

    Attributes:
        paths: the paths.
        x_width: columns of the input features.
        y_width: columns of the harmonics.
        w_width: columns of the weights.
        out_width: columns of the output.
    """

    paths: tuple[Path, ...]
    x_width: int
    y_width: int
    w_width: int
    out_width: int

    def __hash__(self) -> int:
        """Computed once: compiled kernels are looked up by their paths in every call."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        widths = self.x_width, self.y_width, self.w_width, self.out_width
        return hash((self.paths, *widths))

    @cached_property
    def kinds(self) -> tuple[tuple[int, int, int, bool], ...]:
        """The distinct kinds of the paths."""
        return tuple(sorted({path.kind for path in self.paths}))


def plain_path(
    degrees: tuple[int, int, int],
    channels: int,
    *,
    x: int,
    w: int,
    out: int,
    y: int | None = None,
    is_odd: bool | None = None,
) -> Path:
    """A path that multiplies components without a factor: one of its inputs is a scalar.

    Blocks are not wider than their channels.

    Args:
        degrees: degrees of input, harmonics and output, of which one of the first two is 0.
        channels: number of channels.
        x: first column of the input block.
        w: first column of the weights.
        out: first column of the output block.
        y: see `Path`.
        is_odd: see `Path`.
    """
    return Path(
        degrees, x=x, y=y, w=w, out=out, channels=channels, x_stride=channels,
        out_stride=channels, scale=(2 * degrees[2] + 1) ** 0.5, is_odd=is_odd,
    )  # fmt: skip


_COUPLINGS: dict[tuple[int, int, int], Tensor] = {}


def coupling(degrees: tuple[int, int, int]) -> Tensor:
    """Coupling coefficients ``[2 l1 + 1, 2 l2 + 1, 2 l3 + 1]`` in float64.

    Wigner 3j symbols of real harmonics. Where a degree is 0, they are a multiple of the identity;
    others are those of e3nn, which builds them in the default dtype, so the dtype is given here.

    Raises:
        ImportError: If e3nn is required and not installed.
    """
    if degrees not in _COUPLINGS and get_proxy_mode() is not None:
        with _disable_current_modes():  # what a tracer keeps has no values
            return coupling(degrees)
    if degrees not in _COUPLINGS:
        _COUPLINGS[degrees] = _identity(degrees) if 0 in degrees else _from_e3nn(degrees)
    return _COUPLINGS[degrees]


def _identity(degrees: tuple[int, int, int]) -> Tensor:
    dims = [2 * degree + 1 for degree in degrees]
    size = max(dims)
    if sorted(dims) != [1, size, size]:
        return torch.zeros(dims, dtype=torch.float64)
    return (torch.eye(size, dtype=torch.float64) / size**0.5).reshape(dims)


def _from_e3nn(degrees: tuple[int, int, int]) -> Tensor:
    from e3nn import o3

    return o3.wigner_3j(*degrees, dtype=torch.float64)
