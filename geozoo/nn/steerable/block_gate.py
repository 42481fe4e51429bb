"""Gates of e3nn on blocks of features with their channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from geozoo.nn.steerable.channels_last import (
    blocks_from_channels_last,
    blocks_to_channels_last,
    sizes_of,
)
from geozoo.ops import is_textbook
from geozoo.ops.steerable import GateActivation, Gating, gated

if TYPE_CHECKING:
    from e3nn import nn as e3nn_layers

_GATES: dict[Any, GateActivation] = {torch.sigmoid: "sigmoid", functional.silu: "silu"}


class BlockGate:
    """How to evaluate a gate: even scalars, odd ones, and all other features in one kernel.

    Args:
        gate: result of `geozoo.nn.steerable.make_gate`, with every irrep once.
    """

    def __init__(self, gate: e3nn_layers.Gate) -> None:
        before, scalars = gate.irreps_in, gate.irreps_scalars
        self.sizes, self.sizes_out = sizes_of(before), sizes_of(gate.irreps_out)
        kinds = [str(kind) for _, kind in before]
        #: Blocks of even scalars with the gates, of odd scalars, and of features with gates.
        self.even, self.odd = (
            kinds.index(kind) if kind in kinds else None for kind in ("0e", "0o")
        )
        self.gated = [kinds.index(str(kind)) for _, kind in gate.irreps_gated]
        self.order = [str(kind) for _, kind in scalars]
        acts = dict(zip(self.order, gate.act_scalars.acts, strict=True))
        gates = gate.act_gates.acts if len(gate.irreps_gates) else []
        self.is_known = (
            len(set(kinds)) == len(kinds)
            and all(acts[kind].f is (functional.silu if kind == "0e" else torch.tanh)
                    for kind in self.order)
            and all(each.f in _GATES for each in gates)
        )  # fmt: skip
        self.odd_scale = float(acts["0o"].cst) if "0o" in acts else 1.0
        self.gating = Gating(
            scalars.count("0e"), tuple((kind.dim, count) for count, kind in gate.irreps_gated),
            float(acts["0e"].cst) if "0e" in acts else 1.0,
            float(gates[0].cst) if gates else 1.0,
            _GATES.get(gates[0].f, "sigmoid") if gates else "sigmoid",
        )  # fmt: skip

    def apply(self, blocks: Sequence[Tensor], gate: e3nn_layers.Gate) -> list[Tensor]:
        """Return the blocks of the output.

        Args:
            blocks: blocks of the features.
            gate: the gate itself, for the equation as written.
        """
        if is_textbook() or not self.is_known:
            out = gate(blocks_from_channels_last(blocks, self.sizes))
            return blocks_to_channels_last(out, self.sizes_out)
        scalars: dict[str, Tensor] = {}
        others: list[Tensor] = []
        if self.even is not None:
            taken = [blocks[block] for block in self.gated]
            scalars["0e"], *others = gated(blocks[self.even], taken, self.gating)
        if self.odd is not None:
            scalars["0o"] = self.odd_scale * torch.tanh(blocks[self.odd])
        return [*(scalars[kind] for kind in self.order), *others]
