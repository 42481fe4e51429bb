"""Lift scalars and vectors to a fibre of orientations, and project back."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.checks import check_lifted, check_shape


def lift_to_orientations(
    x: Float[Tensor, "N S"] | None,
    vec: Float[Tensor, "N V dim"] | None,
    orientations: Float[Tensor, "O dim"],
) -> Float[Tensor, "N O S+V"]:
    r"""Return scalars unchanged, and vectors as :math:`v \cdot o`, at each orientation.

    Raises:
        ValueError: If there are neither scalars nor vectors, or a tensor has the wrong shape.
    """
    check_shape("orientations", orientations, "O dim", None, None)
    check_lifted(x, vec, orientations.shape[1])
    parts = []
    if x is not None:
        parts.append(x.unsqueeze(1).expand(-1, orientations.shape[0], -1))
    if vec is not None:
        parts.append(torch.einsum("nvd,od->nov", vec, orientations))
    return torch.cat(parts, -1) if len(parts) > 1 else parts[0]


def project_from_orientations(
    features: Float[Tensor, "N O S+V"], orientations: Float[Tensor, "O dim"], num_scalars: int
) -> tuple[Float[Tensor, "N S"], Float[Tensor, "N V dim"]]:
    r"""Return the mean over orientations of the scalars, and of :math:`f(o)\, o` for the vectors.

    Lifting and projecting a vector divides it by the dimension on every grid with
    :math:`\sum_o o o^\top = (O / d) I`.

    Raises:
        ValueError: If a tensor has the wrong shape.
    """
    check_shape("orientations", orientations, "O dim", None, None)
    check_shape("features", features, "N O C", None, orientations.shape[0], None)
    scalar = features[..., :num_scalars].mean(1)
    vector = torch.einsum("nov,od->nvd", features[..., num_scalars:], orientations)
    return scalar, vector / orientations.shape[0]
