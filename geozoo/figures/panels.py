"""Pictures of panels of equal size, which a narrow page can show one below the other."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 160
#: Share of the height of the lines that a legend gets above them.
_LEGEND_SHARE = 0.35
#: Where a PNG file says how many rows and columns of panels it has, and what each one shows.
_KEY = "geozoo-panels"


class Panels:
    """A figure with panels in rows; every panel fills its own cell of a regular grid.

    A panel is so small that its text of 10 points can be read where it is as wide as a telephone.

    Args:
        count: number of panels.
        width: inches of a panel.
        height: inches of a panel.
        columns: panels in a row at most.
        rect: left, bottom, width and height of the axes as shares of their cell; None: what their
            labels leave.

    Attributes:
        axes: the panels, row by row.

    Raises:
        ValueError: for no panel.
    """

    def __init__(
        self, count: int, *, width: float = 3.4, height: float = 2.9, columns: int = 3,
        rect: tuple[float, float, float, float] | None = None,
    ) -> None:  # fmt: skip
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        if count < 1:
            raise ValueError(f"a figure needs at least one panel, got {count}")
        self._columns = min(columns, count)
        self._rows = -(-count // self._columns)
        size = (width * self._columns, height * self._rows)
        self.figure = Figure(figsize=size, layout="constrained" if rect is None else None)
        FigureCanvasAgg(self.figure)  # no display and no global state of pyplot
        cells = self.figure.subfigures(self._rows, self._columns, squeeze=False, wspace=0, hspace=0)
        self.axes: list[Axes] = [
            cell.subplots() if rect is None else cell.add_axes(rect)
            for cell in list(cells.flat)[:count]
        ]

    def save(self, path: Path) -> None:
        """Write the PNG file, with what `split_panels` needs to take it apart."""
        titles = [axes.get_title().replace("\n", ", ") for axes in self.axes]
        self.figure.savefig(
            path, dpi=DPI, metadata={_KEY: panels_label(self._rows, self._columns, titles)}
        )


def legend_above(panel: Axes, columns: int = 2) -> None:
    """A legend in two columns, with room made for it above the lines."""
    low, high = panel.transAxes.inverted().transform(panel.transData.transform(
        [(panel.get_xlim()[0], each) for each in panel.get_ylim()]
    ))[:, 1]  # fmt: skip
    room = panel.transData.inverted().transform(
        panel.transAxes.transform([(0, low), (0, high + _LEGEND_SHARE * (high - low))])
    )
    panel.set_ylim(*room[:, 1])
    panel.legend(
        frameon=False, fontsize=9, loc="upper left", ncols=columns, columnspacing=1,
        handlelength=1.2,
    )  # fmt: skip


def panels_label(rows: int, columns: int, titles: list[str]) -> str:
    """What a PNG file of a regular grid says of it."""
    return json.dumps({"rows": rows, "columns": columns, "titles": titles})


def write_labelled(content: bytes, label: str, path: Path) -> None:
    """Write a picture that another library has drawn, as `Panels.save` writes its own."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text(_KEY, label)
    Image.open(io.BytesIO(content)).save(path, pnginfo=info)


def split_panels(path: Path) -> list[tuple[str, bytes]]:
    """The title and the PNG file of every panel of a picture; a picture without panels is one."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        label = getattr(picture, "text", {}).get(_KEY)
        if label is None:
            return [("", path.read_bytes())]
        grid = json.loads(label)
        width, height = picture.width // grid["columns"], picture.height // grid["rows"]
        found = []
        for number, title in enumerate(grid["titles"]):
            row, column = divmod(number, grid["columns"])
            left, top = column * width, row * height
            content = io.BytesIO()
            panel = picture.crop((left, top, left + width, top + height)).convert("RGB")
            panel.save(content, "PNG", optimize=True)
            found.append((title, content.getvalue()))
        return found
