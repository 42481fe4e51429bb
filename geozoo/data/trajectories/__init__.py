"""The user's own trajectories of points: motion capture, robots, planets."""

import lazy_loader

# The names are listed in __init__.pyi; each module is imported when one of its names is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
