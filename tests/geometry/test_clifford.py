"""The Clifford algebra against matrices, against loops over words, and under rotations."""

from __future__ import annotations

import itertools

import pytest
import torch

from geozoo.geometry import (
    CliffordAlgebra,
    clifford_algebra,
    embed_grade,
    geometric_product,
    grade_parts,
    grade_squares,
    reversion,
    weigh_grades,
)

DIMS = (2, 3)
PAULI = torch.tensor(
    [[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=torch.complex128
)


def drawn(algebra, seed=0, rows=3):
    generator = torch.Generator().manual_seed(seed)
    size = (rows, algebra.num_blades, 2)
    return torch.randn(*size, generator=generator, dtype=torch.float64)


def words(algebra):
    """Each blade as its vectors, in ascending order."""
    return [[k for k in range(algebra.dim) if blade >> k & 1] for blade in algebra.blades]


def shortened(word):
    """Sort the vectors of a product by exchanges of neighbours, each with a sign; e e = 1."""
    word, sign = list(word), 1.0
    for end in range(len(word), 1, -1):
        for k in range(end - 1):
            if word[k] > word[k + 1]:
                word[k], word[k + 1], sign = word[k + 1], word[k], -sign
    left = []
    for each in word:
        if left and left[-1] == each:
            left.pop()
        else:
            left.append(each)
    return sign, left


def matrices(x, algebra):
    """Products of Pauli matrices in place of the vectors: a faithful representation."""
    basis = []
    for word in words(algebra):
        product = torch.eye(2, dtype=torch.complex128)
        for each in word:
            product = product @ PAULI[each]
        basis.append(product)
    return torch.einsum("nbc,bij->ncij", x.to(torch.complex128), torch.stack(basis))


def reversed_words(x, algebra):
    out = torch.zeros_like(x)
    for k, word in enumerate(words(algebra)):
        sign, left = shortened(word[::-1])
        assert left == word
        out[:, k] = sign * x[:, k]
    return out


def outermorphism(q, x, algebra):
    """Multivectors whose vectors are mapped by an orthogonal matrix: products of the images."""
    out = torch.zeros_like(x)
    place = {tuple(word): k for k, word in enumerate(words(algebra))}
    for k, word in enumerate(words(algebra)):
        for image in itertools.product(range(algebra.dim), repeat=len(word)):
            sign, left = shortened(image)
            if len(left) == len(word):
                factor = sign
                for to, each in zip(image, word, strict=True):
                    factor = factor * q[to, each]
                out[:, place[tuple(left)]] += factor * x[:, k]
    return out


def orthogonal(dim, reflects):
    q = torch.linalg.qr(torch.randn(dim, dim, dtype=torch.float64))[0]
    if (torch.det(q) < 0) != reflects:
        q[:, 0] = -q[:, 0]
    return q


@pytest.mark.parametrize("dim", DIMS)
class TestProduct:
    def test_values_by_words(self, dim):
        algebra = clifford_algebra(dim)
        x, y = drawn(algebra), drawn(algebra, 1)
        wanted = torch.zeros_like(x)
        for (a, left), (b, right) in itertools.product(enumerate(words(algebra)), repeat=2):
            sign, word = shortened(left + right)
            wanted[:, words(algebra).index(word)] += sign * x[:, a] * y[:, b]
        torch.testing.assert_close(geometric_product(x, y, algebra), wanted, rtol=0, atol=1e-14)

    def test_values_by_pauli_matrices(self, dim):
        algebra = clifford_algebra(dim)
        x, y = drawn(algebra), drawn(algebra, 1)
        found = matrices(geometric_product(x, y, algebra), algebra)
        wanted = matrices(x, algebra) @ matrices(y, algebra)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)

    def test_it_is_associative(self, dim):
        algebra = clifford_algebra(dim)
        x, y, z = (drawn(algebra, seed) for seed in range(3))
        left = geometric_product(geometric_product(x, y, algebra), z, algebra)
        right = geometric_product(x, geometric_product(y, z, algebra), algebra)
        torch.testing.assert_close(left, right, rtol=0, atol=1e-13)

    def test_vectors_square_to_their_length(self, dim):
        algebra = clifford_algebra(dim)
        vector = torch.randn(4, dim, 2, dtype=torch.float64)
        square = geometric_product(*[embed_grade(vector, 1, algebra)] * 2, algebra)
        wanted = embed_grade(vector.square().sum(1, keepdim=True), 0, algebra)
        torch.testing.assert_close(square, wanted, rtol=0, atol=1e-13)

    @pytest.mark.parametrize("reflects", [False, True])
    def test_it_is_equivariant(self, dim, reflects):
        algebra, q = clifford_algebra(dim), orthogonal(dim, reflects)
        x, y = drawn(algebra), drawn(algebra, 1)
        moved = [outermorphism(q, each, algebra) for each in (x, y)]
        wanted = outermorphism(q, geometric_product(x, y, algebra), algebra)
        found = geometric_product(*moved, algebra)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)

    def test_reversion_reverses_words_and_products(self, dim):
        algebra = clifford_algebra(dim)
        x, y = drawn(algebra), drawn(algebra, 1)
        torch.testing.assert_close(reversion(x, algebra), reversed_words(x, algebra))
        left = reversion(geometric_product(x, y, algebra), algebra)
        right = geometric_product(reversion(y, algebra), reversion(x, algebra), algebra)
        torch.testing.assert_close(left, right, rtol=0, atol=1e-13)

    def test_norms_are_the_scalar_part_of_the_reversed_product(self, dim):
        algebra = clifford_algebra(dim)
        x = drawn(algebra)
        squares = grade_squares(x, algebra)
        for grade, part in enumerate(grade_parts(x, algebra)):
            only = embed_grade(part, grade, algebra)
            product = geometric_product(reversion(only, algebra), only, algebra)
            torch.testing.assert_close(product[:, 0], squares[:, grade])

    def test_weights_of_grades(self, dim):
        algebra = clifford_algebra(dim)
        x = drawn(algebra)
        weights = torch.randn(3, dim + 1, 2, dtype=torch.float64)
        parts = zip(grade_parts(x, algebra), weights.split(1, 1), strict=True)
        wanted = torch.cat([weight * part for part, weight in parts], 1)
        torch.testing.assert_close(weigh_grades(weights, x, algebra), wanted)


def test_bivectors_and_pseudoscalars_of_three_dimensions_transform_as_stated():
    algebra, x = clifford_algebra(3), drawn(clifford_algebra(3))
    for reflects in (False, True):
        q = orthogonal(3, reflects)
        moved, det = outermorphism(q, x, algebra), -1.0 if reflects else 1.0
        torch.testing.assert_close(moved[:, 0], x[:, 0])
        torch.testing.assert_close(moved[:, 1:4], torch.einsum("ij,njc->nic", q, x[:, 1:4]))

        def axial(y):
            return torch.stack([y[:, 6], -y[:, 5], y[:, 4]], 1)

        wanted = det * torch.einsum("ij,njc->nic", q, axial(x))
        torch.testing.assert_close(axial(moved), wanted)
        torch.testing.assert_close(moved[:, 7], det * x[:, 7])


def test_rotors_rotate_vectors():
    algebra, angle = clifford_algebra(3), torch.tensor(0.7, dtype=torch.float64)
    rotor = torch.zeros(1, 8, 1, dtype=torch.float64)
    rotor[0, 0], rotor[0, 4] = (angle / 2).cos(), -(angle / 2).sin()  # e1 towards e2
    e1 = embed_grade(torch.eye(3, 1, dtype=torch.float64)[None], 1, algebra)
    turned = geometric_product(rotor, e1, algebra)
    turned = geometric_product(turned, reversion(rotor, algebra), algebra)
    wanted = torch.stack([angle.cos(), angle.sin(), torch.zeros(()).double()]).view(1, 3, 1)
    torch.testing.assert_close(turned, embed_grade(wanted, 1, algebra))


def test_paths_of_three_dimensions():
    paths = CliffordAlgebra(3).paths
    assert len(paths) == 20
    assert (1, 1, 0) in paths and (1, 1, 2) in paths and (1, 1, 1) not in paths


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"dim must be one of \(2, 3\), got 4"):
        clifford_algebra(4)
    algebra = clifford_algebra(3)
    with pytest.raises(ValueError, match=r"grade must be 0 to 3, got 4"):
        embed_grade(torch.zeros(2, 1, 3), 4, algebra)
    with pytest.raises(ValueError, match=r"part must have shape \(..., 3, C\), got \(2, 1, 3\)"):
        embed_grade(torch.zeros(2, 1, 3), 1, algebra)
    with pytest.raises(ValueError, match=r"x must have shape \(..., 8, C\), got \(2, 4, 3\)"):
        reversion(torch.zeros(2, 4, 3), algebra)
    with pytest.raises(ValueError, match=r"right must have shape \(2, 8, 3\), got \(2, 4, 3\)"):
        geometric_product(torch.zeros(2, 8, 3), torch.zeros(2, 4, 3), algebra)
