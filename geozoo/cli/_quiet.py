"""Lightning warnings that are silenced, matched by message."""

from __future__ import annotations

import logging
import warnings

#: Beginnings of warnings, as regular expressions, each with the reason why it does not apply.
_SILENCED = (
    # Batches are gathered from memory; worker processes would only cost time.
    r"The '\w+' does not have many workers",
    # Losses are logged per epoch.
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    # A resumed run writes to its own folder.
    r"Checkpoint directory .* exists and is not empty",
    # Our sampler gives every rank different graphs, none twice, and sums metrics over ranks.
    r"Using `DistributedSampler` with the dataloaders",
    # Raised by Lightning itself with recent versions of torch.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
)


def quiet_lightning() -> None:
    """Silence hints of Lightning that do not apply; its other warnings stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _SILENCED:
        warnings.filterwarnings("ignore", message=message)
