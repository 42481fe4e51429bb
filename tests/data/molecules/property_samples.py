"""Small files of molecules with properties, in the layouts of public data sets."""

from __future__ import annotations

from pathlib import Path

import ase
import ase.io
import numpy as np
from ase_samples import AMMONIA, WATER

#: Contributions of the elements to the extensive property of these files, and its unit.
OF_ELEMENT = {1: -1.5, 7: -20.0, 8: -30.0}
SMILES = (
    "CCO", "c1ccccc1", "c1ccccc1O", "CC(=O)O", "CCN", "C1CCCCC1", "c1ccncc1", "CC#N", "OCCO", "CO",
    "c1ccccc1C", "C1CCCCC1O", "CCC", "c1ccncc1C", "CCCO", "CN",
)  # fmt: skip


def molecules(count: int = 30) -> list[ase.Atoms]:
    """Waters and ammonias with an energy, a gap, a vector, charges, a colour and a split."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        symbols, pos = WATER if number % 2 else AMMONIA
        atoms = ase.Atoms(symbols, np.array(pos) + 0.05 * rng.normal(size=(len(symbols), 3)))
        energy = sum(OF_ELEMENT[z] for z in atoms.numbers) + 0.1 * rng.normal()
        atoms.info |= {
            "u0": energy, "gap": 5 + rng.normal(), "u0_cheap": energy - 0.3 + 0.01 * rng.normal(),
            "mu": atoms.positions[0] - atoms.positions.mean(0),
            "split": "train" if number < 20 else ["val", "test"][number % 2],
            "colour": ["red", "blue"][number % 2],
        }  # fmt: skip
        atoms.arrays["q"] = rng.normal(size=len(atoms))
        found.append(atoms)
    return found


def write_xyz(folder: Path, count: int = 30, **changes: object) -> Path:
    """An extended-XYZ file with entries and per-atom arrays."""
    frames = molecules(count)
    for name, value in changes.items():
        frames[3].info[name] = value
    ase.io.write(folder / "mine.xyz", frames, format="extxyz")
    return folder / "mine.xyz"


def write_qm7(folder: Path, **changes: np.ndarray) -> Path:
    """As QM7: positions in bohr and atomic numbers as floats, padded; targets ``[1, S]``."""
    frames = molecules()
    pos, numbers = np.zeros((30, 5, 3), np.float32), np.zeros((30, 5), np.float32)
    charges = np.zeros((30, 5))
    for row, atoms in enumerate(frames):
        pos[row, : len(atoms)] = atoms.positions / 0.529177
        numbers[row, : len(atoms)] = atoms.numbers
        charges[row, : len(atoms)] = atoms.arrays["q"]
    energy = np.array([[atoms.info["u0"] for atoms in frames]], np.float32)
    arrays = {"R": pos, "Z": numbers, "T": energy, "q": charges, **changes}
    np.savez(folder / "qm7.npz", **arrays)
    return folder / "qm7.npz"


def write_flat(folder: Path) -> Path:
    """Positions of all atoms one after the other."""
    frames = molecules()
    np.savez(
        folder / "flat.npz",
        pos=np.concatenate([atoms.positions for atoms in frames]),
        atomic_numbers=np.concatenate([atoms.numbers for atoms in frames]),
        n_atoms=np.array([len(atoms) for atoms in frames]),
        u0=np.array([atoms.info["u0"] for atoms in frames]),
        mu=np.array([atoms.info["mu"] for atoms in frames]),
        q=np.concatenate([atoms.arrays["q"] for atoms in frames]),
    )
    return folder / "flat.npz"


def write_esol(folder: Path, *lines: str) -> Path:
    """As ESOL: names, a property with a long name, and SMILES; further lines at the end."""
    rng = np.random.default_rng(1)
    rows = ["Compound ID,measured log solubility in mols per litre,toxic,smiles"]
    rows += [f"m{n},{rng.normal():.3f},{n % 2},{each}" for n, each in enumerate(SMILES)]
    (folder / "esol.csv").write_text("\n".join([*rows, *lines]) + "\n")
    return folder / "esol.csv"


def write_sdf(folder: Path) -> Path:
    """An SDF file with data fields, one of which is a vector."""
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    writer = Chem.SDWriter(str(folder / "mine.sdf"))
    for number, smiles in enumerate(SMILES):
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
        rdDistGeom.EmbedMolecule(molecule, randomSeed=1)
        molecule.SetProp("logp", str(0.1 * number))
        molecule.SetProp("dipole", f"{number} 0.5 -1")
        writer.write(molecule)
    writer.close()
    return folder / "mine.sdf"
