"""Networks assembled from the layers of `geozoo.nn`."""

from geozoo.models.ponita import Ponita, PonitaOutput
from geozoo.models.ponita_weights import load_reference_weights

__all__ = ["Ponita", "PonitaOutput", "load_reference_weights"]
