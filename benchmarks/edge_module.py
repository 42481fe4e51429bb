"""Time and memory of a GRAM-ODE training step: factorised edges against tensors of pairs.

    python -m benchmarks.edge_module                        # N = 170, 307 and 883, batch 8
    python -m benchmarks.edge_module --sensors 170 --rounds 5 --threads 2 --record
    python -m benchmarks.edge_module --sensors 883 --batch 64 --forms recomputed --rounds 0

The two forms of the edge module, and the factorised one with recomputed blocks, run in turn
(A B C A B C ...) within one process, on the same input and the same weights; losses and parameter
gradients are compared with those of the first form. Where the tensors of pairs do not fit, the form
``general_recomputed`` takes the place of the general one. Without rounds only memory is measured.
Peak memory is that of a fresh child process per form, less that of a child which builds everything
and makes no step. It is resident memory: glibc's malloc keeps the holes of freed tensors below
32 MiB, several times what the tensors need; MALLOC_MMAP_THRESHOLD_=1048576 in the environment gives
them back, and its value is part of a row. Widths are the published ones unless said otherwise.
``--record`` keeps the figures in ``benchmarks/results/edge_module.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks._gradients import parameter_gradient, relative_difference
from benchmarks._record import record
from geozoo.models import GramODE

FORMS: dict[str, dict[str, Any]] = {
    "general": {"backend": "general"},
    "factorised": {"backend": "factorised"},
    "recomputed": {"backend": "factorised", "recompute": True},
    "general_recomputed": {"backend": "general", "recompute": True},
}
THRESHOLD = "MALLOC_MMAP_THRESHOLD_"
DEFAULT_FORMS = ["general", "factorised", "recomputed"]


def training_step(
    form: str, sensors: int, options: argparse.Namespace
) -> tuple[GramODE, Callable[[], float]]:
    """Mean absolute error of a batch and its parameter gradient; no dropout, to compare forms."""
    torch.manual_seed(0)
    graph = torch.rand(sensors, sensors)
    graph = 0.4 * (torch.eye(sensors) + graph / graph.sum(1, keepdim=True))
    model = GramODE(
        graph, graph.T, in_channels=3, hidden_channels=options.hidden, dropout=0.0,
        num_branches=options.branches, **FORMS[form],
    )  # fmt: skip
    x, target = torch.randn(options.batch, 12, sensors, 3), torch.randn(options.batch, 12, sensors)

    def step() -> float:
        model.zero_grad()
        loss = (model(x) - target).abs().mean()
        loss.backward()
        return loss.item()

    return model, step


def time_size(sensors: int, options: argparse.Namespace) -> dict[str, Any]:
    """Median and range of the seconds of each form, and how far it is from the general one."""
    steps, losses, gradients = {}, {}, {}
    for form in options.forms:
        model, steps[form] = training_step(form, sensors, options)
        losses[form], gradients[form] = steps[form](), parameter_gradient(model)
    seconds: dict[str, list[float]] = {form: [] for form in options.forms}
    for _ in range(options.rounds):
        for form, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[form].append(time.perf_counter() - start)
    row: dict[str, Any] = {}
    first = options.forms[0]
    for form, values in seconds.items():
        row |= {
            f"{form}_s": statistics.median(values),
            f"{form}_range_s": [min(values), max(values)],
            f"{form}_loss_difference": abs(losses[form] - losses[first]) / abs(losses[first]),
            f"{form}_gradient_difference": relative_difference(gradients[form], gradients[first]),
        }
    return row


def peak_memory(form: str, sensors: int, steps: int, options: argparse.Namespace) -> float:
    """Peak resident MiB of a fresh process that makes that many steps."""
    command = [sys.executable, "-m", "benchmarks.edge_module", "--child", form, str(steps)]
    for name in ("batch", "hidden", "branches", "threads"):
        command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(
        [*command, "--sensors", str(sensors)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def memory_of_size(sensors: int, options: argparse.Namespace) -> dict[str, float]:
    """MiB that a step of each form needs beyond the built model."""
    return {
        f"{form}_mib": peak_memory(form, sensors, 1, options)
        - peak_memory(form, sensors, 0, options)
        for form in options.forms
    }


def child(form: str, steps: int, options: argparse.Namespace) -> None:
    # A tiny step first: what torch loads only when it is used is not the memory of a form.
    tiny = argparse.Namespace(**{**vars(options), "batch": 1})
    training_step(form, 4, tiny)[1]()
    _, step = training_step(form, options.sensors[0], options)
    for _ in range(steps):
        step()
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def table(rows: list[dict[str, Any]], forms: list[str]) -> str:
    """A line for each size and form."""
    lines = [
        f"{'sensors':>7}  {'form':<18} {'seconds':>9} {'range':>19} {'MiB':>9} {'gradient':>9}"
    ]
    for row in rows:
        for form in forms:
            low, high = row[f"{form}_range_s"]
            lines.append(
                f"{row['sensors']:>7}  {form:<18} {row[f'{form}_s']:>9.3f} "
                f"{f'{low:.3f} to {high:.3f}':>19} {row[f'{form}_mib']:>9.0f} "
                f"{row[f'{form}_gradient_difference']:>9.1e}"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sensors", type=int, nargs="+", default=[170, 307, 883])
    parser.add_argument("--forms", nargs="+", choices=list(FORMS), default=DEFAULT_FORMS)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=64, help="channels; published: 64")
    parser.add_argument("--branches", type=int, default=3, help="on each graph; published: 3")
    parser.add_argument("--rounds", type=int, default=5, help="0: memory only")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--child", nargs=2, metavar=("FORM", "STEPS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        return child(options.child[0], int(options.child[1]), options)
    sizes = {name: getattr(options, name) for name in ("batch", "hidden", "branches", "threads")}
    # Memory first: a child's peak is at least what its parent holds when it is started.
    memory = {sensors: memory_of_size(sensors, options) for sensors in options.sensors}
    rows = []
    for sensors in options.sensors:
        row = {"sensors": sensors, **sizes, **memory[sensors]}
        if THRESHOLD in os.environ:
            row["malloc_mmap_threshold"] = os.environ[THRESHOLD]
        if options.rounds:
            row |= time_size(sensors, options)
        rows.append(row)
        sys.stdout.write(json.dumps(row) + "\n")
        if options.record:
            record("edge_module", row)
    if options.rounds:
        sys.stdout.write(table(rows, options.forms))


if __name__ == "__main__":
    main()
