"""Usage instructions of a trained model: its input, a command and Python code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

from geozoo.data import DataSpec, ForecastSpec, GeometricSpec


@dataclass(frozen=True)
class Usage:
    """Usage instructions of a model.

    Attributes:
        takes: the input of the model, in one sentence.
        command: the command that runs it.
        purpose: the output of the command.
        python: Python code that follows ``model = geozoo.load(...)``.
    """

    takes: str
    command: str
    purpose: str
    python: str


@singledispatch
def usage_of(spec: DataSpec, model: str, quantities: Sequence[str]) -> Usage:
    """Usage instructions of a model, by the family of its data.

    Args:
        spec: the data specification.
        model: the model, as typed in a command.
        quantities: names of the predicted quantities.

    Raises:
        TypeError: If the data belong to another family, whose tasks must override ``usage``.
    """
    raise TypeError(
        f"there are no usage instructions for models of {spec.family} data "
        f"({type(spec).__name__}): the task must define usage(model)"
    )


@usage_of.register
def _of_series(spec: ForecastSpec, model: str, quantities: Sequence[str]) -> Usage:
    return Usage(
        takes=(
            f"The model takes a table of readings: a column of times, every {spec.interval} "
            f"minutes, and one column for each of its {spec.num_nodes} sensors; at least the last "
            f"{spec.input_steps} readings."
        ),
        command=f"geozoo predict checkpoint={model} input=readings.csv out=forecast.csv",
        purpose=f"the next {spec.horizon} steps, with their times",
        python=_SERIES,
    )


@usage_of.register
def _of_graphs(spec: GeometricSpec, model: str, quantities: Sequence[str]) -> Usage:
    predict = f"geozoo predict checkpoint={model}"
    if (read := spec.record.properties) is not None:
        source = "molecules.csv" if read.conformers else "molecules.xyz"
        cheap = ", ".join(sorted(set((read.baselines or {}).values())))
        return Usage(
            takes=(
                "The model takes molecules (.xyz, .sdf, .csv with SMILES, .npz) with elements of "
                f"its training set{_of_states(spec)}"
                + (f", and the values of the cheaper method ({cheap})." if cheap else ".")
            ),
            command=f"{predict} input={source} out=predictions.csv",
            purpose=f"{', '.join(quantities)} of each molecule",
            python=_MOLECULES.replace("molecules.xyz", source),
        )
    if "windows" in spec.record.other:
        return Usage(
            takes=(
                "The model takes trajectories (.npz or .csv), as in training: positions of points "
                f"in {spec.units['pos']} by frame."
            ),
            command=f"{predict} input=trajectory.npz out=next_frames.npz",
            purpose=f"{', '.join(quantities)} of the next frames",
            python=_MOTION,
        )
    if takes_structures(spec):
        return Usage(
            takes=(
                "The model takes structures (.xyz, .extxyz, .sdf or .traj) with elements of its "
                f"training set{_of_states(spec)}."
            ),
            command=f"{predict} input=frames.xyz out=predictions.extxyz",
            purpose="predictions for each structure",
            python=_STRUCTURES,
        )
    arrays = ", ".join(f"{name} {shape}" for name, shape in _arrays(spec).items())
    return Usage(
        takes=f"The model takes arrays in a .npz file: {arrays} (S graphs of n nodes).",
        command=f"{predict} input=graphs.npz out=predictions.npz",
        purpose=f"{', '.join(quantities)} of each graph",
        python=_ARRAYS,
    )


def of_potential(usage: Usage, spec: GeometricSpec) -> Usage:
    """The usage of a potential, with the ASE calculator if the model takes structures."""
    if not takes_structures(spec):
        return usage
    return replace(usage, purpose="energies and forces", python=usage.python + _CALCULATOR)


def takes_structures(spec: GeometricSpec) -> bool:
    """Whether a structure file has all inputs of a model: elements, 3D positions, charge, spin."""
    is_atoms = bool(spec.elements) and spec.dim == 3
    return is_atoms and not spec.in_vectors and not spec.has_edges


def _arrays(spec: GeometricSpec) -> dict[str, str]:
    shapes = {"pos": f"[S, n, {spec.dim}]"}
    if spec.node_channels:
        shapes["x"] = f"[S, n, {spec.node_channels}]"
    if spec.in_vectors:
        shapes["vec"] = f"[S, n, {spec.in_vectors}, {spec.dim}]"
    if spec.has_edges:
        shapes["edge_index"] = "[S, 2, e]"
    return shapes | dict.fromkeys(spec.graph_inputs, "[S]")


def _of_states(spec: GeometricSpec) -> str:
    """The graph inputs with their ranges, as the end of a sentence."""
    parts = []
    for name in spec.graph_inputs:
        low, high = spec.statistics.get(f"{name}_range", (None, None))
        parts.append(name if low is None else f"{name} ({low:g} to {high:g})")
    return f", each with its {' and '.join(parts)}" if parts else ""


_SERIES = """
from geozoo.hub.forecasts import forecast
from geozoo.hub.readings import read_readings

series, assumed = read_readings("readings.csv", model.spec)
forecast(model, series).values  # [steps, sensors], in the unit of model.units
"""
_STRUCTURES = """
from pathlib import Path
from geozoo.data import read_structures
from geozoo.hub.structures import predict_store, structure_store

structures = read_structures(Path("frames.xyz"))
predict_store(model, structure_store(model.spec, structures))  # by name, in model.units
"""
_MOLECULES = """
from pathlib import Path
from geozoo.hub.molecule_files import read_molecules
from geozoo.hub.structures import predict_store

molecules, inputs = read_molecules(Path("molecules.xyz"), model.spec)
predict_store(model, inputs)  # by name, in model.units
"""
_CALCULATOR = """
from geozoo.engines.ase import GeozooCalculator

calculator = GeozooCalculator(model)  # for ASE: relaxation, molecular dynamics
"""
_MOTION = """
from pathlib import Path
from geozoo.hub.trajectories import forecast_motion, read_motion

trajectories = read_motion(Path("trajectory.npz"), model.spec)
forecast_motion(model, trajectories)[0].position  # [frames, points, dim]
"""
_ARRAYS = """
from pathlib import Path
from geozoo.hub.arrays import read_arrays
from geozoo.hub.structures import predict_store

graphs = read_arrays(Path("graphs.npz"), model.spec)
predict_store(model, graphs)  # by name, in model.units
"""
