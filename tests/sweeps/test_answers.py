"""What comparisons and learning curves conclude."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geozoo.runs.probe import StepTime
from geozoo.sweeps.comparison import Contender, EqualTime
from geozoo.sweeps.curve import Curve
from geozoo.sweeps.finished import FinishedRun
from geozoo.sweeps.page import comparison_figures, curve_figures, write_sweep
from geozoo.sweeps.power_law import fit_power_law


def _run(value: float, seed: int = 0, *, minutes: float = 1.0, other: float = 1.0) -> FinishedRun:
    return FinishedRun(
        folder=Path(f"runs/seed{seed}"), seed=seed,
        metrics={"energy_mae": other, "force_mae": value, "force_rmse": 2 * value},
        baseline={"energy_mae": 50.0, "force_mae": 100.0, "force_rmse": 120.0},
        units={"energy_mae": "meV", "force_mae": "meV/angstrom", "force_rmse": "meV/angstrom"},
        epochs=10, steps=1900, seconds=60 * minutes + 20, cpu_seconds=60 * minutes,
        memory_mb=512.0, device="cpu", split="official-01 (abc)",
        curves={"force_mae": ([5, 10], [2 * value, value])},
    )  # fmt: skip


def _cost(**changes: object) -> StepTime:
    values: dict[str, object] = {
        "clock": "cpu", "step_s": 0.03, "val_batch_s": 0.01, "epoch_end_s": 0.0,
        "train_batches": 190, "val_batches": 3, "measured": 60, "parameters": 577_409,
        "monitor": "loss", "device": "cpu", "threads": 1,
    }  # fmt: skip
    return StepTime(**{**values, **changes})  # type: ignore[arg-type]


def _compared(**values: list[float]) -> EqualTime:
    contenders = [
        Contender(name=name, cost=_cost(), runs=[_run(v, s) for s, v in enumerate(found)])
        for name, found in values.items()
    ]
    return EqualTime(minutes=1.0, contenders=contenders)


def test_a_clear_difference_is_told() -> None:
    found = _compared(schnet=[60.0, 61.0, 59.0], painn=[34.0, 34.5, 33.5])
    assert found.deciding == "force_mae" and found.direction == "min"
    assert found.answer() == (
        "painn is the best with 1 minute of training each: force_mae 34 ± 0.5 meV/angstrom, ahead "
        "of schnet (60 ± 1) by more than the spread over seeds."
    )


def test_a_difference_within_the_spread_is_no_answer() -> None:
    text = _compared(schnet=[36.0, 41.0, 33.0], painn=[34.0, 38.0, 32.0]).answer()
    assert "within the spread over seeds" in text and "schnet (36.7 ± 4)" in text


def test_one_seed_has_no_spread() -> None:
    assert "the spread over seeds is unknown" in _compared(a=[30.0], b=[40.0]).answer()


def test_a_model_worse_than_the_baseline_is_no_winner() -> None:
    assert (
        _compared(a=[130.0, 131.0], b=[150.0, 151.0])
        .answer()
        .startswith("No model beats the trivial baseline (100 meV/angstrom)")
    )


def test_other_metrics_and_failures_are_told() -> None:
    found = EqualTime(
        minutes=10,
        contenders=[
            Contender(
                name="a",
                cost=_cost(),
                runs=[_run(30.0 + s, s, other=5.0 + 0.1 * s) for s in (0, 1)],
            ),
            Contender(
                name="b",
                cost=_cost(),
                runs=[_run(60.0 + s, s, other=2.0 + 0.1 * s) for s in (0, 1)],
            ),
            Contender(name="c", error="seed 0: out of memory"),
        ],
    )
    assert found.answer().endswith("Best by other metrics: energy_mae: b. Failed: c.")
    table = found.sheet()
    assert [row[0] for row in table.rows] == ["a", "b", "c", "trivial baseline"]
    assert table.rows[2][-1] == "seed 0: out of memory"
    assert table.rows[3][1] == "100"
    assert [column.name for column in table.columns][:3] == [
        "model", "force_mae (meV/angstrom)", "energy_mae (meV)",
    ]  # fmt: skip


def test_nothing_but_failures() -> None:
    found = EqualTime(minutes=1, contenders=[Contender(name="a", error="no")])
    assert found.answer() == "No model finished: see the errors in the table. Failed: a."
    assert found.sheet().rows[0][-1] == "no" and comparison_figures(found) == []


def test_unequal_times_are_mentioned() -> None:
    runs = [_run(30.0, minutes=1.5), _run(31.0, 1, minutes=1.4)]
    found = EqualTime(minutes=1.0, contenders=[Contender(name="a", cost=_cost(), runs=runs)])
    (line,) = found.uneven()
    assert line.startswith("a trained for 1.45 minutes instead of 1")
    free = Contender(name="last", cost=_cost(measured=0, monitor="mae"), runs=[_run(9.0)])
    assert not EqualTime(minutes=1.0, contenders=[free]).uneven()


def test_a_metric_that_no_test_has_is_refused() -> None:
    found = _compared(a=[1.0])
    with pytest.raises(ValueError, match="metric must be one of energy_mae, force_mae"):
        _ = EqualTime(minutes=1, contenders=found.contenders, metric="mape").deciding


def test_the_files_of_a_comparison(tmp_path: Path) -> None:
    found = _compared(schnet=[60.0, 61.0], painn=[34.0, 34.5])
    files = write_sweep(
        tmp_path, "compare", title="Comparison", command="geozoo compare", sheet=found.sheet(),
        answer=found.answer(), warnings=found.uneven(), figures=comparison_figures(found),
        facts={"dataset": "rmd17"}, values=found.to_dict(),
    )  # fmt: skip
    assert [path.name for path in files] == ["report.html", "compare.csv", "compare.json"]
    page = files[0].read_text()
    assert 'id="answer"' in page and "painn is the best" in page and page.count("<img") == 2
    assert (tmp_path / "error_against_time.png").is_file()
    values = json.loads(files[2].read_text())
    assert values["models"][0]["model"] == "painn" and values["baseline"]["force_mae"] == 100.0
    assert len(values["models"][0]["runs"]) == 2


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.2])
def test_an_exponent_is_found_within_its_uncertainty(exponent: float) -> None:
    rng = np.random.default_rng(0)
    sizes = [50, 100, 200, 400, 800, 1600]
    misses = 0
    for _ in range(200):
        errors = {n: [3 * n**-exponent * np.exp(0.05 * rng.normal())] for n in sizes}
        law = fit_power_law(errors)
        assert law is not None and law.uncertainty is not None
        misses += abs(law.exponent - exponent) > 2.78 * law.uncertainty  # t of 95 %, 4 degrees
    assert misses < 22  # 10 expected


def test_laws_that_cannot_be_fitted() -> None:
    assert fit_power_law({100: [1.0]}) is None
    assert fit_power_law({100: [1.0], 200: [0.0]}) is None
    law = fit_power_law({100: [1.0], 200: [0.5]})
    assert law is not None and law.uncertainty is None and law.exponent == pytest.approx(1.0)


def _curve(values: dict[int, list[float]]) -> Curve:
    return Curve(
        model="painn", errors={}, preferred=("force_mae",),
        runs={size: [_run(v, s) for s, v in enumerate(found)] for size, found in values.items()},
    )  # fmt: skip


def test_a_curve_concludes_with_its_exponent(tmp_path: Path) -> None:
    curve = _curve({100: [40.0, 42.0], 200: [30.0, 29.0], 400: [20.0, 21.0], 800: [15.0, 14.0]})
    assert curve.answer().startswith("force_mae of painn falls as N^-b with b = 0.50")
    assert "twice the data divides it by 1.42" in curve.answer()
    rows = curve.sheet().rows
    assert [row[0] for row in rows] == [
        "100",
        "200",
        "400",
        "800",
        "exponent b",
        "trivial baseline",
    ]
    (figure,) = curve_figures(curve)
    figure.draw(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 10_000
    assert curve.to_dict()["power_laws"]["force_mae"]["exponent"] == pytest.approx(0.5, abs=0.05)


def test_a_short_training_is_mentioned() -> None:
    (line,) = _curve({100: [40.0], 800: [30.0]}).warnings()
    assert line.startswith("the largest size was trained for 10 epochs only")
    assert "sizes 200 finished" in _curve({100: [40.0], 200: [], 400: [30.0]}).warnings()[1]


def test_curves_without_a_law() -> None:
    flat = _curve({100: [40.0], 200: [48.0], 400: [37.0]}).answer()
    assert "does not measurably follow a power law" in flat
    assert "two sizes give no uncertainty" in _curve({100: [40.0], 200: [30.0]}).answer()
    assert _curve({100: [40.0], 200: []}).answer().startswith("Fewer than two sizes")
