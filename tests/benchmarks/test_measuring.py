"""The benchmark command measures what it says, on a case of milliseconds."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from benchmarks import __main__ as command
from benchmarks._case import Built, Case
from benchmarks._counts import counted
from benchmarks._memory import peak_mib
from benchmarks._timing import time_case

CPU = torch.device("cpu")
ROWS, WIDTH = 64, 32


def linear(scale, device):
    torch.manual_seed(0)
    model = nn.Linear(WIDTH, WIDTH, bias=False, device=device)
    x = torch.randn(ROWS, WIDTH, device=device)

    def step():
        model.zero_grad()
        loss = scale * model(x).square().mean()
        loss.backward()
        return loss.item()

    return Built(step, model)


TOY = Case(
    "toy",
    "a linear map",
    {"one": lambda device: linear(1.0, device), "other": lambda device: linear(1.5, device)},
    ROWS,
)


def test_variants_are_compared_with_the_first():
    rows = time_case(TOY, ["one", "other"], CPU, rounds=3)
    assert rows["one"]["times_faster"] == 1
    assert rows["one"]["loss_difference"] == rows["one"]["gradient_difference"] == 0
    assert rows["other"]["loss_difference"] == pytest.approx(0.5)
    assert rows["other"]["gradient_difference"] == pytest.approx(0.5, rel=1e-5)
    low, high = rows["other"]["seconds_range"]
    assert 0 < low <= rows["other"]["seconds"] <= high
    assert rows["other"]["items_per_s"] == pytest.approx(ROWS / rows["other"]["seconds"])


def test_work_is_counted_by_formula():
    found = counted(linear(1.0, CPU).step)
    # Output and weight gradient; the input needs none.
    assert found["gflop"] == pytest.approx(2 * 2e-9 * ROWS * WIDTH**2)
    smallest = 4e-9 * (ROWS * WIDTH + WIDTH**2)
    assert found["gbytes"] > smallest


@pytest.mark.slow
def test_memory_is_that_of_a_fresh_process():
    case = command.CASES["pixels"]
    held = torch.ones(100 << 18)
    found = peak_mib(case, "fast", CPU, threads=1)
    assert 20 < found["mib_of_tensors"] < found["mib"] + 50 < 2000
    assert held.nbytes == 100 << 20


@pytest.mark.slow
def test_unknown_case_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nobody"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "unknown case 'nobody': expected one of nbody, aspirin" in done.stderr


def test_cases_are_listed(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--list"])
    command.main()
    shown = capsys.readouterr().out
    assert all(f"{name}: " in shown for name in command.CASES)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_grouped_convolutions_are_counted_by_their_groups(groups):
    x = torch.randn(3, 4, 6, 6, requires_grad=True)
    weight = torch.randn(8, 4 // groups, 3, 3, requires_grad=True)

    def step() -> float:
        torch.nn.functional.conv2d(x, weight, groups=groups).sum().backward()
        return 0.0

    forward = 2 * (3 * 8 * 4 * 4) * (4 // groups * 9)
    assert counted(step)["gflop"] == pytest.approx(1e-9 * 3 * forward)
