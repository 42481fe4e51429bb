"""Operations on the parts of 3 x 3 matrices, compared with full matrices."""

from __future__ import annotations

import pytest
import torch

from geozoo.geometry import (
    arrow_parts,
    full_tensor,
    random_rotations,
    tensor_part_norms,
    tensor_product_parts,
    weigh_parts,
)


def tensors(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randn(4, 10, 2, generator=generator, dtype=torch.float64)
    parts[:, 6] = -parts[:, 4] - parts[:, 5]  # traceless
    return parts


def matrices(parts: torch.Tensor) -> torch.Tensor:
    return full_tensor(parts).permute(0, 3, 1, 2)


def test_full_tensor_has_the_given_parts():
    parts = tensors(0)
    full = matrices(parts)
    trace = full.diagonal(dim1=-2, dim2=-1).sum(-1)
    torch.testing.assert_close(trace / 3, parts[:, 0])
    w = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    antisymmetric = 0.5 * (full - full.mT)
    crossed = torch.linalg.cross(parts[:, 1:4].transpose(1, 2), w.expand(4, 2, 3))
    torch.testing.assert_close(antisymmetric @ w, crossed)
    symmetric = 0.5 * (full + full.mT) - parts[:, 0, :, None, None] * torch.eye(3).double()
    for place, (row, column) in enumerate([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]):
        torch.testing.assert_close(symmetric[..., row, column], parts[:, 4 + place])


def test_arrow_parts_give_the_three_matrices():
    r = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    full = full_tensor(arrow_parts(r)[:, None])[..., 0]
    eye = torch.eye(3, dtype=torch.float64)
    cross = torch.tensor([[0, -0.5, -2], [0.5, 0, -1], [2, 1, 0]], dtype=torch.float64)
    wanted = eye + cross + torch.outer(r, r) - r.square().sum() * eye / 3
    torch.testing.assert_close(full, wanted)


def test_products_match_full_matrices():
    one, other = tensors(0), tensors(1)
    x, y = matrices(one), matrices(other)
    found = tensor_product_parts(one, other)
    torch.testing.assert_close(matrices(found), 0.5 * (x @ y + y @ x))
    torch.testing.assert_close(found[:, 4:7].sum(1), torch.zeros(4, 2).double())


def test_norms_match_full_matrices():
    parts = tensors(2)
    full = matrices(parts)
    norms = tensor_part_norms(parts)
    torch.testing.assert_close(norms.sum(1), full.square().sum((-2, -1)))
    for place, (start, stop) in enumerate([(0, 1), (1, 4), (4, 10)]):
        alone = torch.zeros_like(parts)
        alone[:, start:stop] = parts[:, start:stop]
        torch.testing.assert_close(norms[:, place], matrices(alone).square().sum((-2, -1)))


def test_weights_scale_parts():
    parts, weights = tensors(0), torch.tensor([[2.0], [3.0], [5.0]]).double().expand(4, 3, 2)
    found = weigh_parts(weights, parts)
    torch.testing.assert_close(found[:, 0], 2 * parts[:, 0])
    torch.testing.assert_close(found[:, 1:4], 3 * parts[:, 1:4])
    torch.testing.assert_close(found[:, 4:], 5 * parts[:, 4:])


@pytest.mark.parametrize("mirror", [False, True])
def test_product_is_equivariant_to_reflections(mirror: bool):
    turn = random_rotations(1, 3, generator=torch.Generator().manual_seed(3))[0].double()
    turn = torch.linalg.qr(turn)[0] * (-1 if mirror else 1)
    arrows = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))

    def product(arrows: torch.Tensor) -> torch.Tensor:
        first, second = (arrow_parts(each)[..., None] for each in arrows)
        return tensor_product_parts(tensor_product_parts(first, second), second)

    still, turned = product(arrows), product(arrows @ turn.T)
    torch.testing.assert_close(turned[:, 0], still[:, 0])
    torch.testing.assert_close(turned[:, 1:4, 0], still[:, 1:4, 0] @ turn.T)
    symmetric = [full_tensor(torch.cat([torch.zeros_like(each[:, :4]), each[:, 4:]], 1))[..., 0]
                 for each in (still, turned)]  # fmt: skip
    torch.testing.assert_close(symmetric[1], turn @ symmetric[0] @ turn.T)


def test_other_shapes_raise():
    with pytest.raises(ValueError, match=r"direction must have 3 components, got shape \(4, 2\)"):
        arrow_parts(torch.zeros(4, 2))
    for make in (tensor_part_norms, full_tensor):
        with pytest.raises(ValueError, match=r"must have shape \(..., 10, C\), got \(4, 9, 2\)"):
            make(torch.zeros(4, 9, 2))
    with pytest.raises(ValueError, match=r"\(..., 10, C\), got \(10,\)"):
        full_tensor(torch.zeros(10))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_full_tensor_keeps_dtype(dtype):
    parts = torch.randn(4, 10, 2, dtype=dtype)
    assert full_tensor(parts).dtype == dtype
