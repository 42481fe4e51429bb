"""Random rotations in 2D and 3D."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def random_rotations(
    num: int,
    dim: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Float[Tensor, "num dim dim"]:
    r"""Draw rotation matrices uniformly from SO(2) or SO(3).

    Rotations act on row vectors as ``pos @ rotation.T``. In 3D a normalised Gaussian vector
    :math:`(w, x, y, z)` is a unit quaternion, uniform on the group (K. Shoemake, Uniform random
    rotations, Graphics Gems III, 1992).

    Rotations are drawn in float64 on the generator's device and converted afterwards, so a seed
    gives the same rotations in every precision.

    Args:
        num: number of rotations, at least 0.
        dim: 2 or 3.
        generator: random generator; None: torch's global one.
        dtype: dtype of the matrices.
        device: device of the matrices.

    Raises:
        ValueError: If ``dim`` is neither 2 nor 3.
    """
    source = generator.device if generator is not None else None
    if dim == 2:
        angle = torch.rand(num, generator=generator, dtype=torch.float64, device=source)
        angle = 2 * math.pi * angle
        cos, sin = angle.cos(), angle.sin()
        entries = [cos, -sin, sin, cos]
    elif dim == 3:
        q = torch.randn(num, 4, generator=generator, dtype=torch.float64, device=source)
        w, x, y, z = torch.nn.functional.normalize(q, dim=-1).unbind(-1)
        entries = [
            1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
        ]  # fmt: skip
    else:
        raise ValueError(f"dim must be 2 or 3, got {dim!r}")
    return torch.stack(entries, -1).reshape(num, dim, dim).to(device=device, dtype=dtype)
