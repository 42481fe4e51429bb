"""Layers on multivectors, the elements of the Clifford algebra of Euclidean space."""

from geozoo.nn.clifford.geometric_product import GeometricProduct
from geozoo.nn.clifford.multivector_block import MultivectorBlock
from geozoo.nn.clifford.multivector_conv import MultivectorConv
from geozoo.nn.clifford.multivector_gate import MultivectorGate
from geozoo.nn.clifford.multivector_linear import MultivectorLinear
from geozoo.nn.clifford.multivector_norm import GradeNorm, MultivectorNorm

__all__ = [
    "GeometricProduct",
    "GradeNorm",
    "MultivectorBlock",
    "MultivectorConv",
    "MultivectorGate",
    "MultivectorLinear",
    "MultivectorNorm",
]
