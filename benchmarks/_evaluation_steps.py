"""Energies and forces of a trained model: exact kernels against tabulated kernels."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks._case import Built, Case
from geozoo.models import Ponita, tabulate

GRAPHS, ATOMS, RADIUS = 16, 21, 5.0
#: Cells of the tables along each axis; None: exact kernels.
POINTS = {"exact": None, "tabulated_64": 64, "tabulated_256": 256}


def evaluation(form: str, device: torch.device) -> Built:
    """Energies and forces of 16 molecules of 21 atoms, without storing anything for training."""
    torch.manual_seed(0)
    model = Ponita(9, 1, radius=RADIUS, orientations={"num_orientations": 20})
    points = POINTS[form]
    if points is not None:
        model = tabulate(model, points=points).model
    model = model.to(device).requires_grad_(False)
    pos = 1.5 * torch.randn(GRAPHS * ATOMS, 3, device=device)
    x = torch.eye(9, device=device)[torch.randint(9, (len(pos),), device=device)]
    batch = torch.arange(GRAPHS, device=device).repeat_interleave(ATOMS)

    def step() -> float:
        moved = pos.clone().requires_grad_()
        energy = model(moved.clone(), x, batch, num_graphs=GRAPHS).scalar
        (gradient,) = torch.autograd.grad(energy.sum(), moved)
        return float(energy.detach().square().mean() + gradient.square().mean())

    return Built(step)


CASES = [
    Case(
        "evaluation", f"PONITA, energies and forces of {GRAPHS} molecules, no training",
        {form: partial(evaluation, form) for form in POINTS}, GRAPHS,
    ),
]  # fmt: skip
