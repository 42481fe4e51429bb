"""How protocols split a series."""

import pytest
import torch

from geozoo.data import PROTOCOLS, ForecastProtocol, forecast_protocol


@pytest.mark.parametrize("name", PROTOCOLS)
def test_windows_of_parts_are_disjoint_and_in_order(name):
    parts = forecast_protocol(name).window_parts(1000)
    joined = torch.cat([parts["train"], parts["val"], parts["test"]])
    assert (joined.diff() > 0).all()
    assert int(joined[-1]) == 1000 - 24


def test_windows_within_parts_touch_no_step_of_another():
    rules = forecast_protocol("stsgcn")
    parts = rules.window_parts(1000)
    assert rules.span_of(parts["train"]) == slice(0, 600)
    assert rules.span_of(parts["val"]) == slice(600, 800)
    assert rules.span_of(parts["test"]) == slice(800, 1000)


def test_windows_across_parts_are_divided_by_position():
    parts = forecast_protocol("dcrnn").window_parts(34272)
    # 34249 windows; the released split of METR-LA has 23974, 3425 and 6850.
    assert [len(parts[name]) for name in ("train", "val", "test")] == [23974, 3425, 6850]


def test_official_sizes_of_pems_bay():
    parts = forecast_protocol("dcrnn").window_parts(52116)
    assert [len(parts[name]) for name in ("train", "val", "test")] == [36465, 5209, 10419]


def test_bounds_of_a_dataset_win():
    parts = forecast_protocol("stsgcn").window_parts(200, (100, 150))
    assert int(parts["val"][0]) == 100 and int(parts["test"][0]) == 150


def test_a_part_shorter_than_a_window_is_reported():
    with pytest.raises(ValueError, match=r"\['val', 'test'\] of 100 steps are shorter"):
        forecast_protocol("stsgcn").window_parts(100)


def test_only_the_released_protocol_leaks():
    assert [name for name in PROTOCOLS if PROTOCOLS[name].leaks()] == ["gram_ode_released"]
    assert "leaks: statistics=own_part" in forecast_protocol("gram_ode_released").describe()


def test_each_leak_is_a_switch():
    rules = forecast_protocol("gram_ode_released", statistics="train", aggregation="global")
    assert rules.name == "gram_ode_released, statistics=train, aggregation=global"
    assert rules.leaks() == [
        "statistics_feature=last", "statistics_over=windows", "semantic=all",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: forecast_protocol("dcnn"), "protocol name must be one of .*'dcrnn'.*got 'dcnn'"),
        (lambda: forecast_protocol(horizon=0), "horizon must be a whole number >= 1"),
        (lambda: forecast_protocol(windows="over"), "windows must be one of"),
        (lambda: ForecastProtocol(name="x", ratios=(1, 2)), "ratios must be three sizes"),
    ],
)
def test_wrong_words_are_rejected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_record_is_plain_data():
    import json

    assert json.loads(json.dumps(forecast_protocol("dcrnn").to_dict()))["ratios"] == [7, 1, 2]
