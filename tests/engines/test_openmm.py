"""Potentials in OpenMM: energies and forces, mixed systems, dynamics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("openmm")
pytest.importorskip("ase")
import openmm
from openmm import app, unit
from openmm_samples import (
    ANGSTROM,
    SOLUTE,
    evaluated,
    numbers_of,
    peptide,
    potential,
    rock_salt_like,
    simulation,
    solvated_peptide,
    state_of,
)

from geozoo.engines.openmm import add_potential, potential_system
from geozoo.hub import TrainedModel


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return potential()


@pytest.fixture(scope="module")
def solvated() -> Any:
    return solvated_peptide()


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
