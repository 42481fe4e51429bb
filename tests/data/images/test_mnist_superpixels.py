"""MNIST superpixels: idx files, SLIC graphs, the 75-node dataset through PyTorch Geometric."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mnist_samples import digits, idx, write_mnist

from geozoo.data import LoaderOptions, MNISTSlic, MNISTSuperpixels, SlicOptions, slic_graphs
from geozoo.data.images import _mnist_files as files
from geozoo.data.images import mnist_superpixels as module
from geozoo.data.images._mnist_files import read_mnist

pytest.importorskip("skimage")
LOADER = LoaderOptions(batch_size=4)


@pytest.fixture
def own_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the tests do not have the published content."""
    monkeypatch.setattr(files, "_check_content", lambda *given: None)


@pytest.mark.usefixtures("own_digits")
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("inner", ["", "MNIST/raw"])
def test_files_are_found_and_read(tmp_path: Path, packed: bool, inner: str) -> None:
    write_mnist(tmp_path / inner, packed=packed)
    images, labels = read_mnist(tmp_path, "train", download=False)
    expected = digits(20, seed=20)
    assert np.array_equal(images, expected[0])
    assert np.array_equal(labels, expected[1])


def test_content_must_be_the_published_one(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    with pytest.raises(ValueError, match="is corrupt: its MD5 is not that of MNIST's train-im"):
        read_mnist(tmp_path, "train", download=False)


def test_shared_files_are_the_published_ones(shared_folder: Path, tmp_path: Path) -> None:
    with np.load(shared_folder / "data" / "mnist" / "mnist_test.npz") as arrays:
        for name, key in (("images-idx3", "images"), ("labels-idx1", "labels")):
            (tmp_path / f"t10k-{name}-ubyte").write_bytes(idx(arrays[key]))
        images, labels = read_mnist(tmp_path, "test", download=False)
        assert np.array_equal(images, arrays["images"])
        assert np.array_equal(labels, arrays["labels"])


@pytest.mark.usefixtures("own_digits")
def test_images_of_another_size_are_rejected(tmp_path: Path) -> None:
    write_mnist(tmp_path, packed=False)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((20, 32, 32), np.uint8)))
    with pytest.raises(ValueError, match=r"must have 28 x 28 pixels, got \(32, 32\)"):
        read_mnist(tmp_path, "train", download=False)


@pytest.mark.usefixtures("own_digits")
def test_labels_must_fit(tmp_path: Path) -> None:
    write_mnist(tmp_path, packed=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.full(20, 12, np.uint8)))
    with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte must hold 20 labels in 0\.\.9"):
        read_mnist(tmp_path, "train", download=False)


@pytest.mark.usefixtures("own_digits")
@pytest.mark.parametrize("kept", [0, 3, 40, -10])
@pytest.mark.parametrize("packed", [True, False])
def test_truncated_files_are_reported(tmp_path: Path, kept: int, packed: bool) -> None:
    write_mnist(tmp_path, packed=packed)
    path = next(tmp_path.glob("train-images*"))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="train-images-idx3-ubyte"):
        read_mnist(tmp_path, "train", download=False)


@pytest.mark.usefixtures("own_digits")
def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path)
    monkeypatch.setattr(files, "_MAX_BYTES", 100)
    with pytest.raises(ValueError, match="is larger than 100 bytes"):
        read_mnist(tmp_path, "train", download=False)


def test_missing_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte\.gz is missing"):
        read_mnist(tmp_path, "train", download=False)


def test_superpixels_cover_the_image_and_know_their_grey() -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, :, 14:] = 255  # bright on the right
    store = slic_graphs(image, SlicOptions(num_segments=40))
    pos, grey = store.node["pos"], store.node["x"][:, 0]
    assert 25 < len(pos) < 60
    assert pos.abs().max() < 13.5
    assert (grey[pos[:, 0] > 1] > 0.9).all() and (grey[pos[:, 0] < -1] < 0.1).all()


def test_up_is_positive() -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, :14] = 255  # the first rows are the upper ones
    store = slic_graphs(image, SlicOptions(num_segments=40))
    assert (store.node["pos"][store.node["x"][:, 0] > 0.9, 1] > 0).all()


def test_neighbors_are_the_nearest_and_itself() -> None:
    images, _ = digits(3)
    store = slic_graphs(images, SlicOptions(num_neighbors=4))
    batch = store.gather([2, 0])
    sender, receiver = batch.edge_index
    assert batch.edge_index.dtype == torch.int64
    assert torch.equal(torch.bincount(receiver), torch.full((batch.num_nodes,), 5))
    assert torch.equal(batch.batch[sender], batch.batch[receiver])
    distance = torch.cdist(batch.pos, batch.pos)
    distance[batch.batch[:, None] != batch.batch] = torch.inf
    for node in (0, batch.num_nodes - 1):
        mine = sender[receiver == node]
        furthest = distance[node, mine].max()
        assert node in mine.tolist()
        others = torch.ones(batch.num_nodes, dtype=torch.bool)
        others[mine] = False
        assert (distance[node][others] >= furthest).all()


@pytest.mark.usefixtures("own_digits")
def test_slic_dataset(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    data = MNISTSlic(loader=LOADER, root=tmp_path, num_segments=30, num_neighbors=3)
    assert {part: len(index) for part, index in data.splits.items()} == {
        "train": 18, "val": 2, "test": 10,
    }  # fmt: skip
    assert (data.spec.dim, data.spec.out_channels, data.spec.target) == (2, 10, "y")
    test = data.store.gather(data.splits["test"])
    assert test.y.tolist() == digits(10, seed=10)[1].tolist()
    assert "30 segments, compactness 0.25, 3 neighbours" in data.spec.record.source


@pytest.mark.usefixtures("own_digits")
def test_prepared_file_is_made_once_and_again_when_corrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path / "mnist")
    first = MNISTSlic(loader=LOADER, root=tmp_path, num_segments=30)
    first.prepare_data()
    first.prepared.write_bytes(first.prepared.read_bytes()[:500])
    again = MNISTSlic(loader=LOADER, root=tmp_path, num_segments=30)
    assert len(again.store) == 30
    monkeypatch.setattr(module, "slic_graphs", lambda *_: pytest.fail("made again"))
    assert len(MNISTSlic(loader=LOADER, root=tmp_path, num_segments=30).store) == 30


@pytest.mark.parametrize("name", ["num_segments", "compactness", "num_neighbors"])
def test_settings_are_checked(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be positive, got 0"):
        MNISTSlic(loader=LOADER, root=tmp_path, **{name: 0})


def raw_superpixels(count: int) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(count)
    return [
        {
            "x": torch.rand(5, 1, generator=generator),
            "pos": 28 * torch.rand(5, 2, generator=generator),
            "edge_index": torch.tensor([[0, 1, 2, 3], [1, 0, 3, 4]]),
            "y": torch.tensor([number % 10]),
        }
        for number in range(count)
    ]


def test_superpixels_of_the_literature(tmp_path: Path) -> None:
    pytest.importorskip("torch_geometric")
    raw = tmp_path / "mnist_superpixels" / "raw"
    raw.mkdir(parents=True)
    graphs = raw_superpixels(20), raw_superpixels(10)
    torch.save(graphs, raw / "MNISTSuperpixels.pt")
    data = MNISTSuperpixels(loader=LOADER, root=tmp_path, download=False)
    assert {part: len(index) for part, index in data.splits.items()} == {
        "train": 18, "val": 2, "test": 10,
    }  # fmt: skip
    batch = data.store.gather(data.splits["test"][:2])
    assert batch.y.tolist() == [0, 1]
    torch.testing.assert_close(batch.pos[:5], graphs[1][0]["pos"])
    assert batch.edge_index.shape == (2, 2 * (4 + 5))  # a self-loop at each node


def test_file_that_could_run_something_is_rejected(tmp_path: Path) -> None:
    pytest.importorskip("torch_geometric")
    raw = tmp_path / "mnist_superpixels" / "raw"
    raw.mkdir(parents=True)
    torch.save(([Path("anything but a tensor")], []), raw / "MNISTSuperpixels.pt")
    with pytest.raises(ValueError, match="holds more than tensors and plain data"):
        MNISTSuperpixels(loader=LOADER, root=tmp_path, download=False).prepare_data()


@pytest.mark.parametrize("is_harmless", [True, False])
def test_fetched_archive_is_checked_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_harmless: bool
) -> None:
    pytest.importorskip("torch_geometric")
    monkeypatch.delenv("GEOZOO_OFFLINE")
    folder = tmp_path / "mnist_superpixels"
    folder.mkdir()
    graphs = raw_superpixels(20) if is_harmless else [Path("anything but a tensor")]
    torch.save((graphs, raw_superpixels(10)), tmp_path / "raw.pt")
    with zipfile.ZipFile(folder / "MNISTSuperpixels.zip", "w") as archive:
        archive.write(tmp_path / "raw.pt", "MNISTSuperpixels.pt")
    data = MNISTSuperpixels(loader=LOADER, root=tmp_path)
    if is_harmless:
        assert len(data.store) == 30
        return
    with pytest.raises(ValueError, match="holds more than tensors and plain data"):
        data.prepare_data()
    assert not (folder / "processed").exists()


def test_archive_without_the_file_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEOZOO_OFFLINE")
    folder = tmp_path / "mnist_superpixels"
    folder.mkdir()
    (folder / "MNISTSuperpixels.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"MNISTSuperpixels\.zip is corrupt or lacks"):
        MNISTSuperpixels(loader=LOADER, root=tmp_path).prepare_data()


def test_missing_superpixels_are_reported(tmp_path: Path) -> None:
    data = MNISTSuperpixels(loader=LOADER, root=tmp_path, download=False)
    with pytest.raises(FileNotFoundError, match=r"MNISTSuperpixels\.pt is missing.*data\.pyg\.org"):
        data.prepare_data()
