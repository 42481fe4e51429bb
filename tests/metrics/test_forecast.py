"""Forecast errors compared with plain loops."""

import math

import pytest
import torch

from geozoo.metrics import ForecastErrors

STEPS = {1: "5min", 3: "15min"}


def batches(seed=0):
    """Three batches of different sizes, with missing and zero targets."""
    generator = torch.Generator().manual_seed(seed)
    for size in (5, 5, 2):
        truth = 50 + 10 * torch.randn(size, 3, 4, generator=generator, dtype=torch.float64)
        forecast = truth + torch.randn(size, 3, 4, generator=generator, dtype=torch.float64)
        truth[0, 0, 0], truth[-1, 2, 1], truth[1, 1, 3] = 0.0, 0.0, math.nan
        yield forecast, truth


def filled(**options):
    errors = ForecastErrors("flow", 3, STEPS, **options)
    for forecast, truth in batches():
        errors.update({"flow": forecast}, {"flow": truth})
    return errors


def by_loop(step, rule):
    """Sums over all entries, one at a time."""
    absolute = square = relative = truth_sum = count = relative_count = 0.0
    for forecast, truth in batches():
        for b, h, n in torch.cartesian_prod(*map(torch.arange, truth.shape)).tolist():
            y, guess = float(truth[b, h, n]), float(forecast[b, h, n])
            if math.isnan(y) or (step is not None and h != step - 1):
                continue
            if y != 0:
                relative += abs(guess - y) / abs(y)
                relative_count += 1
            if y != 0 or rule == "observed":
                absolute, square = absolute + abs(guess - y), square + (guess - y) ** 2
                truth_sum, count = truth_sum + abs(y), count + 1
    return {
        "mae": absolute / count,
        "rmse": math.sqrt(square / count),
        "mape": 100 * relative / relative_count,
        "wmape": 100 * absolute / truth_sum,
    }


@pytest.mark.parametrize("rule", ["observed", "nonzero"])
def test_values_match_a_loop(rule):
    values = filled(masks={"mae": rule, "rmse": rule}).compute()
    for step, word in [(None, ""), (1, "_5min"), (3, "_15min")]:
        for measure, expected in by_loop(step, rule).items():
            assert float(values[f"flow_{measure}{word}"]) == pytest.approx(expected, rel=1e-12)


def test_batch_size_does_not_matter():
    forecast, truth = (torch.cat(parts) for parts in zip(*batches(), strict=True))
    whole = ForecastErrors("flow", 3, STEPS)
    whole.update({"flow": forecast}, {"flow": truth})
    for name, value in filled().compute().items():
        torch.testing.assert_close(value, whole.compute()[name])


def test_batch_aggregation():
    values = filled(aggregation="batch").compute()
    each = []
    for forecast, truth in batches():
        one = ForecastErrors("flow", 3, STEPS)
        one.update({"flow": forecast}, {"flow": truth})
        each.append(one.compute()["flow_rmse"])
    torch.testing.assert_close(values["flow_rmse"], torch.stack(each).mean())
    assert abs(values["flow_rmse"] - filled().compute()["flow_rmse"]) > 1e-6


def test_nan_forecast_of_observed_value_gives_nan():
    errors = ForecastErrors("flow", 1, {})
    errors.update({"flow": torch.tensor([[[math.nan]]])}, {"flow": torch.tensor([[[1.0]]])})
    assert math.isnan(errors.compute()["flow_mae"])


def test_predictions_of_missing_values_are_ignored():
    errors, other = ForecastErrors("flow", 1, {}), ForecastErrors("flow", 1, {})
    truth = torch.tensor([[[1.0, math.nan]]])
    errors.update({"flow": torch.tensor([[[2.0, 3.0]]])}, {"flow": truth})
    other.update({"flow": torch.tensor([[[2.0, math.nan]]])}, {"flow": truth})
    assert errors.compute() == other.compute()


def test_reset():
    errors = filled()
    errors.reset()
    errors.update({"flow": torch.ones(1, 3, 1)}, {"flow": torch.full((1, 3, 1), 2.0)})
    assert float(errors.compute()["flow_mae"]) == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": {4: "20min"}}, r"steps must be in 1\.\.3"),
        ({"aggregation": "median"}, 'aggregation must be "global" or "batch"'),
        ({"masks": {"mape": "observed"}}, 'mape "nonzero"'),
        ({"masks": {"mse": "observed"}}, "masks"),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        ForecastErrors("flow", 3, options.pop("steps", STEPS), **options)


def test_mismatched_shapes_raise():
    with pytest.raises(ValueError, match="flow: prediction and target must have the same shape"):
        filled().update({"flow": torch.ones(1, 3, 1)}, {"flow": torch.ones(1, 3, 2)})
