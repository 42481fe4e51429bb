"""Low-rank adaptation (LoRA): small trained updates of frozen linear layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from geozoo.checks import check_positive

_ORIGINAL, _UPDATE = ".parametrizations.weight.original", ".parametrizations.weight.0."


class LowRankUpdate(nn.Module):
    r"""A weight plus a low-rank update.

    .. math:: W' = W + \frac{\alpha}{r} B A

    (Hu et al., *LoRA*, ICLR 2022, Eq. 3). :math:`B` is initialised to zero, so the layer initially
    computes the same function as before. The layer uses :math:`W'` as its ``weight``, with any
    kernel.

    Args:
        out_features: rows of the weight.
        in_features: columns of the weight.
        rank: rank ``r`` of the update.
        alpha: scale :math:`\alpha` of the update; None: the rank, for a factor of one.

    Raises:
        ValueError: If ``rank`` is below 1 or ``alpha`` is not positive.

    Shape:
        Input and output: ``[out_features, in_features]``.
    """

    scale: Tensor

    def __init__(
        self, out_features: int, in_features: int, *, rank: int, alpha: float | None = None
    ) -> None:
        super().__init__()
        check_positive(rank=rank)
        if alpha is not None and alpha <= 0:
            raise ValueError(f"alpha must be positive, got {alpha}")
        rank = min(rank, out_features, in_features)
        self.down = nn.Parameter(torch.empty(rank, in_features))
        self.up = nn.Parameter(torch.zeros(out_features, rank))
        self.register_buffer("scale", torch.tensor(1.0 if alpha is None else alpha / rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight plus its update."""
        return weight + self.scale * (self.up @ self.down)


def add_low_rank_updates(
    model: nn.Module,
    rank: int,
    *,
    alpha: float | None = None,
    chosen: Callable[[str], bool] = lambda name: True,
) -> list[str]:
    """Add trainable low-rank updates to linear layers; other parameters are not changed.

    Args:
        model: the network, changed in place.
        rank: rank of the updates; at most the smaller dimension of a layer is used.
        alpha: scale, see `LowRankUpdate`.
        chosen: selects linear layers by name.

    Returns:
        Names of the linear layers with an update.

    Raises:
        ValueError: If no layer is selected or one already has an update.

    >>> network = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 1))
    >>> add_low_rank_updates(network, rank=2)
    ['0', '2']
    """
    linear = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and chosen(name)
    }
    if not linear:
        raise ValueError("no linear layer was selected for a low-rank update")
    for name, layer in linear.items():
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(f"the weight of layer {name!r} is already parametrized")
        update = LowRankUpdate(*layer.weight.shape, rank=rank, alpha=alpha)
        update = update.to(layer.weight.device, layer.weight.dtype)
        parametrize.register_parametrization(layer, "weight", update)
    return list(linear)


def merge_low_rank_updates(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Merge low-rank updates into the weights of the network.

    Args:
        state: state dict of a network with or without updates.

    Returns:
        State dict of the same function, with the parameter names of the network without updates.

    >>> network = nn.Linear(4, 4)
    >>> names = set(network.state_dict())
    >>> _ = add_low_rank_updates(network, rank=2)
    >>> set(merge_low_rank_updates({f"a.{k}": v for k, v in network.state_dict().items()})) == {
    ...     f"a.{name}" for name in names
    ... }
    True
    """
    merged = {}
    for name, value in state.items():
        if _UPDATE in name:
            continue
        if name.endswith(_ORIGINAL):
            layer = name.removesuffix(_ORIGINAL)
            down, up, scale = (state[f"{layer}{_UPDATE}{k}"] for k in ("down", "up", "scale"))
            merged[f"{layer}.weight"] = value + scale * (up @ down)
        else:
            merged[name] = value
    return merged
