"""Job ``steerable``: Triton kernels of steerable sums against the plain form, within NequIP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks._gradients import parameter_gradient, relative_difference
from benchmarks._periodic_steps import ELEMENTS, RADIUS, store_of
from benchmarks._zoo_steps import model_of
from benchmarks.gpu._checks import run_tests
from benchmarks.gpu._job import Context
from benchmarks.gpu._measure import (
    captured,
    dearest_kernels,
    forget_peak,
    in_precision,
    measured,
    peak_mib,
)
from geozoo.ops.steerable import filtered, steerable_sum
from geozoo.ops.steerable.sum import SumBackend
from geozoo.tasks._derivatives import energy_and_force
from geozoo.tasks._neighbors import with_neighbors

TESTS = ("tests/ops/test_steerable_triton.py",)
FORMS: Mapping[str, SumBackend] = {"plain": "torch", "triton": "triton"}
#: Network of a rehearsal: the interpreter takes milliseconds per edge.
_SMALL = {"hidden_channels": 2, "degree": 1, "num_layers": 2}


class Work(NamedTuple):
    """What is timed.

    Attributes:
        step: does it once.
        result: what the step left: gradients of the weights, or forces.
        items: molecules or atoms per step.
    """

    step: Callable[[], Tensor]
    result: Callable[[], Tensor]
    items: int


def aspirin(device: torch.device, small: bool) -> Work:
    """Training step on energies and forces of 5 molecules of 21 atoms."""
    model = _nequip(3, device, small, num_neighbors=14.0)
    molecules, atoms = (1, 3) if small else (5, 21)
    count = molecules * atoms
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(3, (count,), generator=generator)
    inputs = {
        "pos": 1.5 * torch.randn(count, 3, generator=generator).to(device),
        "x": nn.functional.one_hot(kinds, 3).float().to(device),
        "batch": torch.arange(molecules, device=device).repeat_interleave(atoms),
        "num_graphs": molecules,
    }
    listed = with_neighbors(model, inputs)

    def step() -> Tensor:
        model.zero_grad(set_to_none=False)
        energy, force = energy_and_force(model, listed, create_graph=True)
        loss = energy.square().mean() / 500 + force.square().mean()
        loss.backward()
        return loss.detach()

    return Work(step, lambda: parameter_gradient(model), molecules)


def copper(device: torch.device, small: bool) -> Work:
    """Energy and forces of 500 atoms of crystalline copper."""
    model = _nequip(len(ELEMENTS), device, small, num_neighbors=42.0, radius=RADIUS)
    model.eval().requires_grad_(False)
    batch = store_of("copper", 4 if small else 500).gather(torch.arange(1)).to(device)
    inputs = {"pos": batch.pos, "x": batch.x, "batch": batch.batch, "num_graphs": 1}
    listed = with_neighbors(model, inputs, batch)
    forces = torch.zeros_like(batch.pos)

    def step() -> Tensor:
        energy, force = energy_and_force(model, listed, create_graph=False)
        forces.copy_(force.detach())
        return energy.detach().sum()

    return Work(step, forces.clone, len(batch.pos))


def _nequip(species: int, device: torch.device, small: bool, **options: Any) -> nn.Module:
    options |= _SMALL if small else {}
    return model_of(
        "nequip", in_channels=species, in_vectors=0, out_channels=1, out_vectors=0, dim=3,
        level="graph", **options,
    ).to(device)  # fmt: skip


CASES: Mapping[str, Callable[[torch.device, bool], Work]] = {
    "nequip_aspirin": aspirin,
    "nequip_copper": copper,
}


@contextmanager
def summed_by(form: str) -> Iterator[None]:
    """Sums of networks in one of the forms: networks themselves do not choose Triton."""
    with patch.object(filtered, "steerable_sum", partial(steerable_sum, backend=FORMS[form])):
        yield


def run(context: Context) -> None:
    """Run the tests, then time both forms; failures are recorded with their reason."""
    run_tests(context, TESTS, seconds=min(150.0, context.left))
    if context.device.type != "cuda":  # a rehearsal: kernels are interpreted
        os.environ["TRITON_INTERPRET"] = "1"
        torch.set_num_threads(1)
    results: dict[str, Tensor] = {}
    # Captured steps last: one that fails may leave the device unusable.
    for is_captured, case, form in product((False, True), CASES, FORMS):
        name = f"{case} {form}{' captured' if is_captured else ''}"
        if context.left < 30:
            context.say(f"left out for want of time: {name}")
            continue
        plan = {"case": case, "form": form, "precision": "float32", "is_captured": is_captured}
        try:
            row = {**plan, **_measurements(context, case, form, is_captured, results)}
        except Exception as error:  # the others go on
            first = [*str(error).splitlines(), ""][0]
            row = {**plan, "failed": f"{type(error).__name__}: {first[:200]}"}
        context.keep(row)
        shown = f"{1000 * row['seconds']:.3f} ms" if "seconds" in row else row["failed"]
        context.say(f"{name}: {shown}")


def _measurements(
    context: Context, case: str, form: str, is_captured: bool, results: dict[str, Tensor]
) -> dict[str, Any]:
    """Time and memory of a form, and the difference of its results from the first form's."""
    device, small = context.device, context.rehearse
    forget_peak(device)
    with summed_by(form):
        work = CASES[case](device, small)
        step = in_precision(work.step, "float32", device)
        step = captured(step, device) if is_captured else step
        row = measured(step, device, once=small)
        row |= {"mib": peak_mib(device), "items_per_s": work.items / row["seconds"]}
        result = work.result().clone()
        reference = results.setdefault(case, result)
        row["difference"] = relative_difference(result, reference)
        if not (is_captured or small):
            row["dearest"] = dearest_kernels(step, device)
    return row
