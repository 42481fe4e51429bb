"""Meshes and clouds in OFF and PLY files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geozoo.data import LoaderOptions, PointClouds
from geozoo.data.clouds._cloud_meshes import read_mesh

pytest.importorskip("trimesh")
#: A box of 1 x 1 x 3: two squares and four rectangles of two triangles each.
CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 3)], dtype=float)
FACES = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
         (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]  # fmt: skip


def off(head: str = "OFF\n8 12 0\n") -> str:
    vertices = "".join(f"{x:g} {y:g} {z:g}\n" for x, y, z in CORNERS)
    return head + vertices + "".join(f"3 {a} {b} {c}\n" for a, b, c in FACES)


def ply(form: str, *, faces: bool = False) -> bytes:
    """Vertices with normals along z and the label of the half they are in."""
    names = "".join(f"property float {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz"))
    head = f"ply\nformat {form} 1.0\nelement vertex 8\n{names}property uchar label\n"
    head += "element face 2\nproperty list uchar int vertex_indices\n" * faces + "end_header\n"
    order = ">" if "big" in form else "<"
    rows = np.zeros(8, np.dtype([("p", order + "f4", 6), ("l", "u1")]))
    rows["p"][:, :3], rows["p"][:, 5], rows["l"] = CORNERS, 2.0, CORNERS[:, 2] > 0
    if form == "ascii":
        lines = [" ".join(f"{v:g}" for v in (*row["p"], row["l"])) for row in rows]
        return (head + "\n".join(lines) + "\n" + "3 0 1 3\n3 0 3 2\n" * faces).encode()
    sides = np.array([(3, 0, 1, 3), (3, 0, 3, 2)])
    packed = b"".join(b"\x03" + side[1:].astype(order + "i4").tobytes() for side in sides)
    return head.encode() + rows.tobytes() + packed * faces


def data(root: Path, suffix: str, content: str | bytes, **options: Any) -> PointClouds:
    for kind in ("a", "b"):
        (root / kind).mkdir()
        for number in range(10):
            file = root / kind / f"{number}{suffix}"
            _ = file.write_text(content) if isinstance(content, str) else file.write_bytes(content)
    options = {"num_neighbors": None, "rotation": {"train": "none", "test": "none"}, **options}
    return PointClouds(path=root, loader=LoaderOptions(batch_size=2), **options)


@pytest.mark.parametrize("head", ["OFF\n8 12 0\n", "OFF8 12 0\n", "# box\nOFF\n\n8 12\n"])
def test_surfaces_of_meshes_are_sampled_by_area(tmp_path: Path, head: str) -> None:
    found = data(tmp_path, ".OFF", off(head), num_points=2000, normals=True, scale="none")
    batch = found.store.gather([0, 1])
    pos, normal = batch.pos[:2000], batch.vec[:2000, 0]
    on_square = (pos[:, 2] < 1e-6) | (pos[:, 2] > 3 - 1e-6)
    assert on_square.double().mean() == pytest.approx(2 / 14, abs=0.03)
    is_face = ((pos.abs() < 1e-6) | ((pos - torch.tensor([1.0, 1.0, 3.0])).abs() < 1e-6)).any(1)
    assert is_face.all()
    assert torch.allclose(normal[on_square].abs(), torch.tensor([0.0, 0.0, 1.0]), atol=1e-6)
    outside = pos + 1e-3 * normal - torch.tensor([0.5, 0.5, 1.5])
    assert (outside.abs() > torch.tensor([0.5, 0.5, 1.5]) + 1e-4).any(1).all()
    assert not torch.equal(pos, batch.pos[2000:])  # each file has its own stream


def test_a_quadrilateral_is_two_triangles(tmp_path: Path) -> None:
    path = tmp_path / "a.off"
    path.write_text("OFF\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3 255 0 0\n")
    assert read_mesh(path).mesh.area == pytest.approx(1)


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_clouds_in_ply_have_labels_and_normals(tmp_path: Path, form: str) -> None:
    found = data(tmp_path, ".ply", ply(form), target="parts", normals=True, scale="none")
    batch = found.store.gather([3])
    assert np.array_equal(batch.pos, CORNERS) and torch.equal(
        batch.part, (batch.pos[:, 2] > 0).long()
    )
    assert torch.equal(batch.vec[:, 0], torch.tensor([0.0, 0.0, 1.0]).expand(8, 3))


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian"])
def test_labels_of_a_mesh_are_those_of_its_vertices(tmp_path: Path, form: str) -> None:
    reading = {"mesh": "vertices"}
    found = data(tmp_path, ".ply", ply(form, faces=True), target="parts", reading=reading)
    assert found.store.gather([0]).part.sum() == 4
    with pytest.raises(ValueError, match="neither labels .* dataset.reading.mesh=vertices"):
        PointClouds(path=tmp_path, loader=LoaderOptions(batch_size=2), target="parts").store  # noqa: B018
    with pytest.raises(ValueError, match="0.ply is a mesh: num_points must be given"):
        PointClouds(path=tmp_path, loader=LoaderOptions(batch_size=2), num_points=None).store  # noqa: B018


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.off", off()[:-20], "8 vertices and 12 faces need 20 lines, there are 1[89]"),
        ("a.off", off("OFF\n8 x 0\n"), "line 2 must hold the numbers of vertices and faces"),
        ("a.off", off("FF\n8 12 0\n"), "line 1 must begin with OFF"),
        ("a.off", "OFF\n", "it ends before the numbers"),
        ("a.off", "", "line 1 must begin with OFF"),
        ("a.off", off().replace("3 1 7 3", "3 1 7 9"), "a.off is corrupt or not a file of OFF"),
        ("a.off", off().replace("1 1 3", "1 1 z"), "could not convert"),
        ("a.ply", ply("ascii")[:-20], "declares 8 vertices and faces, there are 7 lines"),
        ("a.ply", ply("binary_little_endian")[:-3], "a.ply is corrupt"),
        ("a.ply", b"plx\n", "line 1 must be ply"),
        ("a.ply", ply("ascii").replace(b"vertex 8", b"vertex 0"), "it has no vertices"),
    ],
)  # fmt: skip
def test_corrupt_meshes_are_refused(
    name: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=message):
        read_mesh(path)


def test_meshes_without_an_area_are_refused(tmp_path: Path) -> None:
    flat = "OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n"
    with pytest.raises(ValueError, match="0.off: the surface of the mesh must have a finite area"):
        data(tmp_path, ".off", flat).store  # noqa: B018
