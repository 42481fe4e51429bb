"""The figures of the documentation, computed by the library itself.

    python docs/make_pictures.py            # writes docs/pictures/*.png

Nothing is drawn by hand: pairs get the invariants of `geozoo.geometry`, the kernel is that of the
trained model that ships with the zoo, errors are those of the benchmark's record, and the features
of sensors evolve by `geozoo.nn.NodeODE`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

import geozoo
from geozoo.data.traffic.simulator import TrafficOptions, simulate_traffic
from geozoo.geometry import (
    normalized_adjacency,
    r2s1_invariants,
    r3s2_invariants,
    symmetrized,
)
from geozoo.nn import NodeODE
from geozoo.ode import Integrator

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
#: Number of layers compared, and solver steps per layer.
_DEPTH, _SUBSTEPS = 64, 4


def main(folder: Path = FOLDER) -> list[Path]:
    """Write every figure; return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in PICTURES.items():
        path = folder / f"{name}.png"
        draw().savefig(path, dpi=110)
        written.append(path)
    return written


def figure(columns: int, *, width: float = 3.9, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side."""
    made = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(made)
    return made, list(made.subplots(1, columns, squeeze=False)[0])


def equivalent_pairs() -> Figure:
    """Pairs of points with orientations, one colour per equivalence class."""
    made, (panel,) = figure(1, width=7.0, height=4.0)
    kinds = {"C0": (1.0, 0.6), "C1": (1.0, -0.6), "C3": (0.3, 1.2)}
    places = [(0.0, 0.0, 0.2), (2.9, 0.7, 2.1), (0.9, 3.0, 4.0), (3.6, 3.3, 5.4)]
    for colour, (along, across) in kinds.items():
        for x, y, angle in places:
            start = torch.tensor([x, y], dtype=torch.float64)
            orientation = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
            normal = torch.stack([-orientation[1], orientation[0]])
            end = start + along * orientation + across * normal
            found = r2s1_invariants(end - start, orientation)
            panel.plot(*torch.stack([start, end]).T, "-", color=colour, linewidth=1.2)
            panel.plot(*end, "o", color=colour, markersize=6)
            panel.quiver(*start, *orientation, angles="xy", scale_units="xy", scale=1.6)
            panel.plot(*start, "ko", markersize=4)
        label = f"o·r = {float(found[0]):.1f}, o⊥·r = {float(found[1]):.1f}"
        panel.plot([], [], "o-", color=colour, label=label)
    panel.set(xticks=[], yticks=[], title="one colour, one class, one weight")
    panel.set_aspect("equal")
    panel.margins(0.08)
    panel.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return made


def shared_kernel() -> Figure:
    """A trained kernel at three orientations: one function of the invariants, rotated along."""
    model = geozoo.load("ponita-nbody_small").model
    axis = torch.linspace(-4, 4, 161)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    rel_pos = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(-1, 3)
    angles = (0.0, 1.0, 2.0)
    kernels = [_kernel(model, rel_pos, angle).view(161, 161) for angle in angles]
    made, panels = figure(len(angles))
    bound = max(float(kernel.abs().max()) for kernel in kernels)
    for panel, angle, kernel in zip(panels, angles, kernels, strict=True):
        panel.imshow(
            kernel.numpy(), extent=(-4, 4, -4, 4), origin="lower", cmap="RdBu_r", vmin=-bound,
            vmax=bound,
        )  # fmt: skip
        panel.quiver(0, 0, math.cos(angle), math.sin(angle), angles="xy", scale_units="xy",
                     scale=0.6)  # fmt: skip
        panel.set(xticks=[], yticks=[], title=f"orientation at {math.degrees(angle):.0f}°")
    return made


@torch.no_grad()
def _kernel(model: torch.nn.Module, rel_pos: Tensor, angle: float) -> Tensor:
    """The channel of the first layer's kernel that varies most, at relative positions ``[P]``."""
    conv, basis = model.blocks[0].conv, model.representation.basis
    weight = conv.kernel.weight
    orientation = torch.tensor([math.cos(angle), math.sin(angle), 0.0])
    values = basis(r3s2_invariants(rel_pos, orientation)) @ weight.T
    reference = basis(r3s2_invariants(rel_pos, torch.tensor([1.0, 0.0, 0.0]))) @ weight.T
    channel = int((reference.std(0) / reference.abs().mean(0)).argmax())
    return values[:, channel] - reference[:, channel].mean()


def grid_error() -> Figure:
    """Equivariance error against the number of orientations, from the benchmark's record."""
    record = ROOT / "benchmarks" / "results" / "equivariance_error.jsonl"
    rows = json.loads(record.read_text(encoding="utf-8").splitlines()[-1])["rows"]
    made, panels = figure(2)
    kinds = sorted({row["points"] for row in rows if row["rotations"] == "random"})
    for kind in kinds:
        chosen = [r for r in rows if r["points"] == kind and r["rotations"] == "random"]
        if len(chosen) < 3:
            continue
        for panel, name in zip(panels, ("scalar", "vector"), strict=True):
            count = [row["orientations"] for row in chosen]
            panel.plot(count, [row[name] for row in chosen], marker="o", markersize=3, label=kind)
            panel.set(xlabel="orientations", xscale="log", yscale="log", title=f"error of a {name}")
            panel.set_xticks([6, 12, 20, 60], ["6", "12", "20", "60"])
            panel.minorticks_off()
            panel.grid(alpha=0.3)
    panels[0].legend(frameon=False, fontsize=8)
    return made


def flowing_features() -> Figure:
    """An impulse at one sensor that a node ODE propagates along the roads, and its decay."""
    series = simulate_traffic(TrafficOptions(num_sensors=60, num_days=15))
    listed = torch.from_numpy(series.distances).isfinite().double().fill_diagonal_(0.0)
    graph = normalized_adjacency(symmetrized(listed, how="max"))
    made, panels = figure(4, height=3.4)
    places, start = series.coordinates, torch.zeros(1, len(graph), 1, 1, dtype=torch.float64)
    start[0, int(graph.count_nonzero(1).argmax())] = 1.0
    for panel, depth in zip(panels[:3], (0, 1, 4), strict=True):
        shade = _flow(graph, start, depth)[-1].flatten().abs().add(1e-6).log10().numpy()
        panel.scatter(places[:, 1], places[:, 0], c=shade, s=22, cmap="viridis", vmin=-5, vmax=0)
        panel.set(xticks=[], yticks=[], title=f"depth {depth}")
    _draw_depth(panels[3], graph)
    return made


def _flow(graph: Tensor, start: Tensor, depth: int) -> list[Tensor]:
    """The states of an untrained node ODE at depths 0, 1, ..."""
    if depth == 0:
        return [start]
    times = torch.linspace(0, depth, _SUBSTEPS * depth + 1).tolist()
    ode = NodeODE(len(graph), 1, times=times, integrator=Integrator("rk4")).double()
    still = torch.zeros(1, 1, dtype=torch.float64)
    with torch.no_grad():
        return [start, *ode(start, graph, still, still)[_SUBSTEPS - 1 :: _SUBSTEPS]]


def _draw_depth(panel: Axes, graph: Tensor) -> None:
    """How different sensor features remain: averaging layers, and the ODE with its source term."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1, len(graph), 1, 1, dtype=torch.float64, generator=generator)
    average = graph / graph.sum(1, keepdim=True)
    depths = range(_DEPTH + 1)
    layers = [start.flatten()]
    for _ in depths[1:]:
        layers.append(average @ layers[-1])
    flowing = _flow(graph, start, _DEPTH)
    panel.plot(depths, [_spread(state) for state in layers], label="layers of averaging")
    panel.plot(depths, [_spread(state) for state in flowing], label="node ODE")
    panel.set(yscale="log", xlabel="depth", title="difference between sensors")
    panel.grid(alpha=0.3)
    panel.legend(frameon=False, fontsize=8)


def _spread(state: Tensor) -> float:
    """Standard deviation over sensors, relative to the size of the features."""
    return float(state.std() / state.square().mean().sqrt())


PICTURES = {
    "equivalent_pairs": equivalent_pairs,
    "shared_kernel": shared_kernel,
    "grid_error": grid_error,
    "flowing_features": flowing_features,
}

if __name__ == "__main__":
    for path in main():
        print(path)
