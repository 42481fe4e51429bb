"""Sizes at which one set of weights is trained and run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any

from geozoo.contracts import Resizable

#: Numbers of orientations that are trained unless others are given, up to those of the model.
_ORIENTATIONS = (6, 8, 12, 16, 20, 32)
#: Layers that are trained unless others are given, as a fraction of those of the model.
_LAYERS = 0.6
#: What a size consists of.
SIZE_NAMES = ("orientations", "num_layers", "width")


@dataclass(frozen=True)
class Size:
    """The size of a network, see `geozoo.models.Ponita.resized`.

    Attributes:
        orientations: number of orientations; None: the network has no grid.
        num_layers: number of layers.
        width: fraction of the channels of the largest network.
    """

    orientations: int | None
    num_layers: int
    width: float

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of ``resized``."""
        return {name: getattr(self, name) for name in SIZE_NAMES}

    def __str__(self) -> str:
        """``8 orientations, 3 layers, width 0.5``."""
        grid = "" if self.orientations is None else f"{self.orientations} orientations, "
        return f"{grid}{self.num_layers} layers, width {self.width:g}"


@dataclass(frozen=True)
class ElasticSizes:
    """All combinations of numbers of orientations, layers and widths.

    Attributes:
        orientations: numbers of orientations, ascending; empty: the network has no grid.
        num_layers: numbers of layers, ascending.
        width: fractions of the channels, ascending.
    """

    orientations: tuple[int, ...]
    num_layers: tuple[int, ...]
    width: tuple[float, ...]

    @classmethod
    def of(
        cls,
        model: Any,
        *,
        orientations: Sequence[int] | None = None,
        num_layers: Sequence[int] | None = None,
        width: Sequence[float] = (0.5, 0.75, 1.0),
    ) -> ElasticSizes:
        """The sizes of a model, with its own as the largest; every one is tried.

        Args:
            model: the largest network.
            orientations: numbers of orientations; None: 6, 8, 12, 16, 20 and 32, as far as the
                model has more.
            num_layers: numbers of layers; None: from 60 % of those of the model.
            width: fractions of the channels.

        Raises:
            ValueError: If the model cannot be resized, or has no such part.
        """
        if not isinstance(model, Resizable):
            raise ValueError(
                "model must be one whose size can be chosen (geozoo.contracts.Resizable), such as "
                f"Ponita, got {type(model).__name__}"
            )
        grid, layers = model.orientations, int(model.size_arguments["num_layers"])
        if orientations is None:
            orientations = [] if grid is None else [n for n in _ORIENTATIONS if n < len(grid)]
        elif grid is not None and any(number > len(grid) for number in orientations):
            raise ValueError(
                f"orientations must be at most {len(grid)}, those of the model, got "
                f"{list(orientations)}"
            )
        if num_layers is None:
            num_layers = range(ceil(_LAYERS * layers - 1e-9), layers + 1)
        own = () if grid is None else (len(grid),)
        sizes = cls(
            tuple(sorted({*orientations, *own})), tuple(sorted({*num_layers, layers})),
            tuple(sorted({*map(float, width), 1.0})),
        )  # fmt: skip
        for name in SIZE_NAMES:
            for value in getattr(sizes, name):
                model.resized(**{name: value})
        return sizes

    @property
    def largest(self) -> Size:
        """The size of the whole network."""
        return self._at(-1)

    @property
    def smallest(self) -> Size:
        """The smallest size in every respect."""
        return self._at(0)

    def _at(self, position: int) -> Size:
        grid = self.orientations[position] if self.orientations else None
        return Size(grid, self.num_layers[position], self.width[position])

    def __iter__(self) -> Iterator[Size]:
        """All sizes, the smallest first."""
        grids: tuple[int | None, ...] = self.orientations or (None,)
        return (Size(*each) for each in product(grids, self.num_layers, self.width))

    def ladder(self) -> list[Size]:
        """A few sizes from the smallest to the largest, growing in all respects at once."""
        grids: tuple[int | None, ...] = self.orientations or (None,)
        steps = max(len(grids), len(self.num_layers), len(self.width))

        def at(step: int, count: int) -> int:
            return round(step * (count - 1) / max(1, steps - 1))

        rungs = [
            Size(
                grids[at(step, len(grids))], self.num_layers[at(step, len(self.num_layers))],
                self.width[at(step, len(self.width))],
            )
            for step in range(steps)
        ]  # fmt: skip
        return list(dict.fromkeys(rungs))

    def chosen(
        self, *, orientations: int | None, num_layers: int | None, width: float | None
    ) -> Size:
        """One of these sizes; what is None is as in the largest.

        Raises:
            ValueError: If a value was not trained.
        """
        largest, values = self.largest, (orientations, num_layers, width)
        picked: dict[str, Any] = {}
        for name, value in zip(SIZE_NAMES, values, strict=True):
            trained = getattr(self, name)
            if value is not None and value not in trained:
                known = ", ".join(f"{each:g}" for each in trained) or "no other value"
                raise ValueError(
                    f"{name} must be one of the sizes that were trained: {known}; got {value!r}"
                )
            picked[name] = getattr(largest, name) if value is None else value
        return Size(**picked)

    def to_dict(self) -> dict[str, list[Any]]:
        """As plain data."""
        return {name: list(getattr(self, name)) for name in SIZE_NAMES}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> ElasticSizes:
        """From plain data.

        Raises:
            ValueError: If it does not have three lists of positive numbers.
        """
        wanted = f"{', '.join(SIZE_NAMES)}, each a list of positive numbers"
        if not isinstance(given, Mapping) or given.keys() != set(SIZE_NAMES):
            raise ValueError(f"elastic must have {wanted}, got {given!r}")
        for name, values in given.items():
            kinds = (int, float) if name == "width" else (int,)
            if (
                not isinstance(values, list | tuple)
                or not (values or name == "orientations")
                or any(type(each) not in kinds or each <= 0 for each in values)
            ):
                raise ValueError(f"elastic must have {wanted}, got {name}: {values!r}")
        return cls(**{name: tuple(values) for name, values in given.items()})
