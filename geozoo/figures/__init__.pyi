from .classes import plot_confusion
from .curves import Curve, loss_panels, plot_loss
from .figure import Figure
from .forecasts import plot_error_map, plot_horizon, plot_series, plot_windows
from .graphs import DrawnGraph, plot_graphs, value_lines
from .molecules import plot_molecules
from .numbers import NumberPanel, PlottedNumber, plot_numbers
from .pairs import plot_errors, plot_parity
from .panels import Panels, legend_above, split_panels
from .steps import StepPanel, plot_steps
from .structures import Structure, draw_structure
from .vectors import DrawnVector

__all__ = [
    "Curve",
    "DrawnGraph",
    "DrawnVector",
    "Figure",
    "NumberPanel",
    "Panels",
    "PlottedNumber",
    "StepPanel",
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
    "plot_steps",
    "split_panels",
    "value_lines",
]
