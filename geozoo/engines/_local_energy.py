"""Energies of some of the atoms of a cluster, as programs that divide space need them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from geozoo.geometry import neighbor_pairs
from geozoo.hub.loading import TrainedModel
from geozoo.tasks import Potential
from geozoo.tasks._atom_readout import AtomOutputs, combined
from geozoo.tasks._derivatives import energy_derivatives

_EV_PER_MEV = 1e-3
#: Atoms in the chain that measures how far an energy reaches, and their distance in cutoffs.
_CHAIN, _SPACING = 14, 0.7


class LocalEnergy:
    """The energy of chosen atoms as a function of all atoms that it depends on.

    Args:
        model: a potential with a cutoff and outputs per atom (``task.atom_energy_weight``,
            ``task.scale_by=species``, or a universal potential), without terms.

    Raises:
        ValueError: If the energies of atoms do not follow from their surroundings alone.

    Attributes:
        cutoff: of the network, in angstrom.
        steps: number of cutoffs that the energy of an atom reaches: once per layer of messages.
    """

    def __init__(self, model: TrainedModel) -> None:
        task = model.task
        assert isinstance(task, Potential)
        self._task = task
        self._check(model)
        self.cutoff = float(task.model.radius)  # type: ignore[arg-type]
        self.steps = self._measured_steps(model.name)

    @property
    def reach(self) -> float:
        """Distance in angstrom beyond which no atom changes the energy of another."""
        return self.steps * self.cutoff

    def _check(self, model: TrainedModel) -> None:
        task, reason = self._task, ""
        if getattr(task.model, "radius", None) is None:
            reason = "its network has no cutoff"
        elif not task.is_by_atom:
            reason = "its network has no energies of atoms (train with task.scale_by=species)"
        elif task.terms is not None and task.terms.each():
            reason = "it has terms, whose energies are not divided among atoms"
        elif float(task.energy_shift) != 0.0:
            reason = "its energy has a shift per structure (energy_shift), which no atom owns"
        elif task.spec.graph_inputs:
            reason = f"it takes {', '.join(task.spec.graph_inputs)} of the structure as input"
        if reason:
            raise ValueError(f"{model.name} cannot be evaluated on parts of a structure: {reason}")

    def _measured_steps(self, name: str) -> int:
        """Neighbours of neighbours that change the energy of the first atom of a bent chain."""
        generator = torch.Generator().manual_seed(0)
        pos = 0.02 * torch.randn(_CHAIN, 3, generator=generator, dtype=torch.float64)
        pos[:, 0] += _SPACING * torch.arange(_CHAIN)
        known = [number for number in self._task.spec.elements if number]
        numbers = np.array([known[index % len(known)] for index in range(_CHAIN)])
        first = np.zeros(_CHAIN, dtype=bool)
        first[0] = True
        _, forces = self.evaluate(pos.numpy() * self.cutoff, numbers, first)
        reached = int(np.abs(forces).max(1).nonzero()[0].max(initial=0))
        if reached == _CHAIN - 1:
            raise ValueError(
                f"{name} cannot be evaluated on parts of a structure: the energy of an atom "
                f"depends on atoms {reached} cutoffs away or more"
            )
        return max(reached, 1)

    def evaluate(
        self, pos: np.ndarray, numbers: np.ndarray, chosen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The energy of each atom in eV ``[N]``, and forces in eV/angstrom ``[N, 3]``.

        Forces are the negative derivative of the sum over chosen atoms. Energies of other atoms are
        those of an incomplete surrounding.

        Args:
            pos: ``[N, 3]`` positions in angstrom, not periodic.
            numbers: ``[N]`` atomic numbers.
            chosen: ``[N]`` which atoms have their energies counted.

        Raises:
            ValueError: If an element is unknown, or a result is not finite.
        """
        task, network = self._task, self._task.model
        weight = next(network.parameters())
        elements = np.array(task.spec.elements)
        is_element = torch.from_numpy(numbers[:, None] == elements).to(weight.device)
        if not bool(is_element.any(1).all()):
            unknown = sorted(set(numbers.tolist()) - set(elements.tolist()))
            raise ValueError(f"atomic numbers {unknown} are absent from training")
        given = torch.from_numpy(pos - pos.mean(0))
        batch = torch.zeros(len(pos), dtype=torch.int64)
        # The pairs of the precision that the network computes distances in.
        given = given.to(weight.dtype)
        pairs = neighbor_pairs(given, float(network.radius), batch, 1)  # type: ignore[arg-type]
        given, batch = given.to(weight.device), batch.to(weight.device)
        edges: Any = network.neighbors(  # type: ignore[operator]
            given, batch, num_graphs=1, pairs=pairs._replace(index=pairs.index.to(weight.device))
        )
        kept = torch.from_numpy(chosen).to(weight.device)

        def readout(out: Any, inputs: Any) -> AtomOutputs:
            found = combined(out, inputs, task.atom_factors)
            return found._replace(energy=(found.atom_energy * kept).sum()[None])

        inputs = {
            "pos": given, "x": is_element.to(weight.dtype), "batch": batch, "edge_index": edges,
            "num_graphs": 1,
        }  # fmt: skip
        found = energy_derivatives(network, inputs, create_graph=False, readout=readout)
        assert found.atom_energy is not None
        energies = found.atom_energy.detach().double() * task.energy_scale
        energies = energies + is_element.double() @ task.atom_energies
        return _finite(energies, "energy"), _finite(
            found.force.detach().double() * task.energy_scale, "force"
        )


def _finite(values: Tensor, what: str) -> np.ndarray:
    if not bool(values.isfinite().all()):
        raise ValueError(
            f"an {what} is not finite: atoms may be closer together than in any training structure"
            if what == "energy" else
            f"a {what} is not finite: atoms may be closer together than in any training structure"
        )  # fmt: skip
    found: np.ndarray = values.cpu().numpy() * _EV_PER_MEV
    return found
