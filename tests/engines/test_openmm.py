"""Potentials in OpenMM: forces, mixed systems, conservation, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trained_samples import trained

pytest.importorskip("openmm")
pytest.importorskip("ase")
import openmm
from openmm import app, unit

from geozoo.data import GeometricSpec
from geozoo.engines import PotentialEvaluator
from geozoo.engines.openmm import KJ_PER_MOL, add_potential, potential_system
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


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return potential()


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


@pytest.fixture(scope="module")
def solvated() -> tuple[Any, np.ndarray, Any]:
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


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_a_molecule_has_the_models_energy_and_forces(model: TrainedModel, platform: str) -> None:
    topology, pos = peptide()
    system = potential_system(topology, model, dtype="float64")
    energy, forces = state_of(system, pos, platform)
    expected, expected_forces = evaluated(model, numbers_of(topology), pos)
    assert energy == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(forces, expected_forces, atol=1e-6 * abs(expected_forces).max())


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_a_small_triclinic_box_has_all_images(model: TrainedModel, platform: str) -> None:
    topology, pos = rock_salt_like(0.32)  # below the cutoff of 0.35
    system = potential_system(topology, model, dtype="float64")
    cell = np.array(topology.getPeriodicBoxVectors().value_in_unit(unit.angstrom))
    energy, forces = state_of(system, pos, platform)
    expected, expected_forces = evaluated(model, numbers_of(topology), pos, cell)
    assert energy == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(forces, expected_forces, atol=1e-6 * abs(expected_forces).max())
    # The box of the context counts, which barostats change.
    energy, _ = state_of(system, 1.1 * pos, platform, 1.1 * cell * ANGSTROM)
    expected, _ = evaluated(model, numbers_of(topology), 1.1 * pos, 1.1 * cell)
    assert energy == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("constraints", [None, app.HBonds])
@pytest.mark.parametrize("method", ["PME", "CutoffPeriodic"])
def test_a_mixed_system_has_the_sum_of_energies(
    model: TrainedModel, solvated: Any, method: str, constraints: Any
) -> None:
    topology, pos, field = solvated
    options = {"nonbondedMethod": getattr(app, method), "nonbondedCutoff": 0.9}
    system = field.createSystem(topology, constraints=constraints, **options)
    everything, forces = state_of(system, pos)
    alone, own = peptide()
    alone.setPeriodicBoxVectors(topology.getPeriodicBoxVectors())
    if method == "PME":  # images of the solute are not a part of its energy
        options["nonbondedMethod"] = app.NoCutoff
    solute = field.createSystem(alone, constraints=constraints, **options)
    for force in solute.getForces():
        if isinstance(force, openmm.NonbondedForce):
            force.setUseDispersionCorrection(False)
    in_field, forces_in_field = state_of(solute, pos[:22])
    in_model, forces_in_model = evaluated(model, numbers_of(alone), pos[:22])

    waters = system.getNumConstraints() - (12 if constraints else 0)
    add_potential(system, topology, model, SOLUTE, dtype="float64")
    mixed, mixed_forces = state_of(system, pos)
    assert mixed == pytest.approx(everything - in_field + in_model, abs=1e-5)
    forces[:22] += forces_in_model - forces_in_field
    np.testing.assert_allclose(mixed_forces, forces, atol=1e-6 * abs(forces).max())
    assert abs(in_field - in_model) > 10
    assert system.getNumConstraints() == waters
    on_cpu, _ = state_of(system, pos, "CPU")  # where nonbonded forces are in single precision
    assert on_cpu == pytest.approx(mixed, abs=0.05)


def test_a_solute_that_crosses_the_box_has_the_same_energy(
    model: TrainedModel, solvated: Any
) -> None:
    topology, pos, field = solvated
    system = field.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=0.9)
    add_potential(system, topology, model, SOLUTE, dtype="float64")
    whole, _ = state_of(system, pos)
    moved = pos.copy()
    moved[:10] += [2.0, -2.0, 0.0]  # by lattice vectors
    broken, _ = state_of(system, moved)
    assert broken == pytest.approx(whole, abs=1e-3)


def test_a_model_without_cutoff_gets_the_molecule_as_a_whole(solvated: Any) -> None:
    topology, pos, _ = solvated
    without = potential()
    network: Any = without.model
    network.radius = None  # all atoms of a molecule interact
    system = openmm.System()
    for atom in topology.atoms():
        system.addParticle(atom.element.mass)
    system.setDefaultPeriodicBoxVectors(*topology.getPeriodicBoxVectors())
    charges = openmm.NonbondedForce()
    charges.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    charges.setCutoffDistance(0.9)
    for _ in range(topology.getNumAtoms()):
        charges.addParticle(0.0, 1.0, 0.0)
    system.addForce(charges)
    add_potential(system, topology, without, SOLUTE, dtype="float64")
    moved = pos.copy()
    moved[5:10] += [2.0, 0.0, -4.0]
    energy, _ = state_of(system, moved)
    expected, _ = evaluated(without, numbers_of(topology, SOLUTE), pos[:22])
    assert energy == pytest.approx(expected, rel=1e-9)
    waters = [index for index in range(22, 28)]
    with pytest.raises(ValueError, match="no cutoff.*must be one molecule.*6 atoms of which 3"):
        add_potential(system, topology, without, waters)


def simulation(
    topology: Any, system: Any, pos: np.ndarray, step: float = 0.0005, **velocities: Any
) -> Any:
    integrator = openmm.VerletIntegrator(step)
    made = app.Simulation(topology, system, integrator, openmm.Platform.getPlatform("CPU"))
    made.context.setPositions(pos)
    made.context.setVelocitiesToTemperature(velocities.get("kelvin", 300), 1)
    return made


def test_dynamics_conserve_energy() -> None:
    from ase.build import molecule

    atoms, soft = molecule("CH3CH2OH"), potential(scale=2000.0)
    topology = app.Topology()
    residue = topology.addResidue("ETH", topology.addChain())
    for symbol in atoms.get_chemical_symbols():
        topology.addAtom(symbol, app.Element.getBySymbol(symbol), residue)
    system = potential_system(topology, soft, dtype="float64")
    errors = []
    for step in (0.0005, 0.00025):
        run = simulation(topology, system, atoms.positions * ANGSTROM, step)
        totals = []
        for _ in range(20):
            run.step(round(0.001 / step))
            state = run.context.getState(energy=True)
            total = state.getKineticEnergy() + state.getPotentialEnergy()
            totals.append(total.value_in_unit(unit.kilojoule_per_mole))
        errors.append(np.ptp(totals))
    assert errors[0] < 0.5
    assert errors[1] < 0.4 * errors[0]  # second order in the time step


def test_barostats_scale_molecules_that_the_model_holds_together(
    model: TrainedModel, solvated: Any
) -> None:
    topology, pos, field = solvated
    system = field.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=0.8)
    add_potential(system, topology, model, SOLUTE)
    system.addForce(openmm.MonteCarloBarostat(1.0, 300.0, 1))
    run = simulation(topology, system, pos, 1e-9, kelvin=0)
    sizes = {len(molecule) for molecule in run.context.getMolecules()}
    assert sizes == {22, 3}
    before = run.context.getState().getPeriodicBoxVolume()
    run.step(10)
    state = run.context.getState(positions=True)
    assert state.getPeriodicBoxVolume() != before
    found = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)[:22]
    np.testing.assert_allclose(found - found[0], pos[:22] - pos[0], atol=1e-3)


def test_all_atoms_in_a_barostat(model: TrainedModel) -> None:
    topology, pos = rock_salt_like(0.6)
    system = potential_system(topology, model)
    system.addForce(openmm.MonteCarloBarostat(1.0, 300.0, 1))
    run = simulation(topology, system, pos, 1e-6)
    run.step(20)
    state = run.context.getState(positions=True, energy=True)
    cell = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.angstrom)
    assert abs(np.linalg.det(cell) / 216 - 1) > 1e-4
    found = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    expected, _ = evaluated(model, numbers_of(topology), found, cell)
    assert energy == pytest.approx(expected, rel=1e-4)  # the model is in float32


def test_systems_of_named_models_can_be_serialized() -> None:
    from ase.build import molecule

    atoms = molecule("CH3CH2OH")
    topology = app.Topology()
    residue = topology.addResidue("ETH", topology.addChain())
    for symbol in atoms.get_chemical_symbols():
        topology.addAtom(symbol, app.Element.getBySymbol(symbol), residue)
    system = potential_system(topology, "ponita-rmd17_ethanol")
    text = openmm.XmlSerializer.serialize(system)
    again = openmm.XmlSerializer.deserialize(text)
    pos = atoms.positions * ANGSTROM
    assert state_of(again, pos)[0] == pytest.approx(state_of(system, pos)[0], rel=1e-7)
    with pytest.raises(openmm.OpenMMException, match="could not be pickled"):
        openmm.XmlSerializer.serialize(potential_system(topology, potential()))


def test_steps_that_fail_say_why_and_keep_earlier_frames(tmp_path: Path) -> None:
    topology, pos = peptide()
    run = simulation(topology, potential_system(topology, potential()), pos, 0.0001)
    run.reporters.append(app.DCDReporter(str(tmp_path / "frames.dcd"), 1))
    run.step(3)
    moved = pos.copy()
    moved[1] = moved[0]
    run.context.setPositions(moved)
    with pytest.raises(openmm.OpenMMException, match="tiny on 22 atoms.*atoms 0 and 1"):
        run.step(1)
    assert run.currentStep == 3
    run.reporters.clear()  # closes the file
    frames = (tmp_path / "frames.dcd").stat().st_size
    assert frames >= 3 * 22 * 12
    run.context.setPositions(np.full_like(pos, np.nan))
    with pytest.raises(openmm.OpenMMException, match="NaN"):
        run.step(1)
    broken = potential()
    next(iter(broken.model.parameters()))[:] = float("nan")
    with pytest.raises(openmm.OpenMMException, match="tiny on 22 atoms.*energy is not finite"):
        state_of(potential_system(topology, broken), pos)


def refused(
    match: str, solvated: Any, atoms: Any, change: Any = None, model: Any = None, **options: Any
) -> None:
    """A request ends with an error, and leaves the system as it was."""
    topology, _, field = solvated
    system = field.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=0.9)
    if change is not None:
        change(system)
    before = openmm.XmlSerializer.serialize(system)
    with pytest.raises(ValueError, match=match):
        add_potential(system, topology, potential() if model is None else model, atoms, **options)
    assert openmm.XmlSerializer.serialize(system) == before


@pytest.mark.parametrize(
    ("atoms", "match"),
    [
        (range(21), "whole molecules.*joins atom 18 to atom 21"),
        ([22, 23], "whole molecules.*joins atom 22 to atom 24"),
        ([0, 0], "different indices from 0 to"),
        ([-1], "different indices from 0 to"),
        ([10**6], "different indices from 0 to"),
        ([], "at least one, got"),
        ([0.5], "indices of atoms"),
        (None, "must have no force field without atoms, got .*NonbondedForce"),
    ],
)
def test_wrong_atoms_are_refused(solvated: Any, atoms: Any, match: str) -> None:
    refused(match, solvated, atoms)


def test_what_the_model_cannot_do_is_refused(solvated: Any) -> None:
    refused("atom 6 is N, an element absent.*H, C, O", solvated, SOLUTE, model=potential((1, 6, 8)))
    refused("charge is not an input of tiny, got 1", solvated, SOLUTE, charge=1)


def test_forces_that_cannot_be_separated_are_refused(solvated: Any) -> None:
    def with_born(system: Any) -> None:
        born = openmm.GBSAOBCForce()
        for _ in range(system.getNumParticles()):
            born.addParticle(0.0, 0.1, 0.5)
        system.addForce(born)

    def with_offset(system: Any) -> None:
        charges = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
        charges.addGlobalParameter("scale", 0.0)
        charges.addExceptionParameterOffset("scale", 0, 1.0, 0.0, 0.0)

    refused("GBSAOBCForce, from which", solvated, SOLUTE, with_born)
    refused("a parameter changes the interaction of atoms", solvated, SOLUTE, with_offset)


def test_a_second_potential_on_the_same_atoms_is_refused(
    model: TrainedModel, solvated: Any
) -> None:
    topology, _, field = solvated
    system = field.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=0.9)
    add_potential(system, topology, model, SOLUTE)
    add_potential(system, topology, model, [22, 23, 24])
    with pytest.raises(ValueError, match="atom 23 already has tiny|atom 22 already has tiny"):
        add_potential(system, topology, model, [22, 23, 24])


def test_a_box_below_two_cutoffs_stops_mixed_systems(solvated: Any) -> None:
    topology, pos, field = solvated
    system = field.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=0.9)
    add_potential(system, topology, potential(radius=10.5), SOLUTE)
    with pytest.raises(openmm.OpenMMException, match="two cutoffs wide, 21 angstrom"):
        state_of(system, pos)


def test_topologies_must_fit(model: TrainedModel, solvated: Any) -> None:
    topology, _ = peptide()
    with pytest.raises(ValueError, match="22 atoms and 0 particles"):
        add_potential(openmm.System(), topology, model)
    topology.addAtom("EP", None, topology.addResidue("X", topology.addChain()))
    with pytest.raises(ValueError, match=r"particle 22 \(EP\) has none"):
        potential_system(topology, model)


def test_custom_forces_lose_the_terms_and_pairs(model: TrainedModel) -> None:
    topology, pos = peptide()
    system = openmm.System()
    for atom in topology.atoms():
        system.addParticle(atom.element.mass)
    bonds = openmm.CustomBondForce("k*r")
    bonds.addPerBondParameter("k")
    angles = openmm.CustomAngleForce("theta")
    torsions = openmm.CustomTorsionForce("cos(theta)")
    maps = openmm.CMAPTorsionForce()
    maps.addMap(4, [1.0] * 16)
    pairs = openmm.CustomNonbondedForce("1/r")
    for _ in range(22):
        pairs.addParticle()
    pairs.addExclusion(1, 0)
    bonds.addBond(0, 1, [1.0])
    angles.addAngle(0, 1, 2)
    torsions.addTorsion(0, 1, 4, 6)
    maps.addTorsion(0, 4, 6, 8, 14, 6, 8, 14, 16)
    for force in (bonds, angles, torsions, maps, pairs):
        system.addForce(force)
    add_potential(system, topology, model, SOLUTE, dtype="float64")
    expected, _ = evaluated(model, numbers_of(topology), pos)
    assert state_of(system, pos)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.thorough
def test_openmm_ml_has_the_same_energy_by_its_route_over_ase(
    model: TrainedModel, solvated: Any
) -> None:
    openmmml = pytest.importorskip("openmmml")
    import geozoo

    topology, pos, field = solvated
    system = field.createSystem(topology, nonbondedMethod=app.PME, nonbondedCutoff=0.9)
    calculator = geozoo.calculator(model, dtype="float64")
    theirs = openmmml.MLPotential("ase").createMixedSystem(
        topology, system, list(SOLUTE), calculator=calculator, mlLongRange=False
    )
    add_potential(system, topology, model, SOLUTE, dtype="float64")
    expected, expected_forces = state_of(system, pos)
    energy, forces = state_of(theirs, pos)
    assert energy == pytest.approx(expected, abs=1e-3)
    np.testing.assert_allclose(forces, expected_forces, atol=1e-5 * abs(expected_forces).max())
