"""Check invariance of scalars and equivariance of vectors under rotations and translations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch import Tensor

from geozoo.geometry import random_rotations
from geozoo.testing._run import Inputs, call, compare
from geozoo.testing.tolerances import Tolerance


def assert_equivariant(
    module: Callable[..., Any],
    inputs: Inputs,
    *,
    points: Collection[str] = ("pos",),
    vectors: Collection[str] = ("vec",),
    vector_outputs: Collection[str] = ("vector",),
    rotations: Iterable[Tensor] | None = None,
    reflect: bool = False,
    translate: bool = True,
    seed: int = 0,
    tolerance: Tolerance | None = None,
) -> None:
    r"""Check :math:`f(R x + t) = f(x)` for scalars and :math:`R f(x)` for vectors.

    Args:
        module: called with the inputs as keyword arguments.
        inputs: its inputs by name.
        points: names of the inputs ``[..., dim]`` that are rotated and translated.
        vectors: names of the inputs ``[..., dim]`` that are rotated only.
        vector_outputs: names of the equivariant outputs ``[..., dim]``; the others are invariant.
        rotations: orthogonal matrices ``[dim, dim]`` to check, for instance those that map a grid
            to itself; None: three random ones.
        reflect: whether the random rotations are combined with a reflection.
        translate: whether points are also translated.
        seed: seed of the random transformations.
        tolerance: allowed deviation; None: that of the dtype.

    Raises:
        AssertionError: If an output is not equivariant.
    """
    generator = torch.Generator().manual_seed(seed)
    sample = next(inputs[name] for name in (*points, *vectors) if inputs.get(name) is not None)
    if rotations is None:
        rotations = _random_motions(sample, reflect, generator)
    expected = call(module, inputs)
    for number, rotation in enumerate(rotations):
        matrix = rotation.to(sample)
        shift = torch.randn(sample.shape[-1], generator=generator, dtype=torch.float64)
        shift = shift.to(sample) if translate else torch.zeros_like(shift).to(sample)
        moved = dict(inputs)
        for name in (*points, *vectors):
            if inputs.get(name) is not None:
                rotated = inputs[name] @ matrix.T
                moved[name] = rotated + shift if name in points else rotated
        rotated_outputs = {
            name: value @ matrix.T if name in vector_outputs else value
            for name, value in expected.items()
        }
        what = f"is not equivariant under transformation {number} (R = {matrix.tolist()})"
        compare(call(module, moved), rotated_outputs, what, tolerance)


def _random_motions(sample: Tensor, reflect: bool, generator: torch.Generator) -> Tensor:
    rotations = random_rotations(
        3, sample.shape[-1], generator=generator, dtype=sample.dtype, device=sample.device
    )
    if reflect:
        rotations = rotations.clone()
        rotations[..., 0] *= -1
    return rotations
