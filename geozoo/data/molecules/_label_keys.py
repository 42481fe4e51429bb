"""Keys of the targets in structure files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_args

from geozoo.data.molecules._dipoles import DipoleOrigin, DipoleUnit

#: Value of a key for a target that is not to be read.
NOT_READ = "none"
#: Values of `LabelKeys.group_key` that are no entries of a file.
COMPOSITION, HDF5_GROUP = "composition", "hdf5_group"
#: Keys looked for if none is given, in this order.
CANDIDATES = {
    "energy": ("energy", "REF_energy", "dft_energy"),
    "forces": ("forces", "REF_forces", "dft_forces", "force"),
    "stress": (
        "stress", "REF_stress", "dft_stress",
        "virial", "virials", "REF_virial", "REF_virials", "dft_virial", "dft_virials",
    ),
    "atom_energies": ("energies", "REF_energies", "dft_energies"),
    "dipole": ("dipole", "REF_dipole", "dft_dipole"),
}  # fmt: skip


@dataclass(frozen=True)
class LabelKeys:
    """Keys of the targets in structure files.

    ``None`` uses the result of ASE's calculator, where ASE stores entries called ``energy``,
    ``forces`` and ``stress``; without it, ``REF_energy``, ``REF_forces``, ``REF_stress`` or
    ``REF_virials``, then ``dft_energy`` and ``dft_forces``. The log reports which were used. All
    structures of all files use the same keys. Energies of atoms and dipoles are read in the same
    way, from ``energies`` and ``dipole``; without a given key, dipoles of structures that have no
    definite dipole (periodic, or charged with unknown origin) are not read, with a warning.

    Attributes:
        energy_key: key of the energy.
        forces_key: key of the forces.
        stress_key: key of the stress, in the sign of ASE (negative under compression); ``"none"``:
            no stress is read.
        virial_key: key of the virial, instead of a stress: the stress is minus the virial divided
            by the volume.
        atom_energies_key: key of the energy of every atom, whose sum is the energy; ``"none"``:
            not read.
        dipole_key: key of the dipole moment of isolated structures; ``"none"``: not read.
        dipole_unit: ``e*angstrom`` (as ASE), ``e*bohr`` or ``debye``.
        dipole_origin: what dipoles of charged structures refer to in the file: ``zero`` (the origin
            of the coordinates), ``centre_of_mass`` or ``mean_position``; None: unknown.

        group_key: entry that names the molecule of a structure: structures with the same value are
            in the same split. ``"composition"``: the chemical formula; ``"hdf5_group"``: the
            molecule of an HDF5 file; None: structures are split one by one.

    Raises:
        ValueError: If both a stress and a virial are given, or unit or origin are unknown.
    """

    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    virial_key: str | None = None
    atom_energies_key: str | None = None
    dipole_key: str | None = None
    dipole_unit: DipoleUnit = "e*angstrom"
    dipole_origin: DipoleOrigin | None = None
    group_key: str | None = None

    def __post_init__(self) -> None:
        """Validate the keys."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and (not isinstance(value, str) or not value):
                raise ValueError(f"{field.name} must be the name of an entry, got {value!r}")
        if self.stress_key is not None and self.virial_key is not None:
            raise ValueError(
                "stress_key and virial_key cannot both be given: the stress is computed from the "
                "virial"
            )
        for name, known in (("dipole_unit", DipoleUnit), ("dipole_origin", DipoleOrigin)):
            value = getattr(self, name)
            if value is not None and value not in get_args(known):
                raise ValueError(f"{name} must be one of {get_args(known)}, got {value!r}")

    def of(self, target: str) -> str | None:
        """The given key of one of `CANDIDATES`."""
        given = getattr(self, f"{target}_key")
        return self.virial_key if given is None and target == "stress" else given
