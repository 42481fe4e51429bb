"""Error measures whose states are sums and counts, in physical units."""

from geozoo.metrics.errors import MEASURES, ErrorMetrics

__all__ = ["MEASURES", "ErrorMetrics"]
