"""A linear map whose weights are steered by an attribute."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_shape
from geozoo.nn.steerable.irreps import load_o3, make_gate, reachable


class SteerableLinear(nn.Module):
    r"""Every product of features and attribute that an output can have, with a weight of its own.

    .. math:: y = W(a)\, x + b = \mathrm{CG}_W(x, a) + b

    Scalars of the output have biases. With a gate, scalars go through an activation and the others
    are multiplied by sigmoids of further scalars. Exact under rotations and reflections.

    Args:
        irreps_in: irreps of the features, as e3nn writes them: ``"8x0e+8x1o"``.
        irreps_attribute: irreps of the attribute.
        irreps_out: irreps of the output; those that no product reaches are left out behind a gate,
            and are zero without one.
        gated: whether there is a gate behind the map.
        gain: of the first weights.

    Raises:
        ImportError: without e3nn.

    Reference:
        J. Brandstetter, R. Hesselink, E. van der Pol, E. J. Bekkers, M. Welling, Geometric and
        Physical Quantities Improve E(3) Equivariant Message Passing, ICLR 2022, arXiv:2110.02905,
        eqs. 3 and 4.
    """

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
        # The library normalises for weights of variance 1; torch's linear maps have this spread.
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
            x: features, irreps one after the other.
            attribute: what steers each row.

        Raises:
            ValueError: for another shape.
        """
        check_shape("x", x, "N in", None, self.irreps_in.dim)
        check_shape("attribute", attribute, "N A", len(x), self.irreps_attribute.dim)
        out = self.product(x, attribute)
        out = out + self.bias.new_zeros(out.shape[1]).index_copy(0, self.scalars, self.bias)
        return out if self.gate is None else self.gate(out)
