#!/usr/bin/env bash
# torchmetrics 1.9.0 with torch 2.13.0 (CPU), Python 3.11, Linux x86-64.
#
# MeanMetric takes weights. With nan_strategy="disable", which is meant to skip the search for NaN, it
# also replaces every weight by 1: the weighted mean silently becomes the plain mean. The other
# strategies use the weights.
#
# Expected: the same mean with every strategy, since there are no NaN values.
#
# Observed output:
#   error: mean 2.5, total weight 4.0
#   disable: mean 3.0, total weight 2.0
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q torchmetrics==1.9.0 numpy==2.4.6
env/bin/python - <<'PYTHON'
from torchmetrics import MeanMetric

found = {}
for strategy in ("error", "disable"):
    mean = MeanMetric(nan_strategy=strategy)
    mean.update(2.0, 3.0)  # value, weight
    mean.update(4.0, 1.0)
    found[strategy] = float(mean.compute()), float(mean.weight)
    print(f"{strategy}: mean {found[strategy][0]}, total weight {found[strategy][1]}")
assert found == {"error": (2.5, 4.0), "disable": (3.0, 2.0)}
PYTHON
