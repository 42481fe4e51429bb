"""Options of point clouds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from geozoo.checks import check_choice

Rotation = Literal["none", "z", "all"]
Scale = Literal["unit_sphere", "centre", "none"]
CloudTarget = Literal["class", "parts"]
#: Names of the rotations in protocols.
_NAMES = {"none": "none", "z": "z", "all": "SO3"}


@dataclass(frozen=True)
class CloudRotation:
    """How clouds are rotated at random, once each.

    Attributes:
        train: ``none``, ``z`` (about the third axis) or ``all`` (every rotation), of training and
            validation clouds.
        test: the same for test clouds.

    Raises:
        ValueError: If a choice is unknown.

    >>> CloudRotation(train="z", test="all").protocol
    'z/SO3'
    """

    train: Rotation = "all"
    test: Rotation = "all"

    def __post_init__(self) -> None:
        """Validate the choices."""
        check_choice("rotation.train", self.train, get_args(Rotation))
        check_choice("rotation.test", self.test, get_args(Rotation))

    @property
    def protocol(self) -> str:
        """The name of the protocol in the field: training and test, ``z/SO3``."""
        return f"{_NAMES[self.train]}/{_NAMES[self.test]}"

    def of(self, part: str) -> Rotation:
        """The rotation of a split."""
        return self.test if part == "test" else self.train

    @property
    def conflict(self) -> str | None:
        """Why a task must not rotate training clouds again; None if it may."""
        if self.train == "all":
            return None
        return (
            f"the protocol is {self.protocol}, and random rotations in training would undo "
            f"dataset.rotation.train={self.train}: set task.augment=false, or "
            "dataset.rotation.train=all"
        )


@dataclass(frozen=True)
class CloudReading:
    """How files of points are read.

    Attributes:
        columns: names of the columns of text and npy files: ``x``, ``y``, ``z``, and as needed
            ``nx``, ``ny``, ``nz`` and others; None: those of a header, or, by their number, ``x y
            z [nx ny nz] [label]``.
        label: column or PLY property with the label of each point.
        features: columns or PLY properties that are inputs, after the column of ones.
        mesh: points of a mesh: on its ``surface``, uniform by area, or its ``vertices``.

    Raises:
        ValueError: If names are repeated or positions are not among them, or a choice is unknown.
    """

    columns: Sequence[str] | None = None
    label: str = "label"
    features: Sequence[str] = ()
    mesh: Literal["surface", "vertices"] = "surface"

    def __post_init__(self) -> None:
        """Validate the names."""
        check_choice("reading.mesh", self.mesh, ("surface", "vertices"))
        for option in ("columns", "features"):
            names = getattr(self, option)
            if isinstance(names, str) or len(set(names or ())) < len(names or ()):
                raise ValueError(f"reading.{option} must be different names, got {names!r}")
        if self.columns is not None and {"x", "y", "z"} - {*self.columns}:
            raise ValueError(f"reading.columns must contain x, y and z, got {list(self.columns)}")
