"""The published implementation's float64 outputs and gradients are reproduced."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from geozoo.models import GramODE, load_gram_ode_weights
from geozoo.nn import MultiODEBlock, SpatioTemporalBlock, TemporalConv
from geozoo.options import in_groups

CASES = ["multi_ode_block", "stgcn_block", "network"]


def read(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, float], dict[str, Tensor]]:
    """Weights by the formula of the file, norms of their gradients, and the arrays."""
    path = folder / "reference" / f"gram_ode_{name}"
    given = json.loads(path.with_suffix(".json").read_text())
    weights = {}
    for parameter in given["parameters"]:
        k, shape = parameter["k"], parameter["shape"]
        place = torch.arange(int(np.prod(shape)), dtype=torch.float64)
        wave = torch.cos((0.5 + 0.013 * k) * place + k)
        weights[parameter["name"]] = (parameter["offset"] + parameter["scale"] * wave).view(shape)
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
    return weights, given["gradient_norms"], arrays


def build(name: str, adjacency: Tensor, **options) -> nn.Module:
    nodes = len(adjacency)
    if name == "network":
        # The model keeps its graphs in the default precision; the reference's is double.
        model = GramODE(
            adjacency,
            adjacency.flip(0, 1),
            in_channels=3,
            variant="released",
            **in_groups(GramODE, options),
        )
        model = model.double()
        model.spatial_adjacency.copy_(adjacency)
        model.semantic_adjacency.copy_(adjacency.flip(0, 1))
        return model.eval()
    block = MultiODEBlock(nodes, 64, **in_groups(MultiODEBlock, {"variant": "released", **options}))
    if name == "multi_ode_block":
        return block.double().eval()
    convolutions = [TemporalConv(width, skip_when_equal_width=True) for width in (3, 64)]
    return SpatioTemporalBlock(convolutions[0], block, convolutions[1]).double().eval()


def run(name: str, module: nn.Module, x: Tensor, adjacency: Tensor) -> Tensor:
    """Call with the axes of the reference, [batch, node, time, feature]."""
    if name == "network":
        return module(x.transpose(1, 2)).transpose(1, 2)
    return module(x, adjacency)


def deviation(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).detach().abs().max() / expected.abs().max())


def gradient_norms(module: nn.Module, weights: dict[str, Tensor]) -> dict[str, float]:
    """Norm of the gradient of each published weight, found through the loader itself.

    Loading number n into every entry of the n-th weight tells where each of them went.
    """
    gradients = {name: parameter.grad for name, parameter in module.named_parameters()}
    numbered = {name: torch.full_like(value, n) for n, (name, value) in enumerate(weights.items())}
    load_gram_ode_weights(module, numbered)
    squares = torch.zeros(len(weights), dtype=torch.float64)
    for name, place in module.named_parameters():
        squares.index_add_(0, place.detach().long().flatten(), gradients[name].square().flatten())
    return dict(zip(weights, squares.sqrt().tolist(), strict=True))


def deviations(name: str, folder: Path, **options) -> tuple[dict[str, float], set[str]]:
    """Relative deviation of output, input gradient and gradient norms; weights with no gradient."""
    weights, norms, arrays = read(folder, name)
    module = build(name, arrays["adjacency"], **options)
    load_gram_ode_weights(module, weights)
    x = arrays["x"].requires_grad_()
    y = run(name, module, x, arrays["adjacency"])
    wave = torch.cos(0.21 * torch.arange(y.numel(), dtype=torch.float64)).view_as(y)
    (y * wave).sum().backward()
    found = {"y": deviation(y, arrays["y"]), "grad_x": deviation(x.grad, arrays["grad_x"])}
    silent = set()
    for key, norm in gradient_norms(module, weights).items():
        expected = norms[key] or 0.0
        if max(norm, expected) < 1e-14:
            silent.add(key)
        else:
            found[key] = abs(norm - expected) / max(norm, expected)
    return found, silent


@pytest.mark.parametrize("backend", ["factorised", "general"])
@pytest.mark.parametrize("name", CASES)
def test_published_outputs_and_gradients_are_reproduced(name, backend, shared_folder):
    found, silent = deviations(name, shared_folder, backend=backend)
    assert len(found) > 30
    assert max(found.values()) < 1e-9, found
    # A softmax does not see what is added to all keys; the rest is what nobody reads.
    idle = re.compile(r"linear_k\.bias$|fcn_|res_weight|edge_weight|temporal\d\.")
    assert not [key for key in silent if not idle.search(key)]


@pytest.mark.parametrize(
    ("options", "same_output"),
    [({"variant": "paper"}, False), ({"detach_initial": False}, True)],
)
def test_the_paper_variant_and_the_kept_gradient_differ(options, same_output, shared_folder):
    found, _ = deviations("multi_ode_block", shared_folder, **options)
    assert (found["y"] < 1e-12) == same_output
    assert found["grad_x"] > 1e-3
