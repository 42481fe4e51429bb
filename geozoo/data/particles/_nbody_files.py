"""Files of the N-body data: the official arrays, and the cache of simulated ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geozoo.data.particles.nbody_simulator import (
    SIMULATOR_VERSION,
    NBodyState,
    initial_state,
    simulate,
)
from geozoo.files.folders import atomic_path
from geozoo.files.numpy_arrays import read_npy, read_npz
from geozoo.files.progress import progress_bar

#: Our name of each part, and its name in the official files.
PARTS = {"train": "train", "val": "valid", "test": "test"}
_KINDS = ("loc", "vel", "charges")
_NUM_FRAMES, _NUM_PARTICLES = 49, 5
#: All frames that a variant needs are kept, so that the variants share a file.
_KEPT_FRAMES = (20, 30, 40)
_SOURCE = (
    "they are written by the generator of github.com/vgsatorras/egnn "
    "(n_body_system/dataset, 5 charged particles, --sufix small)"
)


def official_path(folder: Path, kind: str, part: str) -> Path:
    """The file of one array (``loc``, ``vel`` or ``charges``) of one part."""
    return folder / f"{kind}_{PARTS[part]}_charged5_initvel1small.npy"


def has_official_files(folder: Path) -> bool:
    """Whether at least one official file is there."""
    return any(official_path(folder, kind, part).is_file() for kind in _KINDS for part in PARTS)


def read_official(folder: Path, part: str, *, count: int, frames: Sequence[int]) -> NBodyState:
    """Read some frames of the first trajectories of a part.

    Raises:
        FileNotFoundError: when a file is missing.
        ValueError: for a file of another shape, too few trajectories, or frames that are not
            finite.
    """
    arrays = {kind: _open(official_path(folder, kind, part), kind) for kind in _KINDS}
    lengths = {kind: len(array) for kind, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{folder}: the {PARTS[part]} files differ in length: {lengths}")
    if lengths["loc"] < count:
        name = official_path(folder, "loc", part).name
        raise ValueError(
            f"{name} in {folder} holds {lengths['loc']} trajectories, {count} are needed"
        )
    picked = {
        kind: np.asarray(arrays[kind][:count, list(frames)], dtype=np.float64)
        for kind in ("loc", "vel")
    }
    for kind, values in picked.items():
        _check_finite(values, official_path(folder, kind, part), frames)
    charge = np.asarray(arrays["charges"][:count, :, 0], dtype=np.float64)
    if not np.isin(charge, (-1.0, 1.0)).all():
        raise ValueError(f"{official_path(folder, 'charges', part)}: charges must be -1 or 1")
    return NBodyState(picked["loc"].swapaxes(-1, -2), picked["vel"].swapaxes(-1, -2), charge)


def generated_path(folder: Path, part: str, *, count: int, seed: int) -> Path:
    """The cache file of a simulated part."""
    return folder / f"simulated_v{SIMULATOR_VERSION}_seed{seed}_{part}_{count}.npz"


def generate_part(path: Path, part: str, *, count: int, seed: int) -> None:
    """Simulate a part and write its cache file.

    The parts draw from random streams of their own, so the validation and test parts do not
    depend on the size of the training part.
    """
    start = initial_state(count, seed=(seed, list(PARTS).index(part)))
    steps = count * (_KEPT_FRAMES[-1] + 1)
    with progress_bar(f"Simulating {count} trajectories ({part})", steps) as advance:
        result = simulate(start, _KEPT_FRAMES, progress=advance)
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez(file, loc=result.pos, vel=result.vel, charges=result.charge, frames=_KEPT_FRAMES)


def read_generated(path: Path, *, count: int, frames: Sequence[int]) -> NBodyState:
    """Read some frames of a simulated part.

    Raises:
        FileNotFoundError: when the file is missing.
        ValueError: when it is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is missing in {path.parent}: call prepare_data() to simulate it"
        )
    try:
        arrays = read_npz(path, ("loc", "vel", "charges", "frames"))
    except ValueError as error:
        raise ValueError(f"{error}; delete it and it will be simulated again") from error
    shape = (count, len(_KEPT_FRAMES), _NUM_PARTICLES, 3)
    if arrays["loc"].shape != shape or arrays["vel"].shape != shape:
        raise ValueError(
            f"{path} is damaged (shape {arrays['loc'].shape} instead of {shape}); delete it and it "
            "will be simulated again"
        )
    columns = [arrays["frames"].tolist().index(frame) for frame in frames]
    return NBodyState(arrays["loc"][:, columns], arrays["vel"][:, columns], arrays["charges"])


def _open(path: Path, kind: str) -> np.ndarray:
    """Map an official file, of which only the needed frames will be read."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is missing in {path.parent}. Put the official files there ({_SOURCE}), "
            "or set source=generate to use simulated trajectories"
        )
    array = read_npy(path, mmap=True)
    wanted = (_NUM_PARTICLES, 1) if kind == "charges" else (_NUM_FRAMES, 3, _NUM_PARTICLES)
    if array.shape[1:] != wanted:
        text = ", ".join(map(str, ("samples", *wanted)))
        raise ValueError(f"{path} must have the shape ({text}), got {array.shape}")
    return array


def _check_finite(values: np.ndarray, path: Path, frames: Sequence[int]) -> None:
    wrong = ~np.isfinite(values).all((2, 3))
    if wrong.any():
        sample, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{path} holds NaN or infinite values in frame {frames[column]} "
            f"of trajectory {sample}, which is needed"
        )
