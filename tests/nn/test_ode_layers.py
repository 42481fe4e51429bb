"""The fast layers against the equations: values, first and second derivatives, in float64."""

import importlib

import ode_textbook
import pytest
import torch
from layer_cases import AsWritten, random, seeded
from sensor_layer_cases import spread
from torch.nn.attention import SDPBackend, sdpa_kernel

import geozoo.nn as layers
from geozoo.ode import Integrator
from geozoo.ops import textbook

rowwise = importlib.import_module("geozoo.ops.rowwise")
WINDOWS, NODES, STEPS, CHANNELS = 2, 5, 6, 4


def make(build, seed=0):
    return seeded(spread(build), seed)


def inputs(size, *copies, nodes=NODES):
    graph = 0.5 * random(*copies, nodes, nodes, seed=1)
    return [graph, random(*copies, size, size, seed=2), random(*copies, size, size, seed=3)]


def derivatives(function, values):
    """Outputs, and first and second derivatives along fixed directions."""
    with sdpa_kernel(SDPBackend.MATH):
        output = function()
    parts = output if isinstance(output, tuple) else (output,)
    loss = sum((part * random(*part.shape, seed=4)).sum() for part in parts)
    options = {"allow_unused": True, "materialize_grads": True}
    first = torch.autograd.grad(loss, values, create_graph=True, **options)
    second_loss = sum((g * random(*g.shape, seed=5)).sum() for g in first)
    return [*parts, *first, *torch.autograd.grad(second_loss, values, **options)]


def assert_equal(found, expected, tolerance=1e-12):
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        scale = float(other.detach().abs().max()) + 0.1
        assert float((one - other).detach().abs().max()) < tolerance * scale, number


def compare(module, reference, given, tolerance=1e-12):
    given = [value.requires_grad_() for value in given]
    values = [*given, *module.parameters()]
    expected = derivatives(lambda: reference(module, *given), values)
    assert_equal(derivatives(lambda: module(*given), values), expected, tolerance)


DETACH = pytest.mark.parametrize("detach_initial", [False, True])


@DETACH
@pytest.mark.parametrize("as_written", [True, False])
@pytest.mark.parametrize(
    ("groups", "own", "times"), [(1, False, 1), (1, False, 3), (2, True, 2), (6, False, 3)]
)
def test_node_ode_is_its_equation(groups, own, times, detach_initial, as_written):
    options = {"groups": groups, "times": range(times + 1), "detach_initial": detach_initial}
    module = make(lambda: layers.NodeODE(NODES, CHANNELS, **options))
    weights = inputs(STEPS // groups, *((groups,) if own else ()))
    with textbook(when=as_written):
        compare(module, ode_textbook.node_ode, [random(WINDOWS, NODES, STEPS, CHANNELS), *weights])


@pytest.mark.parametrize("times", [(0.0, 1.0), (0.0, 0.5, 2.0)])
def test_tensor_ode_is_its_equation(times):
    module = make(lambda: layers.TensorODE(NODES, CHANNELS, STEPS, times=times))
    x, adjacency = random(WINDOWS, NODES, STEPS, CHANNELS), 0.5 * random(NODES, NODES, seed=1)
    compare(module, ode_textbook.tensor_ode, [x, adjacency])


def test_learned_graph_is_its_equation():
    module = make(lambda: layers.LearnedGraph(NODES, 3))
    rows = [
        torch.stack([(sender @ receiver).clamp(min=0).exp() for sender in module.senders])
        for receiver in module.receivers
    ]
    expected = torch.stack([row / row.sum() for row in rows])
    torch.testing.assert_close(module(), expected)
    torch.testing.assert_close(module().sum(1), torch.ones(NODES).double())


def test_mask_adds_or_multiplies():
    graph = random(NODES, NODES)
    added, multiplied = (
        make(lambda mode=mode: layers.SpatialMask(NODES, mode=mode)) for mode in ("sum", "product")
    )
    assert torch.equal(added(graph), graph + added.mask)
    assert torch.equal(multiplied(graph), graph * multiplied.mask)
    # Without a spread the start changes nothing.
    for mode in ("sum", "product"):
        assert torch.equal(layers.SpatialMask(NODES, mode=mode, std=0).double()(graph), graph)
    spread_out = layers.SpatialMask(100, mode="product", std=0.5).mask
    assert 0.45 < spread_out.std() < 0.55
    assert 0.95 < spread_out.mean() < 1.05


@DETACH
@pytest.mark.parametrize("form", ["factorised", "general"])
def test_edge_ode_is_its_equation(form, detach_initial):
    module = make(lambda: layers.EdgeODE(NODES, CHANNELS, form=form, detach_initial=detach_initial))
    compare(module, ode_textbook.edge_ode, [random(WINDOWS, NODES, STEPS), *inputs(STEPS)])


@DETACH
def test_both_forms_of_the_edges_are_equal_on_a_larger_graph(detach_initial):
    options = {"form": "factorised", "detach_initial": detach_initial}
    module = make(lambda: layers.EdgeODE(40, 8, **options))
    general = layers.EdgeODE(40, 8, form="general", detach_initial=detach_initial).double()
    general.load_state_dict(module.state_dict())
    given = [value.requires_grad_() for value in (random(3, 40, 12), *inputs(12, nodes=40))]
    outcomes = []
    for each in (module, general):
        y = each(*given)
        values = [*given, *each.parameters()]
        outcomes.append([y, *torch.autograd.grad((y * random(*y.shape, seed=4)).sum(), values)])
    assert_equal(*outcomes)


def test_form_of_the_edges_follows_the_solver():
    assert layers.EdgeODE(3, 2).form == "factorised"
    assert layers.EdgeODE(3, 2, times=(0, 0.5, 1)).form == "general"
    assert layers.EdgeODE(3, 2, integrator=Integrator(adjoint=True)).form == "general"
    with pytest.raises(ValueError, match='form "factorised" needs one unit step'):
        layers.EdgeODE(3, 2, form="factorised", integrator=Integrator("rk4"))
    with pytest.raises(ValueError, match="form must be"):
        layers.EdgeODE(3, 2, form="fast")


@pytest.mark.parametrize("pieces", [1, 10**9], ids=["in pieces", "whole"])
@pytest.mark.parametrize("backend", ["auto", "textbook"])
@pytest.mark.parametrize("variant", ["paper", "released"])
def test_block_is_its_equations(variant, backend, pieces, monkeypatch):
    monkeypatch.setattr(rowwise, "CHUNK_BYTES", pieces)
    module = make(
        lambda: layers.MultiODEBlock(
            NODES, CHANNELS, STEPS, local_heads=2, variant=variant, equations={"backend": backend}
        )
    )
    # A wide band, so that some of the local states are cut and some are not.
    module.filter.clip.data.fill_(2.0)
    x = random(WINDOWS, NODES, STEPS, CHANNELS)
    given = [x, 0.3 * random(NODES, NODES, seed=1)]
    compare(module, ode_textbook.multi_ode_block, given, 1e-11)


def test_steps_of_the_local_modules_are_in_the_order_said():
    orders = {}
    for order in ("window", "step"):
        module = make(lambda order=order: layers.LocalODE(
            NODES, CHANNELS, STEPS, heads=2, order=order
        ))  # fmt: skip
        orders[order] = module(random(WINDOWS, NODES, STEPS, CHANNELS), *inputs(1))
    # Two pieces of three steps: (piece, step) against (step, piece).
    assert torch.equal(orders["step"][:, :, [0, 2, 4, 1, 3, 5]], orders["window"])


@pytest.mark.parametrize("sizes", [(6, 8, 4, 2), (6, 4, 8, 2), (6, 24, 12, 12)])
def test_fused_attention_is_the_textbook_one(sizes):
    module = make(lambda: layers.SensorAttention(*sizes))
    x = random(3, 70, 6).requires_grad_()
    values = [x, *module.parameters()]
    outcomes = []
    for y in (module(x), ode_textbook.sensor_attention(module, x)):
        outcomes.append([y, *torch.autograd.grad((y * random(*y.shape, seed=4)).sum(), values)])
    assert_equal(*outcomes)


def test_attention_keeps_no_scores_in_memory():
    module, x = layers.SensorAttention(4, 16, 8, 4), torch.randn(2, 64, 4)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        module(x).sum().backward()
    assert kept
    assert not [shape for shape in kept if list(shape).count(64) > 1]


def test_factorised_edges_keep_no_pairs_in_memory():
    module, nodes = layers.EdgeODE(64, 4), 64
    graph = torch.randn(nodes, nodes, requires_grad=True)
    left, right = (torch.randn(12, 12, requires_grad=True) for _ in range(2))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        module(torch.randn(2, nodes, 12, requires_grad=True), graph, left, right).sum().backward()
    assert kept
    assert max(shape.numel() for shape in kept) <= 2 * nodes * 12 * 12
    assert not [shape for shape in kept if list(shape).count(nodes) > 1 and len(shape) > 3]


@pytest.mark.parametrize("times", [(0.0, 1.0), (0.0, 1.0, 2.0, 3.0), (0.0, 0.3, 1.0)])
def test_our_euler_is_that_of_torchdiffeq(times):
    # With an adjoint, the same steps are torchdiffeq's.
    modules = [
        make(lambda each=each: layers.NodeODE(NODES, CHANNELS, times=times, integrator=each))
        for each in (Integrator(), Integrator(adjoint=True))
    ]
    h, weights = random(WINDOWS, NODES, STEPS, CHANNELS), inputs(STEPS)
    for one, other in zip(*(module(h, *weights) for module in modules), strict=True):
        assert torch.equal(one, other)


ADJOINT = {
    "node": (lambda **o: layers.NodeODE(NODES, CHANNELS, **o), (NODES, 3, CHANNELS)),
    "node, a rate each": (lambda **o: layers.NodeODE(NODES, CHANNELS, groups=3, **o), None),
    "node as written": (
        lambda **o: AsWritten(layers.NodeODE(NODES, CHANNELS, groups=3, **o)), None
    ),
    "edge": (lambda **o: layers.EdgeODE(NODES, CHANNELS, **o), (NODES, 3)),
    "tensor": (lambda **o: layers.TensorODE(NODES, CHANNELS, 3, **o), (NODES, 3, CHANNELS)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ADJOINT)
def test_adjoint_gradients_are_near_the_direct_ones(kind):
    build, shape = ADJOINT[kind]
    times = torch.linspace(0, 0.2, 41).tolist()
    start = random(WINDOWS, *(shape or (NODES, 9, CHANNELS)))
    weights = [0.5 * random(NODES, NODES, seed=1)] if kind == "tensor" else inputs(3)
    given = [value.requires_grad_() for value in (start, *weights)]
    gradients = []
    for adjoint in (False, True):
        options = {"times": times, "integrator": Integrator("rk4", adjoint=adjoint)}
        module = make(lambda options=options: build(**options))
        output = module(*given)
        last = output[-1] if isinstance(output, tuple) else output
        gradients.append(torch.autograd.grad(last.square().sum(), [*given, *module.parameters()]))
    assert_equal(*reversed(gradients), tolerance=1e-5)


def test_a_negative_width_acts_as_published():
    released, paper = layers.MessageFilter(signed=True), layers.MessageFilter()
    state, center = torch.tensor([[-3.0, 0.1, 3.0]]), torch.zeros(1, 3)
    state, center = state.view(1, 1, 1, 3), center.view(1, 1, 1, 3)
    for module in (released, paper):
        module.clip.data.fill_(-0.5)
    assert released(state, center).flatten().tolist() == [0.5, 0.5, 0.5]
    assert paper(state, center).flatten().tolist() == pytest.approx([-0.5, 0.1, 0.5])


def test_gradient_of_what_is_cut_goes_to_the_band():
    module = layers.MessageFilter()
    module.clip.data.fill_(0.5)
    state = torch.tensor([-3.0, 0.1, 3.0, 4.0]).view(1, 1, 1, 4).requires_grad_()
    center = torch.zeros(1, 1, 1, 4, requires_grad=True)
    module(state, center).sum().backward()
    assert state.grad.flatten().tolist() == [0, 1, 0, 0]
    assert center.grad.flatten().tolist() == [1, 0, 1, 1]
    assert module.clip.grad.item() == 1  # two above, one below


BAD = [
    (lambda: layers.TemporalConv(4, ()), "channels must have at least one level"),
    (lambda: layers.TemporalConv(0), "in_channels must be at least 1, got 0"),
    (lambda: layers.TemporalConv(3, dropout=1.0), r"dropout must be in \[0, 1\), got 1.0"),
    (
        lambda: layers.TemporalConv(3)(torch.zeros(1, 2, 3, 4)),
        r"x must have shape \(B, N, T, C=3\)",
    ),
    (lambda: layers.TemporalAttention(4)(torch.zeros(1, 2, 6, 1)), "a multiple of 4 steps, got 6"),
    (
        lambda: layers.TemporalAttention(2, copies=2)(torch.zeros(1, 2, 6, 1)),
        "h must have 2 times 2 steps, got 6",
    ),
    (lambda: layers.SensorAttention(4, 6, 8, 4), r"heads must divide key_channels \(6\), got 4"),
    (lambda: layers.SpatialMask(3)(torch.zeros(2, 2)), "adjacency must have shape"),
    (lambda: layers.SpatialMask(3, mode="max"), 'mode must be "sum" or "product", got \'max\''),
    (lambda: layers.SpatialMask(3, std=-1.0), "std must be at least 0, got -1.0"),
    (lambda: layers.LearnedGraph(3, 0), "channels must be at least 1, got 0"),
    (lambda: layers.TensorODE(3, 2, times=(0,)), "times must hold at least two times"),
    (
        lambda: layers.TensorODE(3, 2, 4)(torch.zeros(1, 3, 5, 2), torch.eye(3)),
        r"x must have shape \(B, N=3, T=4, C=2\), got \(1, 3, 5, 2\)",
    ),
    (lambda: layers.NodeODE(3, 2, times=(0,)), "times must hold at least two times"),
    (
        lambda: layers.NodeODE(3, 2, groups=2)(torch.zeros(1, 3, 3, 2), *[torch.eye(3)] * 3),
        "h must have a multiple of 2 steps, got 3",
    ),
    (
        lambda: layers.NodeODE(3, 2)(torch.zeros(1, 3, 4, 2), torch.eye(3), *[torch.eye(3)] * 2),
        r"left must have shape \(S=4, S=4\), got \(3, 3\)",
    ),
    (
        lambda: layers.EdgeODE(3, 2)(
            torch.zeros(1, 3, 4), torch.eye(3), torch.eye(4), torch.eye(3)
        ),
        r"right must have shape \(T=4, T=4\)",
    ),
    (lambda: layers.LocalODE(3, 2, 10), "steps must be a multiple of 3, got 10"),
    (lambda: layers.LocalODE(3, 2, order="time"), 'order must be "window" or "step", got \'time\''),
    (
        lambda: layers.MessageFilter()(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 3)),
        "center must have shape",
    ),
    (lambda: layers.GatedAggregation("mean"), 'mode must be "gated" or "sum"'),
    (lambda: layers.GatedAggregation()(torch.zeros(1, 1, 1, 2)), '"gated" needs at least 2 branch'),
    (lambda: layers.MultiODEBlock(3, 2, 10, local_heads=2), "steps must be a multiple of 3"),
    (lambda: layers.MultiODEBlock(3, 2, variant="code"), 'variant must be "paper" or "released"'),
    (
        lambda: layers.SpatioTemporalBlock(
            layers.TemporalConv(3, (4, 2)),
            layers.MultiODEBlock(3, 4, 6, local_heads=2),
            layers.TemporalConv(4, (4, 4)),
        ),
        r"conv_in.out_channels must equal dynamics.channels \(4\), got 2",
    ),
    (
        lambda: layers.SpatioTemporalBlock(
            layers.TemporalConv(3, (4, 4)),
            layers.MultiODEBlock(3, 4, 6, local_heads=2),
            layers.TemporalConv(5, (4, 4)),
        ),
        r"conv_out.in_channels must equal dynamics.channels \(4\), got 5",
    ),
    (lambda: Integrator(rtol=0.0), "rtol must be positive, got 0.0"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
