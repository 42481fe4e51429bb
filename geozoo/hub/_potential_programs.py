"""Programs of potentials: energy and its derivatives as a function of plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from geozoo.contracts import supports_cells
from geozoo.data.molecules.atom_energies import is_determined
from geozoo.geometry import NeighborPairs, neighbor_pairs
from geozoo.tasks import Potential
from geozoo.tasks._atom_readout import combined
from geozoo.tasks._derivatives import energy_derivatives
from geozoo.tasks._terms import TermsOfMolecule

if TYPE_CHECKING:
    from geozoo.hub.loading import TrainedModel

_MOST_ATOMS = 1 << 20
_MOST_PAIRS = 1 << 30
#: Atoms of the lattice from which example structures are taken.
_SITES = 4
#: Unit of the example positions of networks without a cutoff, in angstrom.
_SPACING = 1.6

#: A function of the values of a network and of the inputs of its program.
Evaluate = Callable[..., tuple[Tensor, ...]]


def potential_program(model: TrainedModel, task: Potential) -> ExportedProgram:
    """The program of a potential; see `geozoo.hub.exporting.export_program`.

    Args:
        model: the model, for its name.
        task: its task.

    Raises:
        ValueError: If the model cannot be exported; the message says why.
    """
    _check(model, task)
    evaluate, values = _function(task)
    radius = getattr(task.model, "radius", None)
    examples = _examples(task, values, radius)
    _check_periodic(model, task.model, radius)
    example, other = next(examples), next(examples)
    try:
        expected = evaluate(values, *other)  # also fills caches of constants before the tracing
        traced = make_fx(evaluate, tracing_mode="symbolic", _allow_non_fake_inputs=True)(
            values, *example
        )
        program = torch.export.export(
            _Program(traced, values), example, dynamic_shapes=(_shapes(radius),)
        )
    except Exception as error:  # whatever a tracer raises about a network
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"{model.name} cannot be exported: {type(task.model).__name__} cannot be traced for "
            f"any number of atoms and pairs: {reason[0]}"
        ) from error
    _check_program(model, program, other, expected)
    return program


class _Program(nn.Module):
    """A traced function of a network's parameters, together with their values."""

    def __init__(self, function: torch.fx.GraphModule, values: list[Tensor]) -> None:
        super().__init__()
        self.function, self.count = function, len(values)
        for index, value in enumerate(values):
            self.register_buffer(f"value_{index}", value)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        values = [getattr(self, f"value_{index}") for index in range(self.count)]
        return self.function(values, *inputs)


class _ShiftedPairs(NeighborPairs):
    """Neighbour pairs with Cartesian shifts ``[P, 3]`` in place of images."""

    def shifts(self, cell: Tensor | None, batch: Tensor) -> Tensor | None:
        """The shifts as given, for which no cell is needed."""
        return self.image


def _check(model: TrainedModel, task: Potential) -> None:
    """Refuse models whose inputs are not those of a program."""
    if task.spec.graph_inputs:
        raise ValueError(
            f"{model.name} cannot be exported: it takes {', '.join(task.spec.graph_inputs)} as "
            "input, which the exported inputs do not include"
        )
    if not supports_cells(task.model):
        raise ValueError(
            f"{model.name} cannot be exported: {type(task.model).__name__} does not accept a "
            "precomputed neighbour list (arguments cell, pbc and pairs of `neighbors`)"
        )
    radius = getattr(task.model, "radius", None)
    if task.terms is None or radius is None:
        return
    for term in task.terms.each():
        reach = term.reach(task.spec.elements)
        if reach is None or reach > radius:
            needed = "all pairs of atoms and the cell" if reach is None else f"{reach:.2f} angstrom"
            raise ValueError(
                f"{model.name} cannot be exported: {type(term).__name__} needs {needed}, but the "
                f"pairs of the program end at the cutoff of the network, {radius:g} angstrom"
            )


def _check_periodic(model: TrainedModel, network: Any, radius: float | None) -> None:
    """Refuse networks that need more than pairs, with the reason that they give themselves."""
    pos = torch.eye(3)
    batch, pairs = torch.zeros(3, dtype=torch.int64), torch.tensor([[0, 0, 1], [1, 2, 2]])
    cell = {} if radius is None else {"cell": 9 * pos[None], "pbc": torch.ones(1, 3).bool()}
    image = None if radius is None else torch.zeros_like(pairs.T).new_zeros(3, 3)
    try:
        edges = network.neighbors(
            pos, batch, num_graphs=1, pairs=NeighborPairs(pairs, image), **cell
        )
    except ValueError as error:
        raise ValueError(f"{model.name} cannot be exported: {error}") from error
    if edges is None:
        raise ValueError(
            f"{model.name} cannot be exported: {type(network).__name__} finds its neighbours by "
            "itself (on a lattice), so pairs cannot be given"
        )


def _function(task: Potential) -> tuple[Evaluate, list[Tensor]]:
    """Energy and derivatives as a function of values and inputs, and the values."""
    network = task.model
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    terms = None if task.terms is None else TermsOfMolecule(task.terms)
    tables = {} if terms is None else dict(terms.named_buffers())
    factors = [] if task.atom_factors is None else [task.atom_factors]
    given = [
        torch.tensor(task.spec.elements), task.atom_energies, task.energy_scale,
        task.energy_shift, task.composition_span, task.shift_composition, task.known_compositions,
        *factors, *tables.values(),
    ]  # fmt: skip

    def evaluate(
        values: list[Tensor], numbers: Tensor, pos: Tensor, pairs: Tensor, shift: Tensor | None
    ) -> tuple[Tensor, ...]:
        weights = dict(zip(state, values, strict=False))
        elements, of_elements, scale, offset, span, anchor, known, *rest = values[len(state) :]
        is_element = numbers.unsqueeze(1) == elements
        x, batch = is_element.to(pos.dtype), torch.zeros_like(numbers)
        centred = (pos - pos.mean(0)).detach()
        edges: Any = network.neighbors(  # type: ignore[operator]  # see supports_cells
            centred, batch, num_graphs=1, pairs=_ShiftedPairs(pairs, shift)
        )

        def readout(out: Any, inputs: Any) -> Any:
            return combined(out, inputs, rest[0] if factors else None)

        found = energy_derivatives(
            lambda **inputs: functional_call(network, weights, (), inputs),
            {"pos": centred, "x": x, "batch": batch, "edge_index": edges, "num_graphs": 1},
            create_graph=False, with_virial=shift is not None,
            readout=readout if task.is_by_atom else None,
        )  # fmt: skip
        of_atoms = (is_element.to(of_elements.dtype) @ of_elements).sum()
        energy = found.energy.detach().to(scale.dtype) * scale + offset + of_atoms
        force = found.force.detach() * scale.to(found.force.dtype)
        parts = [energy, force]
        if found.virial is not None:
            parts.append(found.virial[0].detach().to(scale.dtype) * scale)
        if terms is not None:
            # Unknown elements, whose results are NaN, must not be looked up in tables.
            safe = torch.where(is_element.any(1), numbers, elements.max())
            known_tables = dict(zip(tables, rest[len(factors) :], strict=True))
            of_terms = functional_call(terms, known_tables, (safe, pos, pairs, shift))
            added = (of_terms.energy, of_terms.force, of_terms.virial)
            parts = [part + term.to(part) for part, term in zip(parts, added, strict=False)]
        composition = is_element.to(span.dtype).sum(0, keepdim=True)
        is_settled = is_determined(composition, span, anchor, known).all() | task.any_composition
        return _valid(parts, composition.sum() == numbers.shape[0], is_settled)

    def of_molecule(
        values: list[Tensor], numbers: Tensor, pos: Tensor, pairs: Tensor
    ) -> tuple[Tensor, ...]:
        return evaluate(values, numbers, pos, pairs, None)

    is_local = getattr(network, "radius", None) is not None
    values = [value.detach().clone() for value in [*state.values(), *given]]
    return evaluate if is_local else of_molecule, values


def _valid(parts: list[Tensor], is_known: Tensor, is_settled: Tensor) -> tuple[Tensor, ...]:
    """NaN in all parts for unknown elements, and in the energy without references."""
    valid = (is_known & is_settled, is_known, is_known)
    return tuple(
        torch.where(where, part, part.new_full((), torch.nan))
        for where, part in zip(valid, parts, strict=False)
    )


def _shapes(radius: float | None) -> tuple[dict[int, Dim], ...]:
    """The dynamic axes of the inputs."""
    atoms = Dim("N", min=1, max=_MOST_ATOMS)
    pairs = Dim("P", min=0, max=_MOST_PAIRS)
    shapes = {0: atoms}, {0: atoms}, {1: pairs}
    return shapes if radius is None else (*shapes, {0: pairs})


def _examples(
    task: Potential, values: list[Tensor], radius: float | None
) -> Iterator[tuple[Tensor, ...]]:
    """Structures whose numbers of atoms and pairs differ from each other and from any width.

    A tracer confuses equal sizes.
    """
    widths = {size for value in values for size in value.shape}
    known = [number for number in task.spec.elements if number]
    dtype = next(task.model.parameters()).dtype
    generator = torch.Generator().manual_seed(0)
    spacing = _SPACING if radius is None else radius / 2
    steps = torch.cartesian_prod(*[torch.arange(_SITES).double()] * 3)
    cell = _SITES * spacing * torch.tensor([[1.0, 0.1, 0.0], [-0.1, 1.1, 0.2], [0.0, 0.1, 0.9]])
    for atoms in range(11, len(steps)):
        pos = (steps[:atoms] + 0.3 * torch.rand(atoms, 3, generator=generator)) / _SITES
        pos, batch = pos.double() @ cell.double(), torch.zeros(atoms, dtype=torch.int64)
        periodic = {} if radius is None else {
            "cell": cell[None].double(), "pbc": torch.ones(1, 3).bool()
        }  # fmt: skip
        found = neighbor_pairs(
            pos, radius or torch.inf, batch, 1, cell=periodic.get("cell"), pbc=periodic.get("pbc")
        )
        count = next(
            (
                each for each in range(found.index.shape[1], 2 * atoms, -1)
                if radius is None or not {each, 2 * each, 2 * each + atoms} & widths
            ), None,
        )  # fmt: skip
        if atoms in widths or count is None or {count, 2 * count} & widths:
            continue
        numbers = torch.tensor([known[index % len(known)] for index in range(atoms)])
        given = numbers, pos.to(dtype), found.index[:, :count]
        shift = found.shifts(periodic.get("cell"), batch)
        widths |= {atoms, count, 2 * count, 2 * count + atoms}
        yield given if shift is None else (*given, shift[:count].to(dtype))
    raise ValueError("the network has layers of all widths, so that it cannot be traced")


def _check_program(
    model: TrainedModel, program: ExportedProgram, inputs: tuple[Tensor, ...], expected: Any
) -> None:
    """Compare the program with the model on a structure of another size than the example."""
    tolerance = torch.finfo(inputs[1].dtype).eps ** 0.4
    for found, wanted in zip(program.module()(*inputs), expected, strict=True):
        scale = wanted.abs().nan_to_num().max().clamp_min(1.0)
        if not torch.allclose(found / scale, wanted / scale, 0, tolerance, equal_nan=True):
            raise ValueError(
                f"{model.name} cannot be exported: its program differs from the model for another "
                f"number of atoms, since {type(model.model).__name__} uses sizes as constants "
                "(len(tensor) in place of tensor.shape[0])"
            )
