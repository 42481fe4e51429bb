"""Whether a compiler is at work, to which plain operations are to be shown."""

from __future__ import annotations

import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode


def is_traced() -> bool:
    """Return whether operations are recorded now by torch.compile, torch.export or make_fx."""
    return torch.compiler.is_compiling() or get_proxy_mode() is not None
