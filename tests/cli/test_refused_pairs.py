"""A model and a data set that do not go together are refused before anything is fetched or made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from geozoo.data import GraphDataModule

Train = Callable[..., int]


@pytest.fixture(autouse=True)
def _untouchable(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(self: GraphDataModule) -> None:
        raise ValueError(f"{type(self).__name__} was touched")

    monkeypatch.setattr(GraphDataModule, "data", property(touched))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("model=stid", "dataset=nbody"),
            "model=stid forecasts time series; dataset=nbody holds graphs with positions. Models "
            "that fit dataset=nbody: allegro, cgenn, egnn, mace, nequip, painn, platonic, "
            "ponita, rapidash, segnn, tensornet, tiny; datasets that fit model=stid: los_loop,",
        ),
        (("model=ponita", "dataset=los_loop"), "Models that fit dataset=los_loop: agcrn, dcrnn,"),
        (
            ("model=composition", "dataset=nbody"),
            "datasets that fit model=composition: graphs, molecules, qm9",
        ),
        (("model=stid", "dataset=qm9", "task=forecasting"), "dataset=qm9 holds graphs"),
        (
            ("model=vector_autoregression", "dataset=traffic_synthetic",
             "task=quantile_forecasting"),
            "is fitted, not trained",
        ),
    ],
)  # fmt: skip
def test_refused(
    words: tuple[str, ...], message: str, geozoo_train: Train, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert geozoo_train(*words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert "touched" not in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(("model", "dataset"), [("egnn", "nbody"), ("stid", "los_loop")])
def test_pairs_that_fit_go_on_to_the_data(
    model: str, dataset: str, geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(f"model={model}", f"dataset={dataset}") == 1
    assert "was touched" in capsys.readouterr().err


def test_a_test_on_other_data_is_refused_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    from geozoo.cli.main import run_command

    with pytest.raises(SystemExit):
        run_command("evaluate", ["ponita-nbody_small", "dataset=los_loop"])
    said = " ".join(capsys.readouterr().err.split())
    assert "takes graphs with positions; dataset=los_loop holds time series" in said
    assert "touched" not in said
