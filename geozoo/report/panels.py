"""Pictures of panels of equal size, which a narrow page can show one below the other."""

from __future__ import annotations

import io
import json
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

DPI = 160
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
    """

    def __init__(
        self, count: int, *, width: float = 3.4, height: float = 2.9, columns: int = 3,
        rect: tuple[float, float, float, float] | None = None,
    ) -> None:  # fmt: skip
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


def panels_label(rows: int, columns: int, titles: list[str]) -> str:
    """What a PNG file of a regular grid says of it."""
    return json.dumps({"rows": rows, "columns": columns, "titles": titles})


def write_labelled(content: bytes, label: str, path: Path) -> None:
    """Write a picture that another library has drawn, as `Panels.save` writes its own."""
    info = PngInfo()
    info.add_text(_KEY, label)
    Image.open(io.BytesIO(content)).save(path, pnginfo=info)


def split_panels(path: Path) -> list[tuple[str, bytes]]:
    """The title and the PNG file of every panel of a picture; a picture without panels is one."""
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
