"""The same seed is the same run, however its batches are made and evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest
from killed_pairs import PAIRS, command
from killed_runs import DyingRun
from run_comparison import assert_same_run, read_rows
from tiny_configs import last_of_each

pytest.importorskip("rdkit")
#: In every test run; the others at night.
QUICK = ("stid-forecasting",)
#: What other batches leave as it is: sums of rounded numbers in another order.
ROUNDING = 2e-4
each_pair = pytest.mark.parametrize(
    "pair", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in PAIRS]
)
#: Their samples are drawn batch by batch.
DRAWN = ("ponita-generation",)


def run(pair: str, place: Path, name: str, *words: str) -> Path:
    """The folder of a finished run of two epochs."""
    folder = place / name
    given = last_of_each([*command(pair), "trainer.max_epochs=2", *words, f"run_dir={folder}"])
    started = DyingRun(given, place)
    assert started.finish() == 0, (place / "log.txt").read_text()[-2000:]
    return folder


@pytest.mark.slow
@each_pair
def test_one_seed_gives_one_run(pair: str, place: Path) -> None:
    first = run(pair, place, "first")
    again = run(pair, place, "again")
    workers = run(
        pair, place, "workers", "dataset.loader.resident=loader", "dataset.loader.num_workers=2"
    )
    for other in (again, workers):
        assert_same_run(first, other)
        assert (first / "metrics.csv").read_bytes() == (other / "metrics.csv").read_bytes()
    if pair != "per_sensor_linear-forecasting":  # solved, not trained: nothing is drawn
        drawn = run(pair, place, "drawn", "seed=1")
        assert (first / "metrics.csv").read_bytes() != (drawn / "metrics.csv").read_bytes()


@pytest.mark.slow
@each_pair
def test_errors_do_not_depend_on_the_batches_of_the_evaluation(pair: str, place: Path) -> None:
    if pair in DRAWN:
        pytest.skip("samples are drawn batch by batch")
    whole = "trainer.limit_val_batches=null", "trainer.limit_test_batches=null"
    found = {}
    for size in (1, 64):
        folder = run(pair, place, f"by_{size}", *whole, f"dataset.loader.eval_batch_size={size}")
        found[size] = read_rows(folder), read_rows(folder, "result.csv")
    for row, other in zip(found[1][0], found[64][0], strict=True):
        assert {k: float(v) for k, v in row.items() if v} == pytest.approx(
            {k: float(v) for k, v in other.items() if v}, rel=ROUNDING
        )
    values, others = (
        {row["metric"]: float(row["value"]) for row in found[size][1]} for size in (1, 64)
    )
    assert values == pytest.approx(others, rel=ROUNDING)
