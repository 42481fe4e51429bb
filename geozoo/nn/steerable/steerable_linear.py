"""Steerable linear layer, conditioned on an attribute."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_shape
from geozoo.nn.steerable.channels_last import (
    blocks_from_channels_last,
    blocks_to_channels_last,
    sizes_of,
)
from geozoo.nn.steerable.irreps import gating_of, load_o3, make_gate, reachable
from geozoo.nn.steerable.steered_map import SteeredMap
from geozoo.ops import is_textbook, scatter
from geozoo.ops.steerable import Rows, Target, gated


class SteerableLinear(nn.Module):
    r"""Steerable linear layer: fully connected tensor product of features and attribute.

    .. math:: y = W(a)\, x + b = \mathrm{CG}_W(x, a) + b

    Scalar outputs have biases. With a gate, scalars pass through an activation and all other irreps
    are multiplied by sigmoids of additional scalars. Exactly equivariant under rotations and
    reflections.

    Args:
        irreps_in: irreps of the features in e3nn notation: ``"8x0e+8x1o"``.
        irreps_attribute: irreps of the attribute.
        irreps_out: irreps of the output; irreps outside the tensor product are dropped with a gate,
            and zero without one.
        gated: whether a gate follows the linear map.
        gain: gain of the weight initialisation.

    Raises:
        ImportError: If e3nn is not installed.

    Reference:
        J. Brandstetter, R. Hesselink, E. van der Pol, E. J. Bekkers, M. Welling, Geometric and
        Physical Quantities Improve E(3) Equivariant Message Passing, ICLR 2022, arXiv:2110.02905,
        eqs. 3 and 4.
    """

    scalars: Tensor

    def __init__(
        self,
        irreps_in: str,
        irreps_attribute: str,
        irreps_out: str,
        *,
        gated: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        o3 = load_o3()
        before, attribute = o3.Irreps(irreps_in).simplify(), o3.Irreps(irreps_attribute)
        self.gate = make_gate(irreps_out, reachable(before, attribute)) if gated else None
        after = o3.Irreps(irreps_out) if self.gate is None else self.gate.irreps_in
        self.irreps_in, self.irreps_attribute = before, attribute
        self.irreps_out = after if self.gate is None else self.gate.irreps_out
        self.product = o3.FullyConnectedTensorProduct(before, attribute, after.simplify())
        # e3nn normalises for weights of unit variance; this matches the scale of nn.Linear.
        nn.init.uniform_(self.product.weight, -gain, gain)
        scalars = [
            torch.arange(where.start, where.stop)
            for where, (_, kind) in zip(after.slices(), after, strict=True)
            if kind == o3.Irrep("0e")
        ]
        self.register_buffer("scalars", torch.cat(scalars or [torch.arange(0)]), persistent=False)
        self.bias = nn.Parameter(torch.zeros(len(self.scalars)))
        middle = self.product.irreps_out
        self._sizes_in, self._sizes_middle = sizes_of(before), sizes_of(middle)
        self._sizes_out = self._sizes_middle if self.gate is None else sizes_of(self.irreps_out)
        self._widths = before.dim, attribute.dim
        self._bias_sizes = [count if kind == o3.Irrep("0e") else 0 for count, kind in middle]
        self.gating = None if self.gate is None else gating_of(self.gate)
        self._plans: dict[tuple[tuple[bool, ...], bool], SteeredMap] = {}
        self.plan((False,) * len(before))  # a compiler cannot make it

    def forward(
        self, x: Float[Tensor, "N in"], attribute: Float[Tensor, "N A"]
    ) -> Float[Tensor, "N out"]:
        """Return the mapped features.

        Args:
            x: features, irreps concatenated.
            attribute: steering attribute of each row.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("x", x, "N in", None, self._widths[0])
        check_shape("attribute", attribute, "N A", x.shape[0], self._widths[1])
        blocks = [Rows(block) for block in blocks_to_channels_last(x, self._sizes_in)]
        return blocks_from_channels_last(self.steer(blocks, attribute), self._sizes_out)

    def steer(
        self,
        blocks: Sequence[Rows],
        attribute: Float[Tensor, "N A"],
        *,
        has_unit: bool = False,
        window: Float[Tensor, "N 1"] | None = None,
        target: Target | None = None,
    ) -> list[Float[Tensor, "M B"]]:
        """Return the blocks of the mapped features, for features in blocks.

        Args:
            blocks: for each entry of ``irreps_in``, its features with the channels last; or rows of
                them, such as those of the senders, which are mapped before they are gathered.
            attribute: steering attribute of each row.
            has_unit: whether the first entry of all attributes is the constant 1.
            window: weight of each row of the result, with ``target``.
            target: where to sum rows.
        """
        out = self._mapped(blocks, attribute, has_unit)
        if self.gating is not None and not is_textbook():
            return gated(out[0], out[1:], self.gating, window=window, target=target)
        if self.gate is not None:
            together = blocks_from_channels_last(out, self._sizes_middle)
            out = blocks_to_channels_last(self.gate(together), self._sizes_out)
        if window is None or target is None:
            return out
        return [scatter(block * window, target.rows, target.size) for block in out]

    def _mapped(self, blocks: Sequence[Rows], attribute: Tensor, has_unit: bool) -> list[Tensor]:
        """The blocks of the product with biases."""
        if not is_textbook():
            plan = self.plan(tuple(rows.rows is not None for rows in blocks), has_unit=has_unit)
            return plan.apply(blocks, attribute, self.product.weight, self._biases())
        x = blocks_from_channels_last([rows.taken() for rows in blocks], self._sizes_in)
        out = self.product(x, attribute)
        out = out + self.bias.new_zeros(out.shape[1]).index_copy(0, self.scalars, self.bias)
        return blocks_to_channels_last(out, self._sizes_middle)

    def plan(self, gathered: tuple[bool, ...], *, has_unit: bool = False) -> SteeredMap:
        """How the product is evaluated; compilers need plans that exist.

        Args:
            gathered: which blocks of the features are gathered.
            has_unit: see `steer`.
        """
        key = gathered, has_unit
        if key not in self._plans:
            biases = [bias is not None for bias in self._biases()]
            self._plans[key] = SteeredMap(self.product, gathered, biases, has_unit=has_unit)
        return self._plans[key]

    def _biases(self) -> list[Tensor | None]:
        """The bias of each block of the product's output."""
        parts = self.bias.split(self._bias_sizes)
        return [part if n else None for part, n in zip(parts, self._bias_sizes, strict=True)]
