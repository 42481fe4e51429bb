"""The common base of the traffic datasets."""

import numpy as np
import pytest
import torch
from tiny_traffic import TinyTraffic, tiny_traffic

from geozoo.data import LoaderOptions, RoadGraphs, forecast_protocol


class Changed(TinyTraffic):
    """The same series with another test split."""

    def read(self):
        series = super().read()
        first = self.protocol.bounds(len(series.times))[1]
        series.values[first:] *= np.where(series.observed[first:], 3.0, 1.0)[..., None]
        return series


def make(kind=TinyTraffic, **options):
    return kind(loader=LoaderOptions(batch_size=8), **options)


def test_statistics_are_those_of_the_observed_training_part():
    data = tiny_traffic()
    values, observed, _ = data.training_series()
    seen = values[..., 0][observed].double()
    statistics = data.spec.statistics
    assert statistics["shift"] == [[pytest.approx(float(seen.mean()))]] * 3
    assert statistics["scale"] == [[pytest.approx(float(seen.std(correction=0)))]] * 3


def test_statistics_do_not_change_with_the_test_part():
    assert make().spec.statistics == make(Changed).spec.statistics


def test_the_released_protocol_leaks_by_name():
    clean, leaky = (
        make(kind, protocol_name="gram_ode_released") for kind in (TinyTraffic, Changed)
    )
    before, after = clean.spec.statistics["shift"], leaky.spec.statistics["shift"]
    assert before[:2] == after[:2] and before[2] != after[2]
    assert before[0] != before[1]


def test_statistics_over_windows_count_the_ends_less():
    data = make(protocol_name="gram_ode_released", statistics="train")
    starts = data.splits["train"]
    windows = data.store.gather(starts)
    expected = windows.x[..., 0][windows.x_observed].double().mean()
    assert data.spec.statistics["shift"][0][0] == pytest.approx(float(expected))


def test_clock_counts_slots_and_days():
    data = tiny_traffic()
    batch = data.store.gather([0, 30])
    assert batch.time[0, 0].tolist() == [0, 0]  # 2024-01-01 was a Monday
    assert batch.time[1, 0].tolist() == [6, 1]


def test_a_model_gets_the_lags_that_it_asks_for():
    data = tiny_traffic()
    model = torch.nn.Identity()
    model.lags = (24,)
    data.serve(model)
    batch = next(iter(data.val_dataloader()))
    start = int(batch.index[0])
    torch.testing.assert_close(
        batch.lagged[0, 0], data.store.values[start + 6 - 24 : start + 9 - 24, :, 0]
    )


def test_record_names_the_protocol_and_the_data():
    record = tiny_traffic().spec.record
    assert record.split.startswith("stsgcn")
    assert record.data_hash != make(Changed).spec.record.data_hash


def test_wrong_parts_are_rejected():
    with pytest.raises(ValueError, match="spatial must be one of"):
        RoadGraphs(spatial="roads")
    with pytest.raises(ValueError, match="neighbors must be at least 1"):
        RoadGraphs(neighbors=0)
    data = tiny_traffic()
    data.graphs = RoadGraphs(spatial="gaussian")
    with pytest.raises(
        ValueError, match="requires data that tiny_traffic does not have; possible: given"
    ):
        data.spatial_graph()


def test_protocol_must_be_one():
    with pytest.raises(TypeError, match="protocol must be a ForecastProtocol"):
        data = object.__new__(TinyTraffic)
        super(TinyTraffic, data).__init__(
            LoaderOptions(batch_size=1), protocol="stsgcn", graphs=RoadGraphs()
        )
    assert forecast_protocol().name == "stsgcn"
