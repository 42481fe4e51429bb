"""Time and memory of a PONITA training step: shared kernels against the textbook form.

    python -m benchmarks.training_step            # N-body and aspirin, published sizes; pixels
    python -m benchmarks.training_step --rounds 9 --threads 2 --record

The two forms run in turn (A B A B ...) within one process, on the same input and the same weights;
losses and parameter gradients are compared. Peak memory is that of a fresh child process per form,
less that of a child which builds everything and makes no step. ``--record`` keeps the figures in
``benchmarks/results/training_step.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from benchmarks._gradients import parameter_gradient, relative_difference
from benchmarks._record import record
from geozoo.data import pixel_positions
from geozoo.geometry import random_rotations
from geozoo.models import Ponita


def nbody_step(backend: str) -> tuple[Ponita, Callable[[], float]]:
    """N-body, batch 100: position error and its parameter gradient, published sizes."""
    torch.manual_seed(0)
    model = Ponita(
        1,
        0,
        in_vectors=1,
        out_vectors=1,
        level="node",
        num_orientations=16,
        layer_scale=1e-6,
        backend=backend,
    )
    pos, charge, velocity = torch.randn(500, 3), torch.randn(500, 1), torch.randn(500, 1, 3)
    batch = torch.arange(100).repeat_interleave(5)

    def step() -> float:
        model.zero_grad()
        out = model(pos, charge, batch, vec=velocity, num_graphs=100)
        loss = (out.vector[:, 0] - velocity[:, 0]).square().mean()
        loss.backward()
        return loss.item()

    return model, step


def aspirin_step(backend: str) -> tuple[Ponita, Callable[[], float]]:
    """Aspirin-sized molecules, batch 5: energy, forces and the parameter gradient of both."""
    torch.manual_seed(0)
    model = Ponita(9, 1, num_orientations=20, backend=backend)
    pos, species = 2 * torch.randn(105, 3), torch.eye(9)[torch.randint(9, (105,))]
    batch = torch.arange(5).repeat_interleave(21)

    def step() -> float:
        model.zero_grad()
        place = pos.clone().requires_grad_()
        energy = model(place, species, batch, num_graphs=5).scalar
        (gradient,) = torch.autograd.grad(energy.sum(), place, create_graph=True)
        loss = energy.square().mean() / 500 + gradient.square().mean()
        loss.backward()
        return loss.item()

    return model, step


def pixels_step(backend: str) -> tuple[Ponita, Callable[[], float]]:
    """Eight images of 28 x 28 pixels, each turned its own way, size of mnist_pixels_quick."""
    torch.manual_seed(0)
    model = Ponita(
        1,
        10,
        dim=2,
        hidden_channels=16,
        basis_channels=16,
        num_layers=3,
        degree=2,
        num_orientations=8,
        radius=3.5,
        multiple_readouts=False,
        lattice=(28, 28),
        backend=backend,
    )
    turned = pixel_positions((28, 28)) @ random_rotations(8, 2).float()
    grey, batch = torch.rand(8 * 784, 1), torch.arange(8).repeat_interleave(784)

    def step() -> float:
        model.zero_grad()
        loss = model(turned.flatten(0, 1), grey, batch, num_graphs=8).scalar.square().mean()
        loss.backward()
        return loss.item()

    return model, step


CASES = {"nbody": nbody_step, "aspirin": aspirin_step, "pixels": pixels_step}
#: What each is compared with the textbook form.
FAST = {"nbody": "shared", "aspirin": "shared", "pixels": "lattice"}


def time_case(name: str, rounds: int) -> dict[str, object]:
    """Median seconds of each form, their ratio by pairs, and the difference of the losses."""
    fast = FAST[name]
    built = {backend: CASES[name](backend) for backend in ("textbook", fast)}
    steps = {backend: step for backend, (_, step) in built.items()}
    losses = {backend: step() for backend, step in steps.items()}
    gradients = {backend: parameter_gradient(model) for backend, (model, _) in built.items()}
    seconds: dict[str, list[float]] = {backend: [] for backend in built}
    for _ in range(rounds):
        for backend, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[backend].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(seconds["textbook"], seconds[fast], strict=True)]
    return {
        "case": name,
        **{f"{backend}_s": statistics.median(values) for backend, values in seconds.items()},
        "speed_ratio": statistics.median(ratios),
        "speed_ratio_range": [min(ratios), max(ratios)],
        "loss_difference": abs(losses["textbook"] - losses[fast]) / abs(losses["textbook"]),
        "gradient_difference": relative_difference(gradients[fast], gradients["textbook"]),
    }


def memory_of_case(name: str) -> dict[str, float]:
    """MiB that two steps of each form need beyond the built model, and their ratio."""
    found = {
        f"{backend}_mib": peak_memory(name, backend, 2) - peak_memory(name, backend, 0)
        for backend in ("textbook", FAST[name])
    }
    return {**found, "memory_ratio": found["textbook_mib"] / found[f"{FAST[name]}_mib"]}


def peak_memory(name: str, backend: str, steps: int) -> float:
    """Peak resident MiB of a fresh process that makes that many steps."""
    command = [sys.executable, "-m", "benchmarks.training_step", "--child", name, backend]
    done = subprocess.run([*command, str(steps)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def child(name: str, backend: str, steps: int) -> None:
    _, step = CASES[name](backend)
    for _ in range(steps):
        step()
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"any of {list(CASES)}")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument(
        "--child", nargs=3, metavar=("CASE", "FORM", "STEPS"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        name, backend, steps = options.child
        return child(name, backend, int(steps))
    # Memory first: a child's peak is at least what its parent holds when it is started.
    memory = {name: memory_of_case(name) for name in options.cases}
    for name in options.cases:
        row = {**time_case(name, options.rounds), **memory[name]}
        sys.stdout.write(json.dumps(row) + "\n")
        if options.record:
            record("training_step", row)


if __name__ == "__main__":
    main()
