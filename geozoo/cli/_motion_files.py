"""Predictions of trajectories: reading, forecasting, writing, and errors where frames are known."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geozoo.cli._arguments import Predict
from geozoo.data import GeometricSpec
from geozoo.files.progress import progress_bar
from geozoo.hub import Ensemble, TrainedModel
from geozoo.hub.trajectories import MotionForecast, forecast_motion, read_motion, rules_of_model
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet

_FORMATS = (".npz", ".csv")


def predict_motion(
    model: TrainedModel | Ensemble, spec: GeometricSpec, options: Predict, screen: Screen
) -> str:
    """Predict the frames after a trajectory and write them; returns what was done.

    Args:
        model: a model of `geozoo.data.Trajectories`.
        spec: the spec of its training data.
        options: the arguments.
        screen: screen that prints errors where the frames are known.

    Raises:
        ValueError: If the files do not fit the model.
    """
    for path in (options.input, options.out):
        if path.suffix.lower() not in _FORMATS:
            raise ValueError(
                f"input and out must be .npz or .csv for a model of trajectories, got {path.name}"
            )
    rules = rules_of_model(spec)
    found = read_motion(options.input, spec)
    with progress_bar("Predicting", len(found)) as advance:
        forecasts = forecast_motion(
            model, found, frames=options.frames, last_frame=options.last_frame, progress=advance
        )
    if options.out.suffix.lower() == ".npz":
        _write_arrays(forecasts, options.out)
    else:
        _write_table(forecasts, options.out)
    _show_errors(forecasts, rules.horizon, spec.units["y"], screen)
    frames = max(len(each.frames) for each in forecasts)
    return f"{frames} frames of {len(found)} trajectories"


def _numbers(each: MotionForecast) -> np.ndarray:
    """Numbers of the predicted frames, as in the file."""
    return each.trajectory.first_frame + each.frames * each.trajectory.frame_step


def _write_arrays(forecasts: Sequence[MotionForecast], path: Path) -> None:
    """``position [n, P, dim]``, ``frame [n]``, ``rounds [n]``; a leading axis for several."""
    arrays: list[dict[str, Any]] = []
    for each in forecasts:
        of_each = {"position": each.position, "frame": _numbers(each), "rounds": each.rounds}
        if each.velocity is not None:
            of_each["velocity"] = each.velocity
        arrays.append(of_each)
    names = list(arrays[0])
    shapes = {each["position"].shape for each in arrays}
    if len(shapes) > 1:
        raise ValueError(
            "out: the trajectories differ in their numbers of points or frames, "
            f"{sorted(shapes)[:3]}: write a table, out=predictions.csv"
        )
    stacked: dict[str, Any] = {
        name: arrays[0][name] if len(arrays) == 1 else np.stack([each[name] for each in arrays])
        for name in names
    }
    np.savez(path, **stacked)


def _write_table(forecasts: Sequence[MotionForecast], path: Path) -> None:
    """A table as it is read in training, with the number of rounds."""
    dim = forecasts[0].position.shape[2]
    has_velocity = forecasts[0].velocity is not None
    axes = ["x", "y", "z"][:dim]
    header = ["trajectory", "frame", "point", *axes]
    header += [f"v{axis}" for axis in axes] if has_velocity else []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header, "rounds"])
        for each in forecasts:
            name = each.trajectory.name.rpartition(", trajectory ")[2]
            for row, frame in enumerate(_numbers(each).tolist()):
                for point in range(each.trajectory.num_points):
                    values = each.position[row, point].tolist()
                    if each.velocity is not None:
                        values += each.velocity[row, point].tolist()
                    label = each.trajectory.point(point)
                    writer.writerow([name, frame, label, *values, int(each.rounds[row])])


def _show_errors(
    forecasts: Sequence[MotionForecast], horizon: int, unit: str, screen: Screen
) -> None:
    """A table of errors by round, if the frames after the last one used are known."""
    by_round: dict[int, list[tuple[float, float, float]]] = {}
    for each in forecasts:
        for number, own, still, moving in each.errors(horizon):
            by_round.setdefault(number, []).append((own, still, moving))
    if not by_round:
        return
    head = ("frames ahead", "model", "unchanged positions", "constant velocity")
    table = Sheet(*head, title=f"mean squared error of the positions ({unit}^2)")
    for number, rows in sorted(by_round.items()):
        means = np.mean(rows, axis=0)
        table.add(str(number * horizon), *(f"{value:.5g}" for value in means))
    screen.show(table)
