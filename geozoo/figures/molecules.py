"""Structural formulas of molecules in a grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.figures.panels import panels_label, write_labelled

#: Number of molecules in a figure and in a row.
_SHOWN, _COLUMNS = 24, 6
_PANEL = (220, 200)
#: Font size in pixels; legible where two panels share the width of a phone screen.
_FONT_SIZE = 20


def plot_molecules(
    pos: Float[Tensor, "N 3"], z: Int[Tensor, " N"], counts: Int[Tensor, " G"], path: Path
) -> None:
    """Draw the structural formulas of the first molecules, labelled as stable or not.

    Args:
        pos: atom positions in angstrom, molecule by molecule.
        z: atomic numbers.
        counts: number of atoms in each molecule.
        path: the PNG file.
    """
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    from geozoo.metrics import molecule_bonds, rdkit_molecules  # imports torchmetrics

    counts = counts[:_SHOWN]
    batch = torch.repeat_interleave(torch.arange(len(counts)), counts)
    pos, z = pos[: len(batch)], z[: len(batch)]
    bonds = molecule_bonds(pos, z, batch, len(counts))
    graphs = rdkit_molecules(z, batch, len(counts), bonds)
    legends = ["stable" if stable else "not stable" for stable in bonds.stable.tolist()]
    for graph in graphs:
        for atom in graph.GetAtoms():
            atom.SetNoImplicit(True)  # only the hydrogens that were sampled
        graph.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(graph)  # drawing needs ring information, and nothing is sanitised
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
