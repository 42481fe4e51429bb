"""Equivariance error of PONITA against the number and kind of orientations, as a table.

    python -m benchmarks.equivariance_error

An untrained network of published width in float64 sees random clouds of 10 points, turned by random
rotations. The error is the root mean square change of the output under a rotation, relative to the
root mean square of the output's spread over clouds; mean over three initialisations.
"""

from __future__ import annotations

import sys

import torch

from geozoo.geometry import SPHERE_GRIDS, platonic_rotations, random_rotations
from geozoo.models import Ponita

CLOUDS, POINTS, ROTATIONS, SEEDS = 8, 10, 8, (0, 1, 2)


def error(seed: int, rotations: torch.Tensor, **options: object) -> tuple[float, float]:
    """Relative error of a scalar and, where there is one, of a vector output per graph."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    vectors = 0 if options.get("representation") == "position" else 1
    model = Ponita(1, 1, out_vectors=vectors, hidden_channels=32, basis_channels=64, **options)
    model = model.double()
    pos = torch.randn(CLOUDS * POINTS, 3, dtype=torch.float64, generator=generator)
    x = torch.randn(CLOUDS * POINTS, 1, dtype=torch.float64, generator=generator)
    batch = torch.arange(CLOUDS).repeat_interleave(POINTS)
    with torch.no_grad():
        model.calibrate(pos, x, batch)
        scalar, vector = model(pos, x, batch)
        moved = [model(pos @ rotation.T, x, batch) for rotation in rotations]
    change = torch.stack([out.scalar - scalar for out in moved]).square().mean().sqrt()
    spread = (scalar - scalar.mean(0)).square().mean().sqrt()
    if not vectors:
        return float(change / spread), 0.0
    turned = [out.vector - vector @ r.T for out, r in zip(moved, rotations, strict=True)]
    vector_change = torch.stack(turned).square().mean().sqrt()
    return float(change / spread), float(vector_change / vector.square().mean().sqrt())


def mean_error(rotations: torch.Tensor, **options: object) -> tuple[float, float]:
    errors = torch.tensor([error(seed, rotations, **options) for seed in SEEDS])
    return tuple(errors.mean(0).tolist())


def main() -> None:
    generator = torch.Generator().manual_seed(7)
    random = random_rotations(ROTATIONS, 3, generator=generator, dtype=torch.float64)
    out = sys.stdout
    out.write("| points | orientations | rotations | scalar | vector |\n|---|---|---|---|---|\n")
    rows = [
        (grid, num, "random", random)
        for num in (6, 8, 12, 16, 20, 32, 48, 60)
        for grid in SPHERE_GRIDS
        if grid != "platonic" or num in (6, 8, 12, 20)
    ]
    rows.append(("platonic", 20, "the 60 of the dodecahedron", platonic_rotations(20)[::8]))
    for grid, num, name, rotations in rows:
        scalar, vector = mean_error(rotations, grid=grid, num_orientations=num)
        out.write(f"| {grid} | {num} | {name} | {scalar:.1e} | {vector:.1e} |\n")
    for representation in ("edges", "position"):
        scalar, vector = mean_error(random, representation=representation)
        cell = "-" if representation == "position" else f"{vector:.1e}"
        out.write(f"| {representation} | - | random | {scalar:.1e} | {cell} |\n")


if __name__ == "__main__":
    main()
