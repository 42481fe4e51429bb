"""Exponents of a sweep, and the smallest sweep."""

import argparse
import subprocess
import sys

import pytest
import torch
from rich.console import Console

from benchmarks import scale
from benchmarks._periodic_steps import store_of
from benchmarks.scale import draw, exponents
from geozoo.geometry import neighbor_pairs


def test_exponents_are_those_of_the_upper_half():
    sizes = (1, 2, 4, 8, 16, 32)
    points = [{"size": n, "seconds": 3 + n**2 * 5.0, "mib": 7.0 * n**1.5} for n in sizes]
    # A constant share hardly counts where the work is large.
    found = exponents(points)
    assert found["seconds"] == pytest.approx(2, abs=0.01)
    assert found["mib"] == pytest.approx(1.5)
    assert exponents([{"size": 4, "seconds": 1.0, "mib": 0.0}]) == {}


def test_picture_is_drawn(tmp_path):
    points = [{"size": n, "seconds": 0.1 * n, "mib": 2.0 * n} for n in (10, 100)]
    row = {"sweep": "atoms", "about": "PONITA, few", "points": points}
    draw([row | {"exponents": exponents(points)}], tmp_path / "scale.png")
    assert (tmp_path / "scale.png").stat().st_size > 5000


@pytest.mark.slow
def test_a_size_beyond_the_limits_ends_the_sweep():
    command = [sys.executable, "-m", "benchmarks.scale", "atoms", "--threads", "1"]
    done = subprocess.run(
        [*command, "--gib", "-0.2"], capture_output=True, text=True, check=True, timeout=300
    )
    assert "more than -0.2 GiB" in done.stdout


@pytest.mark.parametrize(("system", "nearby"), [("copper", (2, 3)), ("ethanol", (0.7, 2))])
def test_periodic_systems_have_their_density_and_no_atoms_too_close(system, nearby):
    store = store_of(system, 500)
    atoms = int(store.gather(torch.arange(1)).num_nodes)
    assert abs(atoms - 500) < 80
    cell, pos = store.graph["cell"][0], store.node["pos"].double()
    per_atom = {"copper": 3.615**3 / 4, "ethanol": 46.069 / 0.789 / 0.602214076 / 9}[system]
    assert float(cell.det()) / atoms == pytest.approx(per_atom)
    batch, pbc = torch.zeros(atoms, dtype=torch.int64), torch.ones(1, 3, dtype=torch.bool)
    index, image = neighbor_pairs(pos, 3.0, batch, 1, cell=cell[None], pbc=pbc)
    shift = image.double() @ cell
    distance = (pos[index[0]] + shift - pos[index[1]]).norm(dim=1)
    low, high = nearby
    assert low < float(distance.min()) < high
    assert torch.equal(store_of(system, 500).node["pos"], store.node["pos"])


def test_a_size_beyond_memory_by_extrapolation_is_not_started(monkeypatch):
    started = []

    def measured(name, size, options):
        started.append(size)
        return {"seconds": 1.0, "cpu_seconds": 1.0, "mib": 0.5 * size}

    monkeypatch.setattr(scale, "measured", measured)
    options = argparse.Namespace(gib=2.0, threads=1, seconds=10.0, largest=10**9)
    found = scale.sweep("copper_painn", options, Console(quiet=True))
    assert started == [500, 2048]
    assert found["first_to_break"] == "more than 2 GiB at 10976, by extrapolation"
