"""Small files in the layouts of public sets of molecules with energies and forces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

#: Energies and lengths in one unit of the files.
HARTREE, KCAL, BOHR = 27.211386245981, 0.0433641042418, 0.529177210544
MOLECULES = ("H2O", "CH4", "CH3CH2OH")


def geometries(name: str, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Numbers, positions, energies and forces of a Lennard-Jones molecule, in eV and angstrom."""
    from ase.build import molecule
    from ase.calculators.lj import LennardJones

    random, start = np.random.default_rng(len(name)), molecule(name)
    pos, energy, forces = [], [], []
    for _ in range(count):
        atoms = start.copy()
        atoms.positions += random.normal(0, 0.05, atoms.positions.shape)
        atoms.calc = LennardJones(sigma=1.0, epsilon=0.1, rc=20.0)
        pos.append(atoms.positions)
        energy.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    return start.numbers, np.array(pos), np.array(energy), np.array(forces)


def write_sgdml(path: Path, *, count: int, **others: np.ndarray) -> None:
    """MD22 in the layout of sGDML: shared numbers ``z``, ``R``, ``E [n, 1]``, ``F``, and texts."""
    z, pos, energy, forces = geometries("CH3CH2OH", count)
    texts = {"type": "d", "name": "ethanol", "theory": "lj", "md5": "0", "e_unit": "kcal/mol"}
    arrays = {name: np.array(text) for name, text in {**texts, "r_unit": "Ang"}.items()}
    np.savez(
        path, z=z.astype(np.uint8), R=pos, E=energy[:, None] / KCAL, F=forces / KCAL,
        **{**arrays, **others},
    )  # fmt: skip


def write_spice(path: Path, *, count: int) -> None:
    """SPICE: a group per molecule, atomic units in attributes, gradients instead of forces."""
    import h5py

    with h5py.File(path, "w") as file:
        for name in MOLECULES:
            z, pos, energy, forces = geometries(name, count)
            group = file.create_group(name.lower())
            group["subset"], group["smiles"] = [b"sample"], [b"C"]
            group["atomic_numbers"] = z.astype(np.int16)
            arrays = {
                "conformations": (pos / BOHR, "bohr"),
                "dft_total_energy": (energy / HARTREE, "hartree"),
                "dft_total_gradient": (-forces / HARTREE * BOHR, "hartree/bohr"),
                "formation_energy": (energy / HARTREE - 1, "hartree"),
                "scf_dipole": (np.ones((count, 3)), "bohr*e"),
                "mbis_quadrupoles": (np.ones((count, len(z), 3, 3)), "bohr^2*e"),
            }
            for key, (values, unit) in arrays.items():
                group.create_dataset(key, data=values).attrs["units"] = unit


def write_ani(path: Path, *, count: int) -> None:
    """ANI-1x: a group per formula, several levels of theory, NaN where one was not computed."""
    import h5py

    with h5py.File(path, "w") as file:
        for name in MOLECULES:
            z, pos, energy, forces = geometries(name, count)
            group = file.create_group(name)
            group["atomic_numbers"], group["coordinates"] = z, pos.astype(np.float32)
            group["wb97x_dz.energy"] = energy / HARTREE
            partial = forces / HARTREE
            partial[1::2] = np.nan
            group["wb97x_dz.forces"] = partial.astype(np.float32)
            rare = energy / HARTREE
            rare[::3] = np.nan
            group["ccsd(t)_cbs.energy"] = rare


def write_qm7x(path: Path, *, count: int) -> None:
    """QM7-X: a group per geometry in a group per molecule, in eV and angstrom."""
    import h5py

    with h5py.File(path, "w") as file:
        for number, name in enumerate(MOLECULES, 1):
            for row, (z, pos, energy, forces) in enumerate(_each(name, count)):
                group = file.create_group(f"{number}/Geom-m{number}-i1-c1-d{row:03}")
                group["atNUM"], group["atXYZ"], group["totFOR"] = z, pos, forces
                group["ePBE0+MBD"], group["HLgap"] = [energy], [0.5]
                group["vIPOL"] = np.ones(len(z))


def _each(name: str, count: int) -> list[tuple[np.ndarray, np.ndarray, float, np.ndarray]]:
    z, pos, energy, forces = geometries(name, count)
    return [(z, *row) for row in zip(pos, energy, forces, strict=True)]
