"""Systems of OpenMM and small potentials, for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm
import torch
from openmm import app, unit
from trained_samples import trained

from geozoo.data import GeometricSpec
from geozoo.engines import PotentialEvaluator
from geozoo.engines.openmm import KJ_PER_MOL
from geozoo.hub import TrainedModel
from geozoo.models import PaiNN
from geozoo.tasks import Potential

ANGSTROM = 0.1
#: Alanine dipeptide: elements and positions in angstrom by residue, and bonds.
RESIDUES = {"ACE": "HCHHCO", "ALA": "NHCHCHHHCO", "NME": "NHCHHH"}
PEPTIDE = """
2.000 1.000 0.000  2.000 2.090 0.000  1.486 2.454 0.890  1.486 2.454 -0.890
3.427 2.641 0.000  4.391 1.877 0.000  3.555 3.970 0.000  2.733 4.556 0.000
4.853 4.614 0.000  5.408 4.316 0.890  5.661 4.221 -1.232 5.123 4.521 -2.131
6.630 4.719 -1.206 5.809 3.141 -1.241 4.713 6.129 0.000  3.601 6.653 0.000
5.846 6.835 0.000  6.737 6.359 0.000  5.846 8.284 0.000  4.819 8.648 0.000
6.360 8.648 0.890  6.360 8.648 -0.890"""
BONDS = (
    "1-0 1-2 1-3 1-4 4-5 4-6 6-7 6-8 8-9 8-10 10-11 10-12 10-13 8-14 14-15 14-16 16-17 16-18 "
    "18-19 18-20 18-21"
)
SOLUTE = range(22)
FORCE_FIELD = ("amber14/protein.ff14SB.xml", "amber14/tip3p.xml")


def potential(
    elements: tuple[int, ...] = (1, 6, 7, 8), radius: float = 3.5, scale: float = 200.0
) -> TrainedModel:
    torch.manual_seed(0)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=len(elements), out_channels=1, elements=elements,
        target="energy", units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": scale},
    )  # fmt: skip
    model = PaiNN(len(elements), 1, hidden_channels=8, num_layers=2, num_basis=6, radius=radius)
    return trained(Potential(model, spec, any_composition=True))


def peptide() -> tuple[Any, np.ndarray]:
    """Topology, and positions in nm."""
    topology = app.Topology()
    chain, atoms = topology.addChain(), list[Any]()
    for name, elements in RESIDUES.items():
        residue = topology.addResidue(name, chain)
        for symbol in elements:
            element = app.Element.getBySymbol(symbol)
            atoms.append(topology.addAtom(f"{symbol}{len(atoms)}", element, residue))
    for bond in BONDS.split():
        one, other = map(int, bond.split("-"))
        topology.addBond(atoms[one], atoms[other])
    return topology, np.array(PEPTIDE.split(), dtype=float).reshape(-1, 3) * ANGSTROM


def solvated_peptide() -> tuple[Any, np.ndarray, Any]:
    """The peptide in water: topology, positions in nm, force field."""
    topology, pos = peptide()
    field = app.ForceField(*FORCE_FIELD)
    modeller = app.Modeller(topology, pos * unit.nanometer)
    modeller.addSolvent(field, boxSize=openmm.Vec3(2.0, 2.0, 2.0) * unit.nanometer)
    found = np.array(modeller.positions.value_in_unit(unit.nanometer))
    assert modeller.topology.getNumAtoms() > 300
    return modeller.topology, found, field


def state_of(
    system: Any, pos: np.ndarray, platform: str = "Reference", box: Any = None
) -> tuple[float, np.ndarray]:
    """Energy in kJ/mol and forces in kJ/mol/nm."""
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatform(platform)
    )
    if box is not None:
        context.setPeriodicBoxVectors(*box)
    context.setPositions(pos)
    state = context.getState(energy=True, forces=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    per_nm = unit.kilojoule_per_mole / unit.nanometer
    return energy, state.getForces(asNumpy=True).value_in_unit(per_nm)


def evaluated(
    model: Any, numbers: Any, pos: np.ndarray, cell: Any = None
) -> tuple[float, np.ndarray]:
    """The same from the model itself."""
    found = PotentialEvaluator(model, dtype="float64").evaluate(pos / ANGSTROM, numbers, cell)
    return found.energy * KJ_PER_MOL, found.forces * KJ_PER_MOL / ANGSTROM


def numbers_of(topology: Any, atoms: Any = None) -> list[int]:
    numbers = [atom.element.atomic_number for atom in topology.atoms()]
    return numbers if atoms is None else [numbers[index] for index in atoms]


def rock_salt_like(box: float = 0.55) -> tuple[Any, np.ndarray]:
    """Eight atoms of oxygen and nitrogen in a cell that may be smaller than the cutoff."""
    topology = app.Topology()
    chain = topology.addChain()
    corners = np.stack(np.meshgrid(*[[0.0, 0.5]] * 3, indexing="ij"), -1).reshape(-1, 3)
    for corner in corners:
        residue = topology.addResidue("X", chain)
        symbol = "O" if round(2 * corner.sum()) % 2 else "N"
        topology.addAtom(symbol, app.Element.getBySymbol(symbol), residue)
    vectors = [openmm.Vec3(*row) for row in box * np.array([[1, 0, 0], [0.2, 1, 0], [0, 0.1, 1]])]
    topology.setPeriodicBoxVectors(vectors * unit.nanometer)
    cell = np.array(vectors)
    pos = corners @ cell + 0.01 * np.random.default_rng(0).normal(size=(8, 3))
    return topology, pos


def simulation(
    topology: Any, system: Any, pos: np.ndarray, step: float = 0.0005, **velocities: Any
) -> Any:
    integrator = openmm.VerletIntegrator(step)
    made = app.Simulation(topology, system, integrator, openmm.Platform.getPlatform("CPU"))
    made.context.setPositions(pos)
    made.context.setVelocitiesToTemperature(velocities.get("kelvin", 300), 1)
    return made
