"""Which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from geozoo.cli._plots import DPI, make_panels


def plot_confusion(counts: Tensor, path: Path, *, classes: Sequence[str]) -> None:
    """Draw how often each class (row) was taken for each (column), right ones left blank.

    Args:
        counts: ``[classes, classes]`` of `torchmetrics`' confusion matrix, truth in rows.
        path: the PNG file.
        classes: their names.
    """
    figure, axes = make_panels(1)
    wrong = counts.clone().fill_diagonal_(0)
    axes[0].imshow(wrong.numpy(), cmap="Reds")
    for row, line in enumerate(counts.tolist()):
        for column, value in enumerate(line):
            if value and len(classes) <= 12:
                axes[0].text(column, row, str(value), ha="center", va="center", fontsize=6)
    places = range(len(classes))
    axes[0].set(xlabel="predicted", ylabel="true", xticks=places, yticks=places)
    axes[0].set_xticklabels(classes)
    axes[0].set_yticklabels(classes)
    figure.savefig(path, dpi=DPI)
