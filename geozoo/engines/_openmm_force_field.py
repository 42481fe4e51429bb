"""Force fields of OpenMM without the energy of the atoms that a potential takes over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from openmm import System
    from openmm.app import Topology

#: Forces that are sums of terms of few atoms each.
_BONDED = {
    "HarmonicBondForce", "HarmonicAngleForce", "PeriodicTorsionForce", "RBTorsionForce",
    "CMAPTorsionForce", "CustomBondForce", "CustomAngleForce", "CustomTorsionForce",
    "CustomCompoundBondForce",
}  # fmt: skip
_PAIRWISE = {"NonbondedForce", "CustomNonbondedForce"}
#: Thermostats, barostats, and biases that are no part of a force field.
_NO_FORCE_FIELD = {
    "CMMotionRemover", "AndersenThermostat", "MonteCarloBarostat", "MonteCarloAnisotropicBarostat",
    "MonteCarloFlexibleBarostat", "MonteCarloMembraneBarostat", "CustomExternalForce",
    "CustomCentroidBondForce", "CustomCVForce", "RMSDForce", "PythonForce",
}  # fmt: skip


def force_field_names(system: System) -> list[str]:
    """Classes of the forces of a system that may belong to a force field."""
    return [name for name in map(_class, system.getForces()) if name not in _NO_FORCE_FIELD]


def check_separable(system: System, topology: Topology, atoms: Sequence[int]) -> None:
    """Raise an error unless the energy of the atoms by themselves can be removed exactly.

    Raises:
        ValueError: If a bond, a bonded term or a constraint joins the atoms to others, a virtual
            site depends on them, or a force of the system has no separate terms.
    """
    inside = set(atoms)
    for name in force_field_names(system):
        if name not in _BONDED | _PAIRWISE:
            raise ValueError(
                f"system has a {name}, from which the energy of the atoms by themselves cannot be "
                f"removed: supported are {', '.join(sorted(_BONDED | _PAIRWISE))}"
            )
    for kind, joined in _joined(system, topology):
        if joined & inside and joined - inside:
            raise ValueError(
                f"atoms must be whole molecules, but a {kind} joins atom {min(joined & inside)} to "
                f"atom {min(joined - inside)}, which is not among them"
            )
    for site in range(system.getNumParticles()):
        if system.isVirtualSite(site):
            rule = system.getVirtualSite(site)
            used = {rule.getParticle(index) for index in range(rule.getNumParticles())}
            if inside & (used | {site}):
                raise ValueError(
                    f"atoms must have no virtual sites, but particle {site} is one, defined by "
                    f"particles {sorted(used)}"
                )
    for force in system.getForces():
        if _class(force) == "NonbondedForce":
            _check_offsets(force, inside)


def remove_internal_energy(system: System, atoms: Sequence[int], *, periodic: bool) -> None:
    """Remove what a force field adds for the atoms by themselves, and their constraints.

    Bonded terms of these atoms only are deleted, and all of their pairs are excluded from
    nonbonded forces. Interactions with other atoms, and with images of the atoms by Ewald sums,
    stay.

    Args:
        system: changed in place; bonded forces with such terms are replaced by new objects.
        atoms: indices of particles.
        periodic: whether pairs are those of nearest images.
    """
    inside = set(atoms)
    # Replaced forces move to the end of the list, so that earlier indices stay.
    for index in reversed(range(system.getNumForces())):
        force = system.getForce(index)
        if _class(force) in _BONDED and (shorter := _without(force, inside)) is not None:
            system.removeForce(index)
            system.addForce(shorter)
        elif _class(force) in _PAIRWISE:
            _exclude_pairs(force, sorted(inside), periodic=periodic)
    for index in reversed(range(system.getNumConstraints())):
        if set(system.getConstraintParameters(index)[:2]) <= inside:
            system.removeConstraint(index)


def _exclude_pairs(force: Any, atoms: list[int], *, periodic: bool) -> None:
    if _class(force) == "NonbondedForce":
        for one, other in combinations(atoms, 2):
            force.addException(one, other, 0.0, 1.0, 0.0, True)
        if periodic:
            # Ewald sums subtract excluded pairs, whose atoms may be in different images.
            force.setExceptionsUsePeriodicBoundaryConditions(True)
        return
    count = force.getNumExclusions()
    known = {tuple(sorted(force.getExclusionParticles(row))) for row in range(count)}
    for pair in combinations(atoms, 2):
        if pair not in known:
            force.addExclusion(*pair)


def _class(force: Any) -> str:
    return type(force).__name__


def _joined(system: System, topology: Topology) -> Iterator[tuple[str, set[int]]]:
    """Sets of atoms that belong together, and why."""
    for bond in topology.bonds():
        yield "bond of the topology", {bond[0].index, bond[1].index}
    for index in range(system.getNumConstraints()):
        yield "constraint", set(system.getConstraintParameters(index)[:2])
    for force in system.getForces():
        if _class(force) in _BONDED:
            for _, _, joined in _terms(_tree(force)):
                yield f"term of {_class(force)}", joined


def _tree(force: Any) -> ElementTree.Element:
    from openmm import XmlSerializer

    return ElementTree.fromstring(XmlSerializer.serialize(force))  # noqa: S314 (our own text)


def _terms(
    tree: ElementTree.Element,
) -> Iterator[tuple[ElementTree.Element, ElementTree.Element, set[int]]]:
    """Parent, element and atoms of every term of a bonded force."""
    for parent in tree:
        for term in parent:
            # p1, p2, ... in most forces; a1 to a4 and b1 to b4 in CMAPTorsionForce
            names = [name for name in term.attrib if re.fullmatch(r"[pab]\d+", name)]
            if names:
                yield parent, term, {int(term.attrib[name]) for name in names}


def _without(force: Any, inside: set[int]) -> Any:
    """The force without terms of the given atoms only; None if it has none."""
    from openmm import XmlSerializer

    tree = _tree(force)
    unwanted = [(parent, term) for parent, term, joined in _terms(tree) if joined <= inside]
    if not unwanted:
        return None
    for parent, term in unwanted:
        parent.remove(term)
    return XmlSerializer.deserialize(ElementTree.tostring(tree, encoding="unicode"))


def _check_offsets(force: Any, inside: set[int]) -> None:
    for index in range(force.getNumExceptionParameterOffsets()):
        exception = force.getExceptionParameterOffset(index)[1]
        pair = force.getExceptionParameters(exception)[:2]
        if set(pair) <= inside:
            raise ValueError(
                f"system has a NonbondedForce in which a parameter changes the interaction of "
                f"atoms {pair[0]} and {pair[1]}, which the potential takes over"
            )
