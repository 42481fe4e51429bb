"""LAMMPS instances, small potentials and structures for the tests of LAMMPS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms, units
from ase.build import bulk, molecule
from trained_samples import trained

from geozoo.data import GeometricSpec
from geozoo.engines.lammps import start
from geozoo.hub import TrainedModel
from geozoo.models import PaiNN
from geozoo.tasks import Potential

ELEMENTS = (1, 8, 29)
FEMTOSECOND = {"metal": 1e-3, "real": 1.0}


def potential(radius: float = 3.5, scale: float = 5e5, **options: Any) -> TrainedModel:
    """Small random network, of forces about 1 eV/angstrom in copper."""
    torch.manual_seed(0)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=3, out_channels=1, elements=ELEMENTS, target="energy",
        units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": scale},
    )  # fmt: skip
    model = PaiNN(3, 1, hidden_channels=8, num_layers=2, num_basis=6, radius=radius)
    return trained(Potential(model, spec, any_composition=True, **options))


def instance(
    atoms: Atoms, style: str = "metal", boundary: str = "p p p", first: Sequence[str] = ()
) -> Any:
    """A LAMMPS instance with the atoms of an ASE structure, types in the order of symbols."""
    lmp = start(cmdargs=["-screen", "none", "-log", "none"])
    kinds = sorted(set(atoms.symbols))
    (a, _, _), (xy, b, _), (xz, yz, c) = atoms.cell.array
    region = f"region box prism 0 {a!r} 0 {b!r} 0 {c!r} {xy!r} {xz!r} {yz!r} units box"
    region = region.replace("np.float64(", "").replace(")", "")
    commands = [
        f"units {style}", f"boundary {boundary}", "atom_style atomic",
        *first, region, f"create_box {len(kinds)} box",
    ]  # fmt: skip
    for command in commands:
        lmp.command(command)
    kind_of = {symbol: index for index, symbol in enumerate(kinds, 1)}
    velocities = atoms.get_velocities() * units.fs / FEMTOSECOND.get(style, 1.0)
    lmp.create_atoms(
        len(atoms), list(range(1, len(atoms) + 1)), [kind_of[each] for each in atoms.symbols],
        atoms.positions.ravel().tolist(), velocities.ravel().tolist(),
    )  # fmt: skip
    for symbol, index in kind_of.items():
        lmp.command(f"mass {index} {Atoms(symbol).get_masses()[0]}")
    lmp.command(f"timestep {FEMTOSECOND.get(style, 1.0)}")
    return lmp


def instances() -> Iterator[Callable[..., Any]]:
    """The function `instance`; closes what it made at the end."""
    opened: list[Any] = []

    def make(*args: Any, **options: Any) -> Any:
        opened.append(instance(*args, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def copper(seed: int = 0, size: int = 2, shear: float = 0.0) -> Atoms:
    random = np.random.default_rng(seed)
    atoms = bulk("Cu", cubic=True, a=3.7).repeat(size)
    atoms.set_cell(atoms.cell @ (np.eye(3) + shear * np.eye(3, k=-1)), scale_atoms=True)
    atoms.positions += 0.05 * random.normal(size=atoms.positions.shape)
    atoms.wrap()  # as LAMMPS does
    atoms.set_velocities(0.02 * random.normal(size=atoms.positions.shape))
    return atoms


def water(box: float = 12.0) -> Atoms:
    atoms = molecule("H2O", cell=np.eye(3) * box)
    atoms.center()
    atoms.set_velocities(0.01 * np.random.default_rng(1).normal(size=(3, 3)))
    return atoms
