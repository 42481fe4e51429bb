"""Data records: typed in memory, flat with a stable layout in stored runs and models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geozoo.data import DataRecord, GeometricSpec, SeriesRecord, StructureFiles

ROOT = Path(__file__).parents[2]
STORED = sorted([*ROOT.glob("tests/stored/**/*.json"), *ROOT.glob("models/*/trained/*/model.json")])


def test_there_are_stored_records() -> None:
    assert len(STORED) > 3


@pytest.mark.parametrize("path", STORED, ids=lambda path: "/".join(path.parts[-3:]))
def test_stored_records_come_back_as_they_are_written(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))["data"]["protocol"]
    record = DataRecord.from_dict(stored)
    assert {**record.to_dict(), **stored} == record.to_dict()
    assert DataRecord.from_dict(record.to_dict()) == record
    assert record.dataset == stored["dataset"]
    assert record.sizes["train"] == stored["num_train"]
    assert not record.other.keys() - {"number", "frames"}


def test_entries_of_other_programs_and_versions_are_kept() -> None:
    stored = {"dataset": "mine", "laboratory": "Delft", "num_train": 3, "num_threads": "all"}
    record = DataRecord.from_dict(stored)
    assert record.other == {"laboratory": "Delft", "num_threads": "all"}
    assert record.sizes == {"train": 3}
    assert record.to_dict() == stored


def test_a_spec_stores_its_record_under_the_name_of_all_versions() -> None:
    record = DataRecord(dataset="mine", split="random", sizes={"train": 2})
    spec = GeometricSpec(level="graph", dim=3, out_channels=1, record=record)
    stored = json.loads(json.dumps(spec.to_dict()))
    assert stored["protocol"] == {"dataset": "mine", "split": "random", "num_train": 2}
    assert GeometricSpec.from_dict(stored) == spec


def test_the_problem_and_the_split_in_one_line() -> None:
    record = DataRecord(
        molecule="ethanol", source="official", split="01", split_hash="0123456789abcd"
    )
    assert record.problem == "ethanol"
    assert record.split_label == "official, 01 (0123456789ab)"
    assert DataRecord().problem == DataRecord().split_label == ""


def test_another_reading_leaves_the_rest_alone() -> None:
    series = SeriesRecord(sensors=["a", "b"], reading={"missing": [0]})
    other = DataRecord(dataset="csv", series=series).with_reading({"missing": [-1]})
    assert (other.reading, other.sensors, other.dataset) == ({"missing": [-1]}, ["a", "b"], "csv")


def test_rules_that_are_absent_raise_an_error_that_names_them() -> None:
    with pytest.raises(ValueError, match=r"DataRecord\.series\.rules.*forecast_protocol"):
        _ = DataRecord(dataset="mine").rules


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        ({}, {"data_hash": "1"}, ""),
        ({"split_hash": "1"}, {"split_hash": "2"}, "the splits have the hash 2, previously 1"),
        (
            {"data_hash": "1", "split_hash": "3"}, {"data_hash": "2", "split_hash": "4"},
            "the values of the data have the hash 2, previously 1",
        ),
        (
            {"source_hash": "1"}, {"source_hash": "2", "source": "a.npz"},
            "the file a.npz has the hash 2, previously 1",
        ),
    ],
)  # fmt: skip
def test_the_first_hash_that_changed_is_reported(before: dict, now: dict, change: str) -> None:
    assert DataRecord(**now).changed_since(DataRecord(**before)) == change


def test_a_file_that_was_added_is_no_change() -> None:
    one = DataRecord(structures=StructureFiles(file_hashes={"train": "1"}))
    two = DataRecord(structures=StructureFiles(file_hashes={"train": "1", "test": "2"}))
    assert two.changed_since(one) == ""
