"""Spherical harmonics as polynomials, with derivatives of any order."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.utils._python_dispatch import _disable_current_modes

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_traced
from geozoo.ops.steerable.paths import coupling

#: Steps from a degree to the next in float64, and in other types.
_STEPS: dict[int, Tensor] = {}
_CAST: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}


def solid_harmonics(vector: Float[Tensor, "E 3"], degree: int) -> Float[Tensor, "E H"]:
    r"""Real spherical harmonics times the l-th power of the length, of all degrees l.

    They have mean square 1 on the unit sphere, and the order of e3nn. Each degree is the coupling
    of the one below it with the vector,

    .. math:: Y_{l c}(v) = \sum_{a b} M^l_{a b c}\, Y_{l-1, a}(v)\, v_b,

    a few operations instead of one for each monomial.

    Args:
        vector: vectors; unit vectors for the harmonics of directions.
        degree: largest degree.

    Returns:
        Degrees 0, 1, ... side by side; ``H`` is ``(degree + 1) ** 2``.

    Raises:
        ImportError: If e3nn is required and not installed.
    """
    if is_textbook():
        return _of_e3nn(vector, list(range(degree + 1)))
    parts = [torch.ones_like(vector[:, :1])]
    if degree:
        parts.append(vector * 3**0.5)
    for each in range(2, degree + 1):
        products = (parts[-1].unsqueeze(2) * vector.unsqueeze(1)).flatten(1)
        parts.append(products @ _step(each, vector))
    return torch.cat(parts, 1)


def _step(degree: int, like: Tensor) -> Tensor:
    """The matrix from products of the degree below with the vector."""
    if degree not in _STEPS:
        if get_proxy_mode() is not None:
            with _disable_current_modes():  # what a tracer keeps has no values
                return _step(degree, like)
        _STEPS[degree] = _made(degree)
    if is_traced():
        return _STEPS[degree].to(like)
    key = degree, like.dtype, like.device
    if key not in _CAST:
        _CAST[key] = _STEPS[degree].to(like)
    return _CAST[key]


@torch.inference_mode(False)
def _made(degree: int) -> Tensor:
    """The coupling of degrees, with the factor that gives the harmonics of e3nn."""
    vector = torch.tensor([[0.48, 0.6, 0.64]], dtype=torch.float64)
    before, wanted = (_of_e3nn(vector, [each]) for each in (degree - 1, degree))
    matrix = coupling((degree - 1, 1, degree)).flatten(0, 1)
    found = (before.unsqueeze(2) * vector.unsqueeze(1)).flatten(1) @ matrix
    return matrix * float((found * wanted).sum() / (found * found).sum())


def _of_e3nn(vector: Tensor, degrees: list[int]) -> Tensor:
    from e3nn import o3

    return o3.spherical_harmonics(degrees, vector, normalize=False, normalization="component")
