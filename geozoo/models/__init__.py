"""Models assembled from the layers of `geozoo.nn`."""

from geozoo.models._allegro_options import AllegroOptions
from geozoo.models._mace_options import MACEBlocks
from geozoo.models._nequip_options import NequIPOptions
from geozoo.models._outputs import GeometricOutput
from geozoo.models._platonic_options import PlatonicAttention, PlatonicSymmetry
from geozoo.models._ponita_choices import PonitaBlocks, PonitaKernel, PonitaOrientations
from geozoo.models._rapidash_options import RapidashBlocks, RapidashScales
from geozoo.models._two_graph_options import TwoGraphBranches, TwoGraphExtensions
from geozoo.models.agcrn import AGCRN
from geozoo.models.allegro import Allegro
from geozoo.models.cgenn import CGENN
from geozoo.models.composition import Composition
from geozoo.models.conversion.gram_ode_weights import load_gram_ode_weights
from geozoo.models.conversion.mace_weights import load_mace_weights
from geozoo.models.conversion.ponita_weights import load_reference_weights
from geozoo.models.conversion.sevennet_weights import (
    SevenNetConstants,
    load_sevennet_weights,
    sevennet_arguments,
    sevennet_elements,
)
from geozoo.models.conversion.tabulation import Tabulated, tabulate
from geozoo.models.dcrnn import DCRNN
from geozoo.models.egnn import EGNN
from geozoo.models.gram_ode import GramODE, GramODEAttention
from geozoo.models.graph_wavenet import GraphWaveNet
from geozoo.models.historical_average import HistoricalAverage
from geozoo.models.last_value import LastValue
from geozoo.models.mace import MACE
from geozoo.models.nequip import NequIP
from geozoo.models.painn import PaiNN
from geozoo.models.per_sensor_linear import PerSensorLinear
from geozoo.models.platonic import Platonic
from geozoo.models.ponita import Ponita
from geozoo.models.rapidash import Rapidash
from geozoo.models.schnet import SchNet
from geozoo.models.seasonal_naive import SeasonalNaive
from geozoo.models.segnn import SEGNN
from geozoo.models.staeformer import STAEformer
from geozoo.models.stgcn import STGCN
from geozoo.models.stgode import StgODE
from geozoo.models.stid import Stid
from geozoo.models.tensornet import TensorNet
from geozoo.models.vector_autoregression import VectorAutoregression

__all__ = [
    "AGCRN",
    "Allegro",
    "AllegroOptions",
    "CGENN",
    "Composition",
    "DCRNN",
    "EGNN",
    "GeometricOutput",
    "GramODE",
    "GramODEAttention",
    "GraphWaveNet",
    "HistoricalAverage",
    "LastValue",
    "MACE",
    "MACEBlocks",
    "NequIP",
    "NequIPOptions",
    "PaiNN",
    "PerSensorLinear",
    "Platonic",
    "PlatonicAttention",
    "PlatonicSymmetry",
    "Ponita",
    "PonitaBlocks",
    "PonitaKernel",
    "PonitaOrientations",
    "Rapidash",
    "RapidashBlocks",
    "RapidashScales",
    "SEGNN",
    "STAEformer",
    "STGCN",
    "SchNet",
    "SeasonalNaive",
    "SevenNetConstants",
    "StgODE",
    "Stid",
    "Tabulated",
    "TensorNet",
    "TwoGraphBranches",
    "TwoGraphExtensions",
    "VectorAutoregression",
    "load_gram_ode_weights",
    "load_mace_weights",
    "load_reference_weights",
    "load_sevennet_weights",
    "sevennet_arguments",
    "sevennet_elements",
    "tabulate",
]
