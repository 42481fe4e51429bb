#!/usr/bin/env bash
# torchmd-net 3.1.0 with warp-lang 1.19.0 and torch 2.13.0 (CPU), Python 3.11, Linux x86-64.
#
# TensorNet's Warp kernel of tensor norms, which its readout uses where warp-lang is installed, is compiled
# for float64, too, but its factor 1/3 is written X.dtype(1.0 / 3.0). Literals in a Warp kernel are float32,
# so the quotient is rounded to float32 before it is widened, and squared traces are too large by a
# relative 3e-8. The energy of a small untrained float64 network changes by a relative 1e-7 when the
# kernel is replaced by the same formula in PyTorch, which the package uses without warp-lang.
# X.dtype(1.0) / X.dtype(3.0), as elsewhere in these kernels, is exact.
#
# Expected: a squared norm of 3 to 16 digits.
#
# Observed output (without that of Warp):
#   Warp kernel: 3.000000089407, torch.float64
#   sum of squares: 3.000000000000, torch.float64
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q torch==2.13.0 torchmd-net==3.1.0 warp-lang==1.19.0 \
    torch-geometric==2.8.1 numpy==2.4.6
WARP_CACHE_PATH="$place/warp" env/bin/python -W ignore - <<'PYTHON'
import torch
import warp

warp.config.quiet = True
from torchmdnet.extensions.warp_ops import fn_tensor_norm3

# One atom with one channel: the unit matrix, whose squared trace over three is 3.
tensor = torch.eye(3, dtype=torch.float64).reshape(1, 3, 3, 1)
kernel = fn_tensor_norm3(tensor)
exact = float((tensor**2).sum())
print(f"Warp kernel: {float(kernel.sum()):.12f}, {kernel.dtype}")
print(f"sum of squares: {exact:.12f}, {tensor.dtype}")
assert exact == 3.0 and kernel.dtype == torch.float64
assert abs(float(kernel.sum()) - 9 * float(torch.tensor(1.0) / 3.0)) < 1e-14
assert abs(float(kernel.sum()) - exact) > 8e-8
PYTHON
