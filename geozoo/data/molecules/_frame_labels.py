"""Energies, forces, stresses and weights of structures: keys, units and checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from geozoo.data.molecules._dipoles import (
    DIPOLE_TO_E_ANGSTROM,
    centred_dipole,
    dipole_obstacle,
)
from geozoo.data.molecules._frame_cells import Cell
from geozoo.data.molecules._label_keys import CANDIDATES, NOT_READ, LabelKeys
from geozoo.data.molecules.units import energy_factor, length_factor

if TYPE_CHECKING:
    from ase import Atoms

#: Weight of a structure in the loss, by the convention of MACE.
WEIGHT = "config_weight"
#: Relative and absolute tolerance (eV, angstrom) for two entries with the same values.
_SAME = {
    "energy": (1e-8, 1e-4), "forces": (1e-4, 1e-4), "stress": (1e-3, 1e-6),
    "atom_energies": (1e-8, 1e-4), "dipole": (1e-4, 1e-4),
}  # fmt: skip
#: Targets for which entries of another shape, found without a given key, are something else.
_MAY_DIFFER = ("atom_energies", "dipole")
#: Asymmetry of a stress relative to its largest component, and in meV/angstrom^3: rounding.
_ASYMMETRY, _ROUNDING = 1e-3, 1e-3
_VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])


class Labels(NamedTuple):
    """The targets of a structure in meV and angstrom; None without them.

    Attributes:
        energy: total energy.
        forces: ``[N, 3]``.
        stress: ``[3, 3]``, symmetric, in meV per cubic angstrom.
        weight: weight of the structure in the loss.
        atom_energies: ``[N]``.
        dipole: ``[3]`` in e angstrom, relative to the mean position if the structure is charged.
    """

    energy: float
    forces: np.ndarray | None
    stress: np.ndarray | None
    weight: float | None
    atom_energies: np.ndarray | None = None
    dipole: np.ndarray | None = None


class LabelReader:
    """Reads the targets of many structures, under the same keys for all.

    Args:
        keys: the given keys.
        energy_unit: unit of the energies.
        length_unit: unit of the positions.

    Attributes:
        taken: the key of each target that occurred so far.
        indefinite: number of structures whose dipole was not read, by reason.
    """

    def __init__(self, keys: LabelKeys, energy_unit: str, length_unit: str) -> None:
        self.keys = keys
        self.taken: dict[str, str] = {}
        self.indefinite: dict[str, int] = {}
        self._to_mev, self._to_angstrom = energy_factor(energy_unit), length_factor(length_unit)

    def energy(self, atoms: Atoms, where: str) -> float:
        """The energy of a structure in meV.

        Raises:
            ValueError: If there is none, or it is not one finite number.
        """
        found = self._find(atoms, "energy", where, None)
        if found is None:
            raise ValueError(_no_energy(atoms, where, self.keys.energy_key))
        if not np.isfinite(found).all():
            raise ValueError(f"{where}: energy contains NaN or infinite values")
        return float(found) * self._to_mev

    def read(self, atoms: Atoms, where: str, cell: Cell | None, *, with_stress: bool) -> Labels:
        """All targets of a structure.

        Args:
            atoms: the structure.
            where: what messages call it.
            cell: its cell in angstrom; None for an isolated structure.
            with_stress: whether a stress is read; False if the cell is ignored.

        Raises:
            ValueError: If it has no energy, a value is not finite or has the wrong shape, a stress
                is asymmetric or has no volume, or entries contradict each other.
        """
        energy = self.energy(atoms, where)
        forces = self._find(atoms, "forces", where, cell)
        if forces is not None:
            _check_finite(forces, "forces", where)
            forces = forces * (self._to_mev / self._to_angstrom)
        stress = self._find(atoms, "stress", where, cell) if with_stress else None
        of_atoms = self._find(atoms, "atom_energies", where, cell)
        if of_atoms is not None:
            _check_finite(of_atoms, "the energies of atoms", where)
            of_atoms = of_atoms * self._to_mev
        return Labels(energy, forces, stress, _weight(atoms, where), of_atoms)

    def dipole(
        self, atoms: Atoms, pos: np.ndarray, where: str, cell: Cell | None, charge: float | None
    ) -> np.ndarray | None:
        """The dipole in e angstrom; None without a definite one.

        Args:
            atoms: the structure.
            pos: ``[N, 3]`` its positions in angstrom, in the coordinates of the file.
            where: what messages call it.
            cell: its cell in angstrom; None for an isolated structure.
            charge: its total charge; None: unknown, taken as neutral.

        Raises:
            ValueError: If the key is given, and the dipole is not definite.
        """
        known = dict(self.taken)
        found = self._find(atoms, "dipole", where, cell)
        if found is None:
            return None
        _check_finite(found, "dipole", where)
        origin, given = self.keys.dipole_origin, self.keys.dipole_key
        obstacle = dipole_obstacle(atoms, cell, charge, origin)
        if given is None and not obstacle and atoms.pbc.any():
            obstacle = "its cell is ignored"
        if obstacle and given is not None:
            raise ValueError(
                f"{where} has a dipole ({given}), but {obstacle}. labels.dipole_key=none reads no "
                "dipoles"
            )
        if obstacle:
            self.taken = known
            self.indefinite[obstacle] = self.indefinite.get(obstacle, 0) + 1
            return None
        scaled = found * DIPOLE_TO_E_ANGSTROM[self.keys.dipole_unit]
        return centred_dipole(scaled, atoms, pos, charge, origin)

    def check_given(self) -> None:
        """Check that every given key occurred in some structure.

        Raises:
            ValueError: If one did not.
        """
        for target in CANDIDATES:
            key = self.keys.of(target)
            if key not in (None, NOT_READ) and target not in self.taken:
                option = "virial_key" if key == self.keys.virial_key else f"{target}_key"
                raise ValueError(
                    f"no structure has {target} with {option}={key!r}. Set {option} to the name "
                    "of an entry, or to null"
                )

    def _find(self, atoms: Atoms, target: str, where: str, cell: Cell | None) -> np.ndarray | None:
        """The value of a target as in the file (a stress: in meV and angstrom)."""
        given = self.keys.of(target)
        if given == NOT_READ:
            return None
        results: Mapping[str, Any] = getattr(atoms.calc, "results", {})
        sources = [results, atoms.info, atoms.arrays]
        if given is not None:
            sources = [atoms.info, atoms.arrays, results]
        present: dict[str, np.ndarray] = {}
        for key in CANDIDATES[target] if given is None else (given,):
            value = next((source[key] for source in sources if source.get(key) is not None), None)
            if value is not None:
                checked = self._checked(value, target, key, len(atoms), where, cell)
                present |= {} if checked is None else {key: checked}
        if not present:
            return None
        key = self.taken.setdefault(target, next(iter(present)))
        if key not in present:
            raise ValueError(
                f"{where} has {target} as {_listed(present)}, but earlier structures as {key!r}: "
                f"all structures of all files must use one key; set {target}_key to it"
            )
        self._check_same(present, target, where)
        return present[key]

    def _checked(
        self, value: Any, target: str, key: str, num_atoms: int, where: str, cell: Cell | None
    ) -> np.ndarray | None:
        if target in _MAY_DIFFER and self.keys.of(target) is None:
            array = np.asarray(value)
            wanted = (3,) if target == "dipole" else (num_atoms,)
            if array.shape != wanted or array.dtype.kind not in "fiu":
                return None
        array = _number(value, key, where)
        if target == "stress":
            return self._stress(array, key, where, cell)
        if target == "energy" and array.size != 1:
            raise ValueError(f"{where}: {key} must be one number, got shape {array.shape}")
        if target == "forces" and array.shape != (num_atoms, 3):
            raise ValueError(f"{where}: {key} must have shape ({num_atoms}, 3), got {array.shape}")
        if target == "atom_energies" and array.shape != (num_atoms,):
            raise ValueError(f"{where}: {key} must have shape ({num_atoms},), got {array.shape}")
        if target == "dipole" and array.shape != (3,):
            raise ValueError(f"{where}: {key} must have shape (3,), got {array.shape}")
        return array.reshape(()) if target == "energy" else array

    def _stress(
        self, array: np.ndarray, key: str, where: str, cell: Cell | None
    ) -> np.ndarray | None:
        """A stress or virial as a symmetric stress in meV/angstrom^3; None for a void one."""
        _check_finite(array, key, where)
        if cell is None and not array.any():
            return None  # what some programs write for an isolated molecule
        volume = None if cell is None else cell.volume
        if volume is None:
            kind = "not periodic" if cell is None else "not periodic in three directions"
            raise ValueError(
                f"{where} has a stress ({key}), but is {kind}, so it has no volume and no stress. "
                "Set stress_key=none to read no stress"
            )
        matrix = _matrix(array, key, where)
        given = self.keys.of("stress")
        is_virial = "virial" in key if given is None else self.keys.virial_key is not None
        factor = -self._to_mev / volume if is_virial else self._to_mev / self._to_angstrom**3
        stress = matrix * factor
        if np.abs(stress - stress.T).max() > _ROUNDING + _ASYMMETRY * np.abs(stress).max():
            raise ValueError(
                f"{where}: {key} must be symmetric, got {matrix.tolist()}. Set stress_key=none to "
                "read no stress"
            )
        return (stress + stress.T) / 2

    def _check_same(self, present: Mapping[str, np.ndarray], target: str, where: str) -> None:
        (first, value), *others = present.items()
        relative, absolute = _SAME[target]
        absolute *= 1e3 if target == "stress" else 1.0
        for key, other in others:
            if not np.allclose(other, value, rtol=relative, atol=absolute, equal_nan=True):
                raise ValueError(
                    f"{where}: {first} and {key} are both {target} and differ (by up to "
                    f"{np.abs(other - value).max():.3g}). Set {target}_key to the one to train on"
                )


def _number(value: Any, key: str, where: str) -> np.ndarray:
    try:
        if np.asarray(value).dtype.kind == "b":  # ASE reads a name without a value as True
            raise ValueError
        return np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError):
        raise ValueError(f"{where}: {key} must be numeric, got {value!r}") from None


def _check_finite(array: np.ndarray, name: str, where: str) -> None:
    if not np.isfinite(array).all():
        raise ValueError(f"{where}: {name} contains NaN or infinite values")


def _matrix(array: np.ndarray, key: str, where: str) -> np.ndarray:
    """``[3, 3]`` from nine numbers, or six in Voigt order (xx, yy, zz, yz, xz, xy)."""
    if array.size == 9:
        return array.reshape(3, 3)
    if array.shape != (6,):
        raise ValueError(f"{where}: {key} must have 9 or 6 numbers, got shape {array.shape}")
    matrix = np.zeros((3, 3))
    matrix[_VOIGT] = array
    matrix.T[_VOIGT] = array
    return matrix


def _weight(atoms: Atoms, where: str) -> float | None:
    value = atoms.info.get(WEIGHT)
    if value is None:
        return None
    number = _number(value, WEIGHT, where)
    if number.size != 1 or not 0 < float(number.reshape(())) < np.inf:
        raise ValueError(f"{where}: {WEIGHT} must be a positive finite number, got {value!r}")
    return float(number.reshape(()))


def _no_energy(atoms: Atoms, where: str, key: str | None) -> str:
    results: Mapping[str, Any] = getattr(atoms.calc, "results", {})
    known = sorted({*atoms.info, *atoms.arrays, *results} - {"numbers", "positions"})
    sought = f"with energy_key={key!r}" if key else f"as {_listed(CANDIDATES['energy'])}"
    has_forces = any(name in known for name in CANDIDATES["forces"])
    forces = "; forces without an energy cannot be used" if has_forces else ""
    return (
        f"{where} has no energy {sought}; available: {', '.join(known) or 'only positions'}"
        f"{forces}. Set energy_key to one of them"
    )


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names)
