"""What potentials in OpenMM refuse, and how steps that fail end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openmm")
pytest.importorskip("ase")
import openmm
from openmm import app
from openmm_samples import (
    SOLUTE,
    peptide,
    potential,
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
