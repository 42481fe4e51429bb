"""``dataset=solids``: targets, protocols of rotations, and what depends on seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from geozoo.data import CloudRotation, LoaderOptions, Solids
from geozoo.tasks import Classification

LOADER = LoaderOptions(batch_size=10)


def solids(**options: Any) -> Solids:
    sizes = {"num_points": 40, "num_train": 30, "num_eval": 16, "num_neighbors": 5}
    return Solids(loader=LOADER, **{**sizes, **options})


def test_classes_are_balanced_and_clouds_fill_the_unit_sphere() -> None:
    data = solids(noise=0.0)
    batch = data.store.gather(data.splits["train"])
    assert torch.bincount(batch.y).tolist() == [2] * 15
    pos = batch.pos.view(30, 40, 3)
    assert pos.mean(1).abs().max() < 1e-5
    assert torch.allclose(pos.norm(dim=2).amax(1), torch.ones(30))
    assert batch.x.eq(1).all() and batch.edge_index.shape[1] == 30 * 40 * 5
    sender, receiver = batch.edge_index
    assert batch.batch[sender].equal(batch.batch[receiver]) and (sender != receiver).all()
    assert data.spec.statistics["classes"][7] == "bolt"
    assert data.spec.record.variant == "class SO3/SO3" and data.spec.has_edges


def test_parts_are_labels_of_points_and_kinds_may_be_given() -> None:
    data = solids(target="parts", given_kind=True, normals=True, kinds=["bolt", "gear"])
    assert data.classes == ["bolt head", "bolt shank", "bolt tip", "gear rim", "gear hub"]
    batch = data.store.gather(data.splits["train"])
    is_bolt = batch.x[:, 1] == 1
    assert batch.part[is_bolt].max() == 2 and batch.part[~is_bolt].min() == 3
    assert batch.x.shape[1] == 3 and batch.x[:, 1:].sum(1).eq(1).all()
    assert torch.allclose(batch.vec.norm(dim=2), torch.ones(len(batch.pos), 1))
    assert (data.spec.level, data.spec.out_channels, data.spec.in_vectors) == ("node", 5, 1)
    # The head of a bolt is above its shank, which is above its tip, before any rotation.
    upright = solids(target="parts", kinds=["bolt"], rotation=CloudRotation("none", "none"))
    batch = upright.store.gather([0])
    assert [batch.pos[batch.part == k, 2].mean() for k in (2, 1, 0)] == sorted(
        batch.pos[batch.part == k, 2].mean() for k in range(3)
    )


def test_training_clouds_stay_upright_and_test_clouds_turn() -> None:
    none = solids(rotation={"train": "none", "test": "none"})
    mixed = solids(rotation={"train": "z", "test": "all"}, normals=True)
    assert mixed.rotation.protocol == "z/SO3"
    assert mixed.spec.record.variant == "class z/SO3"

    def of(data: Solids, part: str, field: str = "pos") -> torch.Tensor:
        value: torch.Tensor = getattr(data.store.gather(data.splits[part]), field)
        return value

    for part in ("train", "val"):
        assert torch.allclose(of(mixed, part)[:, 2], of(none, part)[:, 2], atol=1e-6)
        assert not torch.allclose(of(mixed, part)[:, 0], of(none, part)[:, 0], atol=1e-2)
    assert not torch.allclose(of(mixed, "test")[:, 2], of(none, "test")[:, 2], atol=0.1)
    # The same clouds, with the same edges, and normals that turn with them.
    before, after = (data.store.gather(data.splits["test"][:1]) for data in (none, mixed))
    products = [batch.pos.double() @ batch.pos.double().T for batch in (before, after)]
    assert torch.allclose(*products, atol=1e-5)
    assert torch.equal(before.edge_index, after.edge_index)
    upright = solids(rotation={"train": "z", "test": "none"}, normals=True)
    rotation = torch.linalg.lstsq(before.pos.double(), after.pos.double()).solution
    assert torch.linalg.det(rotation) == pytest.approx(1, abs=1e-4)
    normals = of(upright, "test", "vec")[:40, 0].double() @ rotation
    assert torch.allclose(normals, after.vec[:, 0].double(), atol=1e-4)


def test_seeds_and_sizes() -> None:
    first, same, more, other = solids(), solids(), solids(num_train=45), solids(seed=1)
    assert first.spec.record == same.spec.record
    assert torch.equal(first.store.node["pos"], same.store.node["pos"])
    tests = [each.store.gather(each.splits["test"]).pos for each in (first, more, other)]
    assert torch.equal(tests[0], tests[1]) and not torch.equal(tests[0], tests[2])
    assert first.spec.record.data_hash != other.spec.record.data_hash
    assert solids(num_neighbors=None).store.edge_index is None


def test_sizes_of_a_kind_do_not_tell_it_apart() -> None:
    """The spread of a cloud along its axes overlaps between kinds."""
    data = solids(num_train=300, rotation=CloudRotation("none", "none"), num_neighbors=None)
    batch = data.store.gather(data.splits["train"])
    spread = batch.pos.view(300, 40, 3).std(1)
    ratio = (spread[:, 2] / spread[:, :2].mean(1)).numpy()
    for kind in ("cylinder", "cone", "pipe", "box"):
        of_kind = ratio[batch.y.numpy() == data.classes.index(kind)]
        others = ratio[batch.y.numpy() != data.classes.index(kind)]
        low, high = np.quantile(of_kind, [0.1, 0.9])
        assert ((others > low) & (others < high)).mean() > 0.25


def test_rotations_in_training_are_refused_where_they_undo_the_protocol() -> None:
    class Zero(torch.nn.Module):
        def forward(self, pos: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
            return pos

    data = solids(rotation={"train": "z", "test": "all"})
    with pytest.raises(ValueError, match="protocol is z/SO3.*task.augment=false"):
        Classification(Zero(), data.spec).prepare(data)
    Classification(Zero(), data.spec, augment=False).prepare(data)
    Classification(Zero(), data.spec).prepare(solids())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "kind"}, "target must be one of class, parts"),
        ({"num_points": 0}, "num_points must be at least 1, got 0"),
        ({"noise": -0.1}, "noise must be at least 0 and below 1, got -0.1"),
        ({"noise": float("nan")}, "noise must be at least 0"),
        ({"kinds": ["bolt", "screw"]}, "kinds must be different names of .*got .*screw"),
        ({"kinds": "bolt"}, "kinds must be different names"),
        ({"kinds": ["bolt"]}, "at least two classes for target=class"),
        ({"given_kind": True}, "given_kind=true would give the target"),
        ({"num_neighbors": 0}, "num_neighbors must be at least 1"),
        ({"rotation": {"train": "x"}}, "rotation.train must be one of none, z, all"),
        ({"rotation": {"val": "z"}}, "rotation has no option 'val'"),
        ({"seed": -1}, "seed must be .*got -1"),
    ],
)  # fmt: skip
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solids(**options)
