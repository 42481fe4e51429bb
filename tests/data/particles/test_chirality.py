"""The chirality dataset."""

import numpy as np
import pytest
import torch

from geozoo.data import Chirality, LoaderOptions

LOADER = LoaderOptions(batch_size=10)


def test_labels_are_the_sign_of_the_volume_and_balanced():
    data = Chirality(loader=LOADER)
    batch = data.store.gather(data.splits["train"])
    pos = batch.pos.view(-1, 4, 3).double().numpy()
    volume = np.linalg.det(pos[:, 1:] - pos[:, :1])
    assert np.array_equal(volume > 0, batch.y.numpy() == 1)
    assert np.abs(volume).min() > 0.49
    assert abs(batch.y.double().mean().item() - 0.5) < 0.05


def test_mirroring_changes_the_label_and_rotation_does_not():
    pos = Chirality(loader=LOADER).store.gather([0]).pos.double()
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    turn = turn * torch.linalg.det(turn)

    def hand(points):
        return torch.linalg.det(points[1:] - points[:1]).sign()

    assert hand(pos @ turn.T) == hand(pos)
    assert hand(-pos) == -hand(pos)


def test_parts_and_seeds():
    first, other = (Chirality(loader=LOADER, num_train=20, seed=seed) for seed in (0, 1))
    more = Chirality(loader=LOADER, num_train=30)
    assert {part: len(index) for part, index in first.splits.items()} == {
        "train": 20, "val": 1000, "test": 1000,
    }  # fmt: skip
    test = [data.store.gather(data.splits["test"]).pos for data in (first, more, other)]
    assert torch.equal(test[0], test[1])
    assert not torch.equal(test[0], test[2])


@pytest.mark.parametrize("name", ["num_train", "seed"])
def test_bad_numbers_are_rejected(name):
    with pytest.raises(ValueError, match=f"{name} must be .*got -1"):
        Chirality(loader=LOADER, **{name: -1})
