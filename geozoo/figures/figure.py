"""A figure of a run: name, caption and drawing function."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A figure that is drawn on demand.

    Attributes:
        name: name in the report and, with ``.png``, of the file: letters, digits, ``_`` and ``-``.
        caption: what the figure shows, in one sentence.
        draw: writes the PNG file. The panels of a `geozoo.figures.Panels` are stacked by the
            report on a narrow screen.

    Raises:
        ValueError: If ``name`` has other characters or ``caption`` is empty.

    >>> Figure("loss", "Training loss by epoch", lambda path: None).file_name
    'loss.png'
    """

    name: str
    caption: str
    draw: Callable[[Path], None]

    def __post_init__(self) -> None:
        """Check name and caption."""
        if not re.fullmatch(r"\w[\w-]*", self.name, re.ASCII):
            raise ValueError(
                f"figure name must consist of letters, digits, _ and -, got {self.name!r}"
            )
        if not self.caption.strip():
            raise ValueError(f"caption of figure {self.name!r} must not be empty")

    @property
    def file_name(self) -> str:
        """File name in a run folder."""
        return f"{self.name}.png"
