"""Which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from geozoo.cli._plots import DPI, make_panels

#: Classes up to which the cells have room for a number.
_MOST_NUMBERED = 12


def plot_confusion(counts: Tensor, path: Path, *, classes: Sequence[str]) -> None:
    """Draw how often each class (row) was taken for each (column), shaded by the share of the row.

    Args:
        counts: ``[classes, classes]`` of `torchmetrics`' confusion matrix, truth in rows.
        path: the PNG file.
        classes: their names.
    """
    figure, axes = make_panels(1)
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    axes[0].imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    for row, line in enumerate(counts.tolist()):
        for column, value in enumerate(line):
            if value and len(classes) <= _MOST_NUMBERED:
                shade = "white" if shares[row, column] > 0.5 else "black"
                axes[0].text(
                    column, row, str(value), ha="center", va="center", fontsize=6, color=shade
                )
    places = range(len(classes))
    axes[0].set(xlabel="predicted", ylabel="true", xticks=places, yticks=places)
    axes[0].set_xticklabels(classes)
    axes[0].set_yticklabels(classes)
    figure.savefig(path, dpi=DPI)
