"""Dispersion energy D3 with Becke-Johnson damping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from importlib.resources import files
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops import is_traced
from geozoo.physics.libraries import library
from geozoo.physics.system import AtomicSystem, PairList, Term, find_pairs

#: Parameters of the damping, and their names in torch-dftd.
_PARAMETERS = {"s6": "s6", "s8": "s18", "a1": "rs6", "a2": "rs18"}
#: Common names of functionals that torch-dftd spells in another way.
_SPELLINGS = {
    "b2gpplyp": "b2gp-plyp", "b2plyp": "b2-plyp", "b3lyp": "b3-lyp", "b97d": "b97-d",
    "bhlyp": "bh-lyp", "blyp": "b-lyp", "bp": "b-p", "bp86": "b-p", "camb3lyp": "cam-b3lyp",
    "dsdblyp": "dsd-blyp", "lcwpbe": "lc-wpbe", "olyp": "o-lyp", "rpw86pbe": "rpw86-pbe",
}  # fmt: skip
_TABLES = ("c6ab", "r0ab", "rcov", "r2r4")
#: Cutoff of coordination numbers in bohr, as in the original program.
_COORDINATION_CUTOFF = 40.0


class DispersionD3(Term):
    r"""Two-body dispersion D3(BJ), computed by the library torch-dftd.

    .. math:: E = -\sum_{i<j} \sum_{n=6,8} s_n
        \frac{C_n^{ij}}{r_{ij}^n + (a_1 R_0^{ij} + a_2)^n}

    with coefficients that depend on the coordination numbers of both atoms. There is no three-body
    term. At the cutoff, energies of pairs and coordination numbers go smoothly to zero within one
    bohr. The energy of an isolated atom is 0.

    Args:
        damping: a functional whose parameters torch-dftd knows, such as ``"pbe"``, or the
            parameters ``s6`` (1 if absent), ``s8``, ``a1`` and ``a2`` (in bohr).
        cutoff: cutoff in angstrom. The original program uses 95 bohr (50.3 angstrom), with 13 times
            as many pairs in crystals as 40 bohr (21.2 angstrom).

    Raises:
        ValueError: If the functional or a parameter is unknown, or the cutoff is not positive.
        ModuleNotFoundError: If torch-dftd is not installed.

    References:
        S. Grimme et al., J. Chem. Phys. 132, 154104 (2010); S. Grimme, S. Ehrlich and L. Goerigk,
        J. Comput. Chem. 32, 1456 (2011).
    """

    c6ab: Tensor
    r0ab: Tensor
    rcov: Tensor
    r2r4: Tensor

    def __init__(self, damping: str | Mapping[str, float], cutoff: float) -> None:
        super().__init__()
        if not 0 < cutoff < math.inf:
            raise ValueError(f"terms.d3_cutoff must be a positive distance, got {cutoff!r}")
        library("torch_dftd", "terms.d3")
        self.damping, self.cutoff = _damping(damping), cutoff
        import numpy as np

        path = files("torch_dftd") / "nn" / "params" / "dftd3_params.npz"
        with path.open("rb") as file, np.load(file) as tables:
            for name in _TABLES:
                table = torch.from_numpy(tables[name]).double()
                self.register_buffer(name, table, persistent=False)

    def pairs(self, system: AtomicSystem) -> PairList:
        """Pairs within the cutoff.

        Raises:
            ValueError: If there are no coefficients for an element.
        """
        last = len(self.rcov) - 1
        outside = system.numbers[(system.numbers < 1) | (system.numbers > last)]
        if len(outside):
            raise ValueError(
                f"D3 has coefficients for atomic numbers 1 to {last}, got {int(outside[0])}"
            )
        return find_pairs(system, self.cutoff)

    def forward(self, system: AtomicSystem, pairs: PairList) -> Float[Tensor, " G"]:
        """See `Term.forward`."""
        # Not an attribute: modules cannot be copied.
        method: Any = import_module("torch_dftd.functions.dftd3")
        bohr = method.d3_autoang
        reach = self.cutoff / bohr
        # Without a cutoff of coordination numbers, contributions beyond it are below 1e-6; a
        # program that is traced cannot select pairs.
        coordination = None if is_traced() else min(reach, _COORDINATION_CUTOFF)
        energy = method.edisp(
            system.numbers, pairs.distances(system.pos) / bohr, pairs.index,
            **{name: getattr(self, name) for name in _TABLES},
            params=self.damping, damping="bj", cutoff=reach, cnthr=coordination,
            cutoff_smoothing="poly", batch=system.batch,
            batch_edge=system.batch.index_select(0, pairs.receiver),
            cell=system.pos.new_empty(system.num_graphs, 3, 3),  # read for the number of graphs
        )  # fmt: skip
        return energy * (1000 * method.d3_autoev)


def _damping(given: str | Mapping[str, float]) -> dict[str, float]:
    """The parameters by the names of torch-dftd."""
    if not isinstance(given, str):
        values = {"s6": 1.0, **given}
        unknown = sorted(values.keys() ^ _PARAMETERS.keys())
        if unknown or not all(math.isfinite(value) for value in values.values()):
            raise ValueError(
                "terms.d3 must be a functional or the finite numbers s8, a1 and a2 (and s6), got "
                f"{dict(given)}"
            )
        return {_PARAMETERS[name]: float(value) for name, value in values.items()}
    name = given.lower()
    spelling = _SPELLINGS.get(name.replace("-", ""), name)
    parameters = import_module("torch_dftd.dftd3_xc_params")
    try:
        found: dict[str, float] = parameters.get_dftd3_default_params("bj", spelling)
    except ValueError as error:
        raise ValueError(
            f"terms.d3: torch-dftd has no Becke-Johnson parameters of {given!r}; it has those of "
            "pbe, revpbe, rpbe, pbesol, pbe0, hse06, r2scan, tpss, blyp, bp86, b3lyp and others. "
            "Give others as terms.d3={s8: ..., a1: ..., a2: ...}"
        ) from error
    return found
