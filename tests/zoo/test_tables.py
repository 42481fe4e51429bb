from __future__ import annotations

from dataclasses import replace

import pytest
from result_samples import ROW

from geozoo.zoo import entries
from geozoo.zoo.tables import BEGIN, END, current_card, results_table, updated_card


@pytest.mark.parametrize("entry", entries("model"), ids=lambda entry: entry.name)
def test_the_tables_of_the_cards_are_current(entry: object) -> None:
    card = (entry.folder / "README.md").read_text(encoding="utf-8")
    assert card == current_card(entry.folder), "run `geozoo-zoo table`"


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
def test_a_card_without_markers_is_refused(card: str) -> None:
    with pytest.raises(ValueError, match="must have the lines"):
        updated_card(card, "")
