"""The N-body dataset: official and simulated files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from nbody_samples import KNOWN, write_official

from geozoo.data import LoaderOptions, NBody, initial_state, simulate

LOADER = LoaderOptions(batch_size=10)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use six trajectories instead of 2000 for validation and test."""
    monkeypatch.setattr("geozoo.data.particles.nbody._NUM_EVALUATION", 6)


@pytest.fixture
def official(tmp_path: Path, small: None) -> tuple[Path, dict[str, np.ndarray]]:
    return tmp_path, write_official(tmp_path / "nbody")


@pytest.mark.parametrize(
    ("variant", "frames"), [("nbody_small", (30, 40)), ("nbody_small_out_dist", (20, 30))]
)
def test_official_files_are_read_as_they_are(official, variant: str, frames) -> None:
    root, arrays = official
    module = NBody(loader=LOADER, root=root, variant=variant, num_train=7)
    index = module.splits["val"][[2]]
    batch = module.store.gather(index)
    begin, end = frames
    expected = torch.from_numpy(arrays["loc_valid"][2]).float()
    torch.testing.assert_close(batch.pos, expected[begin].T)
    torch.testing.assert_close(batch.y, expected[end].T)
    torch.testing.assert_close(
        batch.vec[:, 0], torch.tensor(arrays["vel_valid"][2, begin].T).float()
    )
    torch.testing.assert_close(batch.x, torch.tensor(arrays["charges_valid"][2]).float())
    assert {part: len(split) for part, split in module.splits.items()} == {
        "train": 7,
        "val": 6,
        "test": 6,
    }


def test_specification(official) -> None:
    root, _ = official
    spec = NBody(loader=LOADER, root=root, num_train=3).spec
    assert spec.model_arguments() == {
        "level": "node",
        "dim": 3,
        "in_channels": 1,
        "in_vectors": 1,
        "out_channels": 0,
        "out_vectors": 1,
        "lattice": None,
    }
    assert spec.vector_fields == ("pos", "vec", "y")
    assert spec.record.source == "official"
    assert spec.record.other["frames"] == [30, 40]
    assert spec.record.sizes["train"] == 3


def test_auto_simulates_without_official_files(tmp_path: Path, small: None) -> None:
    module = NBody(loader=LOADER, root=tmp_path, num_train=4, seed=5)
    assert module.spec.record.source == "generated, seed 5, simulator v1"
    expected = simulate(initial_state(4, seed=(5, 0)), KNOWN)
    batch = module.store.gather(module.splits["train"])
    torch.testing.assert_close(
        batch.y, torch.from_numpy(expected.pos[:, 2]).float().reshape(-1, 3), atol=0, rtol=0
    )
    assert sorted(path.name for path in (tmp_path / "nbody").iterdir()) == [
        "simulated_v1_seed5_test_6.npz",
        "simulated_v1_seed5_train_4.npz",
        "simulated_v1_seed5_val_6.npz",
    ]


def test_simulated_files_are_used_again(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = NBody(loader=LOADER, root=tmp_path, num_train=4).spec

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("simulated again")

    monkeypatch.setattr("geozoo.data.particles._nbody_files.simulate", refuse)
    other = NBody(loader=LOADER, root=tmp_path, num_train=4, variant="nbody_small_out_dist")
    assert NBody(loader=LOADER, root=tmp_path, num_train=4).spec == first
    assert other.spec.record.data_hash != first.record.data_hash
    with pytest.raises(AssertionError, match="simulated again"):
        _ = NBody(loader=LOADER, root=tmp_path, num_train=4, seed=44).spec


def test_evaluation_does_not_depend_on_the_training_size(tmp_path: Path, small: None) -> None:
    modules = [NBody(loader=LOADER, root=tmp_path, num_train=n, source="generate") for n in (2, 4)]
    first, second = (module.store.gather(module.splits["test"]) for module in modules)
    torch.testing.assert_close(first.y, second.y, atol=0, rtol=0)
    few, many = (module.store.gather(module.splits["train"]) for module in modules)
    torch.testing.assert_close(few.y, many.y[: len(few.y)], atol=0, rtol=0)


def test_interrupted_simulation_leaves_no_file(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("geozoo.data.particles._nbody_files.np.savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        NBody(loader=LOADER, root=tmp_path, num_train=2).prepare_data()
    assert list((tmp_path / "nbody").iterdir()) == []


def test_corrupt_cache_is_reported(tmp_path: Path, small: None) -> None:
    module = NBody(loader=LOADER, root=tmp_path, num_train=2)
    module.prepare_data()
    path = tmp_path / "nbody" / "simulated_v1_seed43_train_2.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="train_2.npz is corrupt .*delete it"):
        module.setup()
    path.unlink()
    with pytest.raises(FileNotFoundError, match="train_2.npz is missing in .*nbody"):
        module.setup()


def official_path(root: Path, name: str) -> Path:
    return root / "nbody" / f"{name}_charged5_initvel1small.npy"


def test_one_missing_official_file_is_reported(official) -> None:
    root, _ = official
    official_path(root, "vel_test").unlink()
    with pytest.raises(
        FileNotFoundError, match="vel_test_charged5.* is missing in .*nbody.*source=generate"
    ):
        _ = NBody(loader=LOADER, root=root, num_train=3).spec


def test_official_source_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="loc_train_charged5.* is missing"):
        _ = NBody(loader=LOADER, root=tmp_path, source="official").spec


def test_nan_in_a_needed_frame_is_reported(official) -> None:
    root, arrays = official
    array = arrays["loc_valid"].copy()
    array[4, 40, 1, 2] = np.nan
    np.save(official_path(root, "loc_valid"), array)
    with pytest.raises(ValueError, match="loc_valid.* in frame 40 of trajectory 4"):
        _ = NBody(loader=LOADER, root=root, num_train=3).spec
    # frame 40 is not needed for the other variant
    other = NBody(loader=LOADER, root=root, num_train=3, variant="nbody_small_out_dist")
    assert len(other.store) == 15


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("loc_train", lambda a: a.swapaxes(2, 3), r"must have shape \(samples, 49, 3, 5\)"),
        ("charges_test", lambda a: a[:, :, 0], r"must have shape \(samples, 5, 1\)"),
        ("vel_valid", lambda a: a[:5], "the valid files differ in length: .*'vel': 5"),
        ("charges_train", lambda a: 2 * a, "charges must be -1 or 1"),
    ],
)
def test_official_files_of_another_kind_are_rejected(official, name, change, message) -> None:
    root, arrays = official
    np.save(official_path(root, name), change(arrays[name]))
    with pytest.raises(ValueError, match=message):
        _ = NBody(loader=LOADER, root=root, num_train=3).spec


def test_truncated_and_pickled_files_are_rejected(official) -> None:
    root, arrays = official
    path = official_path(root, "loc_train")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="loc_train.* is corrupt or not a complete .npy file"):
        _ = NBody(loader=LOADER, root=root, num_train=3).spec
    np.save(path, np.array([{"evil": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="is corrupt or not a complete .npy file of numbers"):
        _ = NBody(loader=LOADER, root=root, num_train=3).spec


def test_too_few_official_trajectories_are_reported(official) -> None:
    root, _ = official
    with pytest.raises(ValueError, match="loc_train.* must hold at least 9 trajectories, got 8"):
        _ = NBody(loader=LOADER, root=root, num_train=9).spec


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "big"}, "variant must be one of .*nbody_small_out_dist"),
        ({"source": "web"}, "source must be one of"),
        ({"num_train": 0}, r"num_train must be a whole number in 1..10000, got 0"),
        ({"num_train": 10001}, "num_train must be a whole number in 1..10000"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
    ],
)
def test_wrong_arguments_are_rejected(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NBody(loader=LOADER, **options)


def test_shared_official_files(official_data: Path) -> None:
    module = NBody(loader=LOADER, root=official_data)
    assert {part: len(split) for part, split in module.splits.items()} == {
        "train": 3000,
        "val": 2000,
        "test": 2000,
    }
    test = module.store.gather(module.splits["test"])
    # stated with the data: the error of predicting that nothing moves
    assert float((test.y - test.pos).square().mean()) == pytest.approx(0.2715, abs=5e-5)


@pytest.mark.thorough
def test_simulated_data_resemble_the_official_ones(official_data: Path, tmp_path: Path) -> None:
    modules = (
        NBody(loader=LOADER, root=official_data),
        NBody(loader=LOADER, root=tmp_path, source="generate"),
    )
    copy, speed = [], []
    for module in modules:
        test = module.store.gather(module.splits["test"])
        copy.append(float((test.y - test.pos).square().mean()))
        speed.append(float(test.vec.square().mean()))
    assert copy[1] == pytest.approx(copy[0], rel=0.08)
    assert speed[1] == pytest.approx(speed[0], rel=0.15)
