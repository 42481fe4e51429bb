from .cloud_options import CloudRotation
from .solids import Solids

__all__ = ["CloudRotation", "Solids"]
