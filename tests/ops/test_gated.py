"""Gated activations: the kernels against the equation as written, to third derivatives."""

import pytest
import torch

from geozoo.ops.steerable import Gating, Target, _compiled, gated

needs_numba = pytest.mark.skipif(not _compiled.has_numba(), reason="numba is not installed")
GATING = Gating(3, ((3, 2), (5, 1)), scalar_scale=1.7, gate_scale=0.6)
SILU = GATING._replace(gate="silu")
NO_SCALARS = Gating(0, ((3, 2),), gate="silu")
TARGET = Target(torch.tensor([2, 0, 0, 3, 2, 2, 1]), 5)


def derivatives(gating: Gating, target: Target | None, backend: str) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(7, width, generator=generator, dtype=torch.float64).requires_grad_()
        for width in (*gating.widths, 1)
    ]
    x, *blocks, window = inputs
    if target is None:
        inputs = inputs[:-1]
    options = {} if target is None else {"window": window, "target": target}
    found = gated(x, blocks, gating, backend=backend, **options)
    total = sum((value + 0.3).square().sum() for value in found)
    for _ in range(3):
        grads = torch.autograd.grad(total, inputs, create_graph=True)
        found += grads
        total = sum(((grad + 0.1) * grad.detach().roll(1, 0)).square().sum() for grad in grads)
    return found


@needs_numba
@pytest.mark.parametrize("target", [None, TARGET], ids=["rows", "sums"])
@pytest.mark.parametrize(
    "gating", [GATING, Gating(4), SILU, NO_SCALARS], ids=["gates", "scalars", "silu", "no scalars"]
)
def test_kernels_give_the_equation_and_its_derivatives(gating, target):
    found, expected = (derivatives(gating, target, backend) for backend in ("numba", "torch"))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_gates_of_silu():
    x, block = torch.randn(5, 5), torch.randn(5, 6)
    _, found = gated(x, [block], Gating(3, ((3, 2),), gate="silu", gate_scale=2.0), backend="torch")
    expected = 2 * torch.nn.functional.silu(x[:, None, 3:]) * block.view(5, 3, 2)
    torch.testing.assert_close(found, expected.flatten(1))


@needs_numba
def test_single_precision_and_nan():
    x = torch.randn(3, 4)
    (found,) = gated(x, [], Gating(4), backend="numba")
    torch.testing.assert_close(found, torch.nn.functional.silu(x))
    x[1, 2] = torch.nan
    assert gated(x, [], Gating(4), backend="numba")[0].isnan().sum() == 1


def test_wrong_inputs_are_named():
    with pytest.raises(ValueError, match=r"part 1 must have shape \(2, 6\), got \(2, 5\)"):
        gated(torch.zeros(2, 6), [torch.zeros(2, 5), torch.zeros(2, 5)], GATING)
    with pytest.raises(ValueError, match="window and target must be given together"):
        gated(torch.zeros(2, 4), [], Gating(4), window=torch.ones(2, 1))
    with pytest.raises(ValueError, match=r"window must have shape \(7, 1\), got \(7,\)"):
        gated(torch.zeros(7, 4), [], Gating(4), window=torch.ones(7), target=TARGET)
