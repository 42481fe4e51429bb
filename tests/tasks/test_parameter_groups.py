import torch
from torch import nn

from geozoo.models import Ponita
from geozoo.tasks import parameter_groups


class _Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.norm = nn.LayerNorm(3)
        self.scale = nn.Parameter(torch.ones(3))


def _names(module: nn.Module, group: dict) -> set[str]:
    chosen = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in module.named_parameters() if id(parameter) in chosen}


def test_only_linear_weights_decay() -> None:
    module = _Scaled()
    decayed, rest = parameter_groups(module)
    assert _names(module, decayed) == {"linear.weight"}
    assert _names(module, rest) == {"linear.bias", "norm.weight", "norm.bias", "scale"}
    assert rest["weight_decay"] == 0.0


def test_the_weight_decay_of_the_optimizer_applies_to_the_first_group_only() -> None:
    optimizer = torch.optim.Adam(parameter_groups(_Scaled()), lr=1e-3, weight_decay=0.1)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]


def test_frozen_parameters_are_left_out() -> None:
    module = _Scaled()
    module.linear.requires_grad_(False)
    (rest,) = parameter_groups(module)
    assert _names(module, rest) == {"norm.weight", "norm.bias", "scale"}


def test_every_parameter_of_ponita_is_in_one_group() -> None:
    model = Ponita(
        1,
        1,
        hidden_channels=4,
        num_layers=1,
        kernel={"basis_channels": 4},
        blocks={"layer_scale": 1e-6},
    )
    decayed, rest = parameter_groups(model)
    names = _names(model, decayed)
    assert len(decayed["params"]) + len(rest["params"]) == len(list(model.parameters()))
    assert {"blocks.0.conv.kernel.weight", "blocks.0.linear_1.weight"} <= names
    assert not any("bias" in name or "norm" in name or "scale" in name for name in names)
