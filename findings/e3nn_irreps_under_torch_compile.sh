#!/usr/bin/env bash
# e3nn 0.6.0 with torch 2.13.0 (CPU), Python 3.11, Linux x86-64.
#
# torch.compile fails on every module that reads an irrep in its forward pass, even only its degree,
# with an internal error whose message is "NotImplementedError: " and nothing else. o3.Irrep is a tuple
# whose len() raises, and the compiler asks for the length of every tuple that it guards. Degrees and
# multiplicities as plain numbers compile.
#
# Expected: compiled and eager results are equal, as without an irrep in the forward pass.
#
# Observed output:
#   eager: 2.0
#   compiled, irreps: InternalTorchDynamoError 'NotImplementedError: \n'
#   compiled, numbers: 2.0
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q e3nn==0.6.0 numpy==2.4.6
env/bin/python -W ignore - <<'PYTHON'
import logging

import torch
from e3nn import o3

logging.disable(logging.ERROR)


class Degrees(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.irreps = o3.Irreps("4x2e")

    def forward(self, x):
        return x * self.irreps[0].ir.l


class Numbers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.degrees = [ir.l for _, ir in o3.Irreps("4x2e")]

    def forward(self, x):
        return x * self.degrees[0]


one = torch.ones(())
eager = float(Degrees()(one))
print("eager:", eager)
try:
    torch.compile(Degrees(), backend="eager")(one)
    failure = ""
except Exception as error:
    failure = f"{type(error).__name__} {str(error)!r}"
print("compiled, irreps:", failure)
plain = float(torch.compile(Numbers(), backend="eager")(one))
print("compiled, numbers:", plain)
assert eager == plain == 2.0
assert failure == "InternalTorchDynamoError 'NotImplementedError: \\n'"
PYTHON
