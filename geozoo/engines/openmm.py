"""Trained potentials as forces of OpenMM: whole systems, or molecules in a force field."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geozoo.engines._openmm_force_field import (
    check_separable,
    force_field_names,
    remove_internal_energy,
)  # fmt: skip
from geozoo.engines.evaluator import PotentialEvaluator
from geozoo.hub.ensemble import Ensemble
from geozoo.hub.loading import TrainedModel

if TYPE_CHECKING:
    from openmm import PythonForce, State, System
    from openmm.app import Topology

#: kJ/mol in 1 eV: elementary charge times Avogadro's constant, both exact in the SI.
KJ_PER_MOL = 1.602176634e-19 * 6.02214076e23 / 1000
_ANGSTROM_PER_NM = 10.0
_NAME = "geozoo"


def potential_system(
    topology: Topology, model: TrainedModel | Ensemble | str | Path, **options: Any
) -> System:
    """A system in which a potential is the only force.

    Args:
        topology: atoms with their elements, bonds if there are any, and the periodic box.
        model: as in `add_potential`.
        options: of `add_potential`, except ``atoms``.

    Raises:
        ValueError: As in `add_potential`.
    """
    from openmm import System

    system = System()
    for atom in topology.atoms():
        if atom.element is None:
            raise ValueError(_no_element(atom))
        system.addParticle(atom.element.mass)
    if (box := topology.getPeriodicBoxVectors()) is not None:
        system.setDefaultPeriodicBoxVectors(*box)
    add_potential(system, topology, model, **options)
    return system


def add_potential(
    system: System,
    topology: Topology,
    model: TrainedModel | Ensemble | str | Path | Sequence[str | Path],
    atoms: Sequence[int] | None = None,
    *,
    charge: float | None = None,
    spin: float | None = None,
    device: str = "cpu",
    dtype: str | None = None,
    any_composition: bool = False,
    skin: float = 1.0,
    force_group: int = 0,
) -> PythonForce:
    r"""Let a potential act on a system, or on some of its molecules.

    With ``atoms``, the system has a force field, and its energy becomes

    .. math:: E = E_{ff}(all) - E_{ff}(atoms) + E_{model}(atoms):

    all bonded terms, nonbonded pairs and constraints among these atoms are removed from the force
    field, whose charges and Lennard-Jones parameters remain for interactions with other atoms
    (mechanical embedding). Restraints by bonded forces must be added afterwards.

    In a periodic system, a model with a cutoff takes every pair in its nearest image, so the box
    must be at least two cutoffs wide; a model without a cutoff is given the molecule as a whole.
    Without ``atoms``, a model with a cutoff uses all images, and the box may have any size.

    Barostats scale positions by molecules, which OpenMM finds from bonds in forces. Bonds of the
    topology are therefore also added as harmonic bonds of zero strength.

    Args:
        system: changed in place; bonded forces of a force field may be replaced by new objects.
        topology: of all particles of the system, with elements.
        model: a trained potential, its name in the zoo's index, or its folder; a list of these,
            or an ensemble, to use their mean. Only with names and folders can the force be
            serialized.
        atoms: indices of the atoms of whole molecules; None: all, and the system must have no
            force field (see `potential_system`).
        charge: total charge of the atoms in elementary charges, for models that take it.
        spin: multiplicity of the atoms, for models that take it.
        device: device to evaluate the model on, independent of OpenMM's platform.
        dtype: ``"float32"``, or ``"float64"`` for long dynamics; None: as the model was trained.
        any_composition: also predict for compositions whose energies the training set does not
            determine (see `geozoo.tasks.Potential`).
        skin: see `geozoo.engines.PotentialEvaluator`.
        force_group: of the new force.

    Returns:
        The new force, a part of the system.

    Raises:
        FileNotFoundError: If the model does not exist.
        ValueError: If the topology does not fit the system, an element is absent from the training
            set, ``atoms`` are not indices of whole molecules, the force field cannot be separated,
            or the model is given already to some of the atoms. The system is then unchanged.

    Errors in a step, such as atoms that are closer than in any training structure, end as
    ``openmm.OpenMMException`` with the reason; what reporters wrote before stays.
    """
    import openmm

    chosen = _chosen(system, topology, atoms)
    _check_free(system, chosen, everything=atoms is None)
    numbers = _numbers(topology, chosen)
    options: dict[str, Any] = {
        "device": device,
        "dtype": dtype,
        "any_composition": any_composition,
        "skin": skin,
    }
    evaluator = PotentialEvaluator(model, **options)
    state = {"charge": charge, "spin": spin}
    _check_model(evaluator, numbers, chosen, state)
    if atoms is None:
        periodic = topology.getPeriodicBoxVectors() is not None
    else:
        check_separable(system, topology, chosen)
        periodic = system.usesPeriodicBoundaryConditions()
    bonds = _bonds(topology, chosen)
    order = None
    if periodic and evaluator.cutoff is None:
        order = _tree_of_bonds(bonds, len(chosen), evaluator.name)
    compute = _Computation(
        evaluator, model, options, state, numbers, periodic, order,
        nearest_images=atoms is not None,
    )  # fmt: skip
    if atoms is not None:
        remove_internal_energy(system, chosen, periodic=periodic)
    if bonds:
        molecules = openmm.HarmonicBondForce()
        molecules.setName(f"{_NAME}: which atoms are a molecule")
        for one, other in bonds:
            molecules.addBond(chosen[one], chosen[other], 0.1, 0.0)
        system.addForce(molecules)
    # Positions and forces are those of these particles only.
    force = openmm.PythonForce(compute, {}, [] if atoms is None else chosen)
    listed = "all" if atoms is None else ",".join(map(str, chosen))
    force.setName(f"{_NAME}: {evaluator.name} on atoms {listed}")
    force.setForceGroup(force_group)
    force.setUsesPeriodicBoundaryConditions(periodic)
    system.addForce(force)
    return force


class _Computation:
    """Energy in kJ/mol and forces in kJ/mol/nm of a state, as OpenMM calls for them."""

    def __init__(
        self,
        evaluator: PotentialEvaluator,
        model: Any,
        options: dict[str, Any],
        state: dict[str, float | None],
        numbers: list[int],
        periodic: bool,
        order: list[tuple[int, int]] | None,
        *,
        nearest_images: bool,
    ) -> None:
        self.evaluator = evaluator
        self.model, self.options, self.state = model, options, state
        self.numbers, self.periodic, self.order = numbers, periodic, order
        self.nearest_images = nearest_images

    def __call__(self, state: State) -> tuple[float, np.ndarray]:
        from openmm import unit

        pos = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
        cell = None
        if self.periodic:
            cell = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.angstrom)
        try:
            if self.order is not None:
                assert cell is not None
                pos, cell = _whole(pos, cell, self.order), None
            elif cell is not None and self.nearest_images:
                self._check_box(cell)
            found = self.evaluator.evaluate(pos, self.numbers, cell, **self.state)
        except ValueError as error:  # OpenMM passes on the text alone
            raise ValueError(
                f"{self.evaluator.name} on {len(pos)} atoms, counted from 0 among these: {error}"
            ) from error
        return found.energy * KJ_PER_MOL, found.forces * (KJ_PER_MOL * _ANGSTROM_PER_NM)

    def _check_box(self, cell: np.ndarray) -> None:
        assert self.evaluator.cutoff is not None
        width = float((1 / np.linalg.norm(np.linalg.inv(cell), axis=0)).min())
        if width < 2 * self.evaluator.cutoff:
            raise ValueError(
                f"the box must be at least two cutoffs wide, {2 * self.evaluator.cutoff:g} "
                f"angstrom, for molecules in a force field, got {width:g} angstrom"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """How to load the model again, for serialized systems."""
        if isinstance(self.model, (TrainedModel, Ensemble)):
            raise TypeError("only forces of models given by name or folder can be serialized")
        given = [self.model] if isinstance(self.model, (str, Path)) else list(self.model)
        # A folder stays valid in another working directory.
        paths = [os.path.abspath(each) if os.path.exists(each) else str(each) for each in given]
        source = paths[0] if isinstance(self.model, (str, Path)) else paths
        rest = (self.state, self.numbers, self.periodic, self.order)
        return _reloaded, (source, self.options, *rest, self.nearest_images)


def _reloaded(model: Any, options: dict[str, Any], *rest: Any) -> _Computation:
    *middle, nearest_images = rest
    evaluator = PotentialEvaluator(model, **options)
    return _Computation(evaluator, model, options, *middle, nearest_images=nearest_images)


def _chosen(system: System, topology: Topology, atoms: Sequence[int] | None) -> list[int]:
    count = system.getNumParticles()
    if topology.getNumAtoms() != count:
        raise ValueError(
            f"topology must have the particles of system, got {topology.getNumAtoms()} atoms and "
            f"{count} particles"
        )
    if atoms is None:
        return list(range(count))
    given = np.asarray(list(atoms))
    if given.size == 0 or given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
        raise ValueError(f"atoms must be indices of atoms, at least one, got {atoms!r}")
    if given.min() < 0 or given.max() >= count or len(set(given.tolist())) < len(given):
        raise ValueError(
            f"atoms must be different indices from 0 to {count - 1}, got {given.tolist()}"
        )
    return sorted(given.tolist())


def _check_free(system: System, chosen: list[int], *, everything: bool) -> None:
    """Raise an error if other forces act already where the potential would."""
    if everything and (names := force_field_names(system)):
        raise ValueError(
            f"system must have no force field without atoms, got {', '.join(names)}: use "
            "potential_system(topology, model), or give atoms"
        )
    for force in system.getForces():
        name, _, listed = force.getName().partition(" on atoms ")
        if not name.startswith(f"{_NAME}: ") or not listed:
            continue
        taken = set(chosen) if listed == "all" else set(map(int, listed.split(","))) & set(chosen)
        if taken:
            raise ValueError(
                f"atoms must have one potential, but atom {min(taken)} already has "
                f"{name.removeprefix(f'{_NAME}: ')}"
            )


def _numbers(topology: Topology, chosen: list[int]) -> list[int]:
    every = list(topology.atoms())
    for index in chosen:
        if every[index].element is None:
            raise ValueError(_no_element(every[index]))
    return [every[index].element.atomic_number for index in chosen]


def _no_element(atom: Any) -> str:
    return f"topology must have elements, but particle {atom.index} ({atom.name}) has none"


def _check_model(
    evaluator: PotentialEvaluator,
    numbers: list[int],
    chosen: list[int],
    state: dict[str, float | None],
) -> None:
    from openmm.app import Element

    for index, number in zip(chosen, numbers, strict=True):
        if number not in evaluator.elements:
            known = ", ".join(Element.getByAtomicNumber(each).symbol for each in evaluator.elements)
            raise ValueError(
                f"atom {index} is {Element.getByAtomicNumber(number).symbol}, an element absent "
                f"from the training set of {evaluator.name}: {known}"
            )
    for name, value in state.items():
        if (value is None) == (name in evaluator.state_inputs):
            raise ValueError(
                f"{name} is {'' if value is None else 'not '}an input of {evaluator.name}, "
                f"got {value}"
            )


def _bonds(topology: Topology, chosen: list[int]) -> list[tuple[int, int]]:
    """Bonds between chosen atoms, as positions in their list."""
    row = {index: position for position, index in enumerate(chosen)}
    pairs = [(bond[0].index, bond[1].index) for bond in topology.bonds()]
    return [(row[one], row[other]) for one, other in pairs if one in row and other in row]


def _tree_of_bonds(bonds: list[tuple[int, int]], count: int, name: str) -> list[tuple[int, int]]:
    """Pairs of an atom and one that is placed before it, for all atoms but the first."""
    neighbors: dict[int, list[int]] = {}
    for one, other in bonds:
        neighbors.setdefault(one, []).append(other)
        neighbors.setdefault(other, []).append(one)
    placed, order, waiting = {0}, [], [0]
    while waiting:
        atom = waiting.pop()
        for neighbor in neighbors.get(atom, []):
            if neighbor not in placed:
                placed.add(neighbor)
                order.append((neighbor, atom))
                waiting.append(neighbor)
    if len(placed) < count:
        raise ValueError(
            f"{name} has no cutoff: in a periodic system, its atoms must be one molecule, joined "
            f"by bonds of the topology, got {count} atoms of which {len(placed)} are joined to the "
            "first"
        )
    return order


def _whole(pos: np.ndarray, cell: np.ndarray, order: list[tuple[int, int]]) -> np.ndarray:
    """Positions of a molecule whose bonds do not cross the box."""
    pos, inverse = pos.copy(), np.linalg.inv(cell)
    for atom, before in order:
        pos[atom] -= np.round((pos[atom] - pos[before]) @ inverse) @ cell
    return pos
