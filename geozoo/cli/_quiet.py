"""What Lightning says that is no news to the user of these commands, each by its words."""

from __future__ import annotations

import logging
import warnings

#: Beginnings of warnings, as regular expressions, with the reason why each is no concern here.
_NO_CONCERN = (
    # Graphs are gathered from memory; worker processes would only cost time.
    r"The '\w+' does not have many workers",
    # Losses are logged per epoch.
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    # A continued run writes where it wrote before.
    r"Checkpoint directory .* exists and is not empty",
    # Our sampler gives every rank other graphs, none twice, and metrics are sums over ranks.
    r"Using `DistributedSampler` with the dataloaders",
    # Of Lightning itself, with the newest torch.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
)


def quiet_lightning() -> None:
    """Keep Lightning's hints about itself off the screen; its other warnings stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _NO_CONCERN:
        warnings.filterwarnings("ignore", message=message)
