"""Deprecated names in `geozoo.data` and `geozoo.files`."""

from pathlib import Path

import numpy as np
import pytest

from geozoo.data import TrafficOptions, TrafficSeries, damage_named, simulate_traffic
from geozoo.data.traffic.series import clock, with_notes


def test_damage_named_warns_and_converts_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"")
    with (
        pytest.warns(DeprecationWarning, match=r"now geozoo\.data\.corrupt_file_errors"),
        pytest.raises(ValueError, match=r"a\.bin is corrupt or not a table: too short"),
        damage_named(path, "not a table"),
    ):
        raise RuntimeError("too short")


def test_slots_per_day_warns_and_returns_steps_per_day() -> None:
    options = TrafficOptions(num_sensors=2, num_days=1)
    for each in (options, simulate_traffic(options)):
        with pytest.warns(DeprecationWarning, match="steps_per_day"):
            assert each.slots_per_day == each.steps_per_day == 288


def test_with_notes_warns_and_adds_notes() -> None:
    series = TrafficSeries(
        values=np.ones((2, 1, 1), np.float32), observed=np.ones((2, 1), bool),
        times=clock("2024-01-01", 2, 5), interval=5, features=("flow",), units=("1",),
        sensor_ids=("a",),
    )  # fmt: skip
    with pytest.warns(DeprecationWarning, match="with_quality_notes"):
        assert "1 sensors (a) always report the same value" in with_notes(series).notes
