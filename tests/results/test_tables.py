from __future__ import annotations

from dataclasses import replace

import pytest
from result_samples import ROW

from geozoo.config import entries
from geozoo.results.cards import BEGIN, END, current_card, results_table, updated_card
from geozoo.results.comparison import comparison_table, current_dataset_card


@pytest.mark.parametrize("entry", entries("model"), ids=lambda entry: entry.name)
def test_the_tables_of_the_cards_are_current(entry: object) -> None:
    card = (entry.folder / "README.md").read_text(encoding="utf-8")
    assert card == current_card(entry.folder), "run `geozoo cards`"


def test_every_row_is_in_the_table() -> None:
    table = results_table(
        [ROW, replace(ROW, metric="force_mae", value=5.812, std=0.04, seeds="0 1 2")]
    )
    assert "| aspirin | energy_mae | meV | 2 |  |" in table
    assert "| aspirin | force_mae | meV | 5.81 ± 0.04 |" in table


def test_the_baseline_stands_beside_the_result() -> None:
    assert "| meV | 2 | 98.8 |" in results_table([replace(ROW, baseline=98.76)])


def test_protocols_are_never_in_one_table() -> None:
    table = results_table([ROW, replace(ROW, split="every-100")])
    assert table.count("| variant | metric |") == 2
    assert table.index("every-100") < table.index("official-01")


def test_published_numbers_stand_with_their_reference() -> None:
    assert "| 1.7 (the paper) |" in results_table(
        [replace(ROW, paper_value=1.7, paper_ref="the paper")]
    )


def test_only_the_part_between_the_markers_changes() -> None:
    card = f"# Card\n\n{BEGIN}\nold\n{END}\n\nmore\n"
    new = updated_card(card, "| new |")
    assert new == f"# Card\n\n{BEGIN}\n\n| new |\n\n{END}\n\nmore\n"
    assert updated_card(new, "| new |") == new


@pytest.mark.parametrize("card", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_card_without_markers_is_rejected(card: str) -> None:
    with pytest.raises(ValueError, match="must contain the lines"):
        updated_card(card, "")


@pytest.mark.parametrize("entry", entries("dataset"), ids=lambda entry: entry.name)
def test_the_comparisons_of_the_datasets_are_current(entry: object) -> None:
    text = current_dataset_card(entry)
    if text is not None:
        assert (entry.folder / "README.md").read_text() == text, "run `geozoo cards`"


def test_a_comparison_has_a_row_for_each_model_and_marks_the_best() -> None:
    base = replace(ROW, dataset="roads", recipe="a-roads", unit="mph", wall_time_s=90.0)
    rows = [
        (model, replace(base, recipe=f"{model}-roads", metric=f"speed_{metric}", value=value))
        for model, values in {"a": (3.0, 9.0), "b": (2.5, 10.0)}.items()
        for metric, value in zip(("mae", "mape"), values, strict=True)
    ]
    table = comparison_table(rows)
    assert "| a | 3.00 / - / **9.00%** | 2 min |" in table
    assert "| b | **2.50** / - / 10.00% | 2 min |" in table
    assert table.index("| a |") < table.index("| b |")


def test_protocols_are_never_compared() -> None:
    base = replace(ROW, metric="speed_mae")
    table = comparison_table([("a", base), ("b", replace(base, split="another"))])
    assert table.count("| model |") == 2


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "–"), (None, "–"), (0.04, "0.1 s"), (0.3, "0.3 s"), (12.3, "12 s"), (40.0, "40 s"),
        (59.4, "59 s"), (59.6, "1 min"), (60.0, "1 min"), (7200.0, "120 min"),
    ],
)  # fmt: skip
def test_times_below_a_minute_are_no_zero(seconds: float | None, shown: str) -> None:
    row = replace(ROW, wall_time_s=seconds)
    assert row.training_length == shown
    assert row.training == (shown if shown == "–" else f"{shown}, cpu")
    assert results_table([row]).endswith(f"| {row.training} |")


def test_what_is_not_trained_counts_no_epochs() -> None:
    checkpoint = "best.ckpt, epoch 1, tested on 2 of 3 batches"
    assert replace(ROW, wall_time_s=9.0, checkpoint=checkpoint).tested == checkpoint
    baseline = replace(ROW, wall_time_s=0.0, checkpoint=checkpoint)
    assert baseline.tested == "best.ckpt, tested on 2 of 3 batches"


def test_no_card_has_a_time_of_nothing_or_an_epoch_of_a_baseline() -> None:
    for kind in ("model", "dataset"):
        for entry in entries(kind):
            card = (entry.folder / "README.md").read_text(encoding="utf-8")
            assert "| 0 min" not in card, entry.name
            baselines = [line for line in card.splitlines() if "no training" in line]
            assert not any("epoch" in line for line in baselines), entry.name
