"""Options shared by GRAM-ODE and STGODE."""

from __future__ import annotations

from dataclasses import dataclass

from geozoo.checks import check_positive


@dataclass(frozen=True)
class TwoGraphBranches:
    """Branches of spatio-temporal blocks on each of the two graphs.

    Attributes:
        num_branches: number of branches per graph, with separate weights.
        num_blocks: number of blocks per branch.
        bottleneck_channels: width of the middle level of the temporal convolutions.
        dropout: dropout probability in the temporal convolutions.
        recompute: activation checkpointing: recompute each block in the backward pass; same values
            and gradients.

    Raises:
        ValueError: If a size is below 1.
    """

    num_branches: int = 3
    num_blocks: int = 2
    bottleneck_channels: int = 32
    dropout: float = 0.2
    recompute: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        check_positive(
            num_branches=self.num_branches, num_blocks=self.num_blocks,
            bottleneck_channels=self.bottleneck_channels,
        )  # fmt: skip


@dataclass(frozen=True)
class TwoGraphExtensions:
    """Extensions beyond the published models.

    Attributes:
        learned_graph_channels: width of the embeddings of a `geozoo.nn.LearnedGraph` that is added
            to the road graph; None: no learned graph.
        use_time: add the time of day as an input feature of every sensor and step, from 0 at
            midnight to 1.

    Raises:
        ValueError: If ``learned_graph_channels`` is below 1.
    """

    learned_graph_channels: int | None = None
    use_time: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        if self.learned_graph_channels is not None:
            check_positive(learned_graph_channels=self.learned_graph_channels)
