"""Meshes and clouds in OFF and PLY files, by trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from geozoo.data.clouds._cloud_inputs import Cloud
from geozoo.files.errors import corrupt_file_errors


class MeshFile(NamedTuple):
    """The contents of an OFF or PLY file.

    Attributes:
        columns: ``[n]`` properties of the vertices by name, with ``x``, ``y`` and ``z``.
        mesh: the mesh of trimesh; None for points without faces.
    """

    columns: dict[str, np.ndarray]
    mesh: Any


def read_mesh(path: Path) -> MeshFile:
    """Read an OFF or PLY file.

    Args:
        path: the file; ``OFF`` and the counts may be on one line, as in files of ModelNet.

    Raises:
        ImportError: If trimesh is not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt or truncated.
    """
    import trimesh

    kind = path.suffix.lower().removeprefix(".")
    with corrupt_file_errors(path, f"not a file of {kind.upper()}"):
        # trimesh reads a truncated text file as a smaller one.
        (_check_off if kind == "off" else _check_ply)(path)
        with path.open("rb") as file:
            found = trimesh.load(file, file_type=kind, process=False)
        points = np.asarray(getattr(found, "vertices", np.empty((0, 3))), dtype=np.float64)
        if not len(points):
            raise ValueError("it has no vertices")
        raw = found.metadata.get("_ply_raw", {}).get("vertex", {}).get("data", {})
        names = raw.dtype.names if isinstance(raw, np.ndarray) else list(raw)
        columns = {
            name: np.asarray(raw[name], dtype=np.float64).reshape(-1)
            for name in names
            if np.size(raw[name]) == len(points)
        }
        columns |= dict(zip("xyz", points.T, strict=True))
        faces = getattr(found, "faces", ())
    return MeshFile(columns, found if len(faces) else None)


def on_surface(mesh: Any, count: int, rng: np.random.Generator) -> Cloud:
    """Points on the faces of a mesh, uniform by area, with the normals of the faces.

    Args:
        mesh: a mesh of trimesh.
        count: number of points.
        rng: source of randomness.

    Raises:
        ValueError: If the area of all faces is zero, or a coordinate is not finite.
    """
    import trimesh

    if not (np.isfinite(mesh.vertices).all() and mesh.area > 0):
        raise ValueError("the surface of the mesh must have a finite area above 0")
    seed = int(rng.integers(2**31))
    points, face = trimesh.sample.sample_surface(mesh, count, seed=seed)[:2]
    return Cloud(np.asarray(points, dtype=np.float64), np.asarray(mesh.face_normals[face]))


def _check_off(path: Path) -> None:
    """Check that there are as many lines as the counts of a text file ask for."""
    lines = [
        (number, text)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (text := line.partition("#")[0].strip())
    ]
    kind, _, rest = lines[0][1].partition("OFF") if lines else ("", "", "")
    if not lines or "OFF" not in lines[0][1] or kind.strip("STCN4n"):
        raise ValueError("line 1 must begin with OFF")
    counts_at = 0 if rest.strip() else 1
    if len(lines) <= counts_at:
        raise ValueError("it ends before the numbers of vertices and faces")
    number, text = lines[counts_at]
    counts = (rest if counts_at == 0 else text).split()
    if len(counts) < 2 or not all(word.isdigit() for word in counts):
        raise ValueError(f"line {number} must hold the numbers of vertices and faces, got {text!r}")
    there, wanted = len(lines) - counts_at - 1, int(counts[0]) + int(counts[1])
    if there < wanted:
        raise ValueError(
            f"it ends at line {lines[-1][0]}: {counts[0]} vertices and {counts[1]} faces need "
            f"{wanted} lines, there are {there}; is it truncated?"
        )


def _check_ply(path: Path) -> None:
    """Check that there are as many lines as the header of a text file asks for."""
    head, mark, body = path.read_bytes().partition(b"end_header")
    lines = head.decode("utf-8", "replace").splitlines()
    if not mark or not lines or lines[0].strip() != "ply":
        raise ValueError("line 1 must be ply, and the header must end with end_header")
    if not any(line.split()[:2] == ["format", "ascii"] for line in lines):
        return  # trimesh checks the length of binary files
    words = [line.split() for line in lines]
    wanted = sum(int(each[2]) for each in words if each[:1] == ["element"] and each[2:])
    there = sum(1 for line in body.splitlines() if line.strip())
    if there < wanted:
        raise ValueError(
            f"its header declares {wanted} vertices and faces, there are {there} lines; is it "
            "truncated?"
        )
