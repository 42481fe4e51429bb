"""Layers on steerable features, using e3nn's tensor products; e3nn is imported on first use."""

from geozoo.nn.edges import as_edge_rows
from geozoo.nn.steerable.atomic_basis import AtomicBasis
from geozoo.nn.steerable.block_gate import BlockGate
from geozoo.nn.steerable.block_map import BlockMap
from geozoo.nn.steerable.channels_last import (
    blocks_from_channels_last,
    blocks_to_channels_last,
)
from geozoo.nn.steerable.degreewise import DegreewiseLinear
from geozoo.nn.steerable.irreps import (
    every_irrep,
    load_o3,
    make_gate,
    natural_irreps,
    reachable,
)
from geozoo.nn.steerable.pair_product import PairProduct, weighted_harmonics
from geozoo.nn.steerable.perceptron import perceptron
from geozoo.nn.steerable.steerable_linear import SteerableLinear
from geozoo.nn.steerable.symmetric_basis import EquivariantPolynomials, equivariant_polynomials
from geozoo.nn.steerable.symmetric_contraction import SymmetricContraction
from geozoo.nn.steerable.tensor_product_conv import TensorProductConv

__all__ = [
    "AtomicBasis",
    "BlockGate",
    "BlockMap",
    "DegreewiseLinear",
    "EquivariantPolynomials",
    "PairProduct",
    "SteerableLinear",
    "SymmetricContraction",
    "TensorProductConv",
    "as_edge_rows",
    "blocks_from_channels_last",
    "blocks_to_channels_last",
    "equivariant_polynomials",
    "every_irrep",
    "load_o3",
    "make_gate",
    "natural_irreps",
    "perceptron",
    "reachable",
    "weighted_harmonics",
]
