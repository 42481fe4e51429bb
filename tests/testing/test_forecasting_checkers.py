"""The forecasting checks accept correct models and reject broken ones."""

import pytest
import torch
from torch import nn

from geozoo import testing


class PerSensor(nn.Module):
    """Adds a per-sensor parameter to the last step."""

    def __init__(self, order=None):
        super().__init__()
        table = torch.arange(4.0, dtype=torch.float64)
        self.table = table if order is None else table[order]

    def forward(self, x):
        return x[:, -1:] + self.table


class MeanOverBatch(nn.Module):
    def forward(self, x):
        return x - x.mean(0, keepdim=True)


class NormOfFuture(nn.Module):
    def forward(self, x):
        return x / x.std(1, keepdim=True)


def windows():
    return {"x": torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0)).double()}


def test_windows():
    testing.assert_windows_independent(PerSensor(), windows())
    with pytest.raises(AssertionError, match="of window 0 alone"):
        testing.assert_windows_independent(MeanOverBatch(), windows())
    with pytest.raises(ValueError, match="at least 2 windows"):
        testing.assert_windows_independent(PerSensor(), {"x": windows()["x"][:1]})


def test_sensors():
    axis = {"x": 2}
    testing.assert_sensors_permute(PerSensor, windows(), sensor_axis=axis)
    with pytest.raises(AssertionError, match="depends on the order of sensors"):
        testing.assert_sensors_permute(lambda order: PerSensor(), windows(), sensor_axis=axis)


def test_time():
    options = {"time_axis": {"x": 1}, "output_axis": 1}
    testing.assert_causal(lambda x: x.cumsum(1), windows(), **options)
    with pytest.raises(AssertionError, match="of steps before 1 depends"):
        testing.assert_causal(NormOfFuture(), windows(), **options)


def test_missing_entries():
    seen = torch.ones(3, 5, 4, dtype=torch.bool)
    seen[0, 1, 2] = False
    given = {"names": ["x"], "observed": {"x": seen}}
    testing.assert_ignores(lambda x: torch.where(seen, x, 0.0).sum(), windows(), **given)
    with pytest.raises(AssertionError, match="depends on missing entries"):
        testing.assert_ignores(lambda x: x.sum(), windows(), **given)
    with pytest.raises(ValueError, match="'x' must have missing entries"):
        everything = {"names": ["x"], "observed": {"x": torch.ones_like(seen)}}
        testing.assert_ignores(lambda x: x, windows(), **everything)
