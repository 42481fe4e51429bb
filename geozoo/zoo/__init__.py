"""The name that `geozoo.config` had in earlier versions, kept for programs that import it."""

from geozoo.config import __all__


def __getattr__(name: str) -> object:
    """Look the name up in `geozoo.config`."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import warnings

    from geozoo import config

    warnings.warn("geozoo.zoo is now geozoo.config", DeprecationWarning, stacklevel=2)
    return getattr(config, name)
