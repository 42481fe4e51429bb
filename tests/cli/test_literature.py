"""Published numbers beside those of a run: of the same protocol, or none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from result_samples import ROW
from test_page import Seen
from tiny_configs import TINY

from geozoo.report.literature import _changes, beside
from geozoo.results.published import Published

PAPER = Published(
    "Ponita", ROW.dataset, ROW.variant, ROW.split, ROW.metric, ROW.unit, 0.5, 0.02,
    "Paper, table 1", "paper",
)  # fmt: skip


def test_the_same_protocol_stands_beside_with_its_source() -> None:
    found = beside([ROW], "ponita", [PAPER], changed="")
    assert found.values == {ROW.metric: "0.5 ± 0.02"}
    assert found.sources == "Published: Paper, table 1." and not found.note


def test_another_training_is_a_sentence_without_the_number() -> None:
    found = beside([ROW], "ponita", [PAPER], changed="ponita-nbody_quick")
    assert not found.values and not found.sources
    assert "ponita-nbody_quick" in found.note and "Paper, table 1" in found.note
    assert "0.5" not in found.note


def test_another_split_is_a_sentence_without_the_number() -> None:
    found = beside([ROW], "ponita", [replace(PAPER, split="another")], changed="")
    assert not found.values
    assert "another split or protocol (another)" in found.note and "0.5" not in found.note


def test_other_methods_data_and_units_say_nothing() -> None:
    for other in (
        replace(PAPER, method="EGNN"),
        replace(PAPER, dataset="elsewhere"),
    ):
        found = beside([ROW], "ponita", [other], changed="")
        assert not found.values and not found.note
    assert not beside([ROW], "ponita", [replace(PAPER, unit="mile")], changed="").values


@pytest.mark.parametrize(
    ("recipe", "trainer", "epochs", "cut", "told"),
    [
        ("ponita-rmd17", "default", 9, "", ""),
        ("ponita-rmd17_quick", "quick", 9, "", "ponita-rmd17_quick"),
        ("ponita-rmd17, model.num_layers=2", "default", 9, "", "model.num_layers=2"),
        ("ponita-rmd17", "default", 4, "", "ended after 4 of 9 epochs"),
        ("ponita-rmd17", "default", 9, "2 of 5 batches", "tested on 2 of 5 batches"),
        ("a-b without recipe", "default", 9, "", "a-b without recipe"),
    ],
)
def test_what_differs_from_the_full_training(
    recipe: str, trainer: str, epochs: int, cut: str, told: str
) -> None:
    outcome = SimpleNamespace(
        task=SimpleNamespace(record={"choices": {"trainer": trainer}}),
        effort=SimpleNamespace(epochs=epochs),
        tested=SimpleNamespace(cut=cut),
        cfg=SimpleNamespace(trainer={"max_epochs": 9}),
    )
    assert _changes(outcome, replace(ROW, recipe=recipe)) == told


@pytest.mark.thorough
@pytest.mark.parametrize("changed", ["", "fewer epochs"])
def test_the_page_shows_what_can_be_compared(changed, geozoo_train, tmp_path, monkeypatch):
    paper = Published(
        "Tiny",
        "tiny",
        "dynamics",
        "in order",
        "position_mse",
        "length^2",
        0.125,
        None,
        "A paper",
        "paper",
    )
    monkeypatch.setattr("geozoo.report.literature.all_published", lambda: [paper])
    monkeypatch.setattr("geozoo.report.literature._changes", lambda *_: changed)
    assert geozoo_train(*TINY, "trainer.max_epochs=1", "run_dir=r") == 0
    text = Seen(tmp_path / "r" / "report.html").text
    assert "A paper" in text
    assert ("0.125" in text, "publishedvalidation" in text) == (not changed, not changed)
    assert ("fewer epochs" in text) == bool(changed)
