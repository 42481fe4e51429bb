"""``geozoo predict``: from a file of structures, arrays or readings to a file of predictions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from rich.console import Console

from geozoo.cli._options import RunError
from geozoo.cli._prediction_files import FORMATS, Predictions, write_predictions
from geozoo.cli._trained import trained_models
from geozoo.data import GeometricSpec, progress_bar, read_sensor_table, read_structures
from geozoo.hub import Ensemble, TrainedModel
from geozoo.hub.arrays import read_arrays
from geozoo.hub.ensemble import SPREAD
from geozoo.hub.forecasts import forecast
from geozoo.hub.structures import allow_any_composition, predict_store, structure_store

_STRUCTURES = (".xyz", ".extxyz", ".sdf")


@dataclass(frozen=True)
class PredictOptions:
    """What ``geozoo predict`` is told, as ``key=value``.

    Attributes:
        checkpoint: name of a trained model, its folder, a run folder, or a checkpoint file; several
            with commas between for their mean and spread.
        input: structures (``.xyz``, ``.extxyz``, ``.sdf``), arrays (``.npz``) or readings
            (``.csv``).
        output: ``.extxyz``, ``.xyz``, ``.npz`` or ``.csv``.
        ignore_cell: use periodic structures as isolated ones.
        any_composition: predict energies of compositions that the training does not determine.
        zero_is_missing: whether a reading of 0 stands for a missing one.
    """

    checkpoint: str
    input: str
    output: str
    ignore_cell: bool = False
    any_composition: bool = False
    zero_is_missing: bool = False

    @classmethod
    def from_words(cls, words: Sequence[str]) -> PredictOptions:
        """Read ``key=value`` words.

        Raises:
            RunError: for an unknown, missing or repeated key, or a flag that is neither true nor
                false.
        """
        given = dict(word.partition("=")[::2] for word in words)
        known = [option.name for option in fields(cls)]
        unknown = [key for key in given if key not in known]
        missing = [key for key in known[:3] if not given.get(key)]
        if unknown or missing:
            what = f"unknown: {', '.join(unknown)}" if unknown else f"missing: {', '.join(missing)}"
            raise RunError(f"{what}; words are {', '.join(f'{name}=...' for name in known)}")
        flags = {name: given.pop(name, "false") for name in known[3:]}
        for name, value in flags.items():
            if value not in ("true", "false"):
                raise RunError(f"{name} must be true or false, got {value!r}")
        return cls(**given, **{name: value == "true" for name, value in flags.items()})


def predict(words: Sequence[str], console: Console) -> None:
    """Predict and write; every name is checked before any work.

    Args:
        words: see `PredictOptions`.
        console: where to say what was done.

    Raises:
        RunError: for words that do not fit, or a model that there is not.
        FileNotFoundError: when there is no such input.
        ValueError: for an input that the model cannot take, or formats that do not fit.
    """
    options = PredictOptions.from_words(words)
    source, target = (Path(p).expanduser().absolute() for p in (options.input, options.output))
    if not source.is_file():
        raise FileNotFoundError(f"input: there is no file {source}")
    if target.suffix not in FORMATS or not target.parent.is_dir():
        raise RunError(
            f"output must end with one of {', '.join(FORMATS)} and lie in a folder that exists, "
            f"got {target}"
        )
    if target.suffix in _STRUCTURES and source.suffix not in _STRUCTURES:
        raise RunError(f"output {target.name} needs structures as input; write .npz or .csv")
    model = trained_models(options.checkpoint)
    console.print(str(model), markup=False, soft_wrap=True)
    started = time.perf_counter()
    if isinstance(model.spec, GeometricSpec):
        count = _predict_graphs(model, source, target, options)
    else:
        count = _predict_series(model, source, target, options)
    seconds = time.perf_counter() - started
    console.print(f"{count} in {seconds:.1f} s: {target}", soft_wrap=True)


def _predict_graphs(
    model: TrainedModel | Ensemble, source: Path, target: Path, options: PredictOptions
) -> str:
    structures = None
    if options.any_composition:
        allow_any_composition(model)
    if source.suffix in _STRUCTURES:
        structures = read_structures(source, ignore_cell=options.ignore_cell)
        store = structure_store(model.spec, structures)
    elif source.suffix == ".npz":
        store = read_arrays(source, model.spec, dtype=model.dtype)
    else:
        raise ValueError(
            f"input: this model takes {', '.join((*_STRUCTURES, '.npz'))}, got {source.name}"
        )
    with progress_bar("Predicting", len(store)) as advance:
        values = predict_store(model, store, progress=advance)
    found = Predictions(values, model.units, model.levels, store.num_nodes.numpy(), structures)
    write_predictions(found, target)
    return f"{len(store)} graphs"


def _predict_series(
    model: TrainedModel | Ensemble, source: Path, target: Path, options: PredictOptions
) -> str:
    if source.suffix != ".csv" or target.suffix != ".csv":
        raise ValueError(
            "a forecaster takes readings in a .csv (first column times, one column a sensor) and "
            f"writes one, got {source.name} and {target.name}"
        )
    spec = model.spec
    series = read_sensor_table(
        source, interval=spec.interval, feature=spec.target, zero_is_missing=options.zero_is_missing
    )
    found = forecast(model, series)
    names, values = list(found.sensor_ids), found.values
    further = {f"_q{100 * level:g}": array for level, array in (found.quantiles or {}).items()}
    if found.spread is not None:
        further[SPREAD] = found.spread
    for ending, array in further.items():
        names += [f"{name}{ending}" for name in found.sensor_ids]
        values = np.concatenate([values, array], 1)
    lines = [",".join(["time", *names])]
    for moment, row in zip(found.times, values, strict=True):
        lines.append(",".join([str(moment), *(f"{value:.6g}" for value in row)]))
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{len(found.times)} steps of {spec.interval} min after {series.times[-1]}"
