"""How several models read one table: what they must have in common, and what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from geozoo.data.traffic._utc_offsets import minutes_apart

#: Rules that decide which numbers a network sees, and what holds where a model does not say.
_RULES: dict[str, Any] = {"zero_is_missing": False, "missing": [], "absent_rows": "unobserved"}
#: Settings that name the numbers; a model that was not given one takes that of another.
_PLACES = ("time_column", "clock_column", "sensor_column", "value_column", "time_zone")
#: Settings of how the numbers are written: where models differ, the table shows it.
_WRITING = ("separator", "decimal", "time_format", "day_first")


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """What lets two models see other numbers in the same table; None: nothing.

    Args:
        one: `geozoo.data.DataRecord.reading` of a model.
        other: that of another.
    """
    for name, default in _RULES.items():
        values = [_plain(reading.get(name, default)) for reading in (one, other)]
        if values[0] != values[1]:
            return f"{name} ({values[0]} and {values[1]})"
    for name in _PLACES:
        values = [reading.get(name) for reading in (one, other)]
        if None not in values and values[0] != values[1]:
            return f"{name} ({values[0]} and {values[1]})"
    offsets = [reading.get("utc_offsets") or [] for reading in (one, other)]
    zones = [reading.get("time_zone") for reading in (one, other)]
    # Of a converted clock its own offsets are known, those of daylight saving among them.
    converted = next((k for k in (0, 1) if zones[k] and not zones[1 - k]), None)
    apart = minutes_apart(*offsets)
    if apart is not None and (
        apart > 60
        or (converted is not None and not {*offsets[1 - converted]} <= {*offsets[converted]})
    ):
        return f"UTC offsets ({' and '.join(offsets[0])}, {' and '.join(offsets[1])})"
    return None


def shared_reading(readings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rules by which all of some models read a table, whatever their order.

    Args:
        readings: `geozoo.data.DataRecord.reading` of each, of which no two have a `difference`.
    """
    shared: dict[str, Any] = {}
    for name in (*_RULES, *_PLACES, *_WRITING):
        values = [_plain(reading[name]) for reading in readings if reading.get(name) is not None]
        if values and all(value == values[0] for value in values):
            shared[name] = values[0]
    for name in ("drop", "utc_offsets"):
        if values := sorted({value for reading in readings for value in reading.get(name) or ()}):
            shared[name] = values
    return shared


def _plain(value: Any) -> Any:
    """A value as it is compared: the order of numbers says nothing."""
    return sorted(value) if isinstance(value, list | tuple) else value
