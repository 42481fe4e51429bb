"""The two kinds of models: points in space, and series on sensors."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # lists of the zoo import this package, and answer without torch
    from jaxtyping import Float, Int
    from torch import Tensor

Family = Literal["geometric", "forecasting"]


class GeometricOutputs(Protocol):
    """What a geometric model returns, such as `geozoo.models.GeometricOutput`."""

    @property
    def scalar(self) -> Tensor | None:
        """Scalars ``[G, out_channels]`` of graphs or ``[N, out_channels]`` of nodes; None: none."""

    @property
    def vector(self) -> Tensor | None:
        """Vectors ``[G, out_vectors, dim]`` or ``[N, out_vectors, dim]``; None: none."""


class GeometricModel(Protocol):
    """A network on points in space, all graphs of a batch in one list of nodes.

    Its constructor takes what the data set (``in_channels``, ``out_channels``, ``in_vectors``,
    ``out_vectors``, ``dim``, ``level``, ``lattice``) as far as it has use for it, see
    `geozoo.data.DataSpec.model_arguments`.
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
            pos: positions, in the unit of the data.
            x: scalar features.
            batch: graph of each node, in rising order.
            edge_index: sender (row 0) and receiver of each edge; None: all pairs of a graph, or
                those within the model's radius.
            vec: vector features.
            num_graphs: number of graphs; None: from ``batch``.
        """


class Forecaster(Protocol):
    """A network on windows of a series.

    Its constructor takes what the data set (``num_nodes``, ``in_channels``, ``input_steps``,
    ``horizon``, ``steps_per_day``) and graphs (``road_adjacency``, ...) as far as it has use for
    them.
    """

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast in the scale of the input.

        Args:
            x: scaled readings; the first feature is predicted, missing ones are at the mean.
            time: slot of the day and day of the week of every input and forecast step.
        """


_GEOMETRIC = ("pos", "x", "batch", "edge_index")
_GEOMETRIC_KEYWORDS = ("vec", "num_graphs")


#: The constructor argument that gives a geometric model outputs of a kind.
OUTPUT_ARGUMENTS = {"scalar": "out_channels", "vector": "out_vectors"}


def lacking_outputs(arguments: Collection[str], wanted: Iterable[str]) -> str | None:
    """The first kind of outputs that a model cannot have; None: it can have all.

    A model with one of the arguments alone has no outputs of the other kind; one without either may
    return what it likes.

    Args:
        arguments: names of its constructor's arguments.
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
        TypeError: if the signature is that of neither family; says what differs.

    >>> from geozoo.models import EGNN, Stid
    >>> family_of(EGNN), family_of(Stid)
    ('geometric', 'forecasting')
    """
    kind = model if isinstance(model, type) else type(model)
    parameters = dict(inspect.signature(kind.forward).parameters)
    names = list(parameters)[1:]
    if names[: len(_GEOMETRIC)] == list(_GEOMETRIC):
        if lost := [name for name in _GEOMETRIC_KEYWORDS if name not in parameters]:
            raise TypeError(
                f"{kind.__name__}.forward takes pos, x, batch and edge_index, but not "
                f"{' or '.join(lost)}: see geozoo.contracts.GeometricModel"
            )
        return "geometric"
    time = parameters.get("time")
    if names[:1] == ["x"] and time is not None and time.kind is inspect.Parameter.KEYWORD_ONLY:
        return "forecasting"
    raise TypeError(
        f"{kind.__name__}.forward({', '.join(names)}) is neither forward(pos, x, batch, "
        "edge_index, *, vec, num_graphs) of a geometric model nor forward(x, *, time) of a "
        "forecaster"
    )
