"""Figures with a regular grid of panels, which a narrow page can stack."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 160
#: Height added for a legend above the lines, as a fraction of their height.
_LEGEND_SHARE = 0.35
#: PNG text field with the numbers of rows and columns and the panel titles.
_KEY = "geozoo-panels"


class Panels:
    """A figure with a regular grid of panels.

    Panels are small enough that 10-point text is legible at the width of a phone screen.

    Args:
        count: number of panels.
        width: width of a panel in inches.
        height: height of a panel in inches.
        columns: maximum number of panels in a row.
        rect: left, bottom, width and height of the axes as fractions of their cell; None: chosen
            to fit the labels.

    Attributes:
        axes: the panels in row-major order.

    Raises:
        ValueError: If ``count`` is below 1.
    """

    def __init__(
        self, count: int, *, width: float = 3.4, height: float = 2.9, columns: int = 3,
        rect: tuple[float, float, float, float] | None = None,
    ) -> None:  # fmt: skip
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        if count < 1:
            raise ValueError(f"count must be at least 1 panel, got {count}")
        self._columns = min(columns, count)
        self._rows = -(-count // self._columns)
        size = (width * self._columns, height * self._rows)
        self.figure = Figure(figsize=size, layout="constrained" if rect is None else None)
        FigureCanvasAgg(self.figure)  # needs neither a display nor pyplot's global state
        cells = self.figure.subfigures(self._rows, self._columns, squeeze=False, wspace=0, hspace=0)
        self.axes: list[Axes] = [
            cell.subplots() if rect is None else cell.add_axes(rect)
            for cell in list(cells.flat)[:count]
        ]

    def save(self, path: Path) -> None:
        """Write the PNG file, with the metadata that `split_panels` needs."""
        titles = [axes.get_title().replace("\n", ", ") for axes in self.axes]
        self.figure.savefig(
            path, dpi=DPI, metadata={_KEY: panels_label(self._rows, self._columns, titles)}
        )


def legend_above(panel: Axes, columns: int = 2) -> None:
    """Add a legend above the lines and extend the y-axis to make space for it."""
    low, high = panel.transAxes.inverted().transform(panel.transData.transform(
        [(panel.get_xlim()[0], each) for each in panel.get_ylim()]
    ))[:, 1]  # fmt: skip
    limits = panel.transData.inverted().transform(
        panel.transAxes.transform([(0, low), (0, high + _LEGEND_SHARE * (high - low))])
    )
    panel.set_ylim(*limits[:, 1])
    panel.legend(
        frameon=False, fontsize=9, loc="upper left", ncols=columns, columnspacing=1,
        handlelength=1.2,
    )  # fmt: skip


def panels_label(rows: int, columns: int, titles: list[str]) -> str:
    """Metadata of a PNG file with a regular grid of panels, as JSON."""
    return json.dumps({"rows": rows, "columns": columns, "titles": titles})


def write_labelled(content: bytes, label: str, path: Path) -> None:
    """Write an image drawn by another library, with the metadata of `Panels.save`."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text(_KEY, label)
    Image.open(io.BytesIO(content)).save(path, pnginfo=info)


def split_panels(path: Path) -> list[tuple[str, bytes]]:
    """Title and PNG content of each panel of an image; an image without metadata is one panel."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        label = getattr(picture, "text", {}).get(_KEY)
        if label is None:
            return [("", path.read_bytes())]
        grid = json.loads(label)
        width, height = picture.width // grid["columns"], picture.height // grid["rows"]
        parts = []
        for number, title in enumerate(grid["titles"]):
            row, column = divmod(number, grid["columns"])
            left, top = column * width, row * height
            content = io.BytesIO()
            panel = picture.crop((left, top, left + width, top + height)).convert("RGB")
            panel.save(content, "PNG", optimize=True)
            parts.append((title, content.getvalue()))
        return parts
