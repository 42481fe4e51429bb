#!/usr/bin/env bash
# torchdiffeq 0.2.5 with torch 2.13.0 (CPU), Python 3.11, Linux x86-64.
#
# odeint checks that the times are strictly increasing and then rounds them to the dtype of the state.
# With a bfloat16 state, float32 times that are 1/1000 apart become equal in pairs after the check: a
# fixed-step solver silently takes about half of its steps with length zero and the others with twice
# the length. With a float16 or float32 state it takes all 1000 steps.
#
# Expected: the times keep their own dtype, or an error is raised.
#
# Observed output:
#   torch.float32: 1000 steps, 1000 distinct times
#   torch.bfloat16: 1000 steps, 507 distinct times
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q torchdiffeq==0.2.5 numpy==2.4.6
env/bin/python - <<'PYTHON'
import torch
from torchdiffeq import odeint

times = torch.linspace(0, 1, 1001)
assert bool((times.diff() > 0).all())
counts = {}
for dtype in (torch.float32, torch.bfloat16):
    seen = []

    def rate(t, y):
        seen.append(float(t))
        return torch.ones_like(y)

    odeint(rate, torch.zeros(1, dtype=dtype), times, method="euler")
    counts[dtype] = len(seen), len(set(seen))
    print(f"{dtype}: {counts[dtype][0]} steps, {counts[dtype][1]} distinct times")
assert counts[torch.float32] == (1000, 1000)
assert counts[torch.bfloat16] == (1000, 507)
PYTHON
