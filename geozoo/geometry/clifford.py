r"""The Clifford algebra of Euclidean space, with components as arrays.

A multivector is a sum of products of orthonormal vectors :math:`e_1, e_2, \dots` with
:math:`e_i e_i = 1` and :math:`e_i e_j = -e_j e_i`. A product of m different vectors, in ascending
order, is a blade of grade m; the components of a multivector are sorted by grade, and blades of
one grade by the binary number whose bit i - 1 stands for :math:`e_i`: in three dimensions
:math:`1, e_1, e_2, e_3, e_{12}, e_{13}, e_{23}, e_{123}`. Under a rotation or reflection
:math:`Q` of the vectors, scalars are invariant and vectors become :math:`Q u`; bivectors become
:math:`(\det Q)\, Q b`, where b is the vector :math:`(e_{23}, -e_{13}, e_{12})`, and the component
of :math:`e_{123}` is multiplied by :math:`\det Q`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.ops import Coupling, Term, coupled_product

#: Dimensions of the spaces whose algebra is provided.
CLIFFORD_DIMS = (2, 3)


@dataclass(frozen=True)
class CliffordAlgebra:
    """Blades, grades and the table of the geometric product.

    Attributes:
        dim: dimension of the space, 2 or 3.

    Raises:
        ValueError: If ``dim`` is not 2 or 3.

    >>> CliffordAlgebra(2).blades, CliffordAlgebra(2).grade_sizes
    ((0, 1, 2, 3), (1, 2, 1))
    """

    dim: int

    def __post_init__(self) -> None:
        """Check the dimension."""
        if self.dim not in CLIFFORD_DIMS:
            raise ValueError(f"dim must be one of {CLIFFORD_DIMS}, got {self.dim!r}")

    @cached_property
    def blades(self) -> tuple[int, ...]:
        """Each blade as a binary number, by grade."""
        return tuple(sorted(range(1 << self.dim), key=lambda blade: (blade.bit_count(), blade)))

    @cached_property
    def grades(self) -> tuple[int, ...]:
        """Grade of each component."""
        return tuple(blade.bit_count() for blade in self.blades)

    @cached_property
    def grade_sizes(self) -> tuple[int, ...]:
        """Number of components of each grade."""
        return tuple(self.grades.count(grade) for grade in range(self.dim + 1))

    @property
    def num_blades(self) -> int:
        """Number of components."""
        return len(self.blades)

    @cached_property
    def paths(self) -> tuple[tuple[int, int, int], ...]:
        """Triples of grades: left operand, right operand, and a grade of their product."""
        return tuple(sorted({self._grades_of(left, right) for left, right in self._pairs}))

    @cached_property
    def coupling(self) -> Coupling:
        """The geometric product, with one weight for each of the `paths`."""
        place = {blade: number for number, blade in enumerate(self.blades)}
        number = {path: row for row, path in enumerate(self.paths)}
        terms = tuple(
            Term(
                place[left], place[right], place[left ^ right],
                number[self._grades_of(left, right)], blade_sign(left, right),
            )
            for left, right in self._pairs
        )  # fmt: skip
        size = self.num_blades
        return Coupling(terms, (size, size, size, len(self.paths)))

    @cached_property
    def squares(self) -> Coupling:
        """Squared norm of each grade; one path."""
        terms = tuple(Term(k, k, grade, 0, 1.0) for k, grade in enumerate(self.grades))
        return Coupling(terms, (self.num_blades, self.num_blades, self.dim + 1, 1))

    @cached_property
    def scaling(self) -> Coupling:
        """A factor of each grade times multivectors; one path."""
        terms = tuple(Term(grade, k, k, 0, 1.0) for k, grade in enumerate(self.grades))
        return Coupling(terms, (self.dim + 1, self.num_blades, self.num_blades, 1))

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        return [(left, right) for left in self.blades for right in self.blades]

    @staticmethod
    def _grades_of(left: int, right: int) -> tuple[int, int, int]:
        return left.bit_count(), right.bit_count(), (left ^ right).bit_count()


@lru_cache(maxsize=len(CLIFFORD_DIMS))
def clifford_algebra(dim: int) -> CliffordAlgebra:
    """The algebra of a dimension, made once; ValueError if ``dim`` is not 2 or 3."""
    return CliffordAlgebra(dim)


def blade_sign(left: int, right: int) -> float:
    """Sign of the product of two blades: one exchange for each vector that passes another.

    Args:
        left: a blade as a binary number.
        right: the same.

    >>> blade_sign(0b01, 0b10), blade_sign(0b10, 0b01)  # e1 e2 and e2 e1
    (1.0, -1.0)
    """
    exchanges, rest = 0, left >> 1
    while rest:
        exchanges += (rest & right).bit_count()
        rest >>= 1
    return -1.0 if exchanges % 2 else 1.0


def geometric_product(
    left: Float[Tensor, "N B C"], right: Float[Tensor, "N B C"], algebra: CliffordAlgebra
) -> Float[Tensor, "N B C"]:
    """Return the geometric product of multivectors, channelwise.

    Args:
        left: components of the left operands.
        right: components of the right operands.
        algebra: the algebra.

    Raises:
        ValueError: If shapes differ or the number of components is not that of the algebra.

    >>> e1 = torch.tensor([0.0, 1.0, 0.0, 0.0]).view(1, 4, 1)
    >>> e2 = torch.tensor([0.0, 0.0, 1.0, 0.0]).view(1, 4, 1)
    >>> geometric_product(e1, e2, clifford_algebra(2)).flatten().tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    weight = left.new_ones(len(algebra.paths), left.shape[-1])
    return coupled_product(left, right, weight, algebra.coupling)


def reversion(
    x: Float[Tensor, "*batch B C"], algebra: CliffordAlgebra
) -> Float[Tensor, "*batch B C"]:
    r"""Return multivectors with the order of all products reversed: grade m times
    :math:`(-1)^{m (m - 1) / 2}`.

    Raises:
        ValueError: If the number of components is not that of the algebra.
    """  # noqa: D205
    signs = [-1.0 if grade * (grade - 1) // 2 % 2 else 1.0 for grade in range(algebra.dim + 1)]
    return torch.cat([s * part for s, part in zip(signs, grade_parts(x, algebra), strict=True)], -2)


def grade_parts(
    x: Float[Tensor, "*batch B C"], algebra: CliffordAlgebra
) -> tuple[Float[Tensor, "*batch M C"], ...]:
    """Split components by grade.

    Raises:
        ValueError: If the number of components is not that of the algebra.
    """
    if x.dim() < 2 or x.shape[-2] != algebra.num_blades:
        wanted = f"x must have shape (..., {algebra.num_blades}, C)"
        raise ValueError(f"{wanted}, got {tuple(x.shape)}")
    return x.split(algebra.grade_sizes, -2)


def grade_squares(x: Float[Tensor, "N B C"], algebra: CliffordAlgebra) -> Float[Tensor, "N G C"]:
    r"""Return the squared norm of each grade, the scalar part of :math:`\tilde x^{(m)} x^{(m)}`.

    Invariant under rotations and reflections.

    Raises:
        ValueError: If the number of components is not that of the algebra.
    """
    return coupled_product(x, x, x.new_ones(1, x.shape[-1]), algebra.squares)


def weigh_grades(
    weights: Float[Tensor, "N G C"], x: Float[Tensor, "N B C"], algebra: CliffordAlgebra
) -> Float[Tensor, "N B C"]:
    """Multiply each grade of multivectors by its own weight.

    Raises:
        ValueError: If the number of weights or of components is not that of the algebra.
    """
    return coupled_product(weights, x, x.new_ones(1, x.shape[-1]), algebra.scaling)


def embed_grade(
    part: Float[Tensor, "*batch M C"], grade: int, algebra: CliffordAlgebra
) -> Float[Tensor, "*batch B C"]:
    """Return multivectors with one grade other than 0.

    Args:
        part: components of that grade.
        grade: the grade.
        algebra: the algebra.

    Raises:
        ValueError: If there is no such grade, or it has another number of components.
    """
    sizes = algebra.grade_sizes
    if not 0 <= grade < len(sizes):
        raise ValueError(f"grade must be 0 to {algebra.dim}, got {grade!r}")
    if part.dim() < 2 or part.shape[-2] != sizes[grade]:
        raise ValueError(f"part must have shape (..., {sizes[grade]}, C), got {tuple(part.shape)}")
    before, after = sum(sizes[:grade]), sum(sizes[grade + 1 :])
    return torch.nn.functional.pad(part, (0, 0, before, after))
