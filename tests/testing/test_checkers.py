"""Every check accepts a correct model and rejects one with the fault it tests for."""

import pytest
import torch
import toy_models as toys

from geozoo import testing
from geozoo.testing._run import full_precision, named_outputs


def inputs(dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    batch = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    return {
        "pos": torch.randn(7, 3, generator=generator, dtype=torch.float64).to(dtype),
        "x": torch.randn(7, 1, generator=generator, dtype=torch.float64).to(dtype),
        "batch": batch,
        "num_graphs": 2,
    }


def build(kind):
    return kind().double()


def check_equivariance(model):
    testing.assert_equivariant(model, inputs())


def check_reflection(model):
    testing.assert_equivariant(model, inputs(), reflect=True)


def check_permutation(model):
    given = inputs()
    testing.assert_permutation_equivariant(model, given, batch=given["batch"])


def check_batching(model):
    testing.assert_batch_independent(model, inputs(), level="graph")


def check_gradients(model):
    testing.assert_gradients(model, inputs())


def check_finite(model):
    single = {"pos": torch.zeros(1, 3), "x": torch.ones(1, 1), "batch": torch.zeros(1).long()}
    testing.assert_finite_derivatives(model, single | {"num_graphs": 1})


def check_dtype(model):
    testing.assert_dtype_kept(model, inputs())


def check_saving(model):
    testing.assert_survives_saving(model, lambda: build(type(model)), inputs())


def check_compiling(model):
    testing.assert_compiles(model, inputs())


FAULTS = [
    (check_equivariance, toys.UsesCoordinates, "scalar is not equivariant under transformation 0"),
    (check_equivariance, toys.UsesOrigin, "is not equivariant under transformation"),
    (check_reflection, toys.KnowsHandedness, "is not equivariant under transformation"),
    (check_permutation, toys.DependsOnOrder, "depends on the order"),
    (check_batching, toys.LeaksBatchMean, "of graph 0 alone differs from that in the batch"),
    (check_gradients, toys.WrongSecondDerivative, "gradgradcheck of"),
    (check_gradients, toys.DetachedDerivative, "gradcheck of"),
    (
        check_finite,
        toys.NormOfZero,
        "second derivative of scalar with respect to pos is",
    ),
    (check_finite, toys.RootOfZero, "first derivative of scalar with respect to pos is"),
    (check_dtype, toys.CastsInside, "torch.float64 inputs lose precision"),
    (check_saving, toys.KeepsAttribute, "changes when saved and reloaded"),
    (check_compiling, toys.BreaksGraph, "cannot be captured as a single graph"),
]
NAMES = [f"{check.__name__}-{kind.__name__}" for check, kind, _ in FAULTS]


@pytest.mark.parametrize(("check", "kind", "message"), FAULTS, ids=NAMES)
def test_check_detects_its_fault(check, kind, message):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build(kind)
        with pytest.raises(AssertionError, match=message):
            check(model)


@pytest.mark.parametrize("check", sorted({fault[0] for fault in FAULTS}, key=lambda c: c.__name__))
def test_check_accepts_correct_model(check):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        check(build(toys.Toy))


def test_handedness_is_detected_only_by_reflections():
    testing.assert_equivariant(build(toys.KnowsHandedness), inputs())


def test_given_rotations_are_used():
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

    def height(pos):
        return pos[:, 2]

    given = {"pos": inputs()["pos"]}
    testing.assert_equivariant(height, given, rotations=[turn], translate=False)
    with pytest.raises(AssertionError, match="is not equivariant under transformation"):
        testing.assert_equivariant(height, given, rotations=[turn[[1, 2, 0]]], translate=False)


def test_leak_is_detected_even_if_single_graphs_agree():
    """A model that subtracts the previous graph's features only in batches of several graphs."""

    def leaking(pos, x, batch, num_graphs):
        out = torch.zeros(num_graphs, 1, dtype=pos.dtype).index_add(0, batch, pos[:, :1])
        return out + 1e-3 * out.roll(1, 0) if num_graphs == 2 and out.abs().max() > 50 else out

    given = inputs()
    given["pos"] = given["pos"].clone()
    given["pos"][3:, 0] = 9.5
    with pytest.raises(AssertionError, match="depends on the inputs of graph 1"):
        testing.assert_batch_independent(leaking, given, level="graph")


def test_node_outputs_are_permuted():
    given = inputs()

    def square(pos, x, batch, num_graphs):
        return pos.square()

    testing.assert_permutation_equivariant(
        square, given, batch=given["batch"], node_outputs=("output",)
    )
    with pytest.raises(AssertionError, match="order"):
        testing.assert_permutation_equivariant(square, given, batch=given["batch"])


def test_edges_are_relabelled_and_shuffled():
    edges = torch.tensor([[0, 1, 2, 3, 6], [1, 2, 0, 6, 5]])
    weight = torch.arange(5.0, dtype=torch.float64)
    pos = inputs()["pos"]

    def gather(pos, edge_index, weight):
        moved = pos[edge_index[0]] * weight[:, None]
        return torch.zeros_like(pos).index_add(0, edge_index[1], moved)

    def order_matters(pos, edge_index, weight):
        return gather(pos, edge_index, torch.arange(5.0, dtype=torch.float64))

    options = {
        "batch": inputs()["batch"], "edge_inputs": ("weight",), "node_outputs": ("output",)
    }  # fmt: skip
    given = {"pos": pos, "edge_index": edges, "weight": weight}
    testing.assert_permutation_equivariant(gather, given, **options)
    with pytest.raises(AssertionError, match="order"):
        testing.assert_permutation_equivariant(order_matters, given, **options)


def test_nan_fails():
    with pytest.raises(AssertionError, match="off by nan"):
        testing.assert_equivariant(lambda pos: pos[:, 0] * float("nan"), {"pos": inputs()["pos"]})


def test_batch_check_rejects_invalid_arguments():
    with pytest.raises(ValueError, match="num_graphs must be at least 2"):
        testing.assert_batch_independent(
            build(toys.Toy), inputs() | {"num_graphs": 1}, level="graph"
        )
    with pytest.raises(ValueError, match='level must be "graph" or "node"'):
        testing.assert_batch_independent(build(toys.Toy), inputs(), level="edge")


def test_outputs_without_tensors_raise():
    with pytest.raises(AssertionError, match="must return at least one tensor"):
        named_outputs((None, None))
    with pytest.raises(TypeError, match="must return a tensor"):
        named_outputs(3.0)


def test_tf32_is_disabled_and_restored():
    switch = torch.backends.cudnn.conv
    former = switch.fp32_precision
    with full_precision():
        assert switch.fp32_precision == "ieee"
        assert torch.backends.cuda.matmul.fp32_precision == "ieee"
    assert switch.fp32_precision == former


def test_checks_keep_global_random_state():
    state = torch.random.get_rng_state()
    check_equivariance(build_without_draw())
    check_permutation(build_without_draw())
    check_gradients(build_without_draw())
    assert torch.equal(state, torch.random.get_rng_state())


def build_without_draw():
    with torch.random.fork_rng():
        return build(toys.Toy)


def test_tolerances_are_tighter_for_more_precise_dtypes():
    assert testing.TOLERANCES[torch.float64].relative < testing.TOLERANCES[torch.float32].relative
