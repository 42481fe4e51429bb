"""Optional features of a model beyond its ``forward``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Fitted(Protocol):
    """A model fitted in closed form to the training split instead of by gradient descent."""

    def fit(self, targets: Tensor, **inputs: Tensor) -> None:
        """Set the weights.

        Args:
            targets: normalised targets of the training split: ``[S, out]`` of graphs or nodes, or
                the series ``[S, N]``.
            inputs: for graphs, ``x`` ``[N, F]`` and ``batch`` ``[N]``; for a series, ``observed``
                ``[S, N]`` and ``time`` ``[S, 2]``.
        """


@runtime_checkable
class Calibrated(Protocol):
    """A model that rescales its initial weights on one batch before training.

    Attributes:
        calibrated: whether the weights have been calibrated.
    """

    calibrated: Tensor | bool

    def calibrate(self, *args: Any, **inputs: Any) -> Any:
        """Rescale the weights; takes the arguments of ``forward``."""


@runtime_checkable
class Conditioned(Protocol):
    """A model that can be conditioned on per-graph scalars, such as a noise level.

    Attributes:
        condition_channels: number of scalars that ``forward`` takes as ``condition``
            ``[G, condition_channels]``; 0: none.
    """

    condition_channels: int


@runtime_checkable
class Lagged(Protocol):
    """A forecaster that uses readings from before its lookback window.

    Attributes:
        lags: lags, in steps before each forecast step, of the readings that ``forward`` takes as
            ``lagged`` and ``lagged_observed`` ``[B, L, H, N]``.
    """

    lags: Sequence[int]


@runtime_checkable
class NeighborListed(Protocol):
    """A geometric model that accepts a precomputed neighbour list.

    If ``neighbors`` also takes ``cell``, ``pbc`` and ``pairs``, the model supports periodic
    structures (`supports_cells`).
    """

    def neighbors(
        self,
        pos: Tensor,
        batch: Tensor,
        edge_index: Tensor | None = None,
        *,
        num_graphs: int | None = None,
        num_pairs: int | None = None,
    ) -> Any:
        """Compute the neighbour list, to be passed to ``forward`` as ``edge_index``.

        Args:
            pos: positions ``[N, dim]``.
            batch: graph of each node ``[N]``.
            edge_index: candidate edges ``[2, E]``; None: all pairs of each graph.
            num_graphs: number of graphs; None: inferred from ``batch``.
            num_pairs: number of pairs of different nodes within a graph, if already known.
        """


@runtime_checkable
class Resizable(Protocol):
    """A geometric model of whose weights smaller networks can be cut out.

    Attributes:
        orientations: its grid of orientations ``[O, dim]``, which may be turned in place; None: it
            has none.
        size_arguments: the constructor arguments that its size is: ``hidden_channels``,
            ``num_layers`` and, with a grid, ``orientations``.
    """

    @property
    def orientations(self) -> Tensor | None:
        """See the attributes."""

    @property
    def size_arguments(self) -> Mapping[str, Any]:
        """See the attributes."""

    def resized(
        self,
        *,
        orientations: int | None = None,
        num_layers: int | None = None,
        width: float | None = None,
    ) -> Any:
        """Return a network of another size with the leading weights of this one.

        Args:
            orientations: number of orientations; None: unchanged.
            num_layers: number of layers; None: unchanged.
            width: fraction of the channels; None: unchanged.
        """

    def shared_parameters(self, part: Any) -> Mapping[str, Tensor]:
        """Return the parameters of a network made by `resized`, as differentiable parts of ours.

        Args:
            part: the smaller network.
        """


@runtime_checkable
class LinearlyRead(Protocol):
    """A geometric model whose scalar outputs are linear in the weights of its last layers.

    Its uncertainties can be computed in closed form, see `geozoo.tasks.LastLayerPosterior`.

    Attributes:
        last_weights: patterns (`fnmatch`) of the names of these parameters. All of them together:
            outputs must be a linear function of all matching weights, plus a constant.
    """

    last_weights: Sequence[str]


def last_weight_names(model: Any) -> tuple[str, ...]:
    """Names of the parameters in which the scalar outputs of a model are linear.

    Raises:
        ValueError: If the model does not declare any, or no parameter matches.

    >>> from geozoo.models import PaiNN
    >>> last_weight_names(PaiNN(2, 1))
    ('readout.2.weight', 'readout.2.bias')
    """
    name = type(model).__name__
    if not isinstance(model, LinearlyRead):
        raise ValueError(
            f"model must declare the weights of its last linear layer (attribute last_weights, see "
            f"geozoo.contracts.LinearlyRead), got {name}, which does not"
        )
    found = tuple(
        each
        for each, _ in model.named_parameters()  # type: ignore[attr-defined]
        if any(fnmatchcase(each, pattern) for pattern in model.last_weights)
    )
    if not found:
        raise ValueError(
            f"last_weights of {name} must match its parameters, got {tuple(model.last_weights)}"
        )
    return found


#: Further arguments of ``neighbors`` of a model that supports periodic structures: lattice vectors
#: ``[G, dim, dim]`` in rows, periodic directions ``[G, dim]``, and neighbour pairs if known.
CELL_ARGUMENTS = ("cell", "pbc", "pairs")


def supports_cells(model: Any) -> bool:
    """Whether a model accepts periodic structures.

    >>> from geozoo.models import Composition, PaiNN
    >>> supports_cells(PaiNN(2, 1)), supports_cells(Composition(2, 1))
    (True, False)
    """
    if not isinstance(model, NeighborListed):
        return False
    return _takes_cells(getattr(model.neighbors, "__func__", model.neighbors))


@lru_cache(maxsize=64)
def _takes_cells(find: Callable[..., Any]) -> bool:
    """Whether a function takes `CELL_ARGUMENTS`; cached, since every training step asks."""
    return set(CELL_ARGUMENTS) <= set(inspect.signature(find).parameters)
