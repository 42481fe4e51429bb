"""Embeddings: polynomial features, kernel and radial bases, cutoffs, splines, rotary angles."""

from geozoo.nn.embedding.group_fourier import GroupFourier
from geozoo.nn.embedding.kernel_basis import KernelBasis
from geozoo.nn.embedding.polynomial import PolynomialFeatures
from geozoo.nn.embedding.radial import BesselBasis, ExponentialBasis, GaussianBasis
from geozoo.nn.embedding.rotary import initial_frequencies, turn_pairs, turned_angles
from geozoo.nn.embedding.spline import SplineGrid, SplineTable, SplineTerms
from geozoo.nn.embedding.window import CosineWindow, PolynomialWindow, XplorWindow

__all__ = [
    "BesselBasis",
    "CosineWindow",
    "ExponentialBasis",
    "GaussianBasis",
    "GroupFourier",
    "KernelBasis",
    "PolynomialFeatures",
    "PolynomialWindow",
    "SplineGrid",
    "SplineTable",
    "SplineTerms",
    "XplorWindow",
    "initial_frequencies",
    "turn_pairs",
    "turned_angles",
]
