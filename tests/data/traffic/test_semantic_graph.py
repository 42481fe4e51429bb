"""Mean daily profiles and their dynamic time warping distances."""

import numpy as np
import pytest

from geozoo.data import dtw_distances, mean_day
from geozoo.data.traffic import semantic_graph as module

pytest.importorskip("dtaidistance")


def warped(first, second, window=None):
    """The textbook recursion."""
    window = max(len(first), len(second)) if window is None else window
    cost = np.full((len(first) + 1, len(second) + 1), np.inf)
    cost[0, 0] = 0.0
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            if abs(i - j) < window:
                best = min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
                cost[i + 1, j + 1] = abs(x - y) + best
    return cost[-1, -1]


def days(slots=15, sensors=7):
    return np.random.default_rng(3).normal(size=(slots, sensors)).cumsum(0)


@pytest.mark.parametrize("window", [None, 1, 4])
@pytest.mark.parametrize("sensors", [7, 40])
def test_distances_are_those_of_the_recursion(window, sensors):
    table = days(sensors=sensors)
    found = dtw_distances(table, window=window)
    expected = [[warped(x, y, window) for y in table.T] for x in table.T[:9]]
    np.testing.assert_allclose(found[:9], expected, rtol=1e-12, atol=1e-12)
    assert np.array_equal(found, found.T) and not found.diagonal().any()


@pytest.mark.parametrize("sensor", [2, 30])
def test_an_infinite_distance_is_no_equal_day(sensor):
    """Sums of such values overflow; they were once taken for distances of 0."""
    table = days(sensors=40)
    table[:, sensor] = 1e308
    with pytest.raises(ValueError, match=f"sensors 0 and {sensor} overflows"):
        dtw_distances(table)


def test_an_infinite_distance_is_not_kept(tmp_path):
    with pytest.raises(ValueError, match="overflows"):
        dtw_distances(np.array([[1e308, 0.0], [1e308, 0.0]]), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_window_of_one_slot_compares_slot_by_slot():
    table = days()
    expected = np.abs(table.T[:, None] - table.T).sum(-1)
    np.testing.assert_allclose(dtw_distances(table, window=1), expected)


def test_bar_changes_nothing(monkeypatch, capsys):
    expected = dtw_distances(days(sensors=40))
    monkeypatch.setattr(module, "_PAIRS_WITH_BAR", 1)
    assert np.array_equal(dtw_distances(days(sensors=40)), expected)
    assert "100%" in capsys.readouterr().err


def test_result_is_kept_and_found_by_content(tmp_path, monkeypatch):
    first = dtw_distances(days(), folder=tmp_path)
    dtw_distances(days(), window=3, folder=tmp_path)
    dtw_distances(days() + 1e-9, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(module, "_all_pairs", None)
    assert np.array_equal(dtw_distances(days(), folder=tmp_path), first)


def test_corrupt_result_is_recomputed(tmp_path, caplog):
    first = dtw_distances(days(), folder=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert np.array_equal(dtw_distances(days(), folder=tmp_path), first)
    assert "recomputing the cached file: " in caplog.text


def test_bad_days_are_rejected():
    table = days()
    table[2, 3] = np.nan
    with pytest.raises(ValueError, match="days must be finite"):
        dtw_distances(table)
    with pytest.raises(ValueError, match="window must be at least 1 step, got 0"):
        dtw_distances(days(), window=0)


def test_without_the_library_the_extra_is_reported(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dtaidistance", None)
    with pytest.raises(ImportError, match=r"pip install 'geozoo\[traffic\]'"):
        dtw_distances(days())


def test_mean_day_counts_what_was_observed():
    values = np.array([[1.0, 5], [2, 6], [3, 7], [4, 0], [9, 9]])
    observed = np.array([[1, 1], [1, 1], [1, 1], [1, 0], [0, 1]], dtype=bool)
    found = mean_day(values, np.array([0, 1, 0, 1, 0]), 2, observed=observed)
    assert found.tolist() == [[2, 7], [3, 6]]


def test_mean_day_fills_empty_slots_and_silent_sensors():
    values, observed = np.array([[1.0, 0], [3, 0]]), np.array([[1, 0], [1, 0]], dtype=bool)
    found = mean_day(values, np.array([0, 1]), 3, observed=observed)
    assert found.tolist() == [[1, 0], [3, 0], [2, 0]]
    with pytest.raises(ValueError, match=r"slots must lie in 0\.\.2, got 3"):
        mean_day(values, np.array([0, 3]), 3, observed=observed)
