"""Figures of plain data (tensors, names, units) as PNG files.

Matplotlib is loaded when the first one is drawn.
"""

from geozoo.figures.classes import plot_confusion
from geozoo.figures.curves import Curve, loss_panels, plot_loss
from geozoo.figures.figure import Figure
from geozoo.figures.forecasts import plot_error_map, plot_horizon, plot_series, plot_windows
from geozoo.figures.graphs import DrawnGraph, plot_graphs, values_told
from geozoo.figures.molecules import plot_molecules
from geozoo.figures.numbers import NumberPanel, PlottedNumber, plot_numbers
from geozoo.figures.pairs import plot_errors, plot_parity
from geozoo.figures.panels import Panels, legend_above, split_panels
from geozoo.figures.structures import Structure, draw_structure
from geozoo.figures.vectors import DrawnVector

__all__ = [
    "Curve",
    "DrawnGraph",
    "DrawnVector",
    "Figure",
    "NumberPanel",
    "Panels",
    "PlottedNumber",
    "Structure",
    "draw_structure",
    "legend_above",
    "loss_panels",
    "plot_confusion",
    "plot_error_map",
    "plot_errors",
    "plot_graphs",
    "plot_horizon",
    "plot_loss",
    "plot_molecules",
    "plot_numbers",
    "plot_parity",
    "plot_series",
    "plot_windows",
    "split_panels",
    "values_told",
]
