"""Structures as they are read, without earlier labels, and with those of a teacher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geozoo.data.molecules._ase_frames import read_atoms
from geozoo.data.molecules._electronic_states import (
    ElectronicState,
    closed_shell_by_default,
    state_of,
)
from geozoo.data.molecules._label_keys import CANDIDATES
from geozoo.data.molecules._sdf_file import sdf_molecules
from geozoo.engines import Evaluation
from geozoo.files.folders import atomic_path

if TYPE_CHECKING:
    from ase import Atoms

_SPREADS = ("energy_std", "forces_std", "stress_std")
#: Entries that labels of a teacher replace: two different ones for one target would be refused.
_LABELS = {*chain.from_iterable(CANDIDATES.values()), "free_energy", *_SPREADS}
_STATE = ("charge", "spin")


def frames_of_file(path: Path, called: str = "input") -> Iterator[Atoms]:
    """The structures of any file that ASE reads, one by one; charge and spin are in ``info``.

    Args:
        path: the file.
        called: name of the argument, for messages.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If ASE cannot read it.
    """
    is_sdf = path.suffix.lower() == ".sdf"
    found = (each for each, _ in sdf_molecules(path)) if is_sdf else read_atoms(path, called=called)
    for atoms in found:
        state = state_of(atoms)
        yield _with_state(atoms, closed_shell_by_default(state) if is_sdf else state)


def _with_state(atoms: Atoms, state: ElectronicState) -> Atoms:
    """The structure with a charge and spin that are stated elsewhere, such as in ``results``."""
    for name in _STATE:
        value, key = getattr(state, name), getattr(state, f"{name}_key")
        if value is not None and key not in atoms.info:
            atoms.info[name] = value
    return atoms


def plain(atoms: Atoms) -> Atoms:
    """A copy with elements, positions, cell, charge and spin only."""
    from ase import Atoms as Plain

    result = Plain(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    state = state_of(atoms)
    for name in _STATE:
        if getattr(state, name) is not None:
            result.info[name] = getattr(state, name)
    return result


def labelled(atoms: Atoms, found: Evaluation) -> Atoms:
    """A copy with the labels of a teacher, in eV and angstrom, instead of earlier ones.

    Other entries stay, such as charge, spin, ``config_type`` and ``config_weight``. The standard
    deviations of an ensemble are ``energy_std``, ``forces_std`` and ``stress_std``.
    """
    from ase import Atoms as Plain
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.stress import full_3x3_to_voigt_6_stress

    result = Plain(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    result.info = {name: value for name, value in atoms.info.items() if name not in _LABELS}
    for name, values in atoms.arrays.items():
        if name not in result.arrays and name not in _LABELS:
            result.arrays[name] = values
    given: dict[str, Any] = {
        "energy": found.energy, "forces": found.forces, "energies": found.energies,
        "dipole": found.dipole,
    }  # fmt: skip
    if found.stress is not None:
        given["stress"] = full_3x3_to_voigt_6_stress(found.stress)
    results = {name: value for name, value in given.items() if value is not None}
    result.calc = SinglePointCalculator(result, **results)
    if "energy" in found.spread:
        result.info["energy_std"] = float(found.spread["energy"])
    if "forces" in found.spread:
        result.arrays["forces_std"] = found.spread["forces"]
    if "stress" in found.spread:
        result.info["stress_std"] = found.spread["stress"]
    return result


def extxyz(frames: Sequence[Atoms]) -> bytes:
    """Structures with their labels as extended XYZ."""
    import io

    from ase.io.extxyz import write_xyz

    text = io.StringIO()
    write_xyz(text, frames, write_results=True)
    return text.getvalue().encode()


def write_frames(path: Path, frames: Sequence[Atoms]) -> None:
    """Write a whole file at once: it is either complete or absent; no structures: an empty file."""
    with atomic_path(path) as partial:
        partial.write_bytes(extxyz(frames) if frames else b"")


def read_frames(path: Path) -> list[Atoms]:
    """The structures of a file of `write_frames`."""
    return list(read_atoms(path)) if path.stat().st_size else []
