"""A model zoo for geometric and graph deep learning.

The layers (`geozoo.nn`), models (`geozoo.models`), geometry (`geozoo.geometry`) and tensor
operations (`geozoo.ops`) depend on torch only. Datasets, tasks and the command line live in
separate packages, which are imported on demand.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geozoo.engines.ase import calculator
    from geozoo.hub import TrainedModel, load

__version__ = "0.1.0"
__all__ = ["TrainedModel", "__version__", "calculator", "load"]


def __getattr__(name: str) -> object:
    """Import objects that need more than torch on first access."""
    if name not in ("TrainedModel", "calculator", "load"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "calculator":
        from geozoo.engines.ase import calculator

        return calculator
    from geozoo import hub

    return getattr(hub, name)
