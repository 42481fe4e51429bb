"""Small files in the official layout of the N-body dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

#: Frames that hold numbers.
KNOWN = (20, 30, 40)


def write_official(folder: Path, *, num_train: int = 8) -> dict[str, np.ndarray]:
    """Files in the official layout, with NaN in the frames that are not read."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    written = {}
    for part, count in (("train", num_train), ("valid", 6), ("test", 6)):
        for kind in ("loc", "vel"):
            array = np.full((count, 49, 3, 5), np.nan)
            array[:, KNOWN] = rng.normal(size=(count, 3, 3, 5))
            written[f"{kind}_{part}"] = array
        written[f"charges_{part}"] = rng.choice([-1.0, 1.0], (count, 5, 1))
    for name, array in written.items():
        np.save(folder / f"{name}_charged5_initvel1small.npy", array)
    return written
