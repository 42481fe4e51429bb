"""The paths of a steerable product: which degrees couple, where they lie, and how strongly."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Path:
    """One product of input degree, harmonic degree and output degree.

    Blocks of features are channels-last: component a of channel u of a block that begins at column
    ``x`` is column ``x + a * x_stride + u``. Several paths may share a block, each with channels of
    its own.

    Attributes:
        degrees: degrees of input, harmonics and output.
        x: first column of the input block.
        y: first column of the harmonics.
        w: first column of the weights, one per channel.
        out: first column of the output block.
        channels: number of channels.
        x_stride: columns from one component of the input to the next.
        out_stride: the same of the output.
        scale: factor of the coupling coefficients.
    """

    degrees: tuple[int, int, int]
    x: int
    y: int
    w: int
    out: int
    channels: int
    x_stride: int
    out_stride: int
    scale: float

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

    @cached_property
    def key(self) -> str:
        """Hash of degrees, columns and scales, which names the generated kernel."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @cached_property
    def triples(self) -> tuple[tuple[int, int, int], ...]:
        """The distinct degrees of the paths."""
        return tuple(sorted({path.degrees for path in self.paths}))


_COUPLINGS: dict[tuple[int, int, int], Tensor] = {}


def coupling(degrees: tuple[int, int, int]) -> Tensor:
    """Coupling coefficients ``[2 l1 + 1, 2 l2 + 1, 2 l3 + 1]`` in float64, from e3nn.

    e3nn builds its coefficients in the default dtype, so the dtype is given here.
    """
    if degrees not in _COUPLINGS:
        from e3nn import o3

        _COUPLINGS[degrees] = o3.wigner_3j(*degrees, dtype=torch.float64)
    return _COUPLINGS[degrees]
