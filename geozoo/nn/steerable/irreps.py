"""Kinds of steerable features, and the gate that makes them nonlinear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from e3nn import nn as e3nn_layers
    from e3nn import o3


def load_o3():  # type: ignore[no-untyped-def]
    """The library's room for irreps and tensor products.

    Raises:
        ImportError: without e3nn; says what to install.
    """
    try:
        from e3nn import o3
    except ImportError as error:
        raise ImportError(
            'steerable features need e3nn: pip install "geozoo[train]", or pip install e3nn'
        ) from error
    return o3


def natural_irreps(channels: int, degree: int) -> str:
    """As many channels of every degree up to one, each with the parity of its harmonics.

    >>> natural_irreps(8, 2)
    '8x0e+8x1o+8x2e'
    """
    return "+".join(f"{channels}x{each}{'eo'[each % 2]}" for each in range(degree + 1))


def every_irrep(channels: int, degree: int) -> str:
    """As many channels of every degree up to one with both parities.

    >>> every_irrep(8, 1)
    '8x0e+8x0o+8x1e+8x1o'
    """
    return "+".join(f"{channels}x{each}{parity}" for each in range(degree + 1) for parity in "eo")


def reachable(first: o3.Irreps, second: o3.Irreps) -> set[o3.Irrep]:
    """The kinds that a product of two features can have."""
    return {kind for _, one in first for _, other in second for kind in one * other}


def make_gate(irreps: o3.Irreps | str, kinds: set[o3.Irrep] | None = None) -> e3nn_layers.Gate:
    """A gate whose output has certain irreps: SiLU and tanh of scalars, others times a sigmoid.

    Args:
        irreps: of the output.
        kinds: those that what comes before can make (see `reachable`), others are left out;
            None: any.
    """
    from e3nn import nn as e3nn_layers

    o3 = load_o3()
    kept = [(count, kind) for count, kind in o3.Irreps(irreps) if kinds is None or kind in kinds]
    scalars = o3.Irreps([(count, kind) for count, kind in kept if kind.l == 0])
    others = o3.Irreps([(count, kind) for count, kind in kept if kind.l > 0])
    activations = [functional.silu if kind.p == 1 else torch.tanh for _, kind in scalars]
    gates = o3.Irreps([(others.num_irreps, (0, 1))] if others.num_irreps else [])
    return e3nn_layers.Gate(
        scalars, activations, gates, [torch.sigmoid] if len(gates) else [], others
    )
