"""What the data sets of energies and forces tell models and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from geozoo.data.scalers import energy_force_statistics
from geozoo.data.spec import GeometricSpec
from geozoo.data.store import GraphStore


def energy_force_spec(
    store: GraphStore,
    train: Tensor,
    *,
    elements: tuple[int, ...],
    protocol: Mapping[str, Any],
    references: Mapping[str, float] | None = None,
) -> GeometricSpec:
    """Describe graphs of atoms with one energy each and a force on every atom.

    Args:
        store: fields ``pos`` (angstrom), ``x`` (one column a species), ``z``, ``forces``
            (meV/angstrom), and per graph ``energy`` (meV) and ``frame``.
        train: ``[S]`` graphs of the training part, whose statistics count.
        elements: atomic number of each column of ``x``; of one that the training part never has,
            the description says 0, as no model can have learned it.
        protocol: what makes a number comparable.
        references: further statistics: energies in meV that were subtracted.
    """
    part = store.gather(train)
    return GeometricSpec(
        level="graph",
        dim=3,
        in_channels=part.x.shape[1],
        out_channels=1,
        vector_fields=("pos", "forces"),
        target="energy",
        elements=tuple(z if seen else 0 for z, seen in zip(elements, part.x.any(0), strict=True)),
        units={
            "pos": "angstrom",
            "x": "1",
            "z": "1",
            "energy": "meV",
            "forces": "meV/angstrom",
            "frame": "1",
        },
        statistics={**energy_force_statistics(part.energy, part.forces), **(references or {})},
        protocol=protocol,
    )
