"""Options of trajectories: what a model reads of them, and how they are split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from geozoo.checks import check_choice, check_radius, check_seed, check_whole

SplitBy = Literal["trajectory", "time"]
_PARTS = 3


@dataclass(frozen=True)
class PointInputs:
    """What a model reads of a trajectory at its input frame.

    Attributes:
        history: number of frames whose velocities are inputs: the input frame and those before it.
        features: columns of a table, or arrays of an npz file, with constants of each point, such
            as its mass; empty: the array ``x`` of an npz file, if there is one.
        radius: points closer than this at the input frame are neighbours, in the unit of the
            positions; None: the edges of the files, or all pairs.
        edges: table of two columns with the neighbours, such as the bones of a skeleton, by name or
            number of the point; both directions are added.
        point_index: whether the one-hot number of the point is an input; all trajectories must
            then have the same points.
        up: a fixed direction, such as ``[0, 0, 1]``, which is a further input vector: without it,
            an equivariant model does not know where gravity points. None: no such vector.
        normalize: whether the network reads positions, velocities and features divided by their
            scales in the training split, and predicts normalised changes.

    Raises:
        ValueError: If a value is invalid, or ``radius`` and ``edges`` are both given.
    """

    history: int = 1
    features: Sequence[str] = ()
    radius: float | None = None
    edges: str | Path | None = None
    point_index: bool = False
    up: Sequence[float] | None = None
    normalize: bool = True

    def __post_init__(self) -> None:
        """Validate the options."""
        check_whole("inputs.history", self.history, 1)
        check_radius(self.radius, optional=True)
        if self.radius is not None and self.edges is not None:
            raise ValueError("inputs.radius and inputs.edges are both given; set one of them")
        if isinstance(self.features, str):
            raise ValueError(f"inputs.features must be a list of names, got {self.features!r}")
        object.__setattr__(self, "features", tuple(str(name) for name in self.features or ()))
        if self.up is not None:
            up = np.asarray(self.up, dtype=np.float64)
            if up.ndim != 1 or not np.isfinite(up).all() or not np.linalg.norm(up) > 0:
                raise ValueError(f"inputs.up must be a direction, such as [0, 0, 1], got {self.up}")
            unit = up / np.linalg.norm(up)
            object.__setattr__(self, "up", tuple(float(each) for each in unit))


@dataclass(frozen=True)
class TrajectorySplit:
    """How trajectories are split into training, validation and test.

    Attributes:
        by: ``"trajectory"``: whole trajectories, in random order; ``"time"``: the first, middle and
            last frames of every trajectory, where no frame is used in two parts; None: by
            trajectory if there are at least three.
        fractions: shares of training, validation and test.
        seed: seed of the random order of the trajectories.
        file: ``.npz`` file with the numbers of the trajectories of ``train``, ``val`` and ``test``,
            instead; they are numbered in the order of reading.

    Raises:
        ValueError: If a value is invalid.
    """

    by: SplitBy | None = None
    fractions: Sequence[float] = (0.8, 0.1, 0.1)
    seed: int = 0
    file: str | Path | None = None

    def __post_init__(self) -> None:
        """Validate the options."""
        if self.by is not None:
            check_choice("split.by", self.by, get_args(SplitBy))
        if self.by == "time" and self.file is not None:
            raise ValueError("split.file gives the trajectories of each part; remove split.by=time")
        check_seed(self.seed, "split.seed")
        shares = tuple(float(each) for each in self.fractions)
        if len(shares) != _PARTS or min(shares) <= 0 or sum(shares) > 1 + 1e-9:
            raise ValueError(
                "split.fractions must be three positive shares of training, validation and test "
                f"that sum to at most 1, got {list(self.fractions)}"
            )
        object.__setattr__(self, "fractions", shares)
