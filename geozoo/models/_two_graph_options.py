"""Options that GRAM-ODE and STGODE have in common."""

from __future__ import annotations

from dataclasses import dataclass

from geozoo.checks import check_positive


@dataclass(frozen=True)
class TwoGraphBranches:
    """The branches on each of two graphs.

    Attributes:
        num_branches: branches on each graph, with separate weights.
        num_blocks: blocks of a branch, in sequence.
        bottleneck_channels: width of the middle level of the temporal convolutions.
        dropout: probability of dropping an activation in them.
        recompute: in training, compute each block again in the backward pass instead of keeping
            its states; same values and gradients.

    Raises:
        ValueError: for sizes below 1.
    """

    num_branches: int = 3
    num_blocks: int = 2
    bottleneck_channels: int = 32
    dropout: float = 0.2
    recompute: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that nothing can have."""
        check_positive(
            num_branches=self.num_branches, num_blocks=self.num_blocks,
            bottleneck_channels=self.bottleneck_channels,
        )  # fmt: skip


@dataclass(frozen=True)
class TwoGraphExtensions:
    """What the published models have not, and may be told or learn here.

    Attributes:
        learned_graph_channels: width of the embeddings of a `geozoo.nn.LearnedGraph` that is added
            to the road graph; None: no such graph.
        use_time: the time of the day as one more feature of every sensor and step, from 0 at
            midnight to 1.

    Raises:
        ValueError: for a width below 1.
    """

    learned_graph_channels: int | None = None
    use_time: bool = False

    def __post_init__(self) -> None:
        """Refuse a width that nothing can have."""
        if self.learned_graph_channels is not None:
            check_positive(learned_graph_channels=self.learned_graph_channels)
