"""Figures drawn from plain data (tensors, names, units) and written as PNG files.

Matplotlib is imported when the first figure is drawn.
"""

import lazy_loader

# The names are listed in __init__.pyi; each module is imported when one of its names is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
