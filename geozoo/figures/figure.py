"""A figure of a run: its name, its caption, and the function that draws it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A figure that is drawn when it is asked for.

    Attributes:
        name: its name in the report and, with ``.png``, of its file: letters, digits, ``_``, ``-``.
        caption: what it shows, in a sentence.
        draw: writes it as a PNG file; `geozoo.figures.Panels` divides one into panels, which the
            report shows one below the other on a narrow screen.

    Raises:
        ValueError: for a name that is none for a file, or without a caption.

    >>> Figure("loss", "Training loss by epoch", lambda path: None).file_name
    'loss.png'
    """

    name: str
    caption: str
    draw: Callable[[Path], None]

    def __post_init__(self) -> None:
        """Refuse a name that would not be a file of the run folder."""
        if not re.fullmatch(r"\w[\w-]*", self.name, re.ASCII):
            raise ValueError(
                f"name of a figure must consist of letters, digits, _ and -, got {self.name!r}"
            )
        if not self.caption.strip():
            raise ValueError(f"caption of the figure {self.name} must say what it shows, got none")

    @property
    def file_name(self) -> str:
        """Its file in a run folder."""
        return f"{self.name}.png"
