"""Molecules with properties from one file, of any supported format."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np

from geozoo.checks import check_choice, check_seed
from geozoo.data.molecules._ase_frames import (
    KNOWN,
    Structure,
    structures_with_entries,
    warn_of_ignored_cells,
)
from geozoo.data.molecules.units import length_factor
from geozoo.files.contents import report_contents

#: Formats that are not read by ASE or as SDF.
_OTHER = (".csv", ".npz")
#: Formats that hold no structures, and are often mistaken for one that does.
_WRONG = {
    ".smi": "add a header line and commas, and name it .csv",
    ".txt": "name it .csv, with a header line and commas",
    ".tsv": "separate the columns by commas, and name it .csv",
    ".xlsx": "export the sheet as .csv",
    ".xls": "export the sheet as .csv",
    ".json": "use .csv, .npz, .sdf or .xyz",
    ".parquet": "use .csv, .npz, .sdf or .xyz",
    ".pkl": "nothing is unpickled; use .npz",
    ".pickle": "nothing is unpickled; use .npz",
    ".pt": "use .npz",
    ".npy": "use .npz, with positions, atomic numbers and targets",
    ".mat": "use .npz, with positions, atomic numbers and targets",
    ".h5": "use .npz, with positions, atomic numbers and targets",
    ".hdf5": "use .npz, with positions, atomic numbers and targets",
}


@dataclass(frozen=True)
class ReadingOptions:
    """How to read files of molecules.

    Attributes:
        length_unit: unit of the positions and cells in the files, ``angstrom`` or ``bohr``.
        smiles: column of a CSV file with the SMILES; None: the column whose name contains
            ``smiles``.
        conformer_seed: seed of the conformers that RDKit generates for SMILES.
        failed: molecules without a conformer: ``refuse``, or ``skip`` to leave them out, with a
            warning that lists them.
        missing: missing values (empty, NaN) of targets: ``refuse``, or ``mask``: they do not count
            in the loss and in metrics.
        ignore_cell: treat periodic structures as isolated, with a warning.

    Raises:
        ValueError: If a value is unknown.
    """

    length_unit: str = "angstrom"
    smiles: str | None = None
    conformer_seed: int = 0
    failed: Literal["refuse", "skip"] = "refuse"
    missing: Literal["refuse", "mask"] = "refuse"
    ignore_cell: bool = False

    def __post_init__(self) -> None:
        """Validate before a file is read."""
        length_factor(self.length_unit)
        check_seed(self.conformer_seed, "conformer_seed")
        if self.conformer_seed >= 2**31 - 2:  # the largest of RDKit
            raise ValueError(f"conformer_seed must be below 2**31 - 2, got {self.conformer_seed}")
        check_choice("failed", self.failed, ("refuse", "skip"))
        check_choice("missing", self.missing, ("refuse", "mask"))


@dataclass(frozen=True)
class MoleculeFile:
    """The molecules of a file and the columns that were asked for.

    Attributes:
        structures: elements and positions.
        columns: for each wanted column one entry per molecule: a number, a text, an array, or None
            if it is missing.
        names: what messages call each molecule, such as ``mine.csv, line 7``.
        smiles: SMILES of each molecule; empty for formats without bonds.
        conformers: how positions were generated; empty if the file has them.
        failed: names of molecules without conformer that were left out.
    """

    structures: list[Structure]
    columns: dict[str, list[Any]]
    names: list[str]
    smiles: list[str] = field(default_factory=list)
    conformers: str = ""
    failed: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.structures)


def read_molecule_file(
    path: Path, wanted: Sequence[str], options: ReadingOptions, *, with_smiles: bool = False,
    used: Collection[str] = (),
) -> MoleculeFile:  # fmt: skip
    """Read molecules and some of their properties; the log lists what was read.

    Args:
        path: ``.csv`` with a column of SMILES, ``.npz``, ``.sdf``, or any file that ASE reads.
        wanted: names of the columns (CSV), arrays (npz), data fields (SDF) or entries of
            structures (ASE: ``info``, per-atom arrays and results of calculators).
        options: how to read it.
        with_smiles: whether SMILES of the molecules are needed (always there for CSV).
        used: further entries that are read: ``charge`` and ``spin`` if they are inputs.

    Raises:
        ImportError: If ASE or RDKit is needed and not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If the ending is not supported, the file is corrupt, it lacks a column, or a
            molecule cannot be read; the message names column or molecule.
    """
    check_ending(path)
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    ending = path.suffix.lower()
    if ending == ".csv":
        from geozoo.data.properties._smiles_table import read_smiles_table

        return read_smiles_table(path, wanted, options)
    if with_smiles and ending != ".sdf":
        raise ValueError(
            f"split.by=scaffold needs bonds: SMILES (.csv) or an .sdf file, got {path.name}"
        )
    if ending == ".npz":
        from geozoo.data.properties._molecule_arrays import read_molecule_arrays

        return read_molecule_arrays(path, wanted, options)
    return _read_frames(path, wanted, options, with_smiles=with_smiles, used=used)


def check_ending(path: Path, argument: str = "path") -> None:
    """Reject files that cannot hold molecules by their ending, before anything is read.

    Raises:
        ValueError: If the ending is one of those; the message says what to use instead.
    """
    ending = path.suffix.lower()
    if ending in _WRONG:
        raise ValueError(
            f"{argument} must be .xyz (or another file that ASE reads), .sdf, .csv with SMILES or "
            f".npz, got {path.name}: {_WRONG[ending]}"
        )


def takes_arrays(path: Path) -> bool:
    """Whether a file is one of `read_molecule_file` that ASE does not read."""
    return path.suffix.lower() in _OTHER


def check_columns(wanted: Sequence[str], there: Collection[str], where: str) -> None:
    """Check that a file has all columns.

    Args:
        wanted: the columns.
        there: the columns of the file.
        where: what messages call it.

    Raises:
        ValueError: If one is missing; the message names the nearest.
    """
    for name in wanted:
        if name not in there:
            raise ValueError(missing_column(name, there, where))


def missing_column(name: str, there: Collection[str], where: str) -> str:
    """The message for a column that a file does not have."""
    lower = {each.lower(): each for each in there}
    near = [lower[each] for each in get_close_matches(name.lower(), list(lower), n=3)]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{where} has no {name!r}.{hint} It has: {', '.join(sorted(there)) or 'only positions'}"


def _read_frames(
    path: Path, wanted: Sequence[str], options: ReadingOptions, *, with_smiles: bool,
    used: Collection[str],
) -> MoleculeFile:  # fmt: skip
    """Molecules of an SDF file, or of a file that ASE reads."""
    structures: list[Structure] = []
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    there: set[str] = set()
    for structure, entries, found in structures_with_entries(
        path, wanted, ignore_cell=options.ignore_cell, length_unit=options.length_unit
    ):
        structures.append(structure)
        there |= found
        for name in wanted:
            columns[name].append(entries.get(name))
    if not structures:
        raise ValueError(f"path: {path} contains no structures")
    check_columns(wanted, there, path.name)
    warn_of_ignored_cells(structures, path.name)
    names = [f"{path.name}, structure {number}" for number in range(len(structures))]
    smiles = _smiles_of_sdf(path) if with_smiles else []
    report_contents(
        path.name, ["elements", "positions", *wanted, *sorted(set(used) & there)],
        there - KNOWN - {*wanted, *used},
    )  # fmt: skip
    return MoleculeFile(structures, columns, names, smiles)


def _smiles_of_sdf(path: Path) -> list[str]:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        supplier = Chem.SDMolSupplier(str(path), sanitize=True, removeHs=True, strictParsing=False)
        found = [None if each is None else Chem.MolToSmiles(each) for each in supplier]
    if wrong := [number for number, each in enumerate(found) if each is None]:
        raise ValueError(
            f"{path.name}: RDKit finds no valid bonds in molecules {listed(map(str, wrong))}, which"
            " split.by=scaffold needs"
        )
    return [str(each) for each in found]


def listed(names: Any, most: int = 5) -> str:
    """Some names, and how many more there are.

    >>> listed("abc", 2)
    'a, b and 1 more'
    """
    names = list(names)
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def joined(files: Mapping[str, MoleculeFile]) -> MoleculeFile:
    """The molecules of several files, one after the other."""
    parts = list(files.values())
    first = parts[0]
    return MoleculeFile(
        [each for part in parts for each in part.structures],
        {name: [v for part in parts for v in part.columns[name]] for name in first.columns},
        [each for part in parts for each in part.names],
        [each for part in parts for each in part.smiles],
        first.conformers or next((part.conformers for part in parts if part.conformers), ""),
        [each for part in parts for each in part.failed],
    )


def number_of_atoms(file: MoleculeFile) -> np.ndarray:
    """``[S]`` number of atoms of each molecule."""
    return np.array([len(each.numbers) for each in file.structures], dtype=np.int64)
