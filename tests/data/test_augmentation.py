"""Rotating a batch."""

from __future__ import annotations

import pytest
import torch
from graph_samples import make_store

from geozoo.data import GraphStore, rotate_batch

QUARTER = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
IDENTITY = torch.eye(3)


def test_each_graph_turns_by_its_own_rotation() -> None:
    batch = make_store([2, 3]).gather([0, 1])
    turned = rotate_batch(batch, torch.stack([IDENTITY, QUARTER]), ("pos", "dipole"))
    torch.testing.assert_close(turned.pos[:2], batch.pos[:2])
    x, y, z = batch.pos[2:].unbind(1)
    torch.testing.assert_close(turned.pos[2:], torch.stack([-y, x, z], 1))
    torch.testing.assert_close(turned.dipole[1], QUARTER @ batch.dipole[1])
    torch.testing.assert_close(turned.energy, batch.energy)


def test_several_vectors_per_node_turn_alike() -> None:
    vec = torch.randn(3, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    batch = GraphStore(torch.tensor([3]), {"vec": vec}).gather([0])
    turned = rotate_batch(batch, QUARTER[None].double(), ["vec"])
    torch.testing.assert_close(turned.vec, vec @ QUARTER.double().T)
    assert turned.vec.dtype == torch.float64


def test_lengths_stay() -> None:
    batch = make_store([2, 3]).gather([0, 1])
    rotations = torch.linalg.qr(torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1)))[0]
    turned = rotate_batch(batch, rotations, ("pos",))
    torch.testing.assert_close(turned.pos.norm(dim=1), batch.pos.norm(dim=1))


@pytest.mark.parametrize(
    ("rotations", "fields", "message"),
    [
        (torch.zeros(1, 3, 3), ("pos",), r"rotations must have shape \[2, dim, dim\]"),
        (torch.zeros(3, 3), ("pos",), r"rotations must have shape"),
        (torch.zeros(2, 3, 3), ("velocity",), "'velocity' is not a node or graph field"),
        (torch.zeros(2, 3, 3), ("weight",), "'weight' is not a node or graph field"),
        (torch.zeros(2, 2, 2), ("pos",), "the last axis of 'pos' must have size 2"),
    ],
)
def test_wrong_arguments_are_rejected(rotations, fields, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rotate_batch(make_store([2, 3]).gather([0, 1]), rotations, fields)
