"""Exponents of a sweep, and the smallest sweep."""

import subprocess
import sys

import pytest

from benchmarks.scale import draw, exponents


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


@pytest.mark.thorough
def test_a_size_beyond_the_limits_ends_the_sweep():
    command = [sys.executable, "-m", "benchmarks.scale", "atoms", "--threads", "1"]
    done = subprocess.run(
        [*command, "--gib", "-0.2"], capture_output=True, text=True, check=True, timeout=300
    )
    assert "more than -0.2 GiB" in done.stdout
