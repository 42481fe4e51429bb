"""Sensor tables for a forecaster, read with the settings of its training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from geozoo.data import ForecastSpec, TableForm, TrafficSeries, read_sensor_table

#: Settings that name columns; they are dropped for a table without these columns.
_COLUMNS = ("time_column", "clock_column", "sensor_column", "value_column")


class ReadTable(NamedTuple):
    """A table for a forecaster.

    Attributes:
        series: the readings.
        assumed: one line on which values count as missing, and where the rule comes from.
    """

    series: TrafficSeries
    assumed: str


def read_readings(
    path: str | Path, spec: ForecastSpec, changes: Mapping[str, Any] | None = None
) -> ReadTable:
    """Read a table with the settings of a model's training data.

    The model records the missing-value codes, column names and formats used in training. Recorded
    settings that do not apply to this table are detected from it instead.

    Args:
        path: the table, see `geozoo.data.read_sensor_table`.
        spec: the spec of the model's training data.
        changes: settings that differ from training: ``zero_is_missing``, ``missing`` and the
            fields of `geozoo.data.TableForm`.

    Raises:
        FileNotFoundError: If the table does not exist.
        ValueError: If the table cannot be read or has a different interval; the message names the
            file and the row or column.
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
    # If the times have another format than in training, try to detect it from the table.
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
    """The settings without recorded ones that do not apply to this table."""
    separator = form.get("separator")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.strip()), "")
    if separator is not None and "separator" not in kept and separator not in first:
        form = {key: value for key, value in form.items() if key not in ("separator", "decimal")}
    recorded = [key for key in (*_COLUMNS, "drop") if key in form and key not in kept]
    if not recorded:
        return form
    names = TableForm(separator=form.get("separator")).header(path)
    form = {**form}
    if "drop" in recorded:
        form["drop"] = [name for name in form["drop"] if name in names]
    long = [key for key in _COLUMNS[2:] if key in recorded]
    if any(form[key] not in names for key in long):
        for key in long:
            del form[key]
    for key in ("time_column", "clock_column"):
        if key in recorded and form[key] not in names:
            del form[key]
    return form


def _assumed(rule: Mapping[str, Any], known: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """Message on which values count as missing readings."""
    numbers = [f"{value:g}" for value in rule["missing"]]
    if rule["zero_is_missing"]:
        numbers.insert(0, "0")
    what = " and ".join(numbers) if numbers else "no value"
    message = f"{what} count{'s' * (len(numbers) < 2)} as missing"
    if changes.keys() & rule.keys():
        return f"{message}, as given"
    if not known:
        return (
            f"{message}: this model does not record the rule used in training; change it with "
            "zero_is_missing=true or missing=[-9999]"
        )
    return f"{message}, as in training"
