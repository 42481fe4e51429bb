"""Equivariance error of PONITA against the number and kind of orientations, as a table.

    python -m benchmarks.equivariance_error            # add --record to store the measurements

An untrained network of 5 layers (hidden 32, basis 64) in float64 is applied to random clouds of 10
points, rotated at random. The error is the root mean square change of the output under a rotation,
relative to the root mean square of the output's spread over clouds (vectors: of the output),
averaged over three initialisations. ``--record`` appends the measurements to
``benchmarks/results/equivariance_error.jsonl``.
"""

from __future__ import annotations

import argparse
import sys

import torch

from benchmarks._record import record
from geozoo.geometry import SPHERE_GRIDS, platonic_rotations, random_rotations
from geozoo.models import Ponita
from geozoo.options import in_groups

CLOUDS, POINTS, ROTATIONS, SEEDS = 8, 10, 8, (0, 1, 2)


def error(seed: int, rotations: torch.Tensor, **options: object) -> tuple[float, float]:
    """Relative error of a scalar and, if there is one, of a vector output per graph."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    vectors = 0 if options.get("representation") == "position" else 1
    model = Ponita(
        1,
        1,
        out_vectors=vectors,
        hidden_channels=32,
        **in_groups(Ponita, {"basis_channels": 64, **options}),
    )
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


def measure() -> list[dict[str, object]]:
    """One row per grid, number of orientations and kind of rotations."""
    generator = torch.Generator().manual_seed(7)
    random = random_rotations(ROTATIONS, 3, generator=generator, dtype=torch.float64)
    cases = [
        (grid, num, "random", random)
        for num in (6, 8, 12, 16, 20, 32, 48, 60)
        for grid in SPHERE_GRIDS
        if grid != "platonic" or num in (6, 8, 12, 20)
    ]
    cases.append(("platonic", 20, "the 60 of the dodecahedron", platonic_rotations(20)))
    rows = []
    for grid, num, name, rotations in cases:
        scalar, vector = mean_error(rotations, grid=grid, num_orientations=num)
        rows.append(_row(grid, num, name, scalar, vector))
    for representation in ("edges", "position"):
        scalar, vector = mean_error(random, representation=representation)
        has_vectors = representation != "position"
        rows.append(
            _row(f"`{representation}`", None, "random", scalar, vector if has_vectors else None)
        )
    return rows


def _row(
    points: str, orientations: int | None, rotations: str, scalar: float, vector: float | None
) -> dict[str, object]:
    return {
        "points": points,
        "orientations": orientations,
        "rotations": rotations,
        "scalar": scalar,
        "vector": vector,
    }


def markdown(rows: list[dict[str, object]]) -> str:
    """The table on the card."""
    lines = ["| grid | orientations | rotations | scalar | vector |", "|---|---|---|---|---|"]
    for row in rows:
        values = [f"{v:.1e}" if isinstance(v, float) else "-" if v is None else str(v)
                  for v in row.values()]  # fmt: skip
        lines.append(f"| {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    rows = measure()
    sys.stdout.write(markdown(rows))
    if options.record:
        record("equivariance_error", {"rows": rows})


if __name__ == "__main__":
    main()
