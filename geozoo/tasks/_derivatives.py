"""Forces and stress: derivatives of a network's energy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Derivatives(NamedTuple):
    """Energies and their derivatives, in the units of the network's output.

    Attributes:
        energy: ``[G]``.
        force: ``[N, dim]``, the negative derivative with respect to the positions.
        virial: ``[G, dim, dim]``, the negative derivative with respect to a symmetric strain of
            positions and cell; None unless requested.
        atom_energy: ``[N]``, if the network gives energies of atoms.
        dipole: ``[G, dim]``, if the network gives charges, in units of their own.
    """

    energy: Float[Tensor, " G"]
    force: Float[Tensor, "N dim"]
    virial: Float[Tensor, "G dim dim"] | None
    atom_energy: Float[Tensor, " N"] | None = None
    dipole: Float[Tensor, "G dim"] | None = None


def detached(found: Derivatives) -> Derivatives:
    """The same values without the graph of their computation."""
    return Derivatives(*(None if each is None else each.detach() for each in found))  # type: ignore[arg-type]


class EnergyGraph(NamedTuple):
    """Energies with the graph of their computation, which `derivatives_of` differentiates.

    Attributes:
        energy: ``[G]``.
        pos: positions ``[N, dim]`` that the energies depend on.
        strain: strain ``[G, dim, dim]`` that the energies depend on; None without virials.
        further: further fields of `Derivatives`, from the readout.
        name: name of the network, for error messages.
    """

    energy: Tensor
    pos: Tensor
    strain: Tensor | None
    further: Mapping[str, Tensor]
    name: str


def energy_and_force(
    network: Callable[..., Any], inputs: dict[str, Any], *, create_graph: bool
) -> tuple[Tensor, Tensor]:
    """The first two of `energy_derivatives`."""
    found = energy_derivatives(network, inputs, create_graph=create_graph)
    return found.energy, found.force


def energy_derivatives(
    network: Callable[..., Any],
    inputs: dict[str, Any],
    *,
    create_graph: bool,
    with_virial: bool = False,
    readout: Callable[[Any, Mapping[str, Any]], Any] | None = None,
) -> Derivatives:
    r"""Compute energies, forces and virials.

    The strain :math:`\varepsilon` maps positions and the shifts of periodic images to
    :math:`r (1 + \varepsilon)`, so every edge vector is strained:

    .. math:: F_i = -\partial E / \partial r_i, \qquad W = -\partial E / \partial \varepsilon

    and the stress is :math:`-W / V` with the volume V of the cell.

    Args:
        network: a geometric model with one scalar output per graph, or per node with ``readout``.
        inputs: its keyword arguments; ``edge_index`` holds the cell, as shifts of the edges.
            Lattice vectors ``cell [G, dim, dim]``, if there are any, are strained as well.
        create_graph: whether the derivatives are differentiable, as training requires.
        with_virial: whether to compute virials.
        readout: returns ``energy [G]`` and further fields of `Derivatives` from the output and the
            inputs of a network with outputs per node.

    Raises:
        ValueError: If the energies do not depend on the positions.
    """
    graph = energy_graph(network, inputs, with_virial=with_virial, readout=readout)
    return derivatives_of(graph, create_graph=create_graph)


def energy_graph(
    network: Callable[..., Any],
    inputs: dict[str, Any],
    *,
    with_virial: bool = False,
    readout: Callable[[Any, Mapping[str, Any]], Any] | None = None,
    name: str | None = None,
) -> EnergyGraph:
    """Compute energies of strained positions; the arguments are those of `energy_derivatives`.

    Args:
        network: a geometric model.
        inputs: its keyword arguments.
        with_virial: whether the energies also depend on a strain.
        readout: for networks with outputs per node.
        name: of the network, for error messages; None: that of its class.
    """
    pos = inputs["pos"].detach().requires_grad_(True)
    given, strain = {**inputs, "pos": pos}, None
    with torch.enable_grad():
        if with_virial:
            batch, count = inputs["batch"], inputs["num_graphs"]
            strain = pos.new_zeros(count, pos.shape[1], pos.shape[1]).requires_grad_(True)
            symmetric = (strain + strain.transpose(1, 2)) / 2
            rows = symmetric.index_select(0, batch)
            given["pos"] = pos + (pos.unsqueeze(1) @ rows).squeeze(1)
            given["edge_index"] = _strained(inputs["edge_index"], symmetric, batch)
            if (cell := inputs.get("cell")) is not None:
                given["cell"] = cell + cell @ symmetric.to(cell.dtype)
        energy, read = _energies(network, given, readout)
    return EnergyGraph(energy, pos, strain, read, name or type(network).__name__)


def derivatives_of(
    graph: EnergyGraph, *, create_graph: bool, retain_graph: bool = False
) -> Derivatives:
    """The derivatives of energies.

    Args:
        graph: the energies.
        create_graph: whether the derivatives are differentiable.
        retain_graph: whether the energies can be differentiated again.

    Raises:
        ValueError: If the energies do not depend on the positions.
    """
    energy, sources = graph.energy, [graph.pos]
    sources += [] if graph.strain is None else [graph.strain]
    found: tuple[Tensor | None, ...] = (None,)
    if energy.requires_grad:
        with torch.enable_grad():
            found = torch.autograd.grad(
                energy.sum(), sources, create_graph=create_graph, allow_unused=True,
                retain_graph=retain_graph or create_graph,
            )  # fmt: skip
    if found[0] is None:
        raise _no_forces(graph.name)
    virial = -found[1] if len(found) > 1 and found[1] is not None else None
    return Derivatives(energy, -found[0], virial, **graph.further)


def energy_gradient(
    network: Callable[..., Any],
    inputs: dict[str, Any],
    *,
    readout: Callable[[Any, Mapping[str, Any]], Any] | None = None,
) -> tuple[Float[Tensor, "N dim"], Float[Tensor, "N dim"]]:
    """Positions, and the gradient of the sum of all energies, which is differentiable in them.

    Args:
        network: as in `energy_derivatives`.
        inputs: as in `energy_derivatives`.
        readout: as in `energy_derivatives`.

    Raises:
        ValueError: If the energies do not depend on the positions.
    """
    pos = inputs["pos"].detach().requires_grad_(True)
    with torch.enable_grad():
        energy, _ = _energies(network, {**inputs, "pos": pos}, readout)
        found: tuple[Tensor | None, ...] = (None,)
        if energy.requires_grad:
            found = torch.autograd.grad(energy.sum(), pos, create_graph=True, allow_unused=True)
    if found[0] is None:
        raise _no_forces(type(network).__name__)
    return pos, found[0]


def _energies(
    network: Callable[..., Any],
    given: Mapping[str, Any],
    readout: Callable[[Any, Mapping[str, Any]], Any] | None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Energies ``[G]``, and what else the outputs of a network contain."""
    out = network(**given)
    if readout is None:
        return out.scalar[:, 0], {}
    read = readout(out, given)._asdict()
    return read.pop("energy"), read


def _no_forces(name: str) -> ValueError:
    return ValueError(
        "model must predict energies that depend on the positions, so that forces exist, got "
        f"{name}, whose energies do not"
    )


def _strained(edges: Any, strain: Tensor, batch: Tensor) -> Any:
    """Edges with strained shifts of periodic images; other edges are returned unchanged."""
    shift = getattr(edges, "shift", None)
    if shift is None:
        return edges
    rows = strain.index_select(0, batch.index_select(0, edges.receiver))
    return edges.with_shift(shift + (shift.unsqueeze(1) @ rows.to(shift.dtype)).squeeze(1))


def volumes(
    cell: Float[Tensor, "G 3 3"], pbc: Bool[Tensor, "G 3"]
) -> tuple[Float[Tensor, " G"], Bool[Tensor, " G"]]:
    """The volume of each cell, and whether it is one: slabs, wires and molecules have none.

    Args:
        cell: lattice vectors, in rows.
        pbc: periodic directions.
    """
    has_volume = pbc.all(1)
    one = torch.eye(3, dtype=cell.dtype, device=cell.device)
    return torch.where(has_volume[:, None, None], cell, one).det().abs(), has_volume
