"""STGODE as a model: its parts in their order, symmetry of the sensors, solvers, errors."""

import pytest
import torch
from torch import nn

from geozoo import testing
from geozoo.models import StgODE
from geozoo.options import in_groups

NODES = 5
SMALL = {
    "in_channels": 2, "input_steps": 6, "horizon": 4, "hidden_channels": 8, "num_branches": 2,
    "bottleneck_channels": 4, "readout_channels": 10,
}  # fmt: skip


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def build(seed=0, **options):
    graphs = [random(NODES, NODES, seed=each).abs() / NODES for each in (1, 2)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = StgODE(*graphs, **in_groups(StgODE, {**SMALL, **options})).double()
        for name, parameter in model.named_parameters():
            if name.endswith("diagonal"):
                nn.init.uniform_(parameter, 0.2, 0.8)
            else:
                nn.init.normal_(parameter, std=0.3)
    return model


def test_the_largest_of_all_branches_goes_to_the_readout():
    model, x = build().eval(), random(3, 6, NODES, 2)
    outputs = []
    for graph, branches in (
        (model.spatial_adjacency, model.spatial_branches),
        (model.semantic_adjacency, model.semantic_branches),
    ):
        for branch in branches:
            features = x.transpose(1, 2)
            for block in branch:
                features = block.conv_out(block.dynamics(block.conv_in(features), graph))
                features = block.norm(features)
            outputs.append(features)
    assert len(outputs) == 4
    largest = outputs[0]
    for output in outputs[1:]:
        largest = torch.maximum(largest, output)
    first, _, second = model.readout
    expected = second(torch.relu(first(largest.reshape(3, NODES, -1)))).transpose(1, 2)
    torch.testing.assert_close(model(x), expected)
    assert model(x).shape == (3, 4, NODES)


def test_sensors_may_come_in_any_order():
    model, order = build().eval(), torch.tensor([3, 0, 4, 1, 2])
    state = {}
    for name, value in model.state_dict().items():
        if name.endswith("_adjacency"):
            value = value[order][:, order]
        elif name.endswith("alpha") or (".norm." in name and value.dim()):
            value = value[order]
        state[name] = value
    other = build(seed=1).eval()
    other.load_state_dict(state)
    x = random(3, 6, NODES, 2)
    torch.testing.assert_close(other(x[:, :, order]), model(x)[:, :, order])


@pytest.mark.parametrize("solver", ["midpoint", "rk4", "dopri5"])
def test_solvers_agree_where_the_equation_is_short(solver):
    short = {"end_time": 1e-3}
    x = random(2, 6, NODES, 2)
    found, euler = build(solver=solver, **short).eval()(x), build(**short).eval()(x)
    assert not torch.equal(found, euler)
    torch.testing.assert_close(found, euler, rtol=1e-4, atol=1e-4)


def test_every_parameter_is_used():
    model = build(dropout=0.0, learned_graph_channels=3, use_time=True, bottleneck_channels=8)
    time = torch.arange(10).view(1, 10, 1).expand(6, 10, 2)
    (model(random(6, 6, NODES, 2), time=time) * random(6, 4, NODES, seed=3)).sum().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


@pytest.mark.slow
def test_derivatives_are_right():
    testing.assert_gradients(build().eval(), {"x": random(2, 6, NODES, 2)}, wrt=("x",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"end_time": 0}, "end_time must be positive and at most 1e\\+06, got 0"),
        ({"readout_channels": 0}, "readout_channels must be at least 1, got 0"),
        ({"solver": "leapfrog"}, "solver must be one of euler"),
        ({"steps_per_day": 0}, "steps_per_day must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StgODE(torch.eye(NODES), torch.eye(NODES), **in_groups(StgODE, {**SMALL, **options}))
