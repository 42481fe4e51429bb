"""Errors of each part of a test split."""

import pytest
import torch

from geozoo.metrics import ErrorMetrics
from geozoo.tasks._parts import PartErrors


def test_each_part_has_the_errors_of_its_graphs():
    parts = {"a.xyz": torch.tensor([0, 2]), "b.xyz": torch.tensor([5])}
    made = lambda: ErrorMetrics({"energy": ["mae"], "force": ["mae"]})  # noqa: E731
    errors = PartErrors(parts, made, {"energy": "graph", "force": "node"}, torch.device("cpu"))
    predicted = {"energy": torch.tensor([1.0, 2.0, 4.0]), "force": torch.arange(12.0).view(4, 3)}
    target = {"energy": torch.zeros(3), "force": torch.zeros(4, 3)}
    target["force"][0] = torch.nan  # the first graph has no forces
    errors.update(predicted, target, torch.tensor([0, 5, 2]), torch.tensor([0, 1, 2, 2]))
    found = errors.compute()
    assert found["a.xyz"] == pytest.approx({"energy_mae": 2.5, "force_mae": 8.5})
    assert found["b.xyz"] == pytest.approx({"energy_mae": 2.0, "force_mae": 4.0})


def test_a_part_without_targets_has_no_errors_of_them():
    made = lambda: ErrorMetrics({"force": ["mae"]})  # noqa: E731
    errors = PartErrors({"a": torch.tensor([0])}, made, {"force": "node"}, torch.device("cpu"))
    missing = torch.full((1, 3), torch.nan)
    errors.update(
        {"force": torch.ones(1, 3)}, {"force": missing}, torch.tensor([0]), torch.tensor([0])
    )
    assert errors.compute() == {"a": {}}
