"""What a data set tells a model and a task about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Level = Literal["graph", "node"]
_COUNTS = ("in_channels", "in_vectors", "out_channels", "out_vectors")


@dataclass(frozen=True)
class DataSpec:
    """Sizes, units, statistics and protocol of a data set.

    It is plain data (strings, numbers, tuples, dicts), so it can be written into a checkpoint
    that loads with ``weights_only=True`` and into a run folder as YAML or JSON.

    Attributes:
        level: what is predicted: one value per ``"graph"`` or one per ``"node"``.
        dim: dimension of space, 2 or 3.
        in_channels: scalar input channels per node (field ``x``).
        in_vectors: vector input channels per node (field ``vec``).
        out_channels: scalar output channels.
        out_vectors: vector output channels.
        vector_fields: fields of a batch that turn with the input, for rotation augmentation.
        units: unit of each field; ``"1"`` for pure numbers.
        statistics: numbers measured on the training part only.
        protocol: what has to agree before two results may be compared: source of the data,
            name, hash and sizes of the split.
        family: the kind of data; every data set of this room is ``"geometric"``.

    Raises:
        ValueError: for an unknown level, a dimension other than 2 or 3, a negative number of
            channels, or a specification without any output.

    >>> spec = DataSpec(level="node", dim=3, in_channels=1, in_vectors=1, out_vectors=1)
    >>> spec.model_arguments()["in_vectors"]
    1
    """

    level: Level
    dim: int
    in_channels: int = 0
    in_vectors: int = 0
    out_channels: int = 0
    out_vectors: int = 0
    vector_fields: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    statistics: Mapping[str, float] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    family: str = "geometric"

    def __post_init__(self) -> None:
        """Refuse values that no model could be built from."""
        if self.level not in get_args(Level):
            raise ValueError(f"level must be one of {get_args(Level)}, got {self.level!r}")
        if self.dim not in (2, 3):
            raise ValueError(f"dim must be 2 or 3, got {self.dim!r}")
        for name in _COUNTS:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} must be a whole number >= 0, got {value!r}")
        if self.out_channels + self.out_vectors == 0:
            raise ValueError("out_channels and out_vectors are both 0: nothing to predict")

    def model_arguments(self) -> dict[str, Any]:
        """The constructor arguments of a model that only the data can know."""
        return {name: getattr(self, name) for name in (*_COUNTS, "dim", "level")}

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain dicts, lists, strings and numbers."""
        return {**asdict(self), "vector_fields": list(self.vector_fields)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataSpec:
        """The inverse of :meth:`to_dict`."""
        return cls(**{**values, "vector_fields": tuple(values["vector_fields"])})
