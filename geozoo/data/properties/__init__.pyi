from ._molecule_files import ReadingOptions
from ._molecule_splits import SplitOptions
from .molecules import Molecules

__all__ = [
    "Molecules",
    "ReadingOptions",
    "SplitOptions",
]
