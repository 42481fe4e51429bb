"""Data specifications: what models and tasks need to know about a dataset."""

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
    """Check that a model has the outputs that the dataset requires.

    Args:
        name: name of the model, for the message.
        arguments: names of its constructor arguments.
        sizes: values of the dataset for them (`DataSpec.model_arguments`).

    Raises:
        ValueError: If the data have scalar or vector outputs and the model only the other kind.
    """
    wanted = [kind for kind, key in OUTPUT_ARGUMENTS.items() if sizes.get(key)]
    kind = lacking_outputs(arguments, wanted)
    if kind is not None:
        key = OUTPUT_ARGUMENTS[kind]
        is_extra = kind == "vector" and "scalar" in wanted
        raise ValueError(
            f"{name} has no {kind} outputs, but the dataset requires {sizes[key]} per node or "
            f"graph ({key}): choose another model"
            + (", or task.atomic_dipoles=false for dipoles of charges only" if is_extra else "")
        )


@dataclass(frozen=True, kw_only=True)
class DataSpec(ABC):
    """Units, statistics and record of a dataset of any family.

    It is plain data (strings, numbers, lists, dicts), so it can be stored in a checkpoint that
    loads with ``weights_only=True`` and in a run folder as YAML or JSON.

    Attributes:
        units: unit of each field; ``"1"`` for dimensionless quantities.
        statistics: numbers computed on the training split only.
        record: provenance that must agree for results to be comparable: which data, how they were
            split, and how they were read.
        family: kind of data, which determines the contents of a batch and the model's signature.
    """

    units: Mapping[str, str] = field(default_factory=dict)
    statistics: Mapping[str, Any] = field(default_factory=dict)
    record: DataRecord = field(default_factory=DataRecord)
    family: ClassVar[str]

    @abstractmethod
    def _sizes(self) -> dict[str, Any]:
        """All constructor arguments of a model that the data determine."""

    def model_arguments(self, model: Callable[..., Any] | None = None) -> dict[str, Any]:
        """The constructor arguments of a model that the data determine.

        Args:
            model: class (or factory function) of the model: only arguments that it accepts are
                returned. None: all of them.

        Raises:
            ValueError: If the data require outputs that the model does not have.

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
        """Why a model built for these data cannot be applied to others; empty if it can.

        Args:
            other: the specification of the other data.

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
        """What must be equal for a model to be applicable to other data."""
        target = getattr(self, "target", "y")
        unit = self.units.get(target, self.units.get("y"))
        return {**self._sizes(), "target": target, "unit of the target": unit}

    def to_dict(self) -> dict[str, Any]:
        """The family and all fields as plain dicts, lists, strings and numbers.

        The record is stored under the key ``protocol``, which runs and models of all versions use.
        """
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        del plain["record"]
        return {"family": self.family, **plain, "protocol": self.record.to_dict()}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> DataSpec:
        """The inverse of :meth:`to_dict`.

        Raises:
            ValueError: If the family is unknown.
        """
        families = {kind.family: kind for kind in (GeometricSpec, ForecastSpec)}
        rest = dict(values)
        family = rest.pop("family", None)
        record = DataRecord.from_dict(rest.pop("protocol", {}))
        if family not in families:
            raise ValueError(f"family must be one of {tuple(families)}, got {family!r}")
        plain: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in rest.items()
        }
        return families[family](**plain, record=record)


@dataclass(frozen=True, kw_only=True)
class GeometricSpec(DataSpec):
    """Specification of point clouds and geometric graphs with node features.

    Attributes:
        level: what is predicted: one value per ``"graph"`` or one per ``"node"``.
        dim: spatial dimension, 2 or 3.
        in_channels: scalar input channels per node: the columns of ``x``, followed by one for each
            of ``graph_inputs``.
        in_vectors: vector input channels per node (field ``vec``).
        out_channels: scalar output channels.
        out_vectors: vector output channels.
        vector_fields: batch fields that rotate with the input, for rotation augmentation.
        tensor_fields: batch fields of rank two ``[..., dim, dim]``, such as a stress, which rotate
            on both axes.
        target: batch field that a task predicts by default.
        lattice: points along each axis if every graph is a regular grid of that shape in row-major
            order, such as an image; None for arbitrary points.
        elements: atomic number of each column of ``x`` if that is the one-hot encoding of the
            element, so that structure files can be converted to inputs; empty otherwise.
        graph_inputs: graph fields ``[G]``, such as ``charge``, whose value is a scalar input of
            every node of the graph, after the columns of ``x``.
        has_edges: whether the dataset provides edges; False: complete graphs; None: unknown
            (specifications of earlier versions).

    Raises:
        ValueError: If the level is unknown, ``dim`` is not 2 or 3, a number of channels is
            negative, the lattice has another dimension, ``elements`` or ``graph_inputs`` do not
            match the channels, or there are no outputs.

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
    tensor_fields: tuple[str, ...] = ()
    target: str = "y"
    lattice: tuple[int, ...] | None = None
    elements: tuple[int, ...] = ()
    has_edges: bool | None = None
    graph_inputs: tuple[str, ...] = ()
    family: ClassVar[str] = "geometric"

    def __post_init__(self) -> None:
        """Validate the fields."""
        if self.level not in get_args(Level):
            raise ValueError(f"level must be one of {get_args(Level)}, got {self.level!r}")
        if self.dim not in (2, 3):
            raise ValueError(f"dim must be 2 or 3, got {self.dim!r}")
        for name in _COUNTS:
            check_whole(name, getattr(self, name), 0)
        if self.lattice is not None:
            check_lattice(self.lattice, self.dim)
        if len(set(self.graph_inputs)) < len(self.graph_inputs) or self.node_channels < 0:
            raise ValueError(
                f"graph_inputs must be at most {self.in_channels} (in_channels) different names, "
                f"got {list(self.graph_inputs)}"
            )
        if self.elements and len(self.elements) != self.node_channels:
            raise ValueError(
                f"elements must have one entry per column of x ({self.node_channels}), got "
                f"{len(self.elements)}"
            )
        if self.out_channels + self.out_vectors == 0:
            raise ValueError("out_channels and out_vectors are both 0: nothing to predict")

    @property
    def node_channels(self) -> int:
        """Number of columns of ``x``: ``in_channels`` without the ``graph_inputs``."""
        return self.in_channels - len(self.graph_inputs)

    def differences(self, other: DataSpec) -> list[str]:
        """See `DataSpec.differences`; also covers elements that the model was not trained on.

        Also covers given edges versus complete graphs, and inputs that are computed differently.
        """
        found = super().differences(other)
        if isinstance(other, GeometricSpec):
            found += self._input_differences(other)
        if found or not self.elements:
            return found
        given = getattr(other, "elements", ())
        new = [z for own, z in zip(self.elements, given, strict=False) if z and z != own]
        known = sorted(filter(None, self.elements))
        text = f"elements {new} (atomic numbers) are new to the model, which knows {known}"
        return [text] if new else []

    def _input_differences(self, other: GeometricSpec) -> list[str]:
        own, theirs = self.inputs, other.inputs
        outputs = self._outputs(), other._outputs()
        if outputs[0] != outputs[1] and all(outputs):
            return [f"the targets are {outputs[0]} for the model and {outputs[1]} here"]
        listed = [", ".join(each.graph_inputs) or "none" for each in (self, other)]
        found = [f"graph_inputs is {listed[0]} for the model and {listed[1]} here"]
        return (found if self.graph_inputs != other.graph_inputs else []) + [
            f"{name} is {own[name]} for the model and {theirs[name]} here"
            for name in own
            if name in theirs and own[name] != theirs[name]
        ]

    @property
    def targets(self) -> tuple[str, ...]:
        """All batch fields to predict: the statistic ``targets``, or only ``target``."""
        return tuple(self.statistics.get("targets", (self.target,)))

    def _outputs(self) -> dict[str, str]:
        """Names and units of several targets, and names of classes; empty for one number."""
        found = {name: self.units.get(name, "") for name in self.statistics.get("targets", ())}
        classes = self.statistics.get("classes")
        return found if classes is None else {**found, "classes": ", ".join(map(str, classes))}

    @property
    def inputs(self) -> dict[str, str | bool]:
        """How the inputs are computed, as far as it is known.

        Whether the dataset provides edges; and for a dataset with several ways to compute features
        and edges, its arguments ``features``, ``edges`` and, if relevant, ``bonds``.
        """
        known: dict[str, str | bool] = {}
        if self.has_edges is not None:
            known["has_edges"] = self.has_edges
        made = self.record.inputs
        if made is None:
            return known
        chosen = {"features": made.features, "edges": made.edges}
        known |= {key: value for key, value in chosen.items() if value is not None}
        if made.features == "chemistry" or made.edges == "bonds":
            # The name is followed by a version.
            known["bonds"] = str(made.bonds).partition(" ")[0].rstrip("s")
        return known

    def _sizes(self) -> dict[str, Any]:
        """Channels, dimension, level and lattice."""
        lattice = None if self.lattice is None else list(self.lattice)
        return {
            **{name: getattr(self, name) for name in (*_COUNTS, "dim", "level")},
            "lattice": lattice,
        }


@dataclass(frozen=True, kw_only=True)
class ForecastSpec(DataSpec):
    """Specification of a multivariate time series on a sensor graph.

    Attributes:
        num_nodes: number of sensors ``N``.
        in_channels: features per sensor and step ``F``; the first one is predicted.
        input_steps: length of the lookback window in steps, ``T``.
        horizon: number of predicted steps.
        interval: sampling interval in minutes.
        target: name of the predicted feature, such as ``"flow"``.

    Raises:
        ValueError: If a size is below 1, or the interval does not divide a day.
    """

    num_nodes: int
    in_channels: int
    input_steps: int
    horizon: int
    interval: int
    target: str
    family: ClassVar[str] = "forecasting"

    def __post_init__(self) -> None:
        """Validate the fields."""
        for name in ("num_nodes", "in_channels", "input_steps", "horizon", "interval"):
            check_whole(name, getattr(self, name), 1)
        if 1440 % self.interval:
            raise ValueError(f"interval must divide a day of 1440 minutes, got {self.interval}")

    @property
    def steps_per_day(self) -> int:
        """Number of steps per day."""
        return 1440 // self.interval

    def _sizes(self) -> dict[str, Any]:
        """Numbers of sensors, features and steps."""
        names = ("num_nodes", "in_channels", "input_steps", "horizon", "steps_per_day")
        return {name: getattr(self, name) for name in names}
