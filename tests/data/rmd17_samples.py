"""A small copy of the rMD17 archive's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geozoo.data import RMD17, LoaderOptions

LOADER = LoaderOptions(batch_size=5)
CHARGES = np.array([6, 8, 1, 1], dtype=np.uint8)
NUM_FRAMES = 300


def make_arrays(num_frames: int = NUM_FRAMES) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "nuclear_charges": CHARGES,
        "coords": rng.normal(size=(num_frames, 4, 3)) + 100.0,
        "energies": rng.normal(size=num_frames) - 97000.0,
        "forces": 20 * rng.normal(size=(num_frames, 4, 3)),
        "old_indices": 3 * np.arange(num_frames) + 7,
    }


def write_unpacked(folder: Path, arrays: dict[str, np.ndarray], molecule: str = "ethanol") -> None:
    """The unpacked archive with split 01: rows 0..99 train, 100..199 test."""
    (folder / "npz_data").mkdir(parents=True, exist_ok=True)
    (folder / "splits").mkdir(exist_ok=True)
    np.savez(folder / "npz_data" / f"rmd17_{molecule}.npz", **arrays)
    for part, start in (("train", 0), ("test", 100)):
        rows = np.arange(start, start + 100)
        np.savetxt(folder / "splits" / f"index_{part}_01.csv", rows, fmt="%d")


def ethanol(root: Path, **options: object) -> RMD17:
    return RMD17(**{"loader": LOADER, "molecule": "ethanol", "root": root, **options})
