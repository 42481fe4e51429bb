"""``geozoo predict``: predictions for a file of structures, arrays or sensor readings."""

from __future__ import annotations

import time
from pathlib import Path

from geozoo.cli._arguments import TABLE_KEYS, Predict
from geozoo.cli._checked_files import check_files
from geozoo.cli._console import configure_logging
from geozoo.cli._forecast_files import write_forecast
from geozoo.cli._motion_files import predict_motion
from geozoo.cli._prediction_files import FORMATS, Predictions, write_predictions
from geozoo.cli._tabulating import check_tabulates, use_tables
from geozoo.data import ForecastSpec, GeometricSpec, read_structures
from geozoo.files.progress import progress_bar
from geozoo.hub import Ensemble, TrainedModel
from geozoo.hub.arrays import read_arrays
from geozoo.hub.cloud_files import read_cloud_file, reads_clouds
from geozoo.hub.forecasts import forecast
from geozoo.hub.molecule_files import read_molecules, reads_molecules
from geozoo.hub.readings import read_readings
from geozoo.hub.structures import allow_any_composition, predict_store, structure_store
from geozoo.hub.trajectories import reads_trajectories
from geozoo.hub.uncertainty import extrapolation_message, extrapolations, give_force_std
from geozoo.report.screen import Screen
from geozoo.runs.errors import RunError
from geozoo.runs.trained import trained_models

#: Output formats of structures; an input may be any file that ASE reads.
_STRUCTURES = (".xyz", ".extxyz")
#: Input formats other than structures.
_NO_STRUCTURES = (".npz", ".csv")


#: Flags of graphs; forecasts have none.
_FLAGS = ("ignore_cell", "any_composition", "tabulate", "forces_std")
#: Keys of trajectories.
_OF_MOTION = ("frames", "last_frame")


def predict(options: Predict, screen: Screen) -> None:
    """Predict and write; all arguments are checked before any work.

    A line on standard error reports what was read from the input and what was ignored.

    Args:
        options: the arguments.
        screen: screen that prints what was done.

    Raises:
        RunError: If keys do not fit the input, the model does not exist, or the output cannot be
            written or is one of the input files.
        FileNotFoundError: If the input does not exist.
        ValueError: If the model does not accept the input, or the formats do not match.
    """
    source, target = options.input, options.out
    check_files(source, target, FORMATS, options.checkpoint)
    if target.suffix in _STRUCTURES and source.suffix in _NO_STRUCTURES:
        raise RunError(
            f"out={target.name} needs structures as input; use .npz or .csv for arrays and readings"
        )
    configure_logging(screen, has_clock=False)
    model = trained_models(options.checkpoint)
    screen.note(model)
    started = time.perf_counter()
    spec = model.spec
    if isinstance(spec, GeometricSpec) and reads_trajectories(spec):
        _check_of_motion(options, source)
        count = predict_motion(model, spec, options, screen)
    elif isinstance(spec, GeometricSpec) and reads_clouds(spec, source):
        _check_of_clouds(options, source)
        count = _predict_cloud(model, spec, source, target, screen)
    elif isinstance(spec, GeometricSpec):
        _check_no_motion(options)
        count = _predict_graphs(model, spec, source, target, options, screen)
    else:
        assert isinstance(spec, ForecastSpec)
        count = _predict_series(model, spec, source, target, options, screen)
    seconds = time.perf_counter() - started
    screen.note(f"{count} in {seconds:.1f} s, written to")
    screen.result(target)


def _predict_graphs(
    model: TrainedModel | Ensemble,
    spec: GeometricSpec,
    source: Path,
    target: Path,
    options: Predict,
    screen: Screen,
) -> str:
    structures = None
    if not reads_molecules(spec, source):
        _check_keys(options, source)
    if options.any_composition:
        allow_any_composition(model)
    if options.tabulate:
        check_tabulates(model)
    if options.forces_std:
        give_force_std(model)
    if reads_molecules(spec, source):
        structures, store = read_molecules(
            source, spec, length_unit=_noted_unit(model, options, screen),
            ignore_cell=options.ignore_cell,
        )  # fmt: skip
    elif source.suffix not in _NO_STRUCTURES:
        unit = _noted_unit(model, options, screen)
        structures = read_structures(
            source, ignore_cell=options.ignore_cell, length_unit=unit, inputs=spec.graph_inputs
        )
        store = structure_store(spec, structures)
    elif source.suffix == ".npz":
        store = read_arrays(source, spec, dtype=model.dtype)
    else:
        raise ValueError(
            "input must be structures (.xyz or any other file that ASE reads) or .npz for this "
            f"model, got {source.name}"
        )
    if options.tabulate:
        screen.note(use_tables(model, store))
    with progress_bar("Predicting", len(store)) as advance:
        values = predict_store(model, store, progress=advance)
    if far := extrapolations(model, values, store.num_nodes):
        assert isinstance(model, TrainedModel)  # an ensemble has no uncertainty of its own
        screen.note(f"warning: {extrapolation_message(model, far, len(store))}")
    predictions = Predictions(
        values, model.units, model.levels, store.num_nodes.numpy(), structures, spec.graph_inputs,
        {"class": [str(each) for each in spec.statistics.get("classes", ())]},
    )  # fmt: skip
    write_predictions(predictions, target)
    return f"{len(store)} graphs"


def _predict_cloud(
    model: TrainedModel | Ensemble, spec: GeometricSpec, source: Path, target: Path, screen: Screen
) -> str:
    """Predict the class of a cloud, or of each of its points, which are written with it."""
    store, points, note = read_cloud_file(source, spec)
    screen.note(note)
    values, units, levels = predict_store(model, store), dict(model.units), dict(model.levels)
    if spec.level == "node":
        values = {"point": points, **values}
        units, levels = {"point": "", **units}, {"point": "node", **levels}
    predictions = Predictions(
        values, units, levels, store.num_nodes.numpy(), None, (),
        {"class": [str(each) for each in spec.statistics["classes"]]},
    )  # fmt: skip
    write_predictions(predictions, target)
    return f"{len(points)} points"


def _check_of_clouds(options: Predict, source: Path) -> None:
    """Reject keys and outputs that have no meaning for point clouds."""
    given = [name for name in (*_FLAGS, *_OF_MOTION, "length_unit") if getattr(options, name)]
    if keys := [*options.table, *given]:
        raise RunError(f"{', '.join(keys)} cannot be given for point clouds ({source.name})")
    if options.out.suffix in _STRUCTURES:
        raise RunError(f"out of a point cloud must end with .npz or .csv, got {options.out}")


def _check_of_motion(options: Predict, source: Path) -> None:
    """Reject keys that have no effect on trajectories."""
    given = [name for name in (*_FLAGS, "length_unit") if getattr(options, name)]
    if keys := [*options.table, *given]:
        raise RunError(f"{', '.join(keys)} cannot be given for trajectories ({source.name})")


def _check_no_motion(options: Predict) -> None:
    if given := [name for name in _OF_MOTION if getattr(options, name) is not None]:
        raise RunError(f"{', '.join(given)} can be given for models of dataset=trajectories only")


def _check_keys(options: Predict, source: Path) -> None:
    """Reject keys that would have no effect."""
    keys = list(options.table)
    if source.suffix in _NO_STRUCTURES:
        keys += ["length_unit"] if options.length_unit else []
        keys += ["ignore_cell"] if options.ignore_cell else []
    if keys:
        raise RunError(
            f"{', '.join(keys)} cannot be given for {source.name}: length_unit and ignore_cell "
            "are for structure files (arrays are in the units of training, angstrom), "
            f"{', '.join(TABLE_KEYS)} for tables of readings"
        )


def _noted_unit(model: TrainedModel | Ensemble, options: Predict, screen: Screen) -> str:
    """The unit of positions in the input, which is noted unless it is angstrom by default."""
    unit = options.length_unit or _length_unit(model)
    if unit != "angstrom" or options.length_unit is not None:
        whose = "as given" if options.length_unit else "as in the training files"
        screen.note(f"positions are read in {unit}, {whose}; output is in angstrom and eV")
    return unit


def _length_unit(model: TrainedModel | Ensemble) -> str:
    """The unit of positions in the training files."""
    units = {each.spec.record.files.length_unit_of_file for each in model.members}
    if len(units) > 1:
        raise RunError(
            "the models were trained on files with positions in different units, "
            f"{' and '.join(sorted(units))}: set length_unit to the unit of the input"
        )
    return str(units.pop())


def _predict_series(
    model: TrainedModel | Ensemble, spec: ForecastSpec, source: Path, target: Path,
    options: Predict, screen: Screen,
) -> str:  # fmt: skip
    _check_no_motion(options)
    given = [name for name in (*_FLAGS, "length_unit") if getattr(options, name)]
    if given:
        raise RunError(f"{', '.join(given)} cannot be given for a forecaster")
    if source.suffix != ".csv" or target.suffix != ".csv":
        raise ValueError(
            "input and out of a forecaster must be .csv files (first column times, one column per "
            f"sensor), got {source.name} and {target.name}"
        )
    series, assumed = read_readings(source, spec, options.table)
    screen.note(assumed)
    for note in series.notes:
        screen.note(f"{source.name}: {note}")
    predicted = forecast(model, series)
    write_forecast(predicted, target)
    return f"{len(predicted.times)} steps of {spec.interval} min after {series.times[-1]}"
