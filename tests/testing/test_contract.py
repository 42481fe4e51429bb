"""Models that match no family, or that tasks cannot use, raise errors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from geozoo.contracts import Calibrated, Conditioned, Fitted, Lagged, NeighborListed, family_of
from geozoo.models import Composition, GramODE, HistoricalAverage, Ponita, SeasonalNaive, Stid
from geozoo.testing import assert_contract


class Points(nn.Module):
    """The minimal geometric model that satisfies the contract."""

    def forward(
        self, pos: Tensor, x: Tensor, batch: Tensor, edge_index: Tensor | None = None, *,
        vec: Tensor | None = None, num_graphs: int | None = None,
    ) -> Tensor:  # fmt: skip
        return pos


class Series(nn.Module):
    """The minimal forecaster that satisfies the contract."""

    def forward(self, x: Tensor, *, time: Tensor | None = None) -> Tensor:
        return x


def test_family_follows_from_signature() -> None:
    assert assert_contract(Points()) == "geometric"
    assert assert_contract(Series()) == "forecasting"
    assert family_of(GramODE) == "forecasting"


def test_other_signatures_raise() -> None:
    class Image(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image

    class Unbatched(nn.Module):
        def forward(self, pos: Tensor, x: Tensor, batch: Tensor, edge_index: Tensor) -> Tensor:
            return pos

    with pytest.raises(AssertionError, match=r"Image\.forward\(image\) matches neither"):
        assert_contract(Image())
    with pytest.raises(AssertionError, match=r"Unbatched\.forward takes .* not vec or num_graphs"):
        assert_contract(Unbatched())
    with pytest.raises(TypeError, match="positional|neither"):
        family_of(type("Odd", (nn.Module,), {"forward": lambda self, x, time: x}))


def test_optional_features_are_detected_by_attributes() -> None:
    ponita = Ponita(2, 1, hidden_channels=8, num_layers=1, orientations={"num_orientations": 4})
    assert isinstance(ponita, Calibrated)
    assert isinstance(ponita, NeighborListed)
    assert isinstance(ponita, Conditioned)
    assert not isinstance(ponita, Fitted | Lagged)
    assert isinstance(Composition(2, 1), Fitted)
    assert isinstance(HistoricalAverage(3, 24, 12), Fitted)
    assert isinstance(SeasonalNaive(24), Lagged)
    assert not isinstance(Stid(3, 1, 12, 12, 24), Fitted | Lagged | Calibrated | NeighborListed)


@pytest.mark.parametrize("base", [Points, Series])
def test_fit_with_other_arguments_raises(base: type[nn.Module]) -> None:
    class Other(base):
        def fit(self, targets: Tensor, features: Tensor) -> None: ...

    with pytest.raises(
        AssertionError, match=r"Other\.fit must accept the call fit\(targets, .*its s"
    ):
        assert_contract(Other())

    class Any(base):
        def fit(self, targets: Tensor, **inputs: Tensor) -> None: ...

    assert_contract(Any())


def test_incomplete_calibration_and_invalid_lags_raise() -> None:
    class Half(Points):
        def calibrate(self, **inputs: Tensor) -> None: ...

    with pytest.raises(AssertionError, match="calibrate requires an attribute calibrated"):
        assert_contract(Half())

    class Looking(Series):
        lags = (0, 3)

        def forward(
            self, x: Tensor, *, time: Tensor | None = None, lagged: Tensor | None = None,
            lagged_observed: Tensor | None = None,
        ) -> Tensor:  # fmt: skip
            return x

    with pytest.raises(AssertionError, match="lags must be positive integers"):
        assert_contract(Looking())
    Looking.lags = (2, 3)
    assert_contract(Looking())

    class Deaf(Series):
        lags = (2,)

    with pytest.raises(AssertionError, match="lagged"):
        assert_contract(Deaf())

    class Unconditional(Points):
        condition_channels = 1

    with pytest.raises(AssertionError, match="condition"):
        assert_contract(Unconditional())


def test_composition_rejects_former_argument_order_of_fit() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        Composition(1, 1).fit(torch.ones(3, 1), torch.tensor([0, 0, 1]), torch.ones(2, 1))
