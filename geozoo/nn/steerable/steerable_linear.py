"""Steerable linear layer, conditioned on an attribute."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_shape
from geozoo.nn.steerable.irreps import load_o3, make_gate, reachable


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
        check_shape("x", x, "N in", None, self.irreps_in.dim)
        check_shape("attribute", attribute, "N A", len(x), self.irreps_attribute.dim)
        out = self.product(x, attribute)
        out = out + self.bias.new_zeros(out.shape[1]).index_copy(0, self.scalars, self.bias)
        return out if self.gate is None else self.gate(out)
