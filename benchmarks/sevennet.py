"""SevenNet's potentials on our layers against the package sevenn: deviations, and CPU time.

    pip install "geozoo[train,molecules,universal]"
    python -m benchmarks.sevennet                # all of them; or names: sevennet-0 sevennet-l3i5
    python -m benchmarks.sevennet --timing 7     # rounds of the timing; 0: none
    python -m benchmarks.sevennet --write tests/hub/sevennet_reference.npz

Deviations are those of energies, forces and stresses of `structures`, in float64: sevenn's network
is cast to float64 and its coupling coefficients, stored in float32, are computed anew. Times are
medians of CPU time (one thread, alternating) of a call of the ASE calculator for energy, forces
and, for the crystal, stress; atoms move between calls, so that nothing is known in advance.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk, fcc111, graphene, molecule

from geozoo.engines.ase import GeozooCalculator

#: Our names, and the name and fidelity in sevenn.
MODELS = {
    "sevennet-0": ("7net-0", None), "sevennet-0-22may2024": ("7net-0_22May2024", None),
    "sevennet-l3i5": ("7net-l3i5", None), "sevennet-mf-0": ("7net-mf-0", "PBE"),
    "sevennet-mf-0-r2scan": ("7net-mf-0", "R2SCAN"),
}  # fmt: skip


def structures() -> dict[str, Atoms]:
    """Molecules, crystals and slabs, with displaced atoms and strained cells."""
    found = {name: molecule(name) for name in ("CH3CH2OH", "H2O", "NH3", "SO2", "C6H6", "SiH4")}
    found["He"] = Atoms("He")  # no neighbours
    for name, kind, a in (
        ("Si", "diamond", 5.43), ("Cu", "fcc", 3.61), ("Fe", "bcc", 2.87),
        ("NaCl", "rocksalt", 5.64),
        ("MgO", "rocksalt", 4.21), ("CsCl", "cesiumchloride", 4.12), ("GaAs", "zincblende", 5.65),
        ("CeO2", "fluorite", 5.41), ("UN", "rocksalt", 4.89), ("PbTe", "rocksalt", 6.46),
        ("TiC", "rocksalt", 4.33), ("LaN", "rocksalt", 5.3),
    ):  # fmt: skip
        found[f"{name} crystal"] = bulk(name, kind, a=a) * (2, 1, 1)
    found["Pt slab"] = fcc111("Pt", (2, 2, 3), vacuum=6.0)
    found["graphene"] = graphene(vacuum=6.0)
    random = np.random.default_rng(7)
    for atoms in found.values():
        atoms.arrays.pop("initial_magmoms", None)  # ASE's iron has some; no model here takes them
        if len(atoms) > 1:
            atoms.positions += random.normal(0, 0.08, atoms.positions.shape)
        if atoms.pbc.any():
            strain = np.eye(3) + random.normal(0, 0.02, (3, 3)) * np.outer(atoms.pbc, atoms.pbc)
            atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    return found


def reference_model(name: str) -> Any:
    """SevenNet's network in float64."""
    from e3nn import o3
    from sevenn.calculator import SevenNetCalculator

    theirs, fidelity = MODELS[name]
    options = {} if fidelity is None else {"modal": fidelity}
    calculator = SevenNetCalculator(theirs, device="cpu", **options)
    calculator.model.double()
    for module in calculator.model.children():
        module.register_forward_hook(_all_double)  # one-hot inputs are float32
    for key, value in calculator.model.named_buffers():
        if "_w3j_" in key:
            degrees = (int(each) for each in key.rpartition("_w3j_")[2].split("_"))
            value.copy_(o3.wigner_3j(*degrees, dtype=torch.float64))
    return calculator


def _all_double(module: Any, inputs: Any, data: Any) -> None:
    for key, value in data.to_dict().items():
        if torch.is_tensor(value) and value.dtype == torch.float32:
            data[key] = value.double()


def reference(calculator: Any, atoms: Atoms) -> dict[str, np.ndarray]:
    """Energy in eV, forces and stress of sevenn."""
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.train.dataload import unlabeled_atoms_to_graph

    graph = unlabeled_atoms_to_graph(atoms, calculator.cutoff, with_shift=False)
    exact = {key: np.array(graph[key]) for key in ("pos", "edge_vec", "cell_volume")}
    data = AtomGraphData.from_numpy_dict(graph)  # rounds them to float32
    for key, value in exact.items():
        data[key] = torch.as_tensor(value)
    if calculator.modal:
        data["data_modality"] = calculator.modal
    results = calculator.output_to_results(calculator.model(data.to("cpu")))
    found = {"energy": np.array(results["energy"]), "forces": results["forces"]}
    return found | ({"stress": results["stress"]} if atoms.pbc.all() else {})


def ours(calculator: GeozooCalculator, atoms: Atoms) -> dict[str, np.ndarray]:
    """Energy in eV, forces and stress of our network."""
    copied = atoms.copy()
    copied.calc = calculator
    found = {"energy": np.array(copied.get_potential_energy()), "forces": copied.get_forces()}
    return found | ({"stress": copied.get_stress()} if atoms.pbc.all() else {})


def deviations(wanted: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest deviation of each quantity, relative to the largest value or 1 (eV, angstrom)."""
    return {
        key: float(np.abs(found[key] - value).max() / max(np.abs(value).max(), 1.0))
        for key, value in wanted.items()
    }


def timed(calculators: dict[str, Any], atoms: Atoms, rounds: int) -> dict[str, float]:
    """Median of the CPU time of a calculation in seconds; all calculators in turn."""
    times: dict[str, list[float]] = {name: [] for name in calculators}
    for number in range(rounds + 1):
        for name, calculator in calculators.items():
            moved = atoms.copy()
            moved.rattle(0.01, seed=number)
            moved.calc = calculator
            started = time.process_time()
            moved.get_forces()
            if moved.pbc.all():
                moved.get_stress()
            if number:  # the first one compiles
                times[name].append(time.process_time() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(name: str, rounds: int) -> None:
    """Print deviations and times of a model."""
    from sevenn.calculator import SevenNetCalculator

    own, other = GeozooCalculator(name, dtype="float64"), reference_model(name)
    worst: dict[str, float] = {}
    for atoms in structures().values():
        for key, value in deviations(reference(other, atoms), ours(own, atoms)).items():
            worst[key] = max(value, worst.get(key, 0.0))
    print(f"{name}: " + ", ".join(f"{key} {value:.1e}" for key, value in worst.items()))
    if not rounds:
        return
    theirs, fidelity = MODELS[name]
    options = {} if fidelity is None else {"modal": fidelity}
    calculators = {
        "geozoo": GeozooCalculator(name),
        "sevenn": SevenNetCalculator(theirs, device="cpu", **options),
    }
    for label, atoms in (
        ("64 Si", bulk("Si", cubic=True) * 2), ("ethanol", molecule("CH3CH2OH")),
    ):  # fmt: skip
        taken = timed(calculators, atoms, rounds)
        shown = ", ".join(f"{key} {1000 * value:.1f} ms" for key, value in taken.items())
        print(f"{name}, {label}: {shown}, ratio {taken['sevenn'] / taken['geozoo']:.2f}")


def write(path: Path) -> None:
    """Store the values of sevenn, in eV and angstrom."""
    arrays: dict[str, np.ndarray] = {}
    for name in MODELS:
        other = reference_model(name)
        for label, atoms in structures().items():
            for key, value in reference(other, atoms).items():
                arrays[f"{name}/{label}/{key}"] = value
    np.savez_compressed(path, **arrays)


def main() -> None:
    """Compare, or store the reference."""
    parser = argparse.ArgumentParser(description="SevenNet on our layers against sevenn")
    parser.add_argument("names", nargs="*", default=list(MODELS))
    parser.add_argument("--timing", type=int, default=7)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    if arguments.write is not None:
        write(arguments.write)
        return
    for name in arguments.names:
        compare(name, arguments.timing)


if __name__ == "__main__":
    main()
