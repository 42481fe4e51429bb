"""Features of invariants: polynomials, kernel bases, windows."""

from geozoo.nn.embedding.kernel_basis import KernelBasis
from geozoo.nn.embedding.polynomial import PolynomialFeatures
from geozoo.nn.embedding.window import PolynomialWindow

__all__ = ["KernelBasis", "PolynomialFeatures", "PolynomialWindow"]
