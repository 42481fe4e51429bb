"""What a data set tells a model and a task about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from inspect import Parameter, signature
from typing import Any, ClassVar, Literal, get_args

from geozoo.checks import check_whole
from geozoo.contracts.families import OUTPUT_ARGUMENTS, lacking_outputs
from geozoo.data.record import DataRecord
from geozoo.geometry import check_lattice

Level = Literal["graph", "node"]
_COUNTS = ("in_channels", "in_vectors", "out_channels", "out_vectors")


def check_outputs(name: str, arguments: Collection[str], sizes: Mapping[str, Any]) -> None:
    """Refuse a model without the outputs of the data.

    Args:
        name: the model in the message.
        arguments: the names of its constructor's arguments.
        sizes: what the data set of them (`DataSpec.model_arguments`).

    Raises:
        ValueError: if the data have scalar or vector outputs and the model has only the other kind.
    """
    wanted = [kind for kind, key in OUTPUT_ARGUMENTS.items() if sizes.get(key)]
    kind = lacking_outputs(arguments, wanted)
    if kind is not None:
        key = OUTPUT_ARGUMENTS[kind]
        raise ValueError(
            f"{name} has no {kind} outputs, of which the data set has {sizes[key]} for each node "
            f"or graph ({key}): choose another model"
        )


@dataclass(frozen=True, kw_only=True)
class DataSpec(ABC):
    """Units, statistics and record of a data set of any family.

    It is plain data (strings, numbers, lists, dicts), so it can be written into a checkpoint
    that loads with ``weights_only=True`` and into a run folder as YAML or JSON.

    Attributes:
        units: unit of each field; ``"1"`` for pure numbers.
        statistics: numbers measured on the training part only.
        record: what has to agree before two results may be compared: which data, how they were
            split, and how they were read.
        family: the kind of data: what a batch holds and how a model is called.
    """

    units: Mapping[str, str] = field(default_factory=dict)
    statistics: Mapping[str, Any] = field(default_factory=dict)
    record: DataRecord = field(default_factory=DataRecord)
    family: ClassVar[str]

    @abstractmethod
    def _sizes(self) -> dict[str, Any]:
        """Every constructor argument of a model that only the data can know."""

    def model_arguments(self, model: Callable[..., Any] | None = None) -> dict[str, Any]:
        """The constructor arguments of a model that only the data can know.

        Args:
            model: the class (or function) that makes the model: only arguments that it takes are
                returned. None: all of them.

        Raises:
            ValueError: if the data have outputs that the model does not offer.

        >>> class Distances:
        ...     def __init__(self, out_channels: int, dim: int = 3): ...
        >>> GeometricSpec(level="graph", dim=3, out_channels=1).model_arguments(Distances)
        {'out_channels': 1, 'dim': 3}
        """
        sizes = self._sizes()
        if model is None:
            return sizes
        parameters = signature(model).parameters
        if any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values()):
            return sizes
        check_outputs(getattr(model, "__name__", str(model)), parameters, sizes)
        return {name: value for name, value in sizes.items() if name in parameters}

    def differences(self, other: DataSpec) -> list[str]:
        """Why a model made for these data cannot be given others; empty where it can.

        Args:
            other: the description of the other data.

        >>> spec = GeometricSpec(level="graph", dim=3, in_channels=5, out_channels=1)
        >>> spec.differences(GeometricSpec(level="graph", dim=3, in_channels=9, out_channels=1))
        ['in_channels is 5 for the model and 9 here']
        """
        if self.family != other.family:
            return [f"the family is {self.family} for the model and {other.family} here"]
        own, theirs = self._contract(), other._contract()
        return [
            f"{name} is {own[name]} for the model and {theirs[name]} here"
            for name in own
            if own[name] != theirs[name]
        ]

    def _contract(self) -> dict[str, Any]:
        """What has to be alike for a model to be given other data."""
        target = getattr(self, "target", "y")
        unit = self.units.get(target, self.units.get("y"))
        return {**self._sizes(), "target": target, "unit of the target": unit}

    def to_dict(self) -> dict[str, Any]:
        """The family and all fields as plain dicts, lists, strings and numbers.

        The record is stored as ``protocol``, the name that runs and models of all versions have.
        """
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        del plain["record"]
        return {"family": self.family, **plain, "protocol": self.record.to_dict()}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> DataSpec:
        """The inverse of :meth:`to_dict`.

        Raises:
            ValueError: for a family that is not known.
        """
        families = {kind.family: kind for kind in (GeometricSpec, ForecastSpec)}
        rest = dict(values)
        family = rest.pop("family", None)
        record = DataRecord.from_dict(rest.pop("protocol", {}))
        if family not in families:
            raise ValueError(f"family must be one of {tuple(families)}, got {family!r}")
        plain = {key: tuple(v) if isinstance(v, list) else v for key, v in rest.items()}
        return families[family](**plain, record=record)


@dataclass(frozen=True, kw_only=True)
class GeometricSpec(DataSpec):
    """The description of points in space with features.

    Attributes:
        level: what is predicted: one value per ``"graph"`` or one per ``"node"``.
        dim: dimension of space, 2 or 3.
        in_channels: scalar input channels per node (field ``x``).
        in_vectors: vector input channels per node (field ``vec``).
        out_channels: scalar output channels.
        out_vectors: vector output channels.
        vector_fields: fields of a batch that turn with the input, for rotation augmentation.
        target: field of a batch that a task predicts unless told otherwise.
        lattice: points along each axis, where every graph is a regular point set of that shape in
            row-major order, such as an image; None: any points.
        elements: atomic number of each column of ``x``, where that is the one-hot of the element:
            what turns a structure file into an input; empty: ``x`` is something else.
        has_edges: whether the graphs come with edges of their own; False: every pair counts; None:
            not known (descriptions of earlier versions).

    Raises:
        ValueError: for an unknown level, a dimension other than 2 or 3, a negative number of
            channels, a lattice of another dimension, elements that are not one for each channel,
            or a specification without any output.

    >>> spec = GeometricSpec(level="node", dim=3, in_channels=1, in_vectors=1, out_vectors=1)
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
    target: str = "y"
    lattice: tuple[int, ...] | None = None
    elements: tuple[int, ...] = ()
    has_edges: bool | None = None
    family: ClassVar[str] = "geometric"

    def __post_init__(self) -> None:
        """Refuse values that no model could be built from."""
        if self.level not in get_args(Level):
            raise ValueError(f"level must be one of {get_args(Level)}, got {self.level!r}")
        if self.dim not in (2, 3):
            raise ValueError(f"dim must be 2 or 3, got {self.dim!r}")
        for name in _COUNTS:
            check_whole(name, getattr(self, name), 0)
        if self.lattice is not None:
            check_lattice(self.lattice, self.dim)
        if self.elements and len(self.elements) != self.in_channels:
            raise ValueError(
                f"elements must name one for each of the {self.in_channels} columns of x, got "
                f"{len(self.elements)}"
            )
        if self.out_channels + self.out_vectors == 0:
            raise ValueError("out_channels and out_vectors are both 0: nothing to predict")

    def differences(self, other: DataSpec) -> list[str]:
        """See `DataSpec.differences`; data with an element that is new to the model differ too.

        So do graphs with edges for a model of every pair, and inputs that are computed otherwise.
        """
        found = super().differences(other)
        if self.family == other.family:
            found += self._input_differences(other)
        if found or not self.elements:
            return found
        given = getattr(other, "elements", ())
        new = [z for own, z in zip(self.elements, given, strict=False) if z and z != own]
        known = sorted(filter(None, self.elements))
        told = f"elements {new} (atomic numbers) are new to the model, which knows {known}"
        return [told] if new else []

    def _input_differences(self, other: DataSpec) -> list[str]:
        own, theirs = self.inputs, other.inputs
        return [
            f"{name} is {own[name]} for the model and {theirs[name]} here"
            for name in own
            if name in theirs and own[name] != theirs[name]
        ]

    @property
    def inputs(self) -> dict[str, str | bool]:
        """What is known of how the inputs are made, beyond their number.

        Whether graphs have edges of their own; and of a data set whose columns and edges can be
        made in several ways, its arguments ``features``, ``edges`` and, where it counts, ``bonds``.
        """
        known = {} if self.has_edges is None else {"edges of their own": self.has_edges}
        made = self.record.inputs
        if made is None:
            return known
        chosen = {"features": made.features, "edges": made.edges}
        known |= {key: value for key, value in chosen.items() if value is not None}
        if made.features == "chemistry" or made.edges == "bonds":
            # Behind the word is the version that found them.
            known["bonds"] = str(made.bonds).partition(" ")[0].rstrip("s")
        return known

    def _sizes(self) -> dict[str, Any]:
        """Numbers of channels, dimension, level and lattice."""
        lattice = None if self.lattice is None else list(self.lattice)
        return {
            **{name: getattr(self, name) for name in (*_COUNTS, "dim", "level")},
            "lattice": lattice,
        }


@dataclass(frozen=True, kw_only=True)
class ForecastSpec(DataSpec):
    """The description of a series on the sensors of a graph.

    Attributes:
        num_nodes: number of sensors ``N``.
        in_channels: features per sensor and step ``F``; the first one is predicted.
        input_steps: steps that a model sees, ``T``.
        horizon: steps that it predicts.
        interval: minutes from a step to the next.
        target: name of the predicted feature, ``"flow"``.

    Raises:
        ValueError: for a size below 1, or an interval that does not divide a day.
    """

    num_nodes: int
    in_channels: int
    input_steps: int
    horizon: int
    interval: int
    target: str
    family: ClassVar[str] = "forecasting"

    def __post_init__(self) -> None:
        """Refuse values that no model could be built from."""
        for name in ("num_nodes", "in_channels", "input_steps", "horizon", "interval"):
            check_whole(name, getattr(self, name), 1)
        if 1440 % self.interval:
            raise ValueError(f"interval must divide a day of 1440 minutes, got {self.interval}")

    @property
    def steps_per_day(self) -> int:
        """Steps from midnight to midnight."""
        return 1440 // self.interval

    def _sizes(self) -> dict[str, Any]:
        """Numbers of sensors, features and steps."""
        names = ("num_nodes", "in_channels", "input_steps", "horizon", "steps_per_day")
        return {name: getattr(self, name) for name in names}
