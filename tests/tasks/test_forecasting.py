"""The forecasting task: normalisation, masks, and no leakage from targets or other windows."""

import pytest
import torch
from tiny_traffic import tiny_traffic

from geozoo.models import HistoricalAverage, LastValue, PerSensorLinear, SeasonalNaive, Stid
from geozoo.tasks import Forecasting

FIELDS = ("x", "x_observed", "y", "y_observed")


def make(model=None, **options):
    data = tiny_traffic(**{k: options.pop(k) for k in ("protocol_name",) if k in options})
    torch.manual_seed(0)
    return Forecasting(model or PerSensorLinear(1, 6, 3), data.spec, **options), data


def batch_of(data, part="test"):
    return data.store.gather(data.splits[part])


def test_inputs_are_normalised_and_missing_ones_are_the_mean():
    task, data = make()
    batch = batch_of(data)
    x = task.inputs(batch)["x"][..., 0]
    assert not x[~batch.x_observed].any()
    expected = (batch.x[..., 0] - task.shift[0, 0]) / task.scale[0, 0]
    torch.testing.assert_close(x[batch.x_observed], expected[batch.x_observed].float())


@pytest.mark.parametrize("fill", ["mean", "last"])
def test_unobserved_values_have_no_influence(fill):
    task, data = make(fill=fill)
    batch = batch_of(data)
    noise = 100 * torch.randn(batch.x.shape)
    other = batch.replace(
        x=batch.x + noise * ~batch.x_observed[..., None],
        y=batch.y + 100 * ~batch.y_observed,
    )
    assert torch.equal(task.predict(batch)["flow"], task.predict(other)["flow"])
    assert torch.equal(task.loss(batch)["loss"], task.loss(other)["loss"])


def test_missing_inputs_can_be_forward_filled():
    task, data = make(fill="last")
    batch = batch_of(data)
    x = task.inputs(batch)["x"][..., 0]
    for b, t, n in (~batch.x_observed).nonzero().tolist():
        expected = x[b, t - 1, n] if batch.x_observed[b, :t, n].any() else 0.0
        assert x[b, t, n] == expected


def test_the_future_and_other_windows_have_no_influence():
    task, data = make()
    batch = batch_of(data)
    alone = data.store.gather(data.splits["test"][4:5])
    torch.testing.assert_close(task.predict(batch)["flow"][4:5], task.predict(alone)["flow"])
    other = batch.replace(y=batch.y + 5.0)
    assert torch.equal(task.predict(batch)["flow"], task.predict(other)["flow"])


@pytest.mark.parametrize("scale", ["physical", "scaled"])
@pytest.mark.parametrize("loss", ["mae", "smooth_l1", "mse"])
def test_loss_is_the_masked_mean(loss, scale):
    task, data = make(loss=loss, loss_scale=scale)
    batch = batch_of(data, "train")
    forecast, seen = task.predict(batch)["flow"].double(), batch.y_observed
    difference = (forecast - batch.y)[seen].abs()
    if scale == "scaled":
        difference = difference / task.scale[0, 0]
    expected = {
        "mae": difference,
        "mse": difference.square(),
        "smooth_l1": torch.where(difference < 1, difference.square() / 2, difference - 0.5),
    }[loss].mean()
    torch.testing.assert_close(task.loss(batch)["loss"].double(), expected, rtol=1e-5, atol=1e-5)


def test_each_split_has_its_own_statistics_in_the_released_protocol():
    task, data = make(LastValue(3), protocol_name="gram_ode_released", fill="last")
    assert len({float(v) for v in task.shift[:, 0]}) == 3
    for part in ("train", "test"):
        batch = batch_of(data, part)
        baseline = task.predict_baseline(batch)["flow"].float()
        torch.testing.assert_close(task.predict(batch)["flow"], baseline, rtol=1e-5, atol=1e-4)


def test_historical_average_is_the_hourly_mean_of_the_training_split():
    task, data = make(HistoricalAverage(5, 24, 3, by="day"))
    task.prepare(data)
    values, observed, time = data.training_series()
    batch = batch_of(data)
    hour = int(batch.time[0, 6, 0])
    rows = time[:, 0] == hour
    seen = observed[rows, 2]
    expected = values[rows, 2, 0][seen].mean()
    assert float(task.predict(batch)["flow"][0, 0, 2]) == pytest.approx(float(expected), rel=1e-5)


def test_seasonal_naive_is_the_value_of_the_previous_day():
    task, data = make(SeasonalNaive(24, period="day"), fill="last")
    data.serve(task.model)
    batch = batch_of(data)
    forecast = task.predict(batch)["flow"]
    start = int(batch.index[0]) + 6 - 24
    seen = data.store.observed[start]
    torch.testing.assert_close(forecast[0, 0, seen], data.store.values[start, seen, 0])


def test_training_learns_the_daily_cycle():
    torch.manual_seed(0)
    task, data = make(Stid(5, 1, 6, 3, 24, hidden_channels=8, dropout=0.0))
    optimizer = torch.optim.Adam(task.parameters(), lr=1e-2)
    batch = batch_of(data, "train")
    first = float(task.loss(batch)["loss"].detach())
    for _ in range(100):
        optimizer.zero_grad()
        loss = task.loss(batch)["loss"]
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.25 * first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "huber"}, "loss must be one of"),
        ({"loss_scale": "log"}, "loss_scale must be one of"),
        ({"fill": "zero"}, "fill must be one of"),
        ({"monitor": "val/flow_mse"}, "monitor must be one of"),
    ],
)
def test_unknown_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_a_forecast_of_another_shape_raises():
    task, data = make(LastValue(2))
    with pytest.raises(ValueError, match=r"\[B, H, N\] = \(\d+, 3, 5\), got \(\d+, 2, 5\)"):
        task.predict(batch_of(data))


def test_data_of_another_family_raise():
    from tiny_graphs import tiny_data

    with pytest.raises(ValueError, match="task forecasting needs forecasting data"):
        Forecasting(LastValue(3), tiny_data().spec)
