"""Bond orders from distances."""

import pytest
import torch

from geozoo.data.molecules import bond_orders


def orders(first: int, second: int, *pm: float) -> list[int]:
    distance = torch.tensor(pm, dtype=torch.float64) / 100
    z = torch.tensor([[first], [second]]).expand(2, len(pm))
    return bond_orders(distance, z[0], z[1]).tolist()


def test_margins_of_carbon() -> None:
    # 154 + 10, 134 + 5, 120 + 3: the limit itself is outside
    assert orders(6, 6, 163.9, 164.1, 138.9, 139.1, 122.9, 123.1) == [1, 0, 2, 1, 3, 2]


def test_limits_themselves_are_outside() -> None:
    limits = torch.tensor([1.23, 1.39, 1.64], dtype=torch.float64)
    carbon = torch.full((3,), 6)
    assert bond_orders(limits, carbon, carbon).tolist() == [2, 1, 0]


def test_pair_without_a_triple_bond() -> None:
    assert orders(8, 8, 50.0) == [2]
    assert orders(1, 6, 50.0) == [1]


def test_order_of_the_elements_does_not_matter() -> None:
    for first in (1, 6, 7, 8, 9):
        for second in (1, 6, 7, 8, 9):
            lengths = (90.0, 115.0, 130.0, 150.0, 170.0)
            assert orders(first, second, *lengths) == orders(second, first, *lengths)
            assert orders(first, second, 170.0) == [0]


@pytest.mark.parametrize("z", [0, 2, 16, -1])
def test_other_elements_are_rejected(z: int) -> None:
    with pytest.raises(
        ValueError, match="^first and second must be the atomic numbers of H, C, N, O or F"
    ):
        orders(z, 6, 100.0)
