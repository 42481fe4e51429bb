"""Data specifications."""

from __future__ import annotations

import json

import pytest

from geozoo.data import DataRecord, GeometricSpec


def test_model_arguments_are_exactly_the_sizes() -> None:
    spec = GeometricSpec(level="node", dim=3, in_channels=1, in_vectors=2, out_vectors=1)
    assert spec.model_arguments() == {
        "level": "node",
        "dim": 3,
        "in_channels": 1,
        "in_vectors": 2,
        "out_channels": 0,
        "out_vectors": 1,
        "lattice": None,
    }


def test_dict_round_trip_through_json() -> None:
    spec = GeometricSpec(
        level="graph",
        dim=2,
        out_channels=3,
        vector_fields=("pos",),
        units={"pos": "angstrom"},
        statistics={"energy_shift": -1.25},
        record=DataRecord(split="official-01", sizes={"train": 950}),
    )
    assert GeometricSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": "edge"}, "level must be one of"),
        ({"dim": 4}, "dim must be 2 or 3, got 4"),
        ({"in_channels": -1}, "in_channels must be a whole number"),
        ({"out_vectors": 1.5}, "out_vectors must be a whole number"),
        ({"out_channels": 0}, "nothing to predict"),
    ],
)
def test_wrong_values_are_rejected(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GeometricSpec(**{"level": "graph", "dim": 3, "out_channels": 1, **change})
