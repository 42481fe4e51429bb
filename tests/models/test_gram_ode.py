"""GRAM-ODE as a model: shapes, ablations, symmetries, saving, recomputation, errors."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from geozoo import testing
from geozoo.models import GramODE
from geozoo.options import in_groups

NODES = 5
SMALL = {
    "in_channels": 2, "input_steps": 6, "horizon": 4, "hidden_channels": 8, "num_branches": 1,
    "bottleneck_channels": 4, "num_blocks": 2, "local_heads": 4, "readout_heads": 2,
}  # fmt: skip


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def graphs() -> tuple[Tensor, Tensor]:
    every = [random(NODES, NODES, seed=seed).abs() for seed in (1, 2)]
    return tuple(0.4 * (torch.eye(NODES) + each / each.sum(1, keepdim=True)) for each in every)


def build(seed: int = 0, **options) -> GramODE:
    """A float64 model whose weights are all away from their start and of moderate size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GramODE(*graphs(), **in_groups(GramODE, {**SMALL, **options})).double()
        for name, parameter in model.named_parameters():
            if name.endswith("diagonal"):
                nn.init.uniform_(parameter, 0.2, 0.8)
            else:
                nn.init.normal_(parameter, std=0.3)
            if name.endswith(("clip", "norm.weight", "scales")):
                parameter.data.abs_().add_(0.5)
    return model


def series(windows: int = 3, **options: int) -> Tensor:
    return random(windows, SMALL["input_steps"], NODES, SMALL["in_channels"], **options)


def idle(model: GramODE, x: Tensor) -> list[str]:
    """Parameters without a finite gradient that is not zero."""
    output = model(x)
    assert output.shape == (len(x), model.horizon, NODES)
    assert torch.isfinite(output).all()
    (output * random(*output.shape, seed=3)).sum().backward()
    good = {
        name for name, p in model.named_parameters()
        if p.grad is not None and torch.isfinite(p.grad).all() and p.grad.any()
    }  # fmt: skip
    return [name for name, _ in model.named_parameters() if name not in good]


ABLATIONS = [
    {}, {"variant": "released"}, {"detach_initial": True}, {"use_edge": False},
    {"use_global": False}, {"use_local": False}, {"use_filter": False},
    {"use_shared_weights": False}, {"use_update_gate": False}, {"aggregation": "sum"},
    {"use_local_attention": False}, {"backend": "general"}, {"backend": "factorised"},
    {"backend": "textbook"},
    {"num_blocks": 1}, {"num_branches": 2}, {"dropout": 0.0},
    {"local_order": "step"}, {"signed_filter": True}, {"spatial_mask": "product", "mask_std": 0.5},
    {"learned_graph_channels": 3},
]  # fmt: skip


@pytest.mark.parametrize("options", ABLATIONS, ids=str)
def test_every_ablation_runs_and_uses_all_its_parameters(options):
    # In training, with dropout: the narrow convolutions need it off to be alive everywhere.
    assert not idle(build(**{"dropout": 0.0, "bottleneck_channels": 8, **options}), series(6))


@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("solver", ["euler", "midpoint", "rk4", "dopri5"])
def test_every_solver_runs(solver, adjoint):
    model = build(
        solver=solver, adjoint=adjoint, rtol=1e-3, atol=1e-3, num_blocks=1, bottleneck_channels=8
    )
    assert not idle(model.eval(), series(2))


SWITCHES = ("use_global", "use_edge", "use_local", "use_filter", "use_shared_weights")


@pytest.mark.parametrize("aggregation", ["gated", "sum"])
def test_every_combination_of_switches_runs_or_is_refused(aggregation):
    for values in itertools.product((False, True), repeat=len(SWITCHES)):
        options = dict(zip(SWITCHES, values, strict=True))
        left = sum(values[:3])
        if left > (aggregation == "gated"):
            model = build(aggregation=aggregation, num_blocks=1, **options)
            assert torch.isfinite(model(series(2))).all()
        else:
            with pytest.raises(ValueError, match="use_global|aggregation must be"):
                build(aggregation=aggregation, num_blocks=1, **options)


def test_published_sizes():
    graph = torch.eye(170)
    model = GramODE(graph, graph, in_channels=3, variant="released")
    layers = dict(model.named_modules())
    local = layers["spatial_branches.0.0.dynamics.local_ode.attention"]
    assert (local.query.out_features, local.value.out_features) == (512, 256)
    assert (model.readout.query.in_features, model.readout.query.out_features) == (4608, 384)
    assert model.readout.value.out_features == 12
    # The published count at these sizes is 16.66 million.
    assert sum(p.numel() for p in GramODE(graph, graph, in_channels=3).parameters()) == 16_655_928


def permuted(model: GramODE, order: Tensor) -> GramODE:
    """The same network with its sensors, and what is indexed by them, in another order."""
    state = {}
    for name, value in model.state_dict().items():
        if name.endswith(("mask", "_adjacency")):
            value = value[..., order, :][..., order]
        elif name.endswith(("alpha", "edge_ode.projection.weight")):
            value = value[..., order]
        elif ".norm." in name and value.dim():
            value = value[order]
        state[name] = value
    fresh = build(seed=1)
    fresh.load_state_dict(state)
    return fresh


@pytest.mark.parametrize("training", [False, True])
def test_sensors_may_come_in_any_order(training):
    model, order = build(dropout=0.0).train(training), torch.tensor([3, 0, 4, 1, 2])
    other = permuted(model, order).train(training)
    for block in other.modules():
        if isinstance(block, nn.Dropout):
            block.p = 0.0
    torch.testing.assert_close(
        other(series()[:, :, order]), model(series())[:, :, order], rtol=1e-10, atol=1e-10
    )


def test_windows_of_a_batch_do_not_meet():
    model, x = build().eval(), series(4)
    alone = torch.cat([model(window[None]) for window in x])
    torch.testing.assert_close(model(x), alone, rtol=1e-11, atol=1e-11)


def test_time_is_accepted_and_has_no_effect():
    model, x = build().eval(), series()
    assert torch.equal(model(x, time=torch.zeros(3, 6, 2)), model(x))


def test_the_clock_is_a_feature_where_it_is_asked_for():
    model, x = build(use_time=True, steps_per_day=24).eval(), series()
    time = torch.stack([torch.arange(10) % 24, torch.zeros(10).long()], -1).expand(3, 10, 2)
    plain = build(in_channels=3).eval()
    plain.load_state_dict(model.state_dict())
    clock = (time[:, :6, 0] / 24).double()[:, :, None, None].expand(3, 6, NODES, 1)
    torch.testing.assert_close(model(x, time=time), plain(torch.cat([x, clock], -1)))
    with pytest.raises(ValueError, match="time must be given: the model uses time features"):
        model(x)


def test_a_choice_overrides_the_variant_and_none_leaves_it():
    names = ("detach_initial", "local_order", "signed_filter", "spatial_mask", "mask_std")
    for variant, choices in (
        ("paper", (True, "step", True, "sum", 1.0)),
        ("released", (False, "window", False, "sum", 0.1)),
    ):
        model = build(variant=variant, **dict(zip(names, choices, strict=True)))
        other = build(variant="released" if variant == "paper" else "paper")
        block, wanted = (each.spatial_branches[0][0].dynamics for each in (model, other))
        assert block.filter.signed == wanted.filter.signed
        assert block.local_ode.order == wanted.local_ode.order
        assert block.global_ode.detach_initial == wanted.global_ode.detach_initial
        assert block.edge_ode.detach_initial == wanted.edge_ode.detach_initial


def test_the_mask_starts_as_wide_as_the_variant_says():
    graph = torch.eye(100)
    for variant, std in (("paper", 0.1), ("released", 1.0)):
        model = GramODE(
            graph, graph, **in_groups(GramODE, {**SMALL, "variant": variant, "num_blocks": 1})
        )
        mask = model.spatial_branches[0][0].dynamics.masks["shared"].mask
        assert 0.95 * std < mask.std() < 1.05 * std


def test_a_learned_graph_joins_the_roads_only():
    model, x = build(learned_graph_channels=3).eval(), series()
    plain = build().eval()
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("learned_graph")}
    state["spatial_adjacency"] = state["spatial_adjacency"] + model.learned_graph()
    plain.load_state_dict(state)
    torch.testing.assert_close(model(x), plain(x))


def test_input_is_left_as_it_is():
    x = series()
    before = x.clone()
    build()(x)
    assert torch.equal(x, before)


def test_dtype_is_kept():
    testing.assert_dtype_kept(build().eval(), {"x": series()})


def test_it_runs_under_bfloat16_autocast():
    model = build().float()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(series().float())
    output.float().square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_saved_models_predict_the_same():
    model = build()
    model(series(seed=4))  # fills the running statistics
    testing.assert_survives_saving(model.eval(), lambda: build(seed=1), {"x": series()})


@pytest.mark.thorough
def test_it_compiles_to_one_graph():
    testing.assert_compiles(build(num_blocks=1).eval(), {"x": series(2)})


def test_derivatives_are_right():
    model = build(num_blocks=1).eval()
    testing.assert_gradients(model, {"x": series(2)}, wrt=("x",), second=False)


def trained(model: GramODE) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs and gradients of two training steps, and the state after them."""
    torch.manual_seed(0)
    found = {}
    for step in range(2):
        x = series(seed=step).requires_grad_()
        output = model(x)
        model.zero_grad()
        output.square().sum().backward()
        found |= {f"{step} output": output, f"{step} x": x.grad}
        found |= {f"{step} {n}": p.grad.clone() for n, p in model.named_parameters()}
        # Random numbers drawn in between: a recomputation must not see them.
        torch.rand(7)
    return found, {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("options", ABLATIONS, ids=str)
def test_the_textbook_form_is_equal(options):
    fast, textbook = (
        build(**{"dropout": 0.0, **options, "backend": backend}) for backend in ("auto", "textbook")
    )
    textbook.load_state_dict(fast.state_dict())
    x, found = series(6), []
    for model in (fast, textbook):
        output = model(x)
        loss = (output * random(*output.shape, seed=3)).sum()
        found.append([output, *torch.autograd.grad(loss, list(model.parameters()))])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "options",
    [{}, {"variant": "released"}, {"backend": "general"}, {"backend": "textbook"}],
    ids=str,
)
def test_recomputed_blocks_change_nothing(options):
    with torch.random.fork_rng(devices=[]):
        plain, plain_state = trained(build(dropout=0.3, **options))
        again, again_state = trained(build(dropout=0.3, recompute=True, **options))
    assert plain.keys() == again.keys()
    assert all(torch.equal(again[name], value) for name, value in plain.items())
    assert all(torch.equal(again_state[name], value) for name, value in plain_state.items())
    tracked = [value for name, value in again_state.items() if name.endswith("batches_tracked")]
    assert tracked and all(value == 2 for value in tracked)


def test_recomputed_blocks_keep_fewer_states():
    sizes = {}
    for recompute in (False, True):
        model, kept = build(recompute=recompute), []
        hooks = (lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t)
        with torch.autograd.graph.saved_tensors_hooks(*hooks):
            model(series(8))
        sizes[recompute] = sum(kept)
    assert sizes[True] < sizes[False] / 5


@pytest.mark.thorough
def test_a_few_windows_can_be_learnt():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GramODE(
            *graphs(), **in_groups(GramODE, {**SMALL, "dropout": 0.0, "mask_std": 1.0})
        ).double()
    x, target = series(4), random(4, 4, NODES, seed=9)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(120):
        optimizer.zero_grad()
        loss = (model(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


EYE = torch.eye(NODES)


@pytest.mark.parametrize(
    ("graphs", "options", "message"),
    [
        ((EYE[:3], EYE), {}, r"spatial_adjacency must have shape \(N, N\), got \(3, 5\)"),
        ((EYE, torch.eye(4)), {}, "semantic_adjacency must have the shape of .*got"),
        ((EYE, EYE / 0), {}, "semantic_adjacency must be finite, got"),
        ((EYE, EYE), {"input_steps": 10}, "input_steps must be a multiple of 3, got 10"),
        ((EYE, EYE), {"readout_heads": 3}, r"readout_heads must divide horizon \(4\), got 3"),
        ((EYE, EYE), {"local_heads": 5}, "heads must divide"),
        ((EYE, EYE), {"num_branches": 0}, "num_branches must be at least 1, got 0"),
        ((EYE, EYE), {"hidden_channels": 1}, "hidden_channels must be at least 2, got 1"),
        ((EYE, EYE), {"dropout": 1.5}, r"dropout must be in \[0, 1\), got 1.5"),
        ((EYE, EYE), {"variant": "mine"}, 'variant must be "paper" or "released", got \'mine\''),
        ((EYE, EYE), {"solver": "leapfrog"}, "solver must be one of euler"),
        ((EYE, EYE), {"aggregation": "max"}, 'mode must be "gated" or "sum"'),
        ((EYE, EYE), {"backend": "fast"}, 'backend must be "auto", "factorised"'),
        ((EYE, EYE), {"solver": "rk4", "backend": "factorised"}, 'form "factorised" needs'),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(graphs, options, message):
    with pytest.raises(ValueError, match=message):
        GramODE(*graphs, **in_groups(GramODE, {**SMALL, **options}))


def test_bad_types_and_inputs_are_refused():
    with pytest.raises(TypeError, match="spatial_adjacency must be a floating-point tensor"):
        GramODE(EYE.long(), EYE, **in_groups(GramODE, SMALL))
    with pytest.raises(TypeError, match="semantic_adjacency must be .* got list"):
        GramODE(EYE, EYE.tolist(), **in_groups(GramODE, SMALL))
    with pytest.raises(ValueError, match=r"x must have shape \(B, T=6, N=5, F=2\), got \(2, 6, 4"):
        build()(torch.zeros(2, 6, 4, 2).double())
