"""Irreps of steerable features, and gated nonlinearities."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from geozoo.ops.steerable import Gating

if TYPE_CHECKING:
    from e3nn import nn as e3nn_layers
    from e3nn import o3


def load_o3() -> ModuleType:
    """Import and return `e3nn.o3`.

    Raises:
        ImportError: If e3nn is not installed; the message says how to install it.
    """
    try:
        from e3nn import o3
    except ImportError as error:
        raise ImportError(
            'steerable features need e3nn: pip install "geozoo[train]", or pip install e3nn'
        ) from error
    return o3


def natural_irreps(channels: int, degree: int) -> str:
    """Return irreps with ``channels`` channels of each degree, with the parity of the harmonics.

    >>> natural_irreps(8, 2)
    '8x0e+8x1o+8x2e'
    """
    return "+".join(f"{channels}x{each}{'eo'[each % 2]}" for each in range(degree + 1))


def every_irrep(channels: int, degree: int) -> str:
    """Return irreps with ``channels`` channels of each degree and parity.

    >>> every_irrep(8, 1)
    '8x0e+8x0o+8x1e+8x1o'
    """
    return "+".join(f"{channels}x{each}{parity}" for each in range(degree + 1) for parity in "eo")


def reachable(first: o3.Irreps, second: o3.Irreps) -> set[o3.Irrep]:
    """Return the irreps in the tensor product of two features."""
    return {kind for _, one in first for _, other in second for kind in one * other}


def make_gate(
    irreps: o3.Irreps | str,
    kinds: set[o3.Irrep] | None = None,
    activation: Callable[[Tensor], Tensor] = torch.sigmoid,
) -> e3nn_layers.Gate:
    """Return a gated nonlinearity: SiLU or tanh of scalars, gates for all other irreps.

    Args:
        irreps: irreps of the output.
        kinds: irreps that the preceding layer can produce (see `reachable`); all others are
            dropped. None: keep all.
        activation: activation of the gates.
    """
    from e3nn import nn as e3nn_layers

    o3 = load_o3()
    kept = [(count, kind) for count, kind in o3.Irreps(irreps) if kinds is None or kind in kinds]
    scalars = o3.Irreps([(count, kind) for count, kind in kept if kind.l == 0])
    others = o3.Irreps([(count, kind) for count, kind in kept if kind.l > 0])
    activations = [functional.silu if kind.p == 1 else torch.tanh for _, kind in scalars]
    gates = o3.Irreps([(others.num_irreps, (0, 1))] if others.num_irreps else [])
    return e3nn_layers.Gate(scalars, activations, gates, [activation] if len(gates) else [], others)


def gating_of(gate: e3nn_layers.Gate) -> Gating | None:
    """Sizes of a gate of even scalars with SiLU and sigmoids; None: the gate is another one.

    Args:
        gate: result of `make_gate`.
    """
    scalars, gates = gate.irreps_scalars, gate.irreps_gates
    if not len(scalars) or any(str(kind) != "0e" for _, kind in scalars):
        return None
    activations = [*gate.act_scalars.acts, *(gate.act_gates.acts if len(gates) else [])]
    names = [functional.silu, torch.sigmoid][: len(activations)]
    if [each.f for each in activations] != names:
        return None
    blocks = tuple((kind.dim, count) for count, kind in gate.irreps_gated)
    scales = [each.cst for each in activations]
    return Gating(scalars.dim, blocks, *scales)
