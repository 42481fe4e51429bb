"""Options of the Platonic transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from geozoo.checks import check_choice, check_positive
from geozoo.geometry import FiniteGroup, finite_group
from geozoo.nn.attention.rotary_attention import AttentionForm
from geozoo.nn.embedding.rotary import FREQUENCY_STARTS

GroupName = Literal[
    "auto", "trivial", "cyclic", "dihedral", "tetrahedral", "octahedral", "icosahedral"
]


@dataclass(frozen=True)
class PlatonicSymmetry:
    """Group under which the Platonic transformer is exactly equivariant.

    Attributes:
        group: in space ``"tetrahedral"`` (12 rotations), ``"octahedral"`` (24) or ``"icosahedral"``
            (60); in the plane ``"cyclic"`` or ``"dihedral"`` (with reflections); ``"trivial"``
            (translations only); ``"auto"``: tetrahedral in space, cyclic in the plane.
        order: number of rotations in the plane; unused in space.

    Raises:
        ValueError: If ``group`` is unknown or ``order`` below 1.
    """

    group: GroupName = "auto"
    order: int = 8

    def __post_init__(self) -> None:
        """Check the options."""
        check_choice("group", self.group, get_args(GroupName))
        check_positive(order=self.order)

    def elements(self, dim: int) -> FiniteGroup:
        """The group in ``dim`` dimensions.

        Raises:
            ValueError: If it does not exist there.
        """
        name = self.group
        if name == "auto":
            name = "cyclic" if dim == 2 else "tetrahedral"
        return finite_group(name, dim, self.order)


@dataclass(frozen=True)
class PlatonicAttention:
    """Attention of the Platonic transformer.

    Attributes:
        heads: number of heads on each element of the group; ``2 * heads`` divides the width.
        form: ``"softmax"``, or ``"linear"``: no softmax, at a cost linear in the number of points.
        rope_sigma: scale of the frequencies of the rotary embedding, in inverse units of length.
        frequencies: how they start, ``"spiral"`` or ``"normal"``.
        turn_values: turn values too, and their sum back.
        absolute_sigma: scale of the frequencies of an embedding of the positions relative to the
            mean position of a graph; None: no such embedding.

    Raises:
        ValueError: If an option is invalid.
    """

    heads: int = 4
    form: AttentionForm = "softmax"
    rope_sigma: float = 1.0
    frequencies: Literal["spiral", "normal"] = "spiral"
    turn_values: bool = True
    absolute_sigma: float | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        check_positive(heads=self.heads)
        check_choice("form", self.form, get_args(AttentionForm))
        check_choice("frequencies", self.frequencies, FREQUENCY_STARTS)
        for name in ("rope_sigma", "absolute_sigma"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be positive, got {value!r}")
