"""How a trained model is used: commands and Python, by what it takes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geozoo.data import DataSpec, ForecastSpec, GeometricSpec
from geozoo.hub.rebuilding import own_modules
from geozoo.tasks import Generation, GraphTask, Potential


@dataclass(frozen=True)
class Usage:
    """How to go on with a run.

    Attributes:
        takes: what the model takes, in a sentence.
        commands: command lines, each with what it does.
        python: a few lines of Python.
    """

    takes: str
    commands: Sequence[tuple[str, str]]
    python: str


def usage(task: GraphTask, run: str, *, is_tested: bool = True) -> Usage:
    """What to do with the model of a run.

    Args:
        task: the task that was trained.
        run: its folder, as it is typed.
        is_tested: whether its numbers are there; a model is not published before.
    """
    word = shlex.quote(run)
    use, takes, python = _by_kind(task, word)
    commands = [
        use,
        (f"geozoo evaluate {word}", "test it again, or with dataset=... on other data")
        if is_tested
        else (f"geozoo evaluate --save {word}", "test it, which publish needs"),
        (f"geozoo publish {word}", "weights and description in a folder to hand on"),
    ]
    config = (task.record or {}).get("config") or {}
    own = own_modules(config) if {"model", "task"} <= config.keys() else []
    trust = f", trusted={own}" if own else ""
    head = f"import geozoo\n\nmodel = geozoo.load({run!r}{trust})\n"
    return Usage(takes, commands, head + python)


def predict_command(task: GraphTask, word: str) -> str:
    """The command that uses a model, with file names that fit it."""
    return _by_kind(task, word)[0][0]


def _by_kind(task: GraphTask, word: str) -> tuple[tuple[str, str], str, str]:
    """The first command with what it does, what the model takes, and Python behind its loading."""
    if isinstance(task, Generation):
        command = f"geozoo sample checkpoint={word} n=100 out=molecules.sdf"
        python = "samples = model.task.sample(100, seed=0)  # positions and elements\n"
        takes = "The model takes nothing: it draws molecules."
        return (command, "new molecules, also as .xyz"), takes, python
    spec: DataSpec = task.spec
    predict = f"geozoo predict checkpoint={word}"
    if isinstance(spec, ForecastSpec):
        command = f"{predict} input=readings.csv output=forecast.csv"
        takes = (
            f"The model takes a table of readings: a column of times, every {spec.interval} "
            f"minutes, and one column for each of its {spec.num_nodes} sensors; at least the last "
            f"{spec.input_steps} readings."
        )
        return (command, f"the next {spec.horizon} steps, with their times"), takes, _SERIES
    assert isinstance(spec, GeometricSpec)
    if spec.elements and not spec.in_vectors and spec.dim == 3 and not spec.has_edges:
        told = "energies and forces" if isinstance(task, Potential) else "every structure's values"
        command = f"{predict} input=frames.xyz output=predictions.extxyz"
        takes = (
            "The model takes structures: .xyz, .extxyz, .sdf or .traj, of the elements of its "
            "training."
        )
        python = _STRUCTURES + (_CALCULATOR if isinstance(task, Potential) else "")
        return (command, told), takes, python
    command = f"{predict} input=graphs.npz output=predictions.npz"
    arrays = ", ".join(f"{name} {shape}" for name, shape in _arrays(spec).items())
    takes = f"The model takes arrays in a .npz file: {arrays}, for S graphs of n nodes."
    return (command, f"{', '.join(task.quantity_units())} of every graph"), takes, _ARRAYS


def _arrays(spec: Any) -> dict[str, str]:
    found = {"pos": f"[S, n, {spec.dim}]"}
    if spec.in_channels:
        found["x"] = f"[S, n, {spec.in_channels}]"
    if spec.in_vectors:
        found["vec"] = f"[S, n, {spec.in_vectors}, {spec.dim}]"
    if spec.has_edges:
        found["edge_index"] = "[S, 2, e]"
    return found


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
_CALCULATOR = """
from geozoo.hub.calculator import GeozooCalculator

calculator = GeozooCalculator(model)  # for ASE: relaxation, molecular dynamics
"""
_ARRAYS = """
from pathlib import Path
from geozoo.hub.arrays import read_arrays
from geozoo.hub.structures import predict_store

graphs = read_arrays(Path("graphs.npz"), model.spec)
predict_store(model, graphs)  # by name, in model.units
"""
