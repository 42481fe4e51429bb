"""The published implementation's float64 outputs are reproduced by both backends."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from geozoo.models import Ponita, load_reference_weights
from geozoo.options import in_groups

GRIDS = json.loads((Path(__file__).parent / "ponita_reference_grids.json").read_text())
SIZES = {
    "ponita_r3s2_node": {
        "in_channels": 2, "in_vectors": 1, "out_channels": 2, "out_vectors": 1,
        "level": "node", "num_orientations": 8, "layer_scale": 1e-6,
    },
    "ponita_r3s2_graph_cutoff": {
        "in_channels": 2, "out_channels": 1, "num_orientations": 6, "radius": 2.0,
    },
    "ponita_r2s1_graph": {
        "in_channels": 2, "out_channels": 3, "dim": 2, "num_orientations": 6, "radius": 2.5,
    },
    "ponita_r3_graph": {"in_channels": 2, "out_channels": 2, "representation": "position"},
}  # fmt: skip


def build(name: str, arrays: dict[str, torch.Tensor], backend: str) -> Ponita:
    grid = GRIDS["grids"].get(name)
    options = {} if grid is None else {"grid": torch.tensor(grid, dtype=torch.float64)}
    model = Ponita(
        hidden_channels=12,
        num_layers=2,
        **in_groups(Ponita, {**SIZES[name], **options, "basis_channels": 10, "backend": backend}),
    ).double()
    weights = {key[2:]: value for key, value in arrays.items() if key.startswith("w.")}
    load_reference_weights(model, weights, orientations=options.get("grid"))
    return model


def largest_deviation(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual - expected).detach().abs().max() / expected.abs().max())


def deviations(name: str, folder: Path, backend: str) -> dict[str, float]:
    """Largest deviation of each output, relative to its largest entry."""
    with np.load(folder / "reference" / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
    model = build(name, arrays, backend)
    pos = arrays["in.pos"].requires_grad_()
    edge_index = arrays["in.edge_index"] if backend == "textbook" else None
    out = model(pos, arrays["in.x"], arrays["in.batch"], edge_index, vec=arrays.get("in.vec"))
    objective, found = 0.0, {}
    for key, value in out._asdict().items():
        if value is not None:
            found[key] = largest_deviation(value, arrays[f"out.{key}"])
            weight = torch.linspace(-1, 1, value.numel(), dtype=torch.float64).view_as(value)
            objective = objective + (value * weight).sum()
    (gradient,) = torch.autograd.grad(objective, pos)
    return found | {"grad_pos": largest_deviation(gradient, arrays["out.grad_pos"])}


CASES = [(name, "textbook") for name in SIZES] + [
    (name, "shared") for name in ("ponita_r2s1_graph", "ponita_r3_graph")
]


@pytest.mark.parametrize(("name", "backend"), CASES)
def test_published_outputs_are_reproduced(name, backend, shared_folder):
    found = deviations(name, shared_folder, backend)
    assert {"grad_pos"} < set(found)
    assert max(found.values()) < 1e-10, found


def test_another_grid_does_not_reproduce_them(shared_folder, monkeypatch):
    turned = torch.tensor(GRIDS["grids"]["ponita_r3s2_node"], dtype=torch.float64).flip(1)
    monkeypatch.setitem(GRIDS["grids"], "ponita_r3s2_node", turned.tolist())
    found = deviations("ponita_r3s2_node", shared_folder, "textbook")
    assert max(found.values()) > 1e-4
