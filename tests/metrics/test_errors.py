import pytest
import torch

from geozoo.metrics import ErrorMetrics


def _pairs(count: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, generator=generator), torch.randn(count, 3, generator=generator)


def test_measures_cover_all_entries() -> None:
    predicted, target = _pairs()
    errors = ErrorMetrics({"force": ["mae", "mse", "rmse"]})
    errors.update({"force": predicted}, {"force": target})
    difference = predicted.double() - target.double()
    values = errors.compute()
    torch.testing.assert_close(values["force_mae"], difference.abs().mean())
    torch.testing.assert_close(values["force_mse"], difference.square().mean())
    torch.testing.assert_close(values["force_rmse"], difference.square().mean().sqrt())


@pytest.mark.parametrize("sizes", [[30], [1] * 30, [7, 22, 1]])
def test_batch_size_does_not_change_a_measure(sizes: list[int]) -> None:
    predicted, target = _pairs()
    errors = ErrorMetrics({"force": ["mae", "rmse"]})
    for part, true in zip(predicted.split(sizes), target.split(sizes), strict=True):
        errors.update({"force": part}, {"force": true})
    difference = predicted.double() - target.double()
    values = errors.compute()
    torch.testing.assert_close(values["force_mae"], difference.abs().mean(), rtol=1e-12, atol=0)
    expected = difference.square().mean().sqrt()
    torch.testing.assert_close(values["force_rmse"], expected, rtol=1e-12, atol=0)


def test_large_energies_keep_precision() -> None:
    target = torch.tensor([-1.0e7, -1.0e7], dtype=torch.float64)
    errors = ErrorMetrics({"energy": ["mae"]})
    errors.update({"energy": target + 0.125}, {"energy": target})
    assert errors.compute()["energy_mae"].item() == pytest.approx(0.125, rel=1e-6)


def test_states_are_reduced_as_sums() -> None:
    for metric in ErrorMetrics({"a": ["mae", "mse"]}).metrics.values():
        assert {reduction.__name__ for reduction in metric._reductions.values()} == {"dim_zero_sum"}


def test_reset() -> None:
    errors = ErrorMetrics({"a": ["mae"]})
    errors.update({"a": torch.ones(2)}, {"a": torch.zeros(2)})
    errors.reset()
    errors.update({"a": torch.zeros(2)}, {"a": torch.zeros(2)})
    assert errors.compute()["a_mae"] == 0.0


def test_states_are_not_in_state_dict() -> None:
    assert not ErrorMetrics({"a": ["mae"]}).state_dict()


def test_unknown_measure_raises() -> None:
    with pytest.raises(ValueError, match="mape"):
        ErrorMetrics({"a": ["mape"]})


def test_mismatched_shapes_raise() -> None:
    with pytest.raises(ValueError, match=r"a: .*\(2,\).*\(2, 1\)"):
        ErrorMetrics({"a": ["mae"]}).update({"a": torch.ones(2)}, {"a": torch.ones(2, 1)})
