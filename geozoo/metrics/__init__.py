"""Error measures whose states are sums and counts, in physical units."""

from geozoo.metrics.errors import MEASURES, ErrorMeasures, ErrorMetrics
from geozoo.metrics.forecast import ForecastErrors

__all__ = ["MEASURES", "ErrorMeasures", "ErrorMetrics", "ForecastErrors"]
