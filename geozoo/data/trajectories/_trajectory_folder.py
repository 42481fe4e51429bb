"""All trajectories of a path: a folder, or one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geozoo.data.trajectories._trajectory import Trajectory
from geozoo.data.trajectories._trajectory_arrays import read_arrays
from geozoo.data.trajectories._trajectory_table import read_table
from geozoo.files.checksums import content_hash
from geozoo.files.errors import read_csv_rows
from geozoo.files.separators import separator_of

_READERS = {".npz": read_arrays, ".csv": read_table}


def read_trajectories(path: Path, features: Sequence[str]) -> tuple[list[Trajectory], str]:
    """The trajectories of a folder or a file, and a hash of the file contents.

    Args:
        path: a folder of ``.npz`` or ``.csv`` files, read in the order of their names, or one file;
            see `read_arrays` and `read_table`.
        features: names of the constants of the points.

    Raises:
        FileNotFoundError: If the path does not exist, or the folder has no such files.
        ValueError: If a file has another format, is corrupt, or lacks an array or column.
    """
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in _READERS)
        if not files:
            raise FileNotFoundError(f"path: the folder {path} has no .npz or .csv files")
        if len(kinds := sorted({each.suffix.lower() for each in files})) > 1:
            raise ValueError(f"path: the folder {path} has {' and '.join(kinds)} files; keep one")
    elif path.is_file():
        files = [path]
    else:
        raise FileNotFoundError(f"path: there is no file or folder {path}")
    found: list[Trajectory] = []
    for number, file in enumerate(files):
        if file.suffix.lower() not in _READERS:
            raise ValueError(f"path: trajectories are .npz or .csv files, got {file}")
        read = _READERS[file.suffix.lower()]
        found += read(file, features, is_reported=number == 0)
    return found, content_hash(files)


def read_bones(path: Path) -> list[tuple[str, str]]:
    """The pairs of points of a table with two columns and a header.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the table has other than two columns, or no rows.
    """
    rows = read_csv_rows(path, separator=separator_of(path))
    if len(rows) < 2 or len(rows[0][1]) != 2:
        raise ValueError(
            f"inputs.edges: {path} must have a header and two columns, the points of each edge"
        )
    return [(first, second) for _, (first, second) in rows[1:]]


def bones_index(bones: Sequence[Sequence[str]], trajectory: Trajectory) -> np.ndarray:
    """Both directions of the pairs as ``[2, E]``, numbered as the points of a trajectory.

    Args:
        bones: names of the points, or their numbers if they have no names.
        trajectory: the trajectory.

    Raises:
        ValueError: If a point does not exist.
    """
    names = trajectory.points or [str(number) for number in range(trajectory.num_points)]
    number = {name: index for index, name in enumerate(names)}
    if unknown := [name for pair in bones for name in pair if name not in number]:
        listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise ValueError(
            f"inputs.edges: there is no point {unknown[0]!r} in {trajectory.name}; it has {listed}"
        )
    ends = np.array([[number[one], number[other]] for one, other in bones], dtype=np.int64).T
    both = np.concatenate([ends, ends[::-1]], 1)
    return np.unique(both[:, both[0] != both[1]], axis=1)
