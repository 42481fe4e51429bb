"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from geozoo.figures.panels import Panels

#: Classes up to which the cells have room for a number, and for two.
_MOST_NUMBERED, _MOST_COUNTED = 12, 5


def plot_confusion(counts: Tensor, path: Path, *, classes: Sequence[str]) -> None:
    """Draw how often each class (row) was predicted as each (column), as the share of the row.

    Cells hold the share in per cent; with few classes also the number of graphs.

    Args:
        counts: ``[classes, classes]`` of `torchmetrics`' confusion matrix, targets in rows.
        path: the PNG file.
        classes: their names.
    """
    panels = Panels(1, height=3.4)
    (panel,) = panels.axes
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    panel.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    for row, line in enumerate(counts.tolist()):
        for column, value in enumerate(line):
            if value and len(classes) <= _MOST_NUMBERED:
                share = float(shares[row, column])
                text = f"{100 * share:.0f}"
                if len(classes) <= _MOST_COUNTED:
                    text = f"{text} %\n({value})"
                panel.text(
                    column, row, text, ha="center", va="center", fontsize=9,
                    color="white" if share > 0.5 else "black",
                )  # fmt: skip
    places = range(len(classes))
    panel.set(
        xlabel="predicted", ylabel="target", xticks=places, yticks=places,
        title="% of each target class",
    )  # fmt: skip
    panel.set_xticklabels(classes)
    panel.set_yticklabels(classes)
    panels.save(path)
