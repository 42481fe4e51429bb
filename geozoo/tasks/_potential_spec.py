"""What a potential needs of its data, and the quantities that it predicts."""

from __future__ import annotations

from collections.abc import Collection

from geozoo.data import GeometricSpec
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._reference_energies import STATISTICS


def quantities_of(spec: GeometricSpec, wanted: Collection[str] = ()) -> tuple[Quantity, ...]:
    """The quantities of a potential, by the targets of its data.

    Args:
        spec: the data specification.
        wanted: ``"atom_energy"`` and ``"dipole"`` if they are learned.
    """
    measures = ("mae", "rmse")
    quantities = [
        Quantity("energy", "energy", measures),
        Quantity("force", "forces", measures, is_vector=True, level="node"),
    ]
    if "energy_per_atom" in spec.units:
        quantities.append(Quantity("energy_per_atom", "energy_per_atom", measures))
    if "stress" in spec.units:
        quantities.append(Quantity("stress", "stress", measures, is_tensor=True))
    if "atom_energy" in wanted and "atom_energies" in spec.units:
        quantities.append(Quantity("atom_energy", "atom_energies", measures, level="node"))
    if "dipole" in wanted and "dipole" in spec.units:
        quantities.append(Quantity("dipole", "dipole", measures, is_vector=True))
    return tuple(quantities)


def check_spec(spec: GeometricSpec) -> None:
    """Check that data are those of a potential.

    Raises:
        ValueError: If the level, the outputs or the statistics are others.
    """
    if spec.level != "graph" or spec.out_channels != 1:
        raise ValueError(
            "task potential needs data of level 'graph' with one scalar output, got level "
            f"{spec.level!r} and {spec.out_channels} scalar outputs"
        )
    missing = [name for name in STATISTICS if name not in spec.statistics]
    if missing:
        raise ValueError(
            f"task potential needs data with the statistics {', '.join(STATISTICS)}, missing: "
            f"{', '.join(missing)}"
        )
