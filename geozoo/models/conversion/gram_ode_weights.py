"""Weights of the published GRAM-ODE implementation, mapped by name."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from geozoo.models.gram_ode import GramODE
from geozoo.nn import MultiODEBlock, SpatioTemporalBlock, TemporalConv

# Published part of a name -> ours. Applied in this order, each to whole dotted parts. A number
# after "@" is the index on our first axis: modules evaluated together have stacked weights.
_NAMES = {
    # The network: branches on the spatial (sp) and the semantic (se) graph, and the readout.
    r"sp_blocks": "spatial_branches",
    r"se_blocks": "semantic_branches",
    r"pred\.linear_q": "readout.query",
    r"pred\.linear_k": "readout.key",
    r"pred\.linear_v": "readout.value",
    # The ST block and its temporal convolutions; the last level has two published names.
    r"temporal1\.conv": "conv_in.levels.2",
    r"temporal1": "conv_in",
    r"temporal2\.conv": "conv_out.levels.2",
    r"temporal2": "conv_out",
    r"odeg1": "dynamics",
    r"batch_norm": "norm",
    r"network\.(\d+)\.0": r"levels.\1",
    r"downsample": "residual",
    # The multi-ODE block. The published code swaps the names of the last maps: x_g is the local
    # state, x_l the global one.
    r"clip": "filter.clip",
    r"weights": "update.scales",
    r"graph\.mask": "masks.shared.mask",
    r"time_12\.w3": "attentions.shared.left",
    r"time_12\.w4": "attentions.shared.right",
    r"time_1\.w3": "attentions.local.left",
    r"time_1\.w4": "attentions.local.right",
    r"odeblock_1_1_node\.odefunc\.alpha": "global_ode.alpha@0",
    r"odeblock_1_1_node\.odefunc\.w": "global_ode.weight@0",
    r"odeblock_1_1_node\.odefunc\.d": "global_ode.diagonal@0",
    r"odeblock_1_1_edge\.odefunc\.alpha": "edge_ode.alpha",
    r"odeblock_3_(\d+)_node\.odefunc\.alpha": r"local_ode.ode.alpha@\1",
    r"odeblock_3_(\d+)_node\.odefunc\.w": r"local_ode.ode.weight@\1",
    r"odeblock_3_(\d+)_node\.odefunc\.d": r"local_ode.ode.diagonal@\1",
    r"att_12_4\.linear_q": "local_ode.attention.query",
    r"att_12_4\.linear_k": "local_ode.attention.key",
    r"att_12_4\.linear_v": "local_ode.attention.value",
    r"fc_final1": "local_map",
    r"fc_final2": "global_map",
    r"fc_final3": "update.gate",
    r"fc_edge": "edge_ode.projection",
}
_RULES = [(re.compile(rf"(?<![^.]){old}(?![^.])"), new) for old, new in _NAMES.items()]
# Never used by the published code.
_UNUSED = {"fcn_3_1", "fcn_12_4", "fcn_4_1", "fcn_6_1", "res_weight", "edge_weight"}
_CONVOLUTION = re.compile(r"(?P<path>(?:.*\.)?conv_(?:in|out))\.(?:levels|residual)\.")
# May be absent from the published weights.
_OPTIONAL = ("_adjacency", "running_mean", "running_var", "num_batches_tracked")


def load_gram_ode_weights(
    module: GramODE | SpatioTemporalBlock | MultiODEBlock, weights: Mapping[str, Tensor]
) -> None:
    """Load published weights into a network, an ST block or a multi-ODE block of the same sizes.

    The running statistics of the batch normalisation are loaded if present. Ignored are weights
    that the published code never uses, and those of temporal convolutions that it skips and that a
    module of ``variant="released"`` does not have.

    Args:
        module: module to load into, without ablations (all modules enabled, shared weights).
        weights: state dict with the published names (``sp_blocks.0.0.odeg1.clip``, ...; without the
            leading parts for a block). A ``module.`` prefix is removed.

    Raises:
        TypeError: If ``module`` has another type.
        ValueError: If names or shapes do not match; the message lists every mismatch.
    """
    if not isinstance(module, GramODE | SpatioTemporalBlock | MultiODEBlock):
        raise TypeError(
            "module must be a GramODE, a SpatioTemporalBlock or a MultiODEBlock, got "
            f"{type(module).__name__}"
        )
    own = module.state_dict()
    loaded: dict[str, dict[int, Tensor]] = {}  # our name -> index on its first axis -> values
    faults = []
    for name, value in weights.items():
        key, _, number = _translate(name.removeprefix("module.")).partition("@")
        index = int(number or 0)
        if key not in own:
            if not _is_idle(module, name, key):
                faults.append(f"{name}: the module has no {key}")
        elif number and index >= len(own[key]):
            faults.append(f"{name}: {key} has only {len(own[key])} entries")
        else:
            expected = own[key][index] if number else own[key]
            value = _arrange(key, torch.as_tensor(value))
            if value.shape != expected.shape:
                shapes = f"expected {tuple(expected.shape)}, got {tuple(value.shape)}"
                faults.append(f"{name} ({key}): {shapes}")
            loaded.setdefault(key, {})[index] = value
    faults += _missing(own, loaded)
    if faults:
        raise ValueError("weights do not fit the module:\n  " + "\n  ".join(faults))
    filled = {key: _assemble(own[key], parts) for key, parts in loaded.items()}
    module.load_state_dict(filled, strict=False)


def _translate(name: str) -> str:
    for published, ours in _RULES:
        name = published.sub(ours, name, count=1)
    return name


def _is_idle(module: nn.Module, name: str, key: str) -> bool:
    """Return whether the published code has this weight without using it."""
    if not _UNUSED.isdisjoint(name.split(".")):
        return True
    match = _CONVOLUTION.match(key)
    if match is None:
        return False
    try:
        convolution = module.get_submodule(match["path"])
    except AttributeError:
        return False
    return isinstance(convolution, TemporalConv) and convolution.skipped


def _arrange(key: str, value: Tensor) -> Tensor:
    """Permute the weight of a convolution ``[out, in, 1, K]`` to our axis order."""
    if value.dim() != 4 or value.shape[2] != 1:
        return value
    return value.flatten(1) if "residual." in key else value.squeeze(2).permute(2, 0, 1)


def _assemble(own: Tensor, parts: dict[int, Tensor]) -> Tensor:
    values = [parts[index] for index in sorted(parts)]
    return values[0] if values[0].shape == own.shape else torch.stack(values)


def _missing(own: Mapping[str, Tensor], loaded: Mapping[str, dict[int, Tensor]]) -> list[str]:
    faults = []
    for key, value in own.items():
        if key not in loaded:
            if not key.endswith(_OPTIONAL):
                faults.append(f"{key}: missing")
        elif next(iter(loaded[key].values())).dim() < value.dim():
            absent = [str(index) for index in range(len(value)) if index not in loaded[key]]
            if absent:
                faults.append(f"{key}: entries {', '.join(absent)} missing")
    return faults
