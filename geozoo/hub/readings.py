"""Tables for a forecaster, read as those of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from geozoo.data import ForecastSpec, TableForm, TrafficSeries, read_sensor_table

#: Settings of a form that name columns; a table without them does not need them.
_COLUMNS = ("time_column", "clock_column", "sensor_column", "value_column")


class ReadTable(NamedTuple):
    """A table for a forecaster.

    Attributes:
        series: its readings.
        assumed: one line on what counts as a missing reading, and where that is from.
    """

    series: TrafficSeries
    assumed: str


def read_readings(
    path: str | Path, spec: ForecastSpec, changes: Mapping[str, Any] | None = None
) -> ReadTable:
    """Read a table as those of a model's training were.

    Numbers that stood for missing readings, columns and forms that had to be given in training are
    known from the model; what the table does not have of them is left to be seen from it.

    Args:
        path: the table, see `geozoo.data.read_sensor_table`.
        spec: the data of the model's training.
        changes: settings that differ from those of the training: ``zero_is_missing``, ``missing``
            and the fields of `geozoo.data.TableForm`.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: for a table that cannot be read, or of other steps than the model's; names file
            and place.
    """
    changes = dict(changes or {})
    known = dict(spec.record.reading)
    merged = {**known, **changes}
    rule: dict[str, Any] = {
        "zero_is_missing": bool(merged.get("zero_is_missing", False)),
        "missing": tuple(merged.get("missing", ())),
    }
    absent_rows = known.get("absent_rows", "unobserved")
    form = {f.name: merged[f.name] for f in fields(TableForm) if f.name in merged}
    form = _of_this_table(Path(path).expanduser(), form, kept=changes)
    # Times of another form than in training may be of one that is seen from the table.
    forms = [form]
    for name in ("time_format", "time_zone"):
        if name in form and name not in changes:
            forms.append({key: value for key, value in form.items() if key != name})
    errors = []
    for each in forms:
        try:
            series = read_sensor_table(
                path, interval=spec.interval, feature=spec.target, form=TableForm(**each),
                absent_rows=absent_rows, **rule,
            )  # fmt: skip
        except ValueError as error:
            errors.append(error)
        else:
            return ReadTable(series, _assumed(rule, known, changes))
    raise errors[0]


def _of_this_table(path: Path, form: dict[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The form without what was remembered and this table does not have."""
    separator = form.get("separator")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.strip()), "")
    if separator is not None and "separator" not in kept and separator not in first:
        form = {key: value for key, value in form.items() if key not in ("separator", "decimal")}
    remembered = [key for key in (*_COLUMNS, "drop") if key in form and key not in kept]
    if not remembered:
        return form
    names = TableForm(separator=form.get("separator")).header(path)
    form = {**form}
    if "drop" in remembered:
        form["drop"] = [name for name in form["drop"] if name in names]
    long = [key for key in _COLUMNS[2:] if key in remembered]
    if any(form[key] not in names for key in long):
        for key in long:
            del form[key]
    for key in ("time_column", "clock_column"):
        if key in remembered and form[key] not in names:
            del form[key]
    return form


def _assumed(rule: Mapping[str, Any], known: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """What counts as a missing reading."""
    numbers = [f"{value:g}" for value in rule["missing"]]
    if rule["zero_is_missing"]:
        numbers.insert(0, "0")
    what = " and ".join(numbers) if numbers else "no number"
    said = f"{what} count{'s' * (len(numbers) < 2)} as a missing reading"
    if changes.keys() & rule.keys():
        return f"{said}, as given"
    if not known:
        return (
            f"{said}: this model does not say what did in training; zero_is_missing=true or "
            "missing=[-9999] changes that"
        )
    return f"{said}, as in training"
