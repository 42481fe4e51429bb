"""A molecule by a trained potential in water by a force field, with OpenMM.

    python examples/solvated_molecule.py --steps 200

1. Build ethanol, with charges and Lennard-Jones parameters for its interaction with water, and
   solvate it. Bonds, angles and torsions are not needed: they are what the potential describes.
2. Let the potential act on the atoms of ethanol; the force field keeps all other interactions.
3. Run molecular dynamics at 300 K and 1 bar.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import ase.build
from openmm import LangevinMiddleIntegrator, MonteCarloBarostat, Vec3
from openmm.app import (
    PME,
    DCDReporter,
    Element,
    ForceField,
    HBonds,
    Modeller,
    PDBFile,
    Simulation,
    StateDataReporter,
    Topology,
)  # fmt: skip
from openmm.unit import (
    angstrom,
    bar,
    femtosecond,
    kelvin,
    kilojoule_per_mole,
    nanometer,
    picosecond,
)

from geozoo.engines.openmm import add_potential

#: Ethanol in OPLS-AA (Jorgensen et al., J. Am. Chem. Soc. 118, 11225, 1996): element, charge,
#: sigma in nm and epsilon in kJ/mol, in the order of ASE's molecule.
ATOMS = [
    ("C", -0.180, 0.350, 0.276144), ("C", 0.145, 0.350, 0.276144), ("O", -0.683, 0.312, 0.711280),
    ("H", 0.418, 0.100, 0.0), *[("H", 0.060, 0.250, 0.125520)] * 5,
]  # fmt: skip
BONDS = [(0, 1), (1, 2), (2, 3), (1, 4), (1, 5), (0, 6), (0, 7), (0, 8)]


def ethanol() -> tuple[Topology, str]:
    """The topology, and a force field for the interaction with other molecules."""
    topology = Topology()
    residue = topology.addResidue("ETH", topology.addChain())
    types = residues = parameters = ""
    for row, (symbol, charge, sigma, epsilon) in enumerate(ATOMS):
        element = Element.getBySymbol(symbol)
        topology.addAtom(f"{symbol}{row}", element, residue)
        mass = element.mass._value
        types += f'<Type name="e{row}" class="e{row}" element="{symbol}" mass="{mass}"/>'
        residues += f'<Atom name="{symbol}{row}" type="e{row}" charge="{charge}"/>'
        parameters += f'<Atom type="e{row}" sigma="{sigma}" epsilon="{epsilon}"/>'
    atoms = list(topology.atoms())
    for one, other in BONDS:
        topology.addBond(atoms[one], atoms[other])
        residues += f'<Bond atomName1="{atoms[one].name}" atomName2="{atoms[other].name}"/>'
    scales = 'coulomb14scale="0.8333333333333334" lj14scale="0.5"'  # those of the file for water
    return topology, (
        f'<ForceField><AtomTypes>{types}</AtomTypes><Residues><Residue name="ETH">{residues}'
        f'</Residue></Residues><NonbondedForce {scales}><UseAttributeFromResidue name="charge"/>'
        f"{parameters}</NonbondedForce></ForceField>"
    )


def main() -> None:
    """Run the three steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("ethanol_in_water"))
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)

    topology, parameters = ethanol()
    field = ForceField("amber14/tip3p.xml", io.StringIO(parameters))
    modeller = Modeller(topology, ase.build.molecule("CH3CH2OH").positions * angstrom)
    modeller.addSolvent(field, boxSize=Vec3(2.2, 2.2, 2.2) * nanometer)
    system = field.createSystem(
        modeller.topology, nonbondedMethod=PME, nonbondedCutoff=0.9 * nanometer, constraints=HBonds
    )

    solute = range(len(ATOMS))
    add_potential(system, modeller.topology, "ponita-rmd17_ethanol", solute, force_group=1)

    system.addForce(MonteCarloBarostat(1 * bar, 300 * kelvin))
    # Half a femtosecond: bonds to hydrogen of the molecule are not constrained any more.
    integrator = LangevinMiddleIntegrator(300 * kelvin, 1 / picosecond, 0.5 * femtosecond)
    simulation = Simulation(modeller.topology, system, integrator)
    simulation.context.setPositions(modeller.positions)
    print("minimising the energy: a minute or two", flush=True)
    simulation.minimizeEnergy(maxIterations=50)
    simulation.context.setVelocitiesToTemperature(300 * kelvin)
    with (options.folder / "start.pdb").open("w") as file:
        now = simulation.context.getState(positions=True)
        PDBFile.writeFile(modeller.topology, now.getPositions(), file)
    simulation.reporters.append(DCDReporter(str(options.folder / "frames.dcd"), 20))
    simulation.reporters.append(
        StateDataReporter(sys.stdout, 20, step=True, potentialEnergy=True, temperature=True)
    )
    simulation.step(options.steps)

    energy = simulation.context.getState(energy=True, groups={1}).getPotentialEnergy()
    atoms = f"{len(ATOMS)} of {modeller.topology.getNumAtoms()} atoms"
    print(f"{options.steps} steps with the potential on {atoms}")
    print(f"its energy at the end: {energy.value_in_unit(kilojoule_per_mole):.1f} kJ/mol")


if __name__ == "__main__":
    main()
