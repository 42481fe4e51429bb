#!/usr/bin/env bash
# e3nn 0.6.0 with torch 2.13.0 (CPU), Python 3.11, Linux x86-64.
#
# copy.deepcopy of a tensor product has more buffers than the original when the product couples eight
# or more channels of l=1: tracing the copied code adds Clebsch-Gordan coefficients as constants. With
# four channels both have the same. torch.optim.swa_utils.AveragedModel, which copies its model and
# then assigns buffers in their order, fails in its first update (Lightning's weight averaging, too);
# the state of the copy does not load into the original. The outputs of both are equal.
#
# Expected: a copy has the buffers of the original, whatever the number of channels.
#
# Observed output:
#   4 channels: 6 buffers, copy 6
#   8 channels: 6 buffers, copy 7
#   outputs equal: True
#   average: The size of tensor a (3) must match the size of tensor b (5) at non-singleton dimension 2
#   state of the copy: unexpected _compiled_main_left_right._tensor_constant0
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q e3nn==0.6.0 numpy==2.4.6
env/bin/python -W ignore - <<'PYTHON'
import copy

import torch
from e3nn import o3
from torch.optim.swa_utils import AveragedModel


def product(channels):
    """Products of vectors with harmonics up to degree 2, channel by channel."""
    before, harmonics = o3.Irreps(f"{channels}x1o"), o3.Irreps.spherical_harmonics(2)
    outputs, paths = [], []
    for j, (_, harmonic) in enumerate(harmonics):
        for kind in o3.Irrep("1o") * harmonic:
            if kind.l <= 2:
                paths.append((0, j, len(outputs), "uvu", True))
                outputs.append((channels, kind))
    return o3.TensorProduct(
        before, harmonics, o3.Irreps(outputs), paths, shared_weights=False, internal_weights=False
    )


found = {}
for channels in (4, 8):
    made = product(channels)
    copied = copy.deepcopy(made)
    found[channels] = len(list(made.buffers())), len(list(copied.buffers()))
    print(f"{channels} channels: {found[channels][0]} buffers, copy {found[channels][1]}")
given = made.irreps_in1.randn(3, -1), made.irreps_in2.randn(3, -1), torch.randn(3, made.weight_numel)
is_equal = torch.equal(made(*given), copied(*given))
print("outputs equal:", is_equal)
try:
    AveragedModel(torch.nn.Sequential(made, torch.nn.BatchNorm1d(5))).update_parameters(
        torch.nn.Sequential(made, torch.nn.BatchNorm1d(5))
    )
    message = ""
except RuntimeError as error:
    message = str(error)
print("average:", message)
unexpected = set(copied.state_dict()) - set(made.state_dict())
print("state of the copy: unexpected", *sorted(unexpected))
assert found[4][0] == found[4][1] and found[8][1] == found[8][0] + 1 and is_equal
assert message.startswith("The size of tensor a") and len(unexpected) == 1
PYTHON
