"""Export trained models to run without geozoo: torch.export, AOTInductor, ONNX."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from geozoo.contracts import NeighborListed
from geozoo.data import WindowBatch
from geozoo.data.molecules.atom_energies import is_determined
from geozoo.geometry import PairedEdges
from geozoo.hub.loading import TrainedModel
from geozoo.tasks import Forecasting, Potential
from geozoo.tasks._atom_readout import combined
from geozoo.tasks._terms import TermsOfMolecule

#: Atoms of the example molecule for tracing: different from any layer width of a network, so that
#: the tracer cannot confuse the two sizes.
_EXAMPLE_ATOMS = 13
_MOST_ATOMS = 4096
#: Name of the description inside an exported file.
DESCRIPTION = "geozoo.json"


def export_program(model: TrainedModel) -> ExportedProgram:
    """Export a trained model as a program that needs torch only.

    A potential takes one molecule of any size: ``numbers [N]`` int64, ``pos [N, 3]`` in angstrom,
    and ``pairs [2, P]`` int64, every pair of different atoms once with the smaller index first
    (``torch.triu_indices(N, N, 1)``); it returns the energy ``[1]`` in meV, float64, and the forces
    ``[N, 3]`` in meV/angstrom, but neither energies of atoms nor dipoles. A program cannot raise
    errors: energy and forces are NaN for an element absent from the training set, and the energy is
    NaN for a composition that the training energies do not determine.
    A forecaster takes any number of windows in physical units: ``x [B, T, N, F]``,
    ``observed [B, T, N]`` (bool; 0 in ``x`` where false) and ``time [B, T + H, 2]`` (slot of the
    day, day of the week from Monday); it returns the forecast ``[B, H, N]``.

    Args:
        model: a trained potential or forecaster.

    Raises:
        ValueError: If the model is of another type, or needs further inputs.
    """
    if isinstance(model.task, Potential):
        return _potential_program(model, model.task)
    if isinstance(model.task, Forecasting):
        return _forecast_program(model, model.task)
    raise ValueError(
        f"only potentials and forecasters can be exported; the task of {model.name} is "
        f"{type(model.task).__name__}"
    )


def save_program(model: TrainedModel, path: Path, *, compiled: bool = False) -> None:
    """Export a trained model to a file.

    Args:
        model: see `export_program`.
        path: ``.pt2`` for ``torch.export.load``, or with ``compiled`` for
            ``torch._inductor.aoti_load_package`` on the same type of hardware; ``.onnx`` for a
            forecaster.
        compiled: compile to native code, which takes minutes and requires a C++ compiler.

    Raises:
        ValueError: If the file extension is unknown, or the format does not support the model.
        ImportError: If the packages for ONNX export are not installed.
    """
    if path.suffix not in (".pt2", ".onnx"):
        raise ValueError(f"output must end with .pt2 or .onnx, got {path.name}")
    if path.suffix == ".onnx" and not isinstance(model.task, Forecasting):
        raise ValueError(
            "ONNX does not support the derivatives needed for forces: export a potential as .pt2"
        )
    program = export_program(model)
    if path.suffix == ".onnx":
        _save_onnx(program, path)
    elif compiled:
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))
    else:
        extra = {DESCRIPTION: json.dumps(asdict(model.description))}
        torch.export.save(program, path, extra_files=extra)


class _Potential(nn.Module):
    """A traced function of a network's parameters, together with their values."""

    def __init__(self, function: torch.fx.GraphModule, values: list[Tensor]) -> None:
        super().__init__()
        self.function, self.count = function, len(values)
        for index, value in enumerate(values):
            self.register_buffer(f"value_{index}", value)

    def forward(self, numbers: Tensor, pos: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        values = [getattr(self, f"value_{index}") for index in range(self.count)]
        return self.function(values, numbers, pos, pairs)


def _potential_program(model: TrainedModel, task: Potential) -> ExportedProgram:
    network = task.model
    terms = None if task.terms is None else TermsOfMolecule(task.terms)
    tables = {} if terms is None else dict(terms.named_buffers())
    if task.spec.graph_inputs:
        raise ValueError(
            f"{model.name} cannot be exported: it takes {', '.join(task.spec.graph_inputs)} as "
            "input, which the exported inputs do not include"
        )
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    if not isinstance(network, NeighborListed):
        raise ValueError(
            f"{model.name} cannot be exported: {type(network).__name__} does not accept a "
            "precomputed neighbour list"
        )
    factors = task.atom_factors
    given = [
        torch.tensor(task.spec.elements), task.atom_energies, task.energy_scale,
        task.energy_shift, task.composition_span, task.shift_composition, task.known_compositions,
        *([] if factors is None else [factors]),
    ]  # fmt: skip

    def evaluate(
        values: list[Tensor], numbers: Tensor, pos: Tensor, pairs: Tensor
    ) -> tuple[Tensor, Tensor]:
        weights = dict(zip(state, values, strict=False))
        elements, of_elements, scale, shift, span, anchor, known, *rest = values[len(state) :]
        is_element = numbers.unsqueeze(1) == elements
        x, batch = is_element.to(pos.dtype), torch.zeros_like(numbers)
        with torch.enable_grad():
            centred = (pos - pos.mean(0)).detach().requires_grad_()
            edges = _edges(network, pairs)
            out = functional_call(network, weights, (centred, x, batch, edges), {"num_graphs": 1})
            if task.is_by_atom:
                inputs = {"x": x, "batch": batch, "num_graphs": 1}
                scaled = combined(out, inputs, None if factors is None else rest[0]).energy
            else:
                scaled = out.scalar[:, 0]
            (gradient,) = torch.autograd.grad(scaled.sum(), centred)
        of_atoms = (is_element.to(of_elements.dtype) @ of_elements).sum()
        energy = scaled.detach().to(scale.dtype) * scale + shift + of_atoms
        force = -gradient * scale.to(gradient.dtype)
        if terms is not None:
            # Unknown elements, whose results are NaN, must not be looked up in tables.
            safe = torch.where(is_element.any(1), numbers, elements.max())
            known_tables = dict(zip(tables, rest[factors is not None :], strict=True))
            of_terms = functional_call(terms, known_tables, (safe, pos, pairs))
            energy = energy + of_terms.energy
            force = force + of_terms.force.to(force.dtype)
        composition = is_element.to(span.dtype).sum(0, keepdim=True)
        is_known = composition.sum() == numbers.shape[0]
        is_settled = is_determined(composition, span, anchor, known).all() | task.any_composition
        nan = energy.new_full((), torch.nan)
        return (
            torch.where(is_known & is_settled, energy, nan),
            torch.where(is_known, force, nan.to(force.dtype)),
        )

    given += tables.values()
    values = [value.detach().clone() for value in [*state.values(), *given]]
    return _traced(evaluate, values, max(task.spec.elements), next(network.parameters()).dtype)


def _traced(
    evaluate: Callable[..., tuple[Tensor, Tensor]],
    values: list[Tensor],
    element: int,
    dtype: torch.dtype,
) -> ExportedProgram:
    """The program of a function of some values and a molecule of any size."""
    numbers = torch.full((_EXAMPLE_ATOMS,), element)
    generator = torch.Generator().manual_seed(0)
    pos = 3 * torch.randn(_EXAMPLE_ATOMS, 3, generator=generator, dtype=torch.float64)
    example = numbers, pos.to(dtype), torch.triu_indices(_EXAMPLE_ATOMS, _EXAMPLE_ATOMS, 1)
    traced = make_fx(evaluate, tracing_mode="symbolic")(values, *example)
    atoms = Dim("N", min=2, max=_MOST_ATOMS)
    pairs = Dim("P", min=1, max=_MOST_ATOMS * _MOST_ATOMS)
    shapes = ({0: atoms}, {0: atoms}, {1: pairs})
    return torch.export.export(_Potential(traced, values), example, dynamic_shapes=shapes)


def _edges(network: nn.Module, pairs: Tensor) -> PairedEdges:
    """The pairs as the edge type of the network.

    Raises:
        ValueError: If the network has a cutoff, or its kernels are not shared by pairs.
    """
    if getattr(network, "radius", None) is not None:
        raise ValueError(
            "networks with a cutoff cannot be exported yet: the neighbour list depends on positions"
        )
    if not getattr(network, "shares_kernels", False):
        raise ValueError('only networks with backend="shared" can be exported so far')
    return PairedEdges(pairs, pairs.shape[1], None)


class _Forecaster(nn.Module):
    """A forecast in physical units from readings in physical units."""

    def __init__(self, task: Forecasting) -> None:
        super().__init__()
        self.task = task

    def forward(self, x: Tensor, observed: Tensor, time: Tensor) -> Tensor:
        spec, count = self.task.spec, x.shape[0]
        ahead = x.new_zeros(count, spec.horizon, spec.num_nodes)
        part = time.new_zeros(count)
        batch = WindowBatch(x, observed, ahead, ahead > 0, time, part, part)
        return self.task.predict(batch)[spec.target]


def _forecast_program(model: TrainedModel, task: Forecasting) -> ExportedProgram:
    if model.lags:
        raise ValueError(
            f"{model.name} cannot be exported: it uses lags of {', '.join(map(str, model.lags))} "
            "steps, which the exported inputs do not include"
        )
    spec = task.spec
    x = torch.zeros(2, spec.input_steps, spec.num_nodes, spec.in_channels)
    observed = torch.ones(2, spec.input_steps, spec.num_nodes, dtype=torch.bool)
    time = torch.zeros(2, spec.input_steps + spec.horizon, 2, dtype=torch.int64)
    windows = {0: Dim("B", min=1, max=4096)}
    return torch.export.export(
        _Forecaster(task).eval(), (x, observed, time), dynamic_shapes=(windows,) * 3
    )


def _save_onnx(program: ExportedProgram, path: Path) -> None:
    try:
        import onnxscript  # noqa: F401  (torch needs it, but fails only midway through the export)
    except ImportError as error:
        raise ImportError(
            'ONNX export requires additional packages: pip install "geozoo[onnx]"'
        ) from error
    # torch warns about a missing torchvision and about its own deprecated calls.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        converted = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=["x", "observed", "time"],
            output_names=["forecast"],
        )  # fmt: skip
    assert converted is not None  # it is with `dynamo`
    converted.save(str(path))
