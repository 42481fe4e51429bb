"""Detect tracing and mixed precision."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode


def is_traced() -> bool:
    """Return whether torch.compile, torch.export or make_fx is currently tracing operations."""
    return torch.compiler.is_compiling() or get_proxy_mode() is not None


def is_autocast(x: Tensor) -> bool:
    """Return whether autocast is enabled for the device of ``x``."""
    device = x.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
