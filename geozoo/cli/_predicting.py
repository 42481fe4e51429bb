"""``geozoo predict``: from a file of structures, arrays or readings to a file of predictions."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from geozoo.cli._console import configure_logging
from geozoo.cli._forecast_files import write_forecast
from geozoo.cli._prediction_files import FORMATS, Predictions, write_predictions
from geozoo.data import GeometricSpec, progress_bar, read_structures
from geozoo.hub import Ensemble, TrainedModel
from geozoo.hub.arrays import read_arrays
from geozoo.hub.forecasts import forecast
from geozoo.hub.readings import read_readings
from geozoo.hub.structures import allow_any_composition, predict_store, structure_store
from geozoo.report.screen import Screen
from geozoo.runs.arguments import check_not_input, check_writable, key_values, repeated_keys
from geozoo.runs.errors import RunError
from geozoo.runs.trained import model_files, trained_models

#: Outputs that hold structures; an input may be any file that ASE reads.
_STRUCTURES = (".xyz", ".extxyz")
#: Inputs that are no structures.
_NO_STRUCTURES = (".npz", ".csv")


@dataclass(frozen=True)
class PredictOptions:
    """What ``geozoo predict`` is told, as ``key=value``.

    Attributes:
        checkpoint: name of a trained model, its folder, a run folder, or a checkpoint file; several
            with commas between for their mean and spread.
        input: structures (any file that ASE reads), arrays (``.npz``) or readings (``.csv``).
        output: ``.extxyz``, ``.xyz``, ``.npz`` or ``.csv``.
        ignore_cell: use periodic structures as isolated ones.
        length_unit: of positions in a file of structures, ``angstrom`` or ``bohr``; None: that of
            the training's own files. What is written is in angstrom and eV.
        any_composition: predict energies of compositions that the training does not determine.
        table: how readings are read, where it differs from the training: ``zero_is_missing``,
            ``missing`` and the fields of `geozoo.data.TableForm` (see ``dataset=traffic_csv``).
    """

    checkpoint: str
    input: str
    output: str
    ignore_cell: bool = False
    any_composition: bool = False
    length_unit: str | None = None
    table: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_words(cls, words: Sequence[str]) -> PredictOptions:
        """Read ``key=value`` words; those of ``table`` also as in training, ``dataset.missing``.

        Raises:
            RunError: for an unknown, missing or repeated key, or a flag that is neither true nor
                false.
        """
        given = _without_prefix(key_values(words))
        needed = [option.name for option in fields(cls)][:3]
        known = [*needed, *_FLAGS, "length_unit", *_TABLE]
        unknown = [key for key in given if key not in known]
        missing = [key for key in needed if not given.get(key)]
        if unknown or missing:
            what = f"unknown: {', '.join(unknown)}" if unknown else f"missing: {', '.join(missing)}"
            raise RunError(f"{what}; words are {', '.join(f'{name}=...' for name in known)}")
        table = {name: _TABLE[name](name, given.pop(name)) for name in _TABLE if name in given}
        flags = {name: _flag(name, given.pop(name, "false")) for name in _FLAGS}
        unit = _text("length_unit", given.pop("length_unit", ""))
        return cls(**given, **flags, length_unit=unit, table=table)


def _without_prefix(given: Mapping[str, str]) -> dict[str, str]:
    """Words on a table by their bare names; what a training says of its table has the prefix."""
    names = {key: _bare(key) for key in given}
    if twice := repeated_keys(names.values()):
        said = ", ".join(" and ".join(k for k in given if names[k] == name) for name in twice)
        raise RunError(f"given more than once: {said} are one word")
    return {names[key]: value for key, value in given.items()}


def _bare(key: str) -> str:
    """The name of a word on a table; any other key as it is."""
    prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), "")
    name = key.removeprefix(prefix)
    is_known = name in _TABLE and not (prefix == _PREFIXES[0] and name in _RULE)
    return name if is_known else key


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise RunError(f"{name} must be true or false, got {value!r}")
    return value == "true"


def _numbers(name: str, value: str) -> list[float]:
    try:
        return [float(number) for number in _names(name, value)]
    except ValueError:
        raise RunError(f"{name} must be numbers like [-9999,-1], got {value!r}") from None


def _names(name: str, value: str) -> list[str]:
    inside = value.strip("[] ")
    # A comma inside of quotes belongs to a name.
    quote = "'" if "'" in inside and '"' not in inside else '"'
    found = next(csv.reader([inside], quotechar=quote, skipinitialspace=True), [])
    return [each.strip() for each in found if each.strip()]


def _text(name: str, value: str) -> str | None:
    return None if value in ("", "null") else value


#: What may stand before a word on the form of a table.
_PREFIXES = ("dataset.form.", "dataset.")
#: Of these words, what a data set of a table has outside of its form.
_RULE = ("zero_is_missing", "missing")
#: Words that are true or false.
_FLAGS = ("ignore_cell", "any_composition")
#: Words on the form of a table, and what reads each.
_TABLE: dict[str, Callable[[str, str], Any]] = {
    "zero_is_missing": _flag, "missing": _numbers, "separator": _text, "decimal": _text,
    "time_column": _text, "clock_column": _text, "time_format": _text, "time_zone": _text,
    "drop": _names, "sensor_column": _text, "value_column": _text,
}  # fmt: skip


def predict(words: Sequence[str], screen: Screen) -> None:
    """Predict and write; every name is checked before any work.

    Standard error says in a line what was read of the input and what was not.

    Args:
        words: see `PredictOptions`.
        screen: where to say what was done.

    Raises:
        RunError: for words that do not fit, a model that there is not, or an output that cannot be
            written or is a file that is read.
        FileNotFoundError: when there is no such input.
        ValueError: for an input that the model cannot take, or formats that do not fit.
    """
    options = PredictOptions.from_words(words)
    source, target = (Path(p).expanduser().absolute() for p in (options.input, options.output))
    if not source.is_file():
        raise FileNotFoundError(f"input: there is no file {source}")
    if target.suffix not in FORMATS:
        raise RunError(f"output must end with one of {', '.join(FORMATS)}, got {target}")
    check_writable("output", target)
    check_not_input("output", target, [source, *model_files(options.checkpoint)])
    if target.suffix in _STRUCTURES and source.suffix in _NO_STRUCTURES:
        raise RunError(f"output {target.name} needs structures as input; write .npz or .csv")
    configure_logging(screen, has_clock=False)
    model = trained_models(options.checkpoint)
    screen.note(model)
    started = time.perf_counter()
    if isinstance(model.spec, GeometricSpec):
        count = _predict_graphs(model, source, target, options, screen)
    else:
        count = _predict_series(model, source, target, options, screen)
    seconds = time.perf_counter() - started
    screen.note(f"{count} in {seconds:.1f} s, written to")
    screen.result(target)


def _predict_graphs(
    model: TrainedModel | Ensemble,
    source: Path,
    target: Path,
    options: PredictOptions,
    screen: Screen,
) -> str:
    structures = None
    _check_words(options, source)
    if options.any_composition:
        allow_any_composition(model)
    if source.suffix not in _NO_STRUCTURES:
        unit = options.length_unit or _length_unit(model)
        if unit != "angstrom" or options.length_unit is not None:
            whose = "as given" if options.length_unit else "as in the files of the training"
            screen.note(f"positions are read in {unit}, {whose}; written in angstrom and eV")
        structures = read_structures(source, ignore_cell=options.ignore_cell, length_unit=unit)
        store = structure_store(model.spec, structures)
    elif source.suffix == ".npz":
        store = read_arrays(source, model.spec, dtype=model.dtype)
    else:
        raise ValueError(
            "input: this model takes structures (.xyz or any other file that ASE reads) or .npz, "
            f"got {source.name}"
        )
    with progress_bar("Predicting", len(store)) as advance:
        values = predict_store(model, store, progress=advance)
    found = Predictions(values, model.units, model.levels, store.num_nodes.numpy(), structures)
    write_predictions(found, target)
    return f"{len(store)} graphs"


def _check_words(options: PredictOptions, source: Path) -> None:
    """Refuse words that would change nothing."""
    words = list(options.table)
    if source.suffix in _NO_STRUCTURES:
        words += ["length_unit"] if options.length_unit else []
        words += ["ignore_cell"] if options.ignore_cell else []
    if words:
        raise RunError(
            f"{', '.join(words)} cannot be given for {source.name}: length_unit and ignore_cell "
            "are for files of structures (arrays are in the units of the training, angstrom), "
            f"{', '.join(_TABLE)} for tables of readings"
        )


def _length_unit(model: TrainedModel | Ensemble) -> str:
    """The unit of positions in the files of the training."""
    members = model.members if isinstance(model, Ensemble) else (model,)
    units = {
        getattr(each.spec.record.structures, "length_unit_of_file", "angstrom") for each in members
    }
    if len(units) > 1:
        raise RunError(
            "the models were trained on files with positions in different units, "
            f"{' and '.join(sorted(units))}: give length_unit of the input"
        )
    return str(units.pop())


def _predict_series(
    model: TrainedModel | Ensemble, source: Path, target: Path, options: PredictOptions,
    screen: Screen,
) -> str:  # fmt: skip
    given = [name for name in (*_FLAGS, "length_unit") if getattr(options, name)]
    if given:
        raise RunError(f"{', '.join(given)} cannot be given for a forecaster")
    if source.suffix != ".csv" or target.suffix != ".csv":
        raise ValueError(
            "a forecaster takes readings in a .csv (first column times, one column a sensor) and "
            f"writes one, got {source.name} and {target.name}"
        )
    spec = model.spec
    series, assumed = read_readings(source, spec, options.table)
    screen.note(assumed)
    for note in series.notes:
        screen.note(f"{source.name}: {note}")
    found = forecast(model, series)
    write_forecast(found, target)
    return f"{len(found.times)} steps of {spec.interval} min after {series.times[-1]}"
