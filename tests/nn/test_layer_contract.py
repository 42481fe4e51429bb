"""Every public layer keeps the contract of `geozoo.testing`; a layer without a case fails."""

import inspect
from dataclasses import is_dataclass

import pytest
import torch
from clifford_layer_cases import CLIFFORD_CASES
from graph_layer_cases import GRAPH_CASES
from group_layer_cases import GROUP_CASES
from layer_cases import BATCH, CASES, Case, seeded
from point_layer_cases import POINT_CASES
from sensor_layer_cases import SENSOR_CASES

import geozoo.nn
from geozoo import testing

CASES = {**CASES, **CLIFFORD_CASES, **GRAPH_CASES, **GROUP_CASES, **POINT_CASES, **SENSOR_CASES}


def cases(applies=lambda case: True):
    """Run a test for every case of which something is promised."""
    every = {f"{name}-{v}": make() for name, each in CASES.items() for v, make in each.items()}
    chosen = {name: case for name, case in every.items() if applies(case)}
    return pytest.mark.parametrize("case", chosen.values(), ids=list(chosen))


def is_module(case: Case) -> bool:
    return isinstance(case.build(), torch.nn.Module)


def has_parameters(case: Case) -> bool:
    return is_module(case) and any(True for _ in case.build().parameters())


def sees_geometry(case: Case) -> bool:
    return not {"pos", "vec", "orientations"}.isdisjoint(case.inputs)


def make(case: Case):
    return seeded(case.build) if is_module(case) else case.build()


def test_every_layer_has_a_case():
    options = {name for name in geozoo.nn.__all__ if is_dataclass(getattr(geozoo.nn, name))}
    assert set(CASES) == set(geozoo.nn.__all__) - options


def test_case_is_about_its_layer():
    for name, variants in CASES.items():
        layer = getattr(geozoo.nn, name)
        for variant in variants.values():
            built = variant().build()
            parts = built.modules() if isinstance(built, torch.nn.Module) else [built]
            assert any(part is layer or type(part) is layer for part in parts), name


@cases()
def test_order_of_nodes_and_edges_does_not_matter(case):
    testing.assert_permutation_equivariant(
        make(case),
        case.inputs,
        batch=BATCH,
        node_inputs=case.node_inputs,
        edge_inputs=case.edge_inputs,
        node_outputs=case.node_outputs,
    )


@cases(sees_geometry)
def test_motions_are_followed(case):
    testing.assert_equivariant(make(case), case.inputs, **case.moves)


@cases()
def test_derivatives_are_right_to_second_order(case):
    testing.assert_gradients(make(case), case.inputs, wrt=case.wrt, second=case.twice)


@cases()
def test_dtype_is_kept(case):
    testing.assert_dtype_kept(make(case), case.inputs)


@cases(is_module)
def test_saved_layers_predict_the_same(case):
    testing.assert_survives_saving(make(case), lambda: seeded(case.build, 1), case.inputs)


def argument_names(layer, case: Case) -> set[str]:
    parts = layer.modules() if is_module(case) else ()
    forwards = [inspect.signature(part.forward).parameters for part in parts]
    return {*case.inputs, "every branch"}.union(*forwards)


def refusal(layer, case: Case) -> str:
    """The message in which a layer names an argument of another shape, as a pattern."""
    names = "|".join(sorted(argument_names(layer, case)))
    axis = r"(\d+|[A-Z]|d|dim|in)(=\d+)?"
    axes = rf"(shape \({axis}(, {axis})*\)|a last axis of {axis})"
    return rf"^({names})(\[\d\])? must have {axes}, got "


def longer(value: torch.Tensor, axis: int) -> torch.Tensor:
    return torch.cat([value, value.narrow(axis, 0, 1)], axis)


@cases()
def test_inputs_of_another_shape_are_refused_by_name(case):
    layer = make(case)
    message = refusal(layer, case)
    for name, value in case.inputs.items():
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            continue
        others = [] if name in case.any_width else [longer(value, -1)]
        others += [] if name in case.any_depth else [value[None]]
        for other in others:
            with pytest.raises(ValueError, match=message):
                layer(**{**case.inputs, name: other})


def fixed_axes(case: Case, name: str) -> range:
    """Axes but the last whose size another input or the layer tells."""
    if name == "edge_index":
        return range(1)
    count = case.inputs[name].dim() - 1
    return range(int(case.node_inputs == (name,)), count)


@cases(lambda case: len(case.inputs) > 1)
def test_sizes_that_do_not_agree_are_refused_by_name(case):
    # A single row or orientation would stand for all without a word.
    layer = make(case)
    message = refusal(layer, case) + "|h must have (a multiple of|2 times)"
    for name, value in case.inputs.items():
        if name in case.any_depth or not isinstance(value, torch.Tensor):
            continue
        for axis in fixed_axes(case, name):
            # Too few nodes are an index out of range.
            few = [] if name in case.node_inputs and axis == 0 else [value.narrow(axis, 0, 1)]
            for other in [longer(value, axis), *few]:
                if (name, axis) not in case.any_size and other.shape != value.shape:
                    with pytest.raises(ValueError, match=message):
                        layer(**{**case.inputs, name: other})


def arguments(layer: type, case: Case, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the first layer of its kind in a case is made of."""
    made, start = [], layer.__init__
    signature = inspect.signature(start)

    def noting(self, *given, **named):
        made.append(signature.bind(self, *given, **named).arguments)
        start(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(layer, "__init__", noting)
        case.build()
    given = {"self": None, **{n: p.default for n, p in signature.parameters.items()}, **made[0]}
    del given["self"]
    return given


LAYERS = [name for name in CASES if isinstance(getattr(geozoo.nn, name), type)]


@pytest.mark.parametrize("name", LAYERS)
def test_sizes_that_no_tensor_has_are_refused_by_name(name, monkeypatch):
    layer, case = getattr(geozoo.nn, name), next(iter(CASES[name].values()))()
    given = arguments(layer, case, monkeypatch)
    for argument, value in given.items():
        if type(value) is int:
            with pytest.raises(ValueError, match=rf"\b{argument}\b.* must "):
                layer(**{**given, argument: -1})


@pytest.mark.thorough
@cases(lambda case: case.compiles)
def test_layers_compile_to_one_graph(case):
    testing.assert_compiles(make(case), case.inputs)


@cases(lambda case: "edge_index" in case.inputs)
def test_without_any_edge_the_output_is_finite(case):
    empty = {"edge_index": case.inputs["edge_index"][:, :0]}
    empty |= {name: case.inputs[name][:0] for name in case.edge_inputs}
    testing.assert_finite_derivatives(make(case), case.inputs | empty, wrt=case.wrt[:1])


@cases(has_parameters)
def test_every_parameter_gets_a_gradient(case):
    module = make(case)
    output = module(**case.inputs)
    parts = output if isinstance(output, tuple) else (output,)
    sum((part * part).sum() for part in parts).backward()
    idle = [n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle
