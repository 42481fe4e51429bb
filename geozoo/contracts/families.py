"""The two model families: geometric models on point clouds, and forecasters on sensor series."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # `geozoo list` imports this package and must not load torch
    from jaxtyping import Float, Int
    from torch import Tensor

Family = Literal["geometric", "forecasting"]


class GeometricOutputs(Protocol):
    """What a geometric model returns, such as `geozoo.models.GeometricOutput`."""

    @property
    def scalar(self) -> Tensor | None:
        """Scalars per graph ``[G, out_channels]`` or per node ``[N, out_channels]``, or None."""

    @property
    def vector(self) -> Tensor | None:
        """Vectors ``[G, out_vectors, dim]`` or ``[N, out_vectors, dim]``, or None."""


class GeometricModel(Protocol):
    """A network on point clouds; the graphs of a batch are concatenated into one list of nodes.

    Its constructor takes those of the arguments set by the dataset (``in_channels``,
    ``out_channels``, ``in_vectors``, ``out_vectors``, ``dim``, ``level``, ``lattice``) that it
    uses, see `geozoo.data.DataSpec.model_arguments`.
    """

    def forward(
        self,
        pos: Float[Tensor, "N dim"],
        x: Float[Tensor, "N F"],
        batch: Int[Tensor, " N"],
        edge_index: Int[Tensor, "2 E"] | None = None,
        *,
        vec: Float[Tensor, "N V dim"] | None = None,
        num_graphs: int | None = None,
    ) -> GeometricOutputs:
        """Return scalar and vector outputs.

        Args:
            pos: positions, in the length unit of the dataset.
            x: scalar features.
            batch: graph of each node, in ascending order.
            edge_index: sender (row 0) and receiver (row 1) of each edge; None: all pairs of a
                graph, or those within the model's cutoff.
            vec: vector features.
            num_graphs: number of graphs; None: inferred from ``batch``.
        """


class Forecaster(Protocol):
    """A network on lookback windows of a multivariate series.

    Its constructor takes those of the arguments set by the dataset (``num_nodes``,
    ``in_channels``, ``input_steps``, ``horizon``, ``steps_per_day``) and of its graphs
    (``road_adjacency``, ...) that it uses.
    """

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast in the normalised units of the input.

        Args:
            x: normalised readings; the first feature is forecast, missing ones are set to the mean.
            time: slot of the day and day of the week of every input and forecast step.
        """


_GEOMETRIC = ("pos", "x", "batch", "edge_index")
_GEOMETRIC_KEYWORDS = ("vec", "num_graphs")


#: The constructor argument that sets the number of outputs of each kind of a geometric model.
OUTPUT_ARGUMENTS = {"scalar": "out_channels", "vector": "out_vectors"}
#: The constructor arguments of a model that plain values of its dataset set, by family.
DATA_ARGUMENTS: dict[Family, tuple[str, ...]] = {
    "geometric": (
        "in_channels", "in_vectors", "out_channels", "out_vectors", "dim", "level", "lattice",
    ),
    "forecasting": ("num_nodes", "in_channels", "input_steps", "horizon", "steps_per_day"),
}  # fmt: skip


def lacking_outputs(arguments: Collection[str], wanted: Iterable[str]) -> str | None:
    """The first kind of output that a model does not support; None if it supports all.

    A model with only one of the constructor arguments has no outputs of the other kind; a model
    with neither is not restricted.

    Args:
        arguments: names of the model's constructor arguments.
        wanted: kinds of outputs, ``"scalar"`` or ``"vector"``.

    >>> lacking_outputs(["out_channels", "dim"], ["scalar", "vector"])
    'vector'
    """
    if not any(key in arguments for key in OUTPUT_ARGUMENTS.values()):
        return None
    return next((kind for kind in wanted if OUTPUT_ARGUMENTS[kind] not in arguments), None)


def family_of(model: Any) -> Family:
    """The family of a model, from the signature of its ``forward``.

    Args:
        model: a model or its class.

    Raises:
        TypeError: If the signature matches neither family; the message says what differs.

    >>> from geozoo.models import EGNN, Stid
    >>> family_of(EGNN), family_of(Stid)
    ('geometric', 'forecasting')
    """
    kind: type[Any] = model if isinstance(model, type) else type(model)
    parameters = dict(inspect.signature(kind.forward).parameters)
    names = list(parameters)[1:]
    if names[: len(_GEOMETRIC)] == list(_GEOMETRIC):
        if missing := [name for name in _GEOMETRIC_KEYWORDS if name not in parameters]:
            raise TypeError(
                f"{kind.__name__}.forward takes pos, x, batch and edge_index, but not "
                f"{' or '.join(missing)}: see geozoo.contracts.GeometricModel"
            )
        return "geometric"
    time = parameters.get("time")
    if names[:1] == ["x"] and time is not None and time.kind is inspect.Parameter.KEYWORD_ONLY:
        return "forecasting"
    raise TypeError(
        f"{kind.__name__}.forward({', '.join(names)}) matches neither forward(pos, x, batch, "
        "edge_index, *, vec, num_graphs) of a geometric model nor forward(x, *, time) of a "
        "forecaster"
    )
