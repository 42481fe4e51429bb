"""Small trajectories and their files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from geozoo.data import LoaderOptions, Trajectories


def walks(count: int = 5, frames: int = 12, points: int = 3, dim: int = 3) -> np.ndarray:
    """Random walks ``[S, T, P, dim]``."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, frames, points, dim)).cumsum(1) + 100


def write_folder(folder: Path, pos: np.ndarray, **arrays: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(pos):
        np.savez(folder / f"trial_{number}.npz", pos=each, **arrays)
    return folder


def write_table(
    path: Path, pos: np.ndarray, *, names: tuple[str, ...] = ("hip", "knee", "toe"),
    dt: float | None = 0.5, vel: np.ndarray | None = None, mass: bool = True,
    left_out: tuple[tuple[int, int, int], ...] = (), separator: str = ",",
) -> Path:  # fmt: skip
    axes = ["x", "y", "z"][: pos.shape[3]]
    speeds = [f"v{axis}" for axis in axes] if vel is not None else []
    with path.open("w", newline="") as file:
        table = csv.writer(file, delimiter=separator)
        keys = ["trajectory", "frame" if dt is None else "time", "point"]
        table.writerow([*keys, *axes, *speeds, *(["mass", "note"] if mass else [])])
        for s, t, p in np.ndindex(pos.shape[:3]):
            if (s, t, p) in left_out:
                continue
            key = 10 + t if dt is None else round(t * dt, 3)
            row = [f"run{s}", key, names[p], *pos[s, t, p]]
            row += [] if vel is None else [*vel[s, t, p]]
            table.writerow([*row, *([1.0 + p, "-"] if mass else [])])
    return path


def made(path: Path, **options: Any) -> Trajectories:
    options = {"horizon": 3, **options}
    return Trajectories(path=path, loader=LoaderOptions(batch_size=4), **options)
