"""What the layers of the multi-ODE block are made of: starts, sizes, choices passed on."""

import pytest
import torch

import geozoo.nn as layers
from geozoo.ode import Integrator, solvers
from geozoo.options import in_groups

OTHER = Integrator("rk4")


def test_starts_and_sizes_unasked_are_the_published_ones():
    for layer in (layers.NodeODE(3, 2, groups=2), layers.EdgeODE(3, 2), layers.TensorODE(3, 2)):
        assert torch.equal(layer.alpha, torch.full_like(layer.alpha, 0.8))
    local, block = layers.LocalODE(3, 8), layers.MultiODEBlock(3, 8)
    for each in (local, block.local_ode):
        assert each.steps == 12 and each.pieces == 4 and each.attention.heads == 32
        assert each.attention.query.out_features == 64 and each.attention.mix
        assert not each.ode.detach_initial
    assert block.steps == 12
    assert block.update.gate is not None and block.filter is not None
    assert block.aggregation.mode == "gated"
    assert layers.ResidualUpdate(4).gate.out_features == 4
    assert layers.ResidualUpdate(4, use_gate=False).gate is None
    torch.manual_seed(0)
    assert 0.95 < layers.SpatialMask(100).mask.std() < 1.05


def test_choices_reach_the_modules():
    options = {"integrator": OTHER, "detach_initial": True}
    local = layers.LocalODE(3, 8, key_channels=32, heads=4, **options)
    assert local.attention.query.out_features == 32 and local.attention.heads == 4
    assert local.ode.integrator is OTHER and local.ode.detach_initial
    block = layers.MultiODEBlock(
        3,
        8,
        local_heads=4,
        **in_groups(
            layers.MultiODEBlock,
            {
                "spatial_mask": "product",
                "mask_std": 0.0,
                "use_shared_weights": False,
                "local_order": "step",
                "signed_filter": True,
                **options,
            },
        ),
    )
    for part in (block.global_ode, block.edge_ode, block.local_ode.ode):
        assert part.integrator is OTHER and part.detach_initial
    assert block.local_ode.order == "step" and block.filter.signed
    shapes = {"global": (3, 3), "edge": (3, 3), "local": (4, 3, 3)}
    for name, shape in shapes.items():
        assert torch.equal(block.masks[name].mask, torch.ones(shape))
    assert block.attentions["local"].left.shape == (4, 1, 1)


def test_modules_that_are_left_out_are_not_there():
    block = layers.MultiODEBlock(3, 8, local_heads=4, ablation={"use_global": False})
    assert block.global_ode is None and block.global_map is None and block.filter is None
    block = layers.MultiODEBlock(3, 8, ablation={"use_local": False})
    assert block.local_ode is None and block.local_map is None


def test_choices_of_the_solver_reach_it(monkeypatch):
    seen = {}
    monkeypatch.setattr(solvers, "odeint_states", lambda *args, **given: seen.update(given))
    choice = {"solver": "dopri5", "adjoint": True, "rtol": 1e-3, "atol": 1e-4}
    Integrator(**choice).states(lambda t, y: y, torch.ones(1), (0.0, 1.0), [])
    assert seen == {**choice, "adjoint_params": []}


@pytest.mark.parametrize("times", [(0.25, 0.75), (1.0, 0.0), (-0.5, 1.5), (0.0, 2.0)])
def test_only_one_unit_step_is_factorised(times):
    assert layers.EdgeODE(3, 2, times=times).form == "general"
    assert layers.EdgeODE(3, 2, times=(0.5, 1.5)).form == "factorised"


@pytest.mark.parametrize(
    "build", [layers.SpatialMask, layers.TemporalAttention], ids=["mask", "attention"]
)
def test_copies_are_checked_and_there(build):
    with pytest.raises(ValueError, match="^copies must be at least 1, got 0"):
        build(3, copies=0)
    shapes = [parameter.shape for parameter in build(3, copies=1).parameters()]
    assert set(shapes) == {(1, 3, 3)}
    assert {parameter.shape for parameter in build(3).parameters()} == {(3, 3)}
