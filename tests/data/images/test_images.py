"""Images as regular grids: the store, MNIST pixels, user-supplied files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mnist_samples import digits, write_mnist

from geozoo.data import ImageStore, LabelledImages, LoaderOptions, MNISTPixels, pixel_positions
from geozoo.data.images import _mnist_files as files
from geozoo.geometry import lattice_steps

LOADER = LoaderOptions(batch_size=4)


def numbers(*shape: int) -> torch.Tensor:
    return torch.arange(int(np.prod(shape))).view(shape)


def test_positions_are_upright_and_a_lattice() -> None:
    pos = pixel_positions([3, 5])
    assert pos[0].tolist() == [-2.0, 1.0]  # the first pixel is the upper left one
    assert pos[4].tolist() == [2.0, 1.0]
    assert lattice_steps(pos, [3, 5], 1)[0].tolist() == [[0.0, -1.0], [1.0, 0.0]]
    assert pixel_positions([2, 3, 5]).mean(0).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("shape", [[3, 4], [2, 3, 4]])
def test_images_are_gathered_in_order(shape: list[int]) -> None:
    images = numbers(5, *shape, 2).float()
    store = ImageStore(images, {"y": torch.arange(5)})
    batch = store.gather([3, 0, 3])
    size = int(np.prod(shape))
    assert batch.num_graphs == 3
    assert torch.equal(batch.x, images[[3, 0, 3]].view(-1, 2))
    assert torch.equal(batch.pos, pixel_positions(shape).repeat(3, 1))
    assert torch.equal(batch.batch, torch.arange(3).repeat_interleave(size))
    assert batch.ptr.tolist() == [0, size, 2 * size, 3 * size]
    assert batch.y.tolist() == [3, 0, 3]
    assert [batch.level(name) for name in ("pos", "x", "y")] == ["node", "node", "graph"]
    with pytest.raises(IndexError):
        store.gather([5])


def test_bytes_become_shares() -> None:
    store = ImageStore(torch.tensor([[[[0], [51]], [[255], [102]]]], dtype=torch.uint8), {})
    torch.testing.assert_close(store.gather([0]).x[:, 0], torch.tensor([0.0, 0.2, 1.0, 0.4]))


def test_store_knows_its_memory_and_moves() -> None:
    store = ImageStore(torch.zeros(5, 4, 4, 1, dtype=torch.uint8), {"y": torch.arange(5)})
    assert store.nbytes == 5 * 16 + 16 * 2 * 4 + 5 * 8
    assert store.to("cpu") is store
    moved = store.to("meta")
    assert (moved.device.type, moved.shape, len(moved)) == ("meta", (4, 4), 5)


@pytest.mark.parametrize(
    ("images", "graph", "message"),
    [
        (torch.zeros(5, 4, 4), {}, r"images must have shape .* got \(5, 4, 4\)"),
        (torch.full((1, 2, 2, 1), torch.nan), {}, "images contain NaN"),
        (torch.zeros(2, 2, 2, 1), {"y": torch.zeros(3)}, "y must have 2 rows, got 3"),
    ],
)
def test_bad_images_are_rejected(images: torch.Tensor, graph: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageStore(images, graph)


def test_mnist_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_check_content", lambda *given: None)  # made digits
    write_mnist(tmp_path / "mnist")
    data = MNISTPixels(loader=LOADER, root=tmp_path)
    assert {part: len(index) for part, index in data.splits.items()} == {
        "train": 18, "val": 2, "test": 10,
    }  # fmt: skip
    spec = data.spec
    assert (spec.dim, spec.out_channels, spec.lattice) == (2, 10, (28, 28))
    assert spec.model_arguments()["lattice"] == [28, 28]
    images, labels = digits(10, seed=10)
    test = data.store.gather(data.splits["test"])
    assert test.y.tolist() == labels.tolist()
    torch.testing.assert_close(test.x.view(10, 28, 28), torch.from_numpy(images).float() / 255)


def test_missing_images_are_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte\.gz is missing"):
        MNISTPixels(loader=LOADER, root=tmp_path, download=False).setup()


def arrays(shape: tuple[int, ...], dtype: str = "uint8") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made: dict[str, np.ndarray] = {}
    for part, count in (("train", 6), ("val", 3), ("test", 4)):
        made[f"{part}_images"] = rng.integers(0, 255, (count, *shape)).astype(dtype)
        made[f"{part}_labels"] = rng.integers(0, 3, (count, 1)).astype(np.uint8)
    made["train_labels"][0] = 2
    return made


def own(path: Path, content: dict[str, np.ndarray]) -> LabelledImages:
    np.savez_compressed(path, **content)
    return LabelledImages(path=path, loader=LOADER)


@pytest.mark.parametrize(
    ("shape", "lattice", "channels"),
    [
        ((5, 4), (5, 4), 1),
        ((5, 4, 3), (5, 4), 3),
        ((6, 5, 7), (6, 5, 7), 1),
        ((6, 5, 7, 2), (6, 5, 7), 2),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float64", "int16"])
def test_own_images(
    tmp_path: Path, shape: tuple[int, ...], lattice: tuple[int, ...], channels: int, dtype: str
) -> None:
    content = arrays(shape, dtype)
    data = own(tmp_path / "own.npz", content)
    spec = data.spec
    assert (spec.lattice, spec.dim, spec.in_channels) == (lattice, len(lattice), channels)
    assert spec.out_channels == 3
    test = data.store.gather(data.splits["test"])
    expected = torch.from_numpy(content["test_images"]).float() / (255 if dtype == "uint8" else 1)
    torch.testing.assert_close(test.x.flatten(), expected.flatten())
    assert test.y.tolist() == content["test_labels"][:, 0].tolist()


SPOILT = [
    ("val_labels", lambda v: v[:2], "val_labels must be 3 whole numbers, one per image"),
    ("val_labels", lambda v: v.astype(float), "val_labels must be 3 whole numbers"),
    ("val_labels", lambda v: v.astype(int) - 9, "val_labels must not be negative, got -"),
    (
        "test_images",
        lambda v: v[:, :4],
        r"images of all splits must have the same size, got \(5, 4",
    ),
    ("test_images", lambda v: v[:, 0], "test_images must be numbers of shape"),
    ("test_images", lambda v: v[:0], "test_images must be numbers of shape"),
    (
        "test_images",
        lambda v: v.astype(str),
        "test_images.npy: it holds <U3, expected real",
    ),
    ("test_images", lambda v: v * np.nan, "test_images contains NaN"),
    ("test_images", lambda v: v + 1e40, "test_images contains NaN or infinite"),
    ("test_images", lambda v: v[:, :1], "test_images must have at least two pixels per axis"),
    ("test_images", lambda v: np.array([{"a": 1}]), "not an npz file .*Python objects"),
]


@pytest.mark.parametrize(("name", "spoil", "message"), SPOILT, ids=[m for *_, m in SPOILT])
def test_what_is_wrong_is_said(tmp_path: Path, name: str, spoil: Any, message: str) -> None:
    content = arrays((5, 4))
    content[name] = spoil(content[name])
    with pytest.raises(ValueError, match=message):
        own(tmp_path / "own.npz", content).setup()


def test_missing_arrays_are_reported(tmp_path: Path) -> None:
    content = arrays((5, 4))
    del content["val_images"]
    with pytest.raises(ValueError, match="it lacks val_images; it has train_images"):
        own(tmp_path / "own.npz", content).setup()


@pytest.mark.parametrize("kept", [0, 10, 300, -20])
def test_truncated_files_are_reported(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "own.npz"
    data = own(path, arrays((5, 4)))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"own\.npz is corrupt or not an npz file"):
        data.setup()


def test_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"path: there is no file .*none\.npz"):
        LabelledImages(path=tmp_path / "none.npz", loader=LOADER).setup()
