"""Calibration keeps the spread of the features it was run on."""

import pytest
import torch
from layer_cases import CASES, convnext, random, seeded

from geozoo.nn.conv._kernel import calibration_scale

CONVS = [(name, v) for name in ("PointConv", "BundleConv") for v in ("depthwise", "full")]


def spread(value):
    return float(value.detach().std())


@pytest.mark.parametrize(("name", "variant"), CONVS)
def test_spread_of_the_sum_is_that_of_the_input(name, variant):
    case = CASES[name][variant]()
    conv = seeded(case.build)
    before = conv(**case.inputs).detach()
    assert torch.equal(conv.calibrate(**case.inputs), before)
    after = conv(**case.inputs) - conv.bias
    assert spread(after) == pytest.approx(spread(case.inputs["x"]), rel=1e-9)
    assert (conv(**case.inputs) - before).abs().max() > 1e-3


@pytest.mark.parametrize("variant", ["depthwise", "full"])
def test_each_step_of_the_separable_conv_keeps_its_spread(variant):
    case = CASES["FiberBundleConv"][variant]()
    conv, inputs = seeded(case.build), case.inputs
    before = conv(**inputs).detach()
    recorded = conv._spatial(inputs["x"], inputs["basis"], inputs["edge_index"], None)
    assert torch.equal(conv.calibrate(**inputs), before)
    spatial = conv._spatial(inputs["x"], inputs["basis"], inputs["edge_index"], None)
    assert spread(spatial) == pytest.approx(spread(inputs["x"]), rel=1e-9)
    # The fibre step is scaled on what it saw then: the sums before the spatial kernel was scaled.
    fibre = conv._fiber(recorded, inputs["fiber_basis"])
    assert spread(fibre) == pytest.approx(spread(recorded), rel=1e-9)


@pytest.mark.parametrize("name", ["PointConv", "BundleConv", "FiberBundleConv"])
def test_features_of_zero_leave_the_kernel_alone(name):
    case = CASES[name]["depthwise"]()
    conv = seeded(case.build)
    weights = {key: value.clone() for key, value in conv.state_dict().items()}
    conv.calibrate(**case.inputs | {"x": torch.zeros_like(case.inputs["x"])})
    assert all(torch.equal(weights[key], value) for key, value in conv.state_dict().items())


def test_a_single_number_has_no_spread_and_leaves_the_kernel_alone():
    conv = seeded(CASES["PointConv"]["depthwise"]().build)
    weight = conv.kernel.weight.clone()
    no_node = torch.zeros(0, 4, dtype=torch.float64)
    conv.calibrate(no_node, random(0, 3), torch.zeros(2, 0, dtype=torch.int64))
    assert torch.equal(conv.kernel.weight, weight)


def test_a_block_returns_the_output_of_the_former_weights():
    case = convnext(layer_scale=0.5)
    block = seeded(case.build)
    before = block(**case.inputs).detach()
    assert torch.equal(block.calibrate(**case.inputs), before)
    assert not torch.equal(block(**case.inputs).detach(), before)


@pytest.mark.parametrize(
    ("before", "after"), [([1.0, 2.0], [3.0, 3.0]), ([2.0, 2.0], [1.0, 4.0]), ([1.0], [2.0])]
)
def test_a_spread_of_nothing_scales_by_one(before, after):
    assert calibration_scale(torch.tensor(before), torch.tensor(after)) == 1


def test_two_numbers_have_a_spread():
    assert calibration_scale(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 4.0])) == 0.5
