"""Tables with missing rows: windows, lags and statistics count time steps, not rows."""

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from traffic_samples import series, write_lines

from geozoo.data import (
    LoaderOptions,
    RoadGraphs,
    TrafficCSV,
    forecast_protocol,
    read_sensor_table,
)
from geozoo.data.traffic._regular_grid import on_regular_grid
from geozoo.models import LastValue, SeasonalNaive, VectorAutoregression
from geozoo.options import in_groups
from geozoo.tasks import Forecasting
from geozoo.tasks._forecast_sample import ForecastSample


def table(path, days, interval, reading, is_kept):
    """A table of two sensors, starting on a Monday, with the rows that are kept."""
    lines = ["time,a,b"]
    for step in range(days * 1440 // interval):
        moment = datetime(2024, 6, 3) + timedelta(minutes=step * interval)
        if is_kept(moment):
            lines.append(f"{moment:%Y-%m-%d %H:%M},{reading(moment)},{reading(moment)}")
    return write_lines(path, *lines)


def loaded(path, **options):
    protocol = {k: options.pop(k) for k in ("input_steps", "horizon") if k in options}
    return TrafficCSV(
        path=path,
        loader=LoaderOptions(batch_size=64),
        protocol=forecast_protocol(**protocol),
        graphs=RoadGraphs(),
        **in_groups(TrafficCSV, options),
    )


def error_of(data, network, step):
    """Mean absolute error on the test split at one horizon, as the metrics compute it."""
    data.serve(network)
    task = Forecasting(network, data.spec)
    task.prepare(data)
    batch = data.store.gather(data.splits["test"])
    error = (task.predict(batch)["value"] - task.targets(batch)["value"]).abs()[:, step]
    return float(error[~error.isnan()].mean())


def minute_of_day(moment):
    return moment.hour * 60 + moment.minute


@pytest.fixture
def metro(tmp_path):
    """No rows from 22:00 to 6:00; every reading is the minute of the day."""
    return table(tmp_path / "metro.csv", 14, 15, minute_of_day, lambda t: 6 <= t.hour < 22)


def test_an_hour_ahead_is_an_hour_ahead(metro):
    assert error_of(loaded(metro), LastValue(12), 3) == pytest.approx(60.0)
    closed = loaded(metro, absent_rows="closed")
    assert error_of(closed, LastValue(12), 3) == pytest.approx(102.8, abs=0.05)


def test_a_week_ago_is_a_week_ago(tmp_path):
    def reading(moment):
        return 100 * moment.weekday() + moment.hour

    path = table(tmp_path / "t.csv", 42, 60, reading, lambda t: t.day % 11 or t.hour < 7)
    assert error_of(loaded(path), SeasonalNaive(24), 11) < 5.0
    assert error_of(loaded(path, absent_rows="closed"), SeasonalNaive(24), 11) > 30.0


def test_windows_without_a_reading_belong_to_no_part(metro):
    data = loaded(metro)
    for part in ("train", "val", "test"):
        batch = data.store.gather(data.splits[part])
        assert batch.x_observed.flatten(1).any(1).all()
        assert batch.y_observed.flatten(1).any(1).all()
    every = data.store.gather(torch.arange(len(data.store)))
    sees = every.x_observed.flatten(1).any(1) & every.y_observed.flatten(1).any(1)
    inside = data.protocol.window_parts(len(data.series.times))
    assert [len(data.splits[part]) for part in inside] == [
        int(sees[starts].sum()) for starts in inside.values()
    ]


def test_statistics_over_windows_count_those_that_are_there(metro):
    data = loaded(metro)
    data.protocol = forecast_protocol(statistics_over="windows")
    windows = data.store.gather(data.splits["train"])
    expected = windows.x[..., 0][windows.x_observed].double().mean()
    assert data.spec.statistics["shift"][0][0] == pytest.approx(float(expected))


def test_all_gaps_are_one_note(metro):
    first, *others = read_sensor_table(metro).notes
    assert first.startswith("416 of 1312 steps have no row and count as unobserved, in 13")
    assert not any("absent" in note for note in others)
    assert (
        "416 steps are absent in 13 gaps" in read_sensor_table(metro, absent_rows="closed").notes[0]
    )


def test_a_part_that_lies_in_a_gap_is_reported(tmp_path):
    path = table(tmp_path / "t.csv", 40, 60, minute_of_day, lambda t: t.day < 25 or t.month == 7)
    data = loaded(write_lines(tmp_path / "u.csv", *path.read_text().split("\n")[: 24 * 30]))
    data.protocol = forecast_protocol()
    assert len(data.splits["val"])
    path = table(tmp_path / "v.csv", 30, 60, minute_of_day, lambda t: t.day in (3, 4, 5, 6, 7, 31))
    path.write_text(path.read_text() + "2024-07-03 00:00,1,1\n")
    with pytest.raises(
        ValueError, match=r"no window of the splits \['val', 'test'\] has an observed"
    ):
        _ = loaded(path).data


def test_a_grid_much_longer_than_the_table_is_rejected():
    times = series(steps=40).times.copy()
    times[20:] += np.timedelta64(365, "D")
    with pytest.raises(ValueError, match=r"40 rows span 105160 steps .* has 105120 steps"):
        on_regular_grid(series(steps=40, times=times))
    times = series(steps=40).times.copy()
    times[20:] += np.timedelta64(7, "D")
    assert len(on_regular_grid(series(steps=40, times=times)).times) == 40 + 7 * 288


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        (5, "rows are 60 minutes apart, .* but the interval is 5 minutes"),
        (120, "rows are 60 minutes apart, .* but the interval is 120 minutes. Average"),
    ],
)
def test_another_interval_is_reported(tmp_path, interval, message):
    path = table(tmp_path / "t.csv", 1, 60, minute_of_day, lambda t: t.hour != 5)
    with pytest.raises(ValueError, match=message):
        read_sensor_table(path, interval=interval)


def test_a_row_between_the_steps_is_reported(tmp_path):
    path = table(tmp_path / "t.csv", 1, 60, minute_of_day, lambda t: True)
    path.write_text(path.read_text().replace("05:00", "05:01"))
    with pytest.raises(
        ValueError, match="60 minutes apart, but .*T05:01:00 and .*T06:00:00 are 59"
    ):
        read_sensor_table(path)


def test_a_regression_does_not_look_across_a_gap():
    steps = np.arange(400)
    values = np.stack([np.sin(0.3 * steps), np.cos(0.3 * steps)], 1)
    observed = (steps % 40 < 25)[:, None].repeat(2, 1)
    given = torch.from_numpy(values * observed), torch.from_numpy(observed), torch.zeros(400, 2)
    model = VectorAutoregression(2, 1, order=1, penalty=0.0)
    model.fit(given[0], observed=given[1], time=given[2].long())
    turned = torch.tensor([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    torch.testing.assert_close(model.coefficients[:2], turned.to(torch.float64))


def test_pictures_leave_the_windows_out_that_were_not_tested():
    sample = ForecastSample(3, 2)
    for index in (4, 7):
        sample.add(torch.ones(1, 3, 2), torch.ones(1, 3, 2), torch.tensor([index]))
    shown = sample.series()
    assert shown[:, 0, 0, 0].isnan().tolist() == [False, True, True, False]
