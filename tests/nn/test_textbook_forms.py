"""Every layer is what its equations as written give: values, first and second derivatives."""

import pytest
import torch
from graph_layer_cases import GRAPH_CASES
from layer_cases import CASES, Case, random, seeded
from point_layer_cases import POINT_CASES
from sensor_layer_cases import SENSOR_CASES
from torch.nn.attention import SDPBackend, sdpa_kernel

from geozoo.ops import textbook

LAYERS = {
    f"{name}-{variant}": make
    for name, variants in {**CASES, **GRAPH_CASES, **POINT_CASES, **SENSOR_CASES}.items()
    for variant, make in variants.items()
}


def derivatives(case: Case, module) -> list[torch.Tensor]:
    """Outputs, and first and second derivatives along fixed directions."""
    given = {
        name: value.detach().clone().requires_grad_() if name in case.wrt else value
        for name, value in case.inputs.items()
    }
    parameters = list(module.parameters()) if isinstance(module, torch.nn.Module) else []
    with sdpa_kernel(SDPBackend.MATH):
        output = module(**given)
    output = output if isinstance(output, tuple) else (output,)
    parts = [part for part in output if part is not None and part.requires_grad]
    wanted = [*(given[name] for name in case.wrt), *parameters]
    options = {"allow_unused": True, "materialize_grads": True}
    first = along(parts, wanted, seed=4, create_graph=True, **options)
    second = along([g for g in first if g.requires_grad], wanted, seed=5, **options)
    return [*parts, *first, *second]


def along(parts, wanted, *, seed, **options):
    if not parts:
        return [torch.zeros_like(value) for value in wanted]
    loss = sum((part * random(*part.shape, seed=seed)).sum() for part in parts)
    return torch.autograd.grad(loss, wanted, **options)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_its_equations(name):
    case = LAYERS[name]()
    made = case.build()
    module = seeded(case.build) if isinstance(made, torch.nn.Module) else made
    found = derivatives(case, module)
    with textbook():
        expected = derivatives(case, module)
    for one, other in zip(found, expected, strict=True):
        scale = float(other.detach().abs().max()) + 0.1 if other.numel() else 1.0
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10 * scale)
