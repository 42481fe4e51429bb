"""Sampled molecules as files and as a picture."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from geozoo.metrics import molecule_bonds, rdkit_molecules
from geozoo.report.panels import panels_label, write_labelled
from geozoo.runs.arguments import check_writable
from geozoo.runs.errors import RunError
from geozoo.tasks import SampledMolecules

#: Molecules of a picture, and of one row of it.
_SHOWN, _COLUMNS = 24, 6
_PANEL = (220, 200)
#: Pixels of the text of a panel; it stays legible where two panels share the width of a telephone.
_FONT_SIZE = 20
FORMATS = (".sdf", ".xyz")


def check_molecule_file(path: Path) -> None:
    """Make sure, before any work, that molecules can be written to a file.

    Raises:
        RunError: for a name without a known ending, a folder that is missing or not writable, or
            a library that is.
    """
    if path.suffix not in FORMATS:
        raise RunError(f"out must end in {' or '.join(FORMATS)}, got {path}")
    # What is drawn is judged and pictured by rdkit whatever the file.
    for library in ("rdkit", *(["ase"] if path.suffix == ".xyz" else [])):
        if find_spec(library) is None:
            raise RunError(f'{path.suffix} needs {library}: pip install "geozoo[molecules]"')
    check_writable("out", path)


def write_molecules(samples: SampledMolecules, path: Path) -> None:
    """Write molecules in order, as SDF with the bonds of the distance rule or as extended XYZ."""
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
    graphs = rdkit_molecules(samples.z, samples.batch, len(samples), bonds)
    writer = Chem.SDWriter(str(path))
    writer.SetKekulize(False)
    stable = bonds.stable.tolist()
    for number, (graph, (pos, _)) in enumerate(zip(graphs, samples, strict=True)):
        conformer = Chem.Conformer(len(pos))
        conformer.SetPositions(np.ascontiguousarray(pos.double().numpy()))
        graph.AddConformer(conformer)
        graph.UpdatePropertyCache(strict=False)
        graph.SetProp("_Name", f"sample {number}")
        graph.SetBoolProp("stable", stable[number])
        writer.write(graph)
    writer.close()


def plot_molecules(samples: SampledMolecules, path: Path) -> None:
    """Draw the first molecules as structures in a grid, and say which are stable.

    Args:
        samples: the molecules.
        path: the PNG file.
    """
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    shown = samples.first(_SHOWN)
    bonds = molecule_bonds(shown.pos, shown.z, shown.batch, len(shown))
    graphs = rdkit_molecules(shown.z, shown.batch, len(shown), bonds)
    legends = ["stable" if stable else "not stable" for stable in bonds.stable.tolist()]
    for graph in graphs:
        for atom in graph.GetAtoms():
            atom.SetNoImplicit(True)  # no hydrogens that were not drawn
        graph.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(graph)  # what sanitising would do: drawing asks for rings
        Chem.rdDepictor.Compute2DCoords(graph)
    columns = min(_COLUMNS, len(graphs))
    rows = -(-len(graphs) // columns)
    width, height = _PANEL
    picture = rdMolDraw2D.MolDraw2DCairo(columns * width, rows * height, width, height)
    options: Any = picture.drawOptions()
    options.prepareMolsBeforeDrawing = False
    options.legendFontSize = options.minFontSize = _FONT_SIZE
    picture.DrawMolecules(graphs, legends=legends)
    picture.FinishDrawing()
    label = panels_label(rows, columns, legends)
    write_labelled(picture.GetDrawingText(), label, path)
