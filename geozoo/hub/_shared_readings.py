"""Combine the table-reading settings of several models, and detect conflicts between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from geozoo.data.traffic._utc_offsets import minutes_apart

#: Settings that decide which values a network sees, with their defaults.
_RULES: dict[str, Any] = {"zero_is_missing": False, "missing": [], "absent_rows": "unobserved"}
#: Settings that locate the values; a model without one uses that of another model.
_COLUMNS = ("time_column", "clock_column", "sensor_column", "value_column", "time_zone")
#: Settings of the number format: where models differ, it is detected from the table.
_FORMAT = ("separator", "decimal", "time_format", "day_first")


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The setting that makes two models read different values from the same table; None if none.

    Args:
        one: `geozoo.data.DataRecord.reading` of the first model.
        other: `geozoo.data.DataRecord.reading` of the second model.
    """
    for name, default in _RULES.items():
        values = [_plain(reading.get(name, default)) for reading in (one, other)]
        if values[0] != values[1]:
            return f"{name} ({values[0]} and {values[1]})"
    for name in _COLUMNS:
        values = [reading.get(name) for reading in (one, other)]
        if None not in values and values[0] != values[1]:
            return f"{name} ({values[0]} and {values[1]})"
    offsets = [reading.get("utc_offsets") or [] for reading in (one, other)]
    zones = [reading.get("time_zone") for reading in (one, other)]
    # A model with a time zone records all its UTC offsets, including daylight saving time.
    converted = next((k for k in (0, 1) if zones[k] and not zones[1 - k]), None)
    apart = minutes_apart(*offsets)
    if apart is not None and (
        apart > 60
        or (converted is not None and not {*offsets[1 - converted]} <= {*offsets[converted]})
    ):
        return f"UTC offsets ({' and '.join(offsets[0])}, {' and '.join(offsets[1])})"
    return None


def shared_reading(readings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The settings by which all members of an ensemble read a table, independent of their order.

    Args:
        readings: `geozoo.data.DataRecord.reading` of each model; no two may have a `difference`.
    """
    shared: dict[str, Any] = {}
    for name in (*_RULES, *_COLUMNS, *_FORMAT):
        values = [_plain(reading[name]) for reading in readings if reading.get(name) is not None]
        if values and all(value == values[0] for value in values):
            shared[name] = values[0]
    for name in ("drop", "utc_offsets"):
        if values := sorted({value for reading in readings for value in reading.get(name) or ()}):
            shared[name] = values
    return shared


def _plain(value: Any) -> Any:
    """A value in comparable form: the order of a list is irrelevant."""
    return sorted(value) if isinstance(value, list | tuple) else value
