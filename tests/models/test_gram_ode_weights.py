"""Published names of GRAM-ODE: where they go, and what does not fit."""

import pytest
import torch

from geozoo.models import GramODE, load_gram_ode_weights
from geozoo.nn import MultiODEBlock, NodeODE, SpatioTemporalBlock, TemporalConv
from geozoo.options import in_groups


def block(**options):
    return MultiODEBlock(
        5, 8, 6, local_heads=2, variant="released", **in_groups(MultiODEBlock, options)
    )


def st_block():
    convolutions = [TemporalConv(width, (8, 4, 8), skip_when_equal_width=True) for width in (3, 8)]
    return SpatioTemporalBlock(convolutions[0], block(), convolutions[1])


def published(prefix=""):
    """Weights of a multi-ODE block of 5 sensors, 8 channels and 6 steps, by published names."""
    shapes = {
        "clip": [1], "res_weight": [1], "edge_weight": [1], "weights": [2], "graph.mask": [5, 5],
        "time_12.w3": [6, 6], "time_12.w4": [6, 6], "time_1.w3": [1, 1], "time_1.w4": [1, 1],
        "odeblock_1_1_node.odefunc.alpha": [5], "odeblock_1_1_node.odefunc.w": [8, 8],
        "odeblock_1_1_node.odefunc.d": [8], "odeblock_1_1_edge.odefunc.alpha": [5],
        "fcn_3_1.weight": [1, 3], "fcn_3_1.bias": [1],
        "fc_edge.weight": [8, 5], "fc_edge.bias": [8],
    }  # fmt: skip
    for number in range(2):
        start = f"odeblock_3_{number}_node.odefunc."
        shapes |= {start + "alpha": [5], start + "w": [8, 8], start + "d": [8]}
    for name, width in {"q": 64, "k": 64, "v": 16}.items():
        shapes |= {f"att_12_4.linear_{name}.weight": [width, 48]}
        shapes |= {f"att_12_4.linear_{name}.bias": [width]}
    for number in (1, 2, 3):
        shapes |= {f"fc_final{number}.weight": [8, 8], f"fc_final{number}.bias": [8]}
    return {prefix + name: torch.randn(shape) for name, shape in shapes.items()}


def convolution(prefix, width):
    return {
        f"{prefix}.network.0.0.weight": torch.randn(8, width, 1, 2),
        f"{prefix}.network.0.0.bias": torch.randn(8),
        f"{prefix}.network.1.0.weight": torch.randn(4, 8, 1, 2),
        f"{prefix}.network.1.0.bias": torch.randn(4),
        f"{prefix}.conv.weight": torch.randn(8, 4, 1, 2),
        f"{prefix}.conv.bias": torch.randn(8),
    }


def published_st_block():
    return {
        **published("odeg1."), **convolution("temporal1", 3), **convolution("temporal2", 8),
        "temporal1.downsample.weight": torch.randn(8, 3, 1, 1),
        "temporal1.downsample.bias": torch.randn(8),
        "batch_norm.weight": torch.randn(5), "batch_norm.bias": torch.randn(5),
    }  # fmt: skip


def test_weights_of_a_block_go_where_they_belong():
    module, weights = block(), published("module.")
    load_gram_ode_weights(module, weights)
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    assert torch.equal(module.local_map.weight, weights["fc_final1.weight"])
    assert torch.equal(module.global_map.weight, weights["fc_final2.weight"])
    assert torch.equal(module.local_ode.ode.alpha[1], weights["odeblock_3_1_node.odefunc.alpha"])
    assert torch.equal(module.global_ode.weight[0], weights["odeblock_1_1_node.odefunc.w"])
    assert torch.equal(module.masks["shared"].mask, weights["graph.mask"])


def test_running_statistics_and_both_names_of_the_last_level_are_taken():
    module, weights = st_block(), published_st_block()
    weights["temporal1.network.2.0.weight"] = weights["temporal1.conv.weight"]
    weights["batch_norm.running_mean"] = torch.randn(5)
    weights["batch_norm.num_batches_tracked"] = torch.tensor(7)
    load_gram_ode_weights(module, weights)
    assert torch.equal(module.norm.running_mean, weights["batch_norm.running_mean"])
    assert module.norm.num_batches_tracked == 7
    present = weights["temporal1.conv.weight"][:, :, 0, 1]
    assert torch.equal(module.conv_in.levels[2].weight[1], present)
    assert torch.equal(module.conv_in.residual.bias, weights["temporal1.downsample.bias"])


def test_a_convolution_is_that_of_torch():
    module = TemporalConv(3, (8, 4, 8))
    weights = {**published_st_block(), **convolution("temporal2", 8)}
    holder = SpatioTemporalBlock(module, block(), TemporalConv(8, (8, 4, 8)))
    load_gram_ode_weights(holder.eval(), weights)
    x = torch.randn(2, 5, 6, 3)
    hidden = x.permute(0, 3, 1, 2)
    for level, name in enumerate(("network.0.0", "network.1.0", "conv")):
        kernel, bias = weights[f"temporal1.{name}.weight"], weights[f"temporal1.{name}.bias"]
        padded = torch.nn.functional.pad(hidden, (2**level, 0))
        hidden = torch.conv2d(padded, kernel, bias, dilation=(1, 2**level)).relu()
    straight = torch.conv2d(
        x.permute(0, 3, 1, 2),
        weights["temporal1.downsample.weight"],
        weights["temporal1.downsample.bias"],
    )
    expected = (hidden + straight).relu().permute(0, 2, 3, 1)
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-4)


def test_every_mismatch_is_listed_at_once():
    weights = published()
    del weights["clip"], weights["odeblock_3_1_node.odefunc.w"]
    weights["graph.mask"] = torch.randn(4, 4)
    weights["odeblock_3_2_node.odefunc.w"] = torch.randn(8, 8)
    weights["temporal1.conv.bias"] = torch.randn(8)
    weights["stranger"] = torch.randn(1)
    module = block()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ValueError, match="weights do not fit the module") as caught:
        load_gram_ode_weights(module, weights)
    for fault in (
        "filter.clip: missing",
        "local_ode.ode.weight: entries 1 missing",
        r"graph.mask (masks.shared.mask): expected (5, 5), got (4, 4)",
        "odeblock_3_2_node.odefunc.w: local_ode.ode.weight has only 2 entries",
        "temporal1.conv.bias: the module has no conv_in.levels.2.bias",
        "stranger: the module has no stranger",
    ):
        assert fault in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_skipped_convolutions_are_passed_over_only_where_they_are_skipped():
    weights = published_st_block()
    load_gram_ode_weights(st_block(), weights)
    weights = {name: value for name, value in weights.items() if "temporal2" not in name}
    load_gram_ode_weights(st_block(), weights)
    full = SpatioTemporalBlock(TemporalConv(3, (8, 4, 8)), block(), TemporalConv(8, (8, 4, 8)))
    with pytest.raises(ValueError, match="conv_out.levels.0.weight: missing"):
        load_gram_ode_weights(full, weights)


def test_a_module_without_a_part_and_a_wrong_module_are_refused():
    with pytest.raises(ValueError, match="the module has no edge_ode.alpha"):
        load_gram_ode_weights(block(use_edge=False), published())
    with pytest.raises(TypeError, match="module must be a GramODE.*got NodeODE"):
        load_gram_ode_weights(NodeODE(5, 8), published())


def test_a_network_takes_its_branches_and_readout():
    graph = torch.eye(5)
    model = GramODE(
        graph,
        graph,
        in_channels=3,
        input_steps=6,
        horizon=4,
        hidden_channels=8,
        variant="released",
        branches={"num_branches": 1, "bottleneck_channels": 4, "num_blocks": 1},
        attention={"local_heads": 2, "readout_heads": 2},
    )
    weights = {}
    for start in ("sp_blocks", "se_blocks"):
        weights |= {f"{start}.0.0.{name}": value for name, value in published_st_block().items()}
    for name, width in {"q": 8, "k": 8, "v": 4}.items():
        weights[f"pred.linear_{name}.weight"] = torch.randn(width, 96)
        weights[f"pred.linear_{name}.bias"] = torch.randn(width)
    load_gram_ode_weights(model, weights)
    clip = model.semantic_branches[0][0].dynamics.filter.clip
    assert torch.equal(clip, weights["se_blocks.0.0.odeg1.clip"])
    assert torch.equal(model.readout.key.weight, weights["pred.linear_k.weight"])
    assert torch.equal(model.spatial_adjacency, graph)
