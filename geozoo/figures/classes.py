"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from geozoo.figures.panels import Panels

#: Largest number of classes for which a cell shows the percentage, and also the count.
_MOST_NUMBERED, _MOST_COUNTED = 12, 5


def plot_confusion(counts: Tensor, path: Path, *, classes: Sequence[str]) -> None:
    """Draw a row-normalised confusion matrix: targets in rows, predictions in columns.

    Cells show percentages; with few classes also the number of graphs.

    Args:
        counts: confusion matrix ``[classes, classes]`` from `torchmetrics`, targets in rows.
        path: the PNG file.
        classes: class names.
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
    ticks = range(len(classes))
    panel.set(
        xlabel="predicted", ylabel="target", xticks=ticks, yticks=ticks,
        title="% of each target class",
    )  # fmt: skip
    panel.set_xticklabels(classes)
    panel.set_yticklabels(classes)
    panels.save(path)
