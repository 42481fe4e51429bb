"""Forecaster ensembles: each member gets its lags, and all read a table in the same way."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import numpy as np
import pytest
from tiny_traffic import tiny_traffic
from trained_samples import forecaster, trained

from geozoo.hub import Ensemble
from geozoo.hub.forecasts import forecast
from geozoo.hub.readings import read_readings
from geozoo.models import LastValue, SeasonalNaive, Stid
from geozoo.tasks import Forecasting, QuantileForecasting


def reading(**known):
    """A forecaster with recorded table-reading settings."""
    model = forecaster()
    record = model.spec.record.with_reading(known)
    object.__setattr__(model.spec, "record", record)
    return model


def fixed(network):
    """A trained model from a network without weights."""
    return trained(Forecasting(network, tiny_traffic().spec))


def test_each_member_receives_its_own_lags():
    series = tiny_traffic().series
    members = [
        fixed(LastValue(3)), fixed(SeasonalNaive(24)), fixed(SeasonalNaive(24, period="day")),
        forecaster(),
    ]  # fmt: skip
    alone = np.stack([forecast(member, series).values for member in members])
    assert len(np.unique(alone, axis=0)) == 4
    for order in permutations(range(4)):
        ensemble = Ensemble([members[place] for place in order])
        assert ensemble.lags == (24, 168)
        found = forecast(ensemble, series)
        np.testing.assert_allclose(found.values, alone.mean(0), rtol=1e-5)
        np.testing.assert_allclose(found.spread, alone.std(0, ddof=1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ({"absent_rows": "closed"}, {}, r"absent_rows \(closed and unobserved\)"),
        ({"zero_is_missing": True}, {"missing": []}, r"zero_is_missing \(True and False\)"),
        ({"missing": [-1, -9]}, {"missing": [-1]}, r"missing \(\[-9, -1\] and \[-1\]\)"),
        ({"value_column": "flow"}, {"value_column": "speed"}, r"value_column \(flow and speed\)"),
        ({"time_column": "utc"}, {"time_column": "local"}, r"time_column \(utc and local\)"),
        (
            {"time_zone": "Asia/Tokyo"}, {"time_zone": "Europe/Berlin"},
            r"time_zone \(Asia/Tokyo and Europe/Berlin\)",
        ),
        (
            {"utc_offsets": ["+07:00"]}, {"utc_offsets": ["+01:00", "+02:00"]},
            r"UTC offsets \(\+07:00, \+01:00 and \+02:00\)",
        ),
        (
            {"utc_offsets": ["+00:00"]},
            {"utc_offsets": ["+01:00"], "time_zone": "Europe/Berlin"},
            r"UTC offsets \(\+00:00, \+01:00\)",
        ),
    ],
)  # fmt: skip
def test_members_with_conflicting_table_settings_raise(one, other, what):
    with pytest.raises(ValueError, match=f"read with different settings: {what}"):
        Ensemble([reading(**one), reading(**other)])
    with pytest.raises(ValueError, match="read with different settings"):
        Ensemble([reading(**other), reading(), reading(**one)])


def test_table_settings_are_shared_by_all_members():
    members = [
        reading(missing=[-1, -9], separator=";", time_format="%d/%m/%Y", drop=["weather"]),
        reading(missing=[-9, -1], separator=",", drop=["id"], time_column="when"),
        reading(missing=[-9, -1], time_zone="Europe/Berlin", utc_offsets=["+01:00"]),
        reading(missing=[-9, -1], utc_offsets=["+01:00"]),
    ]
    for order in permutations(members):
        assert Ensemble(order).spec.record.reading == {
            "missing": [-9, -1], "time_format": "%d/%m/%Y", "drop": ["id", "weather"],
            "time_column": "when", "time_zone": "Europe/Berlin", "utc_offsets": ["+01:00"],
        }  # fmt: skip
    assert Ensemble([reading(), reading()]).spec.record.reading == {}


def test_table_reading_is_independent_of_member_order(tmp_path):
    lines = ["when;id;" + ";".join("abcde")]
    lines += [f"2024-01-01 {hour:02}:00;x;" + ";".join("12345") for hour in range(8)]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    members = [reading(separator=",", drop=["id"]), reading(separator=";", time_column="when")]
    for order in permutations(members):
        found = read_readings(tmp_path / "in.csv", Ensemble(order).spec)
        assert found.series.sensor_ids == tuple("abcde")
        assert found.series.values[0, :, 0].tolist() == [1, 2, 3, 4, 5]


def test_utc_offset_must_match_every_member():
    series = dataclasses.replace(tiny_traffic().series, reading={"utc_offsets": ["+03:00"]})
    members = [reading(utc_offsets=["+02:00"]), reading(utc_offsets=["+01:00"])]
    for order in permutations(members):
        with pytest.raises(ValueError, match=r"must be \+01:00, as in training, got \+03:00"):
            forecast(Ensemble(order), series)


def test_members_with_different_quantiles_raise():
    def made(*levels):
        spec = tiny_traffic().spec
        given = QuantileForecasting.model_arguments(spec, {"quantiles": levels})
        wanted = ("num_nodes", "in_channels", "input_steps", "horizon", "steps_per_day")
        network = Stid(**{name: given[name] for name in wanted}, hidden_channels=8)
        return trained(QuantileForecasting(network, spec, quantiles=levels))

    with pytest.raises(ValueError, match="differ in their quantiles"):
        Ensemble([made(0.1, 0.5, 0.9), made(0.2, 0.5, 0.8)])
    assert Ensemble([made(0.1, 0.5, 0.9), made(0.1, 0.5, 0.9)])


def warnings_of(model, series, caplog):
    """Warnings logged during a forecast."""
    caplog.clear()
    with caplog.at_level("WARNING", logger="geozoo"):
        forecast(model, series)
    return caplog.messages


def test_missing_lagged_readings_are_counted_in_warning(caplog):
    series, week = tiny_traffic(missing=0.0).series, fixed(SeasonalNaive(24))
    assert warnings_of(week, series.part(slice(-168, None)), caplog) == []
    assert warnings_of(forecaster(), series.part(slice(-40, None)), caplog) == []
    assert warnings_of(week, series.part(slice(-40, None)), caplog) == [
        "made in a test: of the 15 readings 168 steps (7 days) before the forecast, 15 precede "
        "the table (which would have to begin at 2024-01-02T00:00:00); the model forecasts without "
        "them (seasonal_naive repeats the latest reading)"
    ]
    assert series.part(slice(-168, None)).times[0] == np.datetime64("2024-01-02T00:00:00")
    assert "5 precede the table" in warnings_of(week, series.part(slice(-167, None)), caplog)[0]
    seen = series.observed.copy()
    seen[[24, 25], 0] = False
    gaps = dataclasses.replace(series, observed=seen, values=series.values * seen[..., None])
    (said,) = warnings_of(week, gaps, caplog)
    assert "of the 15 readings 168 steps (7 days) before the forecast, 2 are missing;" in said
    (said,) = warnings_of(week, gaps.part(slice(-167, None)), caplog)
    assert "5 precede the table" in said and ") and 1 are missing in it;" in said


def test_short_table_warns_for_every_lag_of_an_ensemble(caplog):
    series = tiny_traffic(missing=0.0).series.part(slice(-12, None))
    day, week = fixed(SeasonalNaive(24, period="day")), fixed(SeasonalNaive(24))
    said = warnings_of(Ensemble([week, day, forecaster()]), series, caplog)
    assert ["24 steps (1 day)" in said[0], "168 steps (7 days)" in said[1]] == [True, True]
    members = [fixed(SeasonalNaive(24)), fixed(SeasonalNaive(24))]
    for member in members:
        record = member.spec.record.with_reading({"absent_rows": "closed"})
        object.__setattr__(member.spec, "record", record)
    (said,) = warnings_of(Ensemble(members), series, caplog)
    assert "which would have to contain 168 rows" in said
