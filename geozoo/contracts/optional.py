"""What a model may offer beside its ``forward``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Fitted(Protocol):
    """A model that is fitted in closed form to the training part, not trained by gradients."""

    def fit(self, targets: Tensor, **inputs: Tensor) -> None:
        """Set the weights.

        Args:
            targets: scaled targets of the training part: ``[S, out]`` of graphs or nodes, or the
                series ``[S, N]``.
            inputs: of graphs ``x`` ``[N, F]`` and ``batch`` ``[N]``; of a series ``observed``
                ``[S, N]`` and ``time`` ``[S, 2]``.
        """


@runtime_checkable
class Calibrated(Protocol):
    """A model that scales its initial weights on one batch, before training.

    Attributes:
        calibrated: whether that is done.
    """

    calibrated: Tensor | bool

    def calibrate(self, *args: Any, **inputs: Any) -> Any:
        """Scale the weights; takes what ``forward`` takes."""


@runtime_checkable
class Conditioned(Protocol):
    """A model that may depend on numbers of each graph, such as a noise level.

    Attributes:
        condition_channels: how many numbers ``forward`` takes as ``condition``
            ``[G, condition_channels]``; 0: none.
    """

    condition_channels: int


@runtime_checkable
class Lagged(Protocol):
    """A forecaster that looks further back than its window.

    Attributes:
        lags: steps before each forecast step whose readings ``forward`` takes as ``lagged`` and
            ``lagged_observed`` ``[B, L, H, N]``.
    """

    lags: Sequence[int]


@runtime_checkable
class NeighborListed(Protocol):
    """A geometric model that says which edges it needs, so that they can be found beforehand."""

    def neighbors(
        self,
        pos: Tensor,
        batch: Tensor,
        edge_index: Tensor | None = None,
        *,
        num_graphs: int | None = None,
        num_pairs: int | None = None,
    ) -> Any:
        """The edges to give to ``forward`` as ``edge_index``; arguments as those of ``forward``.

        Args:
            pos: positions ``[N, dim]``.
            batch: graph of each node ``[N]``.
            edge_index: edges ``[2, E]`` to choose from; None: all pairs of each graph.
            num_graphs: number of graphs; None: from ``batch``.
            num_pairs: pairs of different nodes of one graph, where they are counted already.
        """
