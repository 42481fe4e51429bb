"""Export trained models to run without geozoo: torch.export, AOTInductor, ONNX."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from geozoo.data import WindowBatch
from geozoo.hub._potential_programs import potential_program
from geozoo.hub.loading import TrainedModel
from geozoo.tasks import Forecasting, Potential

#: Name of the description inside an exported file.
DESCRIPTION = "geozoo.json"


def export_program(model: TrainedModel) -> ExportedProgram:
    """Export a trained model as a program that needs torch only.

    A potential takes one structure of any size, in the precision of the network: ``numbers [N]``
    int64, ``pos [N, 3]`` in angstrom, and ``pairs [2, P]`` int64. It returns the energy ``[1]`` in
    meV, float64, and the forces ``[N, 3]`` in meV/angstrom, but neither energies of atoms nor
    dipoles.

    Without a cutoff, ``pairs`` are all pairs of different atoms of a molecule, each once
    (``torch.triu_indices(N, N, 1)``). With a cutoff, they are the neighbours closer than the
    cutoff, each pair of atoms or images once, as sender and receiver; then the program also takes
    ``shift [P, 3]``, the lattice vectors in angstrom that lead from the sender to its image (zero
    for molecules), and also returns the virial ``[3, 3]`` in meV, float64, so that the stress is
    ``-virial / volume``. There may be a single atom, and no pair.

    A program cannot raise errors: all results are NaN for an element absent from the training set,
    and the energy is NaN for a composition that the training energies do not determine.
    A forecaster takes any number of windows in physical units: ``x [B, T, N, F]``,
    ``observed [B, T, N]`` (bool; 0 in ``x`` where false) and ``time [B, T + H, 2]`` (slot of the
    day, day of the week from Monday); it returns the forecast ``[B, H, N]``.

    Args:
        model: a trained potential or forecaster.

    Raises:
        ValueError: If the model is of another type, needs further inputs, or its network cannot be
            traced.
    """
    if isinstance(model.task, Potential):
        return potential_program(model, model.task)
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
            forecaster. The former contains the description of the model, `DESCRIPTION`, with
            `program_of` under the key ``program``; the latter has that as its metadata.
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
        metadata = {key: _as_text(value) for key, value in program_of(model).items()}
        configs = {"aot_inductor.metadata": metadata}
        with warnings.catch_warnings():  # torch warns about its own deprecated calls
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(path), inductor_configs=configs
            )
    else:
        described = {**asdict(model.description), "program": program_of(model)}
        torch.export.save(program, path, extra_files={DESCRIPTION: json.dumps(described)})


def program_of(model: TrainedModel) -> dict[str, Any]:
    """What a user of the program of a model must know.

    ``inputs`` and ``outputs``: their names in order; ``dtype`` of real inputs; for potentials
    ``cutoff`` in angstrom (None: all pairs) and ``elements``, their atomic numbers.

    Args:
        model: a trained potential or forecaster.
    """
    dtype = str(model.dtype).removeprefix("torch.")
    if not isinstance(model.task, Potential):
        inputs, outputs = ["x", "observed", "time"], ["forecast"]
        return {"inputs": inputs, "outputs": outputs, "dtype": dtype}
    cutoff = getattr(model.model, "radius", None)
    is_local = cutoff is not None
    return {
        "inputs": ["numbers", "pos", "pairs"] + ["shift"] * is_local,
        "outputs": ["energy", "forces"] + ["virial"] * is_local,
        "dtype": dtype,
        "cutoff": cutoff,
        "elements": [number for number in model.task.spec.elements if number],
    }


def _as_text(value: Any) -> str:
    """A value as text for metadata, which are strings: lists separated by commas."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


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
