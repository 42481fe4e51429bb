"""Training steps of GRAM-ODE: pairwise tensors, factorised edges, recomputed blocks."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torchdiffeq

from benchmarks._case import MODES, Built, Case, size
from geozoo.models import GramODE
from geozoo.ode import Integrator
from geozoo.options import in_groups
from geozoo.tasks._compiled import CompiledModel

#: Arguments of the network for each variant.
FORMS: dict[str, dict[str, Any]] = {
    "textbook": {"backend": "textbook"},
    "torchdiffeq": {"backend": "textbook"},
    "general": {"backend": "general"},
    "fast": {"backend": "factorised"},
    "recompute": {"backend": "factorised", "recompute": True},
    "compiled": {"backend": "factorised"},
    "cuda_graphs": {"backend": "factorised"},
}
ON_GPU = tuple(MODES)
BATCH = 8


class _Torchdiffeq(Integrator):
    """Euler steps by torchdiffeq instead of our own."""

    def states(self, func: Any, y0: Any, times: Any, adjoint_params: Any = None) -> Any:
        grid = torch.tensor(times, dtype=y0.dtype, device=y0.device)
        return torchdiffeq.odeint(func, y0, grid, method="euler").unbind(0)


def step_of(sensors: int, form: str, device: torch.device) -> Built:
    """Mean absolute error of 8 windows; without dropout, so that variants can be compared."""
    torch.manual_seed(0)
    sensors, batch = size(sensors, 6), size(BATCH, 2)
    graph = road_graph(sensors)
    model = GramODE(
        graph, graph.T, in_channels=3, **in_groups(GramODE, {"dropout": 0.0, **FORMS[form]})
    ).to(device)
    if form == "torchdiffeq":
        for module in model.modules():
            if hasattr(module, "integrator"):
                module.integrator = _Torchdiffeq()
    network = CompiledModel(model, mode=MODES[form]) if form in MODES else model
    x = torch.randn(batch, 12, sensors, 3, device=device)
    target = torch.randn(batch, 12, sensors, device=device)

    def step() -> torch.Tensor:
        model.zero_grad()
        loss = (network(x=x) - target).abs().mean()
        loss.backward()
        return loss.detach()

    return Built(step, model)


def road_graph(sensors: int) -> torch.Tensor:
    """A dense matrix with the row sums of a normalised road graph."""
    graph = torch.rand(sensors, sensors)
    return 0.4 * (torch.eye(sensors) + graph / graph.sum(1, keepdim=True))


def _case(sensors: int, *forms: str) -> Case:
    variants = {form: partial(step_of, sensors, form) for form in forms}
    about = f"GRAM-ODE, published size, {BATCH} windows of {sensors} sensors"
    return Case(f"gram_ode_{sensors}", about, variants, BATCH, ON_GPU)


#: At 883 sensors the pairwise tensors do not fit into typical memory.
CASES = [_case(170, *FORMS), _case(307, *FORMS), _case(883, "recompute")]
