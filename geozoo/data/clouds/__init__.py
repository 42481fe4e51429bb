"""Point clouds: solids made from analytic surfaces, and the user's own files."""

import lazy_loader

# The names are listed in __init__.pyi; each module is imported when one of its names is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
