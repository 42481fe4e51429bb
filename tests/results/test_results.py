from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from result_samples import ROW

from geozoo.config import entries
from geozoo.results.published import Published, read_published, with_published
from geozoo.results.rows import (
    add_results,
    over_seeds,
    read_results,
    write_results,
)


def test_rows_survive_the_file(tmp_path: Path) -> None:
    rows = [ROW, replace(ROW, metric="force_mae", std=0.5, paper_value=1.5)]
    write_results(tmp_path / "results.csv", rows)
    assert read_results(tmp_path / "results.csv") == rows


def test_columns_are_those_of_the_convention(tmp_path: Path) -> None:
    write_results(tmp_path / "results.csv", [])
    head = (tmp_path / "results.csv").read_text().strip()
    assert head.startswith(
        "recipe,dataset,variant,split,metric,unit,value,std,seeds,paper_value,paper_ref,commit,"
        "command,device,wall_time_s,peak_memory_mb,torch,date,checkpoint"
    )


def test_other_columns_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("recipe,value\na,1\n")
    with pytest.raises(ValueError, match="must have the columns"):
        read_results(tmp_path / "results.csv")


def test_older_files_lack_the_younger_columns(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_results(path, [replace(ROW, curve="curves/a.csv", baseline=7.5)])
    assert read_results(path)[0].baseline == 7.5
    lines = [line.rsplit(",", 2)[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    assert read_results(path) == [replace(ROW, curve="curves/a.csv")]


def test_a_repeated_measurement_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    add_results(path, [ROW, replace(ROW, variant="ethanol")])
    add_results(path, [replace(ROW, value=1.0)])
    add_results(path, [replace(ROW, seeds="1", value=3.0)])
    assert [(row.variant, row.seeds, row.value) for row in read_results(path)] == [
        ("aspirin", "0", 1.0), ("aspirin", "1", 3.0), ("ethanol", "0", 2.0),
    ]  # fmt: skip


def test_seeds_are_averaged() -> None:
    rows = [
        replace(ROW, seeds=str(seed), value=value)
        for seed, value in ((2, 5.0), (0, 1.0), (10, 3.0))
    ]
    row = over_seeds(rows)
    assert (row.value, row.std, row.seeds) == (3.0, 2.0, "0 2 10")
    assert over_seeds([ROW]) == ROW
    assert row.peak_memory_mb == 100.0
    unknown = [replace(rows[0], peak_memory_mb=None), rows[1]]
    assert over_seeds(unknown).peak_memory_mb is None


@pytest.mark.parametrize("change", [{"recipe": "other"}, {"split": "official-02"}, {"seeds": "0"}])
def test_runs_of_different_kinds_are_not_averaged(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).removesuffix("s")):
        over_seeds([ROW, replace(ROW, **{"seeds": "1", **change})])


def test_published_numbers_need_the_same_protocol() -> None:
    published = Published(
        "PONITA", "rmd17", "aspirin", "official", "energy_mae", "meV", 1.7, None, "a paper", "paper"
    )
    assert with_published(ROW, "ponita", [published]).paper_value == 1.7
    assert with_published(ROW, "egnn", [published]).paper_value is None
    for change in (
        {"split": "every-100"}, {"variant": "ethanol"}, {"unit": "eV"}, {"metric": "x"},
        {"method": "MACE"},
    ):  # fmt: skip
        changed = replace(published, **change)
        assert with_published(ROW, "ponita", [changed]).paper_value is None


def test_a_published_number_says_where_it_was_seen() -> None:
    with pytest.raises(ValueError, match="status must be one of"):
        Published("A", "d", "", "", "m", "u", 1.0, None, "somewhere", "hearsay")


@pytest.mark.parametrize("entry", entries("model"), ids=lambda entry: entry.name)
def test_files_of_the_entries_can_be_read(entry: object) -> None:
    for row in read_published(entry.folder / "published.csv"):
        assert row.value > 0 and row.ref and row.unit and row.method
    for row in read_results(entry.folder / "results.csv"):
        assert row.command and row.split and row.device
        for curve in row.curve.split():
            assert (entry.folder / curve).is_file()
