"""A model zoo for geometric and graph deep learning.

The layers (`geozoo.nn`), models (`geozoo.models`), geometry (`geozoo.geometry`) and tensor
operations (`geozoo.ops`) need torch alone. Data sets, tasks and the command line live in rooms
of their own and are imported on demand.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
