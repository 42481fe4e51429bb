"""Gathered windows against slices of the series."""

import pytest
import torch

from geozoo.data import SeriesStore


def make(steps=50, lags=(), **options):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(steps, 3, 2, generator=generator)
    observed = torch.rand(steps, 3, generator=generator) > 0.2
    time = torch.stack([torch.arange(steps) % 24, torch.arange(steps) // 24], 1)
    part = torch.arange(steps - 7) % 3
    given = {"input_steps": 5, "horizon": 3, "lags": lags, **options}
    return SeriesStore(values, observed, time, part, **given)


def test_a_window_is_a_slice():
    store = make()
    batch = store.gather([7, 0, 42])
    assert len(store) == 43 and batch.num_graphs == 3
    for row, start in enumerate((7, 0, 42)):
        torch.testing.assert_close(batch.x[row], store.values[start : start + 5])
        torch.testing.assert_close(batch.y[row], store.values[start + 5 : start + 8, :, 0])
        assert torch.equal(batch.x_observed[row], store.observed[start : start + 5])
        assert torch.equal(batch.y_observed[row], store.observed[start + 5 : start + 8])
        assert torch.equal(batch.time[row], store.time[start : start + 8])
        assert batch.part[row] == start % 3


def test_no_window_reaches_behind_the_series():
    with pytest.raises(IndexError):
        make().gather([43])


def test_lags_show_the_past_and_nothing_before_the_series():
    store = make(lags=(3, 10))
    batch = store.gather([0, 20])
    torch.testing.assert_close(batch.lagged[1, 1], (store.values[..., 0] * store.observed)[15:18])
    assert torch.equal(batch.lagged_observed[1, 1], store.observed[15:18])
    assert not batch.lagged_observed[0, 1].any()  # steps -5, -4, -3


def test_a_lag_that_would_show_the_future_is_rejected():
    with pytest.raises(ValueError, match="lags must be at least the horizon of 3 steps"):
        make(lags=(2,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 8, "input_steps": 7}, "at least one window of 7 .* got 8 steps"),
        ({"horizon": 4}, r"part must have shape \(42,\), got \(43,\)"),
    ],
)
def test_sizes_that_do_not_fit_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_values_must_be_finite():
    store = make()
    store.values[3, 1, 0] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        SeriesStore(store.values, store.observed, store.time, store.part, input_steps=5, horizon=3)


def test_batch_moves_with_all_its_tensors():
    batch = make(lags=(3,)).gather([1, 2]).to("meta")
    assert batch.x.device.type == batch.lagged_observed.device.type == "meta"
