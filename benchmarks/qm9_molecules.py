"""The figures on the QM9 card: preparation, the two sources of bonds, stability of real molecules.

    python -m benchmarks.qm9_molecules             # needs the files of QM9 in the data folder
    python -m benchmarks.qm9_molecules --record
    python -m benchmarks.qm9_molecules --plausible 200   # only the checks of PoseBusters

The archive is prepared twice from scratch, with bonds by rdkit and by distances, in a temporary
folder. Bonds are compared pair by pair; the evaluator of generated molecules is applied to all real
ones. ``--record`` appends the measurements to ``benchmarks/results/qm9_molecules.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks._record import record
from geozoo.data import GraphStore, LoaderOptions, QM9Generation, data_folder
from geozoo.data.molecules._qm9_store import prepare_store, prepared_path
from geozoo.metrics import molecule_bonds, plausible_molecules

#: Molecules evaluated per batch.
CHUNK = 5000


def prepare(source: Path, folder: Path, bonds: str) -> tuple[GraphStore, dict[str, Any]]:
    """The prepared store, and how long preparing and opening it take."""
    start = time.perf_counter()
    files = (source / "dsgdb9nsd.xyz.tar.bz2", source / "uncharacterized.txt")
    prepare_store(folder, *files, bonds)
    made = time.perf_counter()
    path = prepared_path(folder, bonds)
    store = GraphStore.load(path)
    row = {
        f"{bonds}_prepare_s": made - start,
        f"{bonds}_open_s": time.perf_counter() - made,
        f"{bonds}_source": (GraphStore.header(path) or {})["bonds"],
        f"{bonds}_mib": path.stat().st_size / 2**20,
    }
    return store, row


def bond_keys(store: GraphStore) -> tuple[Tensor, Tensor]:
    """A number for each bond that identifies it in all of QM9, and its molecule."""
    molecule = torch.repeat_interleave(torch.arange(len(store)), store.num_edges)
    first, second = store.edge_index.sort(0).values
    return molecule * 10_000 + first * 100 + second, molecule


def differences(rdkit: GraphStore, distance: GraphStore) -> dict[str, int]:
    """Bonds that only one source has."""
    (left, left_molecule), (right, right_molecule) = bond_keys(rdkit), bond_keys(distance)
    only_left, only_right = ~torch.isin(left, right), ~torch.isin(right, left)
    differing = torch.cat([left_molecule[only_left], right_molecule[only_right]]).unique()
    hydrogens = rdkit.node["hydrogens"] != distance.node["hydrogens"]
    return {
        "bonds": len(left),
        "only_rdkit": int(only_left.sum()),
        "only_distance": int(only_right.sum()),
        "differing_molecules": len(differing),
        "atoms_with_other_hydrogens": int(hydrogens.sum()),
    }


def stability(store: GraphStore) -> dict[str, float]:
    """Percentages of atoms and of molecules that the evaluator considers stable."""
    atoms, molecules = [], []
    for part in torch.arange(len(store)).split(CHUNK):
        batch = store.gather(part)
        found = molecule_bonds(batch.pos, batch.z.long(), batch.batch, batch.num_graphs)
        atoms.append(found.stable_atoms)
        molecules.append(found.stable)
    shares = {"atom_stability": atoms, "molecule_stability": molecules}
    return {name: 100 * float(torch.cat(v).double().mean()) for name, v in shares.items()}


def plausibility(count: int) -> dict[str, float]:
    """Percentages of the first test molecules that pass the checks of PoseBusters, and the time."""
    data = QM9Generation(loader=LoaderOptions(batch_size=count))
    data.prepare_data()
    data.setup("test")
    batch = data.store.gather(data.splits["test"][:count])
    start = time.process_time()
    passed = plausible_molecules(batch.pos, batch.z, batch.batch, batch.num_graphs)
    seconds = time.process_time() - start
    shares = {f"{name}_check": 100 * float(v.double().mean()) for name, v in passed.items()}
    return {"molecules": batch.num_graphs, "check_ms": 1e3 * seconds / batch.num_graphs, **shares}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--plausible", type=int, metavar="N", help="check N test molecules only")
    options = parser.parse_args()
    if options.plausible:
        found = plausibility(options.plausible)
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        if options.record:
            record("plausibility", found)
        return
    with tempfile.TemporaryDirectory() as folder:
        stores, row = {}, {}
        for bonds in ("rdkit", "distance"):
            stores[bonds], found = prepare(data_folder("qm9"), Path(folder), bonds)
            row |= found
        row["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row |= {"molecules": len(stores["rdkit"]), "atoms": len(stores["rdkit"].node["z"])}
        row |= differences(**stores) | stability(stores["rdkit"])
    sys.stdout.write(json.dumps(row, indent=1) + "\n")
    if options.record:
        record("qm9_molecules", row)


if __name__ == "__main__":
    main()
