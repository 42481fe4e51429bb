"""Files of sampled molecules."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from geozoo.metrics import molecule_bonds, rdkit_molecules
from geozoo.runs.arguments import check_writable
from geozoo.runs.errors import RunError
from geozoo.tasks import SampledMolecules

FORMATS = (".sdf", ".xyz")


def check_molecule_file(path: Path) -> None:
    """Check, before any work, that molecules can be written to a file.

    Raises:
        RunError: If the file extension is unknown, the folder is missing or not writable, or a
            library is not installed.
    """
    if path.suffix not in FORMATS:
        raise RunError(f"out must end in {' or '.join(FORMATS)}, got {path}")
    # Scores and images of the samples need rdkit, whatever the format.
    for library in ("rdkit", *(["ase"] if path.suffix == ".xyz" else [])):
        if find_spec(library) is None:
            raise RunError(f'{path.suffix} needs {library}: pip install "geozoo[molecules]"')
    check_writable("out", path)


def write_molecules(samples: SampledMolecules, path: Path) -> None:
    """Write molecules in order, as SDF with bonds from distances or as extended XYZ."""
    if path.suffix == ".sdf":
        _write_sdf(samples, path)
    else:
        from ase import Atoms
        from ase.io import write

        images = [Atoms(z.numpy(), pos.numpy()) for pos, z in samples]
        write(path, images, format="extxyz")


def _write_sdf(samples: SampledMolecules, path: Path) -> None:
    from rdkit import Chem

    bonds = molecule_bonds(samples.pos, samples.z, samples.batch, len(samples))
    graphs = rdkit_molecules(samples.z, samples.batch, len(samples), bonds, samples.pos)
    writer = Chem.SDWriter(str(path))
    writer.SetKekulize(False)
    stable = bonds.stable.tolist()
    for number, graph in enumerate(graphs):
        graph.UpdatePropertyCache(strict=False)
        graph.SetProp("_Name", f"sample {number}")
        graph.SetBoolProp("stable", stable[number])
        writer.write(graph)
    writer.close()
