"""A model zoo for geometric and graph deep learning.

The layers (`geozoo.nn`), models (`geozoo.models`), geometry (`geozoo.geometry`) and tensor
operations (`geozoo.ops`) need torch alone. Data sets, tasks and the command line live in rooms
of their own and are imported on demand.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geozoo.hub import TrainedModel, load

__version__ = "0.1.0"
__all__ = ["TrainedModel", "__version__", "load"]


def __getattr__(name: str) -> object:
    """Import what needs more than torch when it is first asked for."""
    if name not in ("TrainedModel", "load"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from geozoo import hub

    return getattr(hub, name)
