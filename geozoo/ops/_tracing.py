"""Under which circumstances operations are carried out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode


def is_traced() -> bool:
    """Return whether operations are recorded now by torch.compile, torch.export or make_fx."""
    return torch.compiler.is_compiling() or get_proxy_mode() is not None


def is_autocast(x: Tensor) -> bool:
    """Return whether products on the device of ``x`` are in mixed precision now."""
    device = x.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
